"""Where mail for a domain goes: SMTP routes first, else the domain's MX, else its address.

A route's host name is looked up as MX first, then as an address; `[host]` as an address only. There is no way
back to MX when every host of a route fails (AsyncOS user guide, «Routing Email for Local Domains»).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from lab.gateway.state import Configuration, Target

ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:]+", re.IGNORECASE)
BLACK_HOLE, BY_DNS = "/dev/null", "USEDNS"


class Names(Protocol):
    """A resolver, as far as routing needs one."""

    def addresses(self, name: str) -> list[str]:
        """The addresses of a name."""

    def mail_hosts(self, domain: str) -> list[tuple[int, str]]:
        """Preference and host of a domain's MX records."""


@dataclass(frozen=True)
class Hop:
    """One address to try; lower priorities first. `name` is what led there."""

    priority: int
    address: str
    port: int
    name: str


@dataclass(frozen=True)
class Way:
    """How to deliver: hops in the order of trying, or thrown away, or nowhere and why."""

    hops: tuple[Hop, ...] = ()
    thrown_away: bool = False
    nowhere: str = ""


def route_of(tables: Configuration, domain: str) -> list[Target] | None:
    """The targets of the SMTP route that counts: the domain's own, the longest .suffix, ALL."""
    labels = domain.split(".")
    keys = [domain, *("." + ".".join(labels[place:]) for place in range(1, len(labels))), "ALL"]
    for key in keys:
        for known, targets in tables.routes.items():
            if known.lower() == key.lower():
                return targets
    return None


def find_way(tables: Configuration, names: Names, domain: str, mail_host: str = "") -> Way:
    """Where mail for a domain goes now; `mail_host` is a filter's `alt-mailhost`, before any route."""
    targets = [Target(mail_host)] if mail_host else route_of(tables, domain)
    if targets is None or targets[0].host == BY_DNS:
        return _by_mail_exchange(names, domain)
    if targets[0].host == BLACK_HOLE:
        return Way(thrown_away=True)
    hops = [hop for target in targets for hop in _hops(names, target)]
    hosts = ", ".join(target.host for target in targets)
    return _way(hops, f"the hosts of the SMTP route for {domain} have no address ({hosts})")


def _by_mail_exchange(names: Names, domain: str) -> Way:
    hosts = names.mail_hosts(domain) or [(0, domain)]
    hops = [Hop(priority, address, 25, host) for priority, host in hosts for address in names.addresses(host)]
    return _way(hops, f"DNS Hard Error looking up {domain} (MX)")


def _hops(names: Names, target: Target) -> list[Hop]:
    host = target.host.strip("[]")
    if ADDRESS.fullmatch(host):
        return [Hop(target.priority, host, target.port, host)]
    exchanges = [] if target.host.startswith("[") else [name for _, name in names.mail_hosts(host)]
    return [
        Hop(target.priority, address, target.port, host)
        for name in exchanges or [host]
        for address in names.addresses(name)
    ]


def _way(hops: list[Hop], trouble: str) -> Way:
    if not hops:
        return Way(nowhere=trouble)
    return Way(tuple(sorted(hops, key=lambda hop: hop.priority)))


def source_interface(tables: Configuration, sender: str, peer: str, otherwise: str) -> str:
    """The interface that mail leaves from: `altsrchost`, then `deliveryconfig`, then what «Auto» means."""
    domain = sender.rpartition("@")[2]
    for key in (sender, f"@{domain}", domain, peer):
        for known, interface in tables.alt_sources.items():
            if key and known.lower() == key.lower():
                return interface
    return otherwise if tables.delivery.interface == "Auto" else tables.delivery.interface
