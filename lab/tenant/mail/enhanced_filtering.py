"""Enhanced Filtering for Connectors: where a message came from, past the servers in front of Microsoft.

`EFSkipLastIP` looks one hop past who connects; else `EFSkipIPs` are passed over for as long as they follow
each other; with neither it is off. `EFUsers` limits it to messages all of whose recipients are listed.
(Microsoft: «Enhanced filtering for connectors in Exchange Online», «Set-InboundConnector».)
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.mail.envelope import Envelope
from lab.tenant.mail.predicates import in_ranges
from lab.tenant.store import Record

SKIPPED, ORIGINAL = "X-MS-Exchange-SkipListedInternetSender", "X-MS-Exchange-ExternalOriginalInternetSender"
FROM = re.compile(r"from\s+(\S+)\s+(.*?)(?=\bby\s)", re.IGNORECASE | re.DOTALL)
ADDRESS = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])")


@dataclass(frozen=True)
class Source:
    """Whom a message is judged by; `explicit`: found past a connector's servers, for these recipients."""

    address: str
    name: str
    skipped: bool = False
    explicit: bool = False

    def stamped(self, envelope: Envelope) -> Envelope:
        """The message with the headers that tell of it."""
        value = f"ip=[{self.address}];domain={self.name}"
        for header in (SKIPPED,) * self.skipped + (ORIGINAL,) * self.explicit:
            envelope = envelope.with_header(header, value)
        return envelope


def source(envelope: Envelope, peer: str, helo: str, connector: Record | None) -> Source:
    """Whom the message is judged by; `envelope` as it came in, with no line of ours on top."""
    connecting = Source(peer, helo)
    if connector is None:
        return connecting
    found = next(_past(connector, [(peer, helo), *_hops(envelope)]), None)
    if found is None or found[0] == peer:
        return connecting
    users = {address.lower() for address in connector["EFUsers"]}
    wanted = not users or {recipient.lower() for recipient in envelope.recipients} <= users
    return Source(*found, skipped=True, explicit=wanted)


def _past(connector: Record, hops: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The hops that are left, the nearest first, when those in front of Microsoft are taken away."""
    if connector["EFSkipLastIP"]:
        yield from hops[1:]
    elif connector["EFSkipIPs"]:
        yield from (hop for hop in hops if not _trusted(connector["EFSkipIPs"], hop[0]))


def _trusted(ranges: Iterable[str], address: str) -> bool:
    return in_ranges(ranges, address) or _private(address)


def _private(address: str) -> bool:
    """RFC 1918 and loopback: no source of anything; documentation addresses are the lab's internet."""
    blocks = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(block) for block in blocks)


def _hops(envelope: Envelope) -> Iterator[tuple[str, str]]:
    """Address and name of who handed the message over, hop by hop, the last one first."""
    for line in envelope.headers("Received"):
        clause = FROM.match(line.strip())
        found = ADDRESS.search(clause[2]) if clause else None
        if clause and found:
            yield found[1], clause[1]
