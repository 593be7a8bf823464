"""Look-ups for mail: resolvers that are given, or a zone's own servers. Never this machine's own resolver.

That there is no such name (NXDOMAIN), that a name has no record of a kind, and that a look-up failed, are
three things: the first two are answers, the third is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata

from dynamic_providers.dns import wire
from dynamic_providers.dns.wire import BrokenAnswer, LookUpFailed, NotAuthoritative

DEFAULT_SERVERS = ("9.9.9.9", "1.1.1.1", "8.8.8.8")
TIMEOUTS = (2.0, 4.0)  # seconds for an answer in the first round over all servers, and in the second

Kind = Literal["A", "AAAA", "MX", "NS", "TXT", "CNAME", "PTR", "SOA"]


@dataclass(frozen=True)
class Answer:
    """What a server said.

    `records` are texts in one form (names in lower case without a final dot, MX as `10 mx1.contoso.example`,
    null MX `0 .`, TXT with its parts joined). `ttl` in seconds: of the records, else for how long a resolver
    may remember that there are none. `alias` is where a CNAME led to, else empty.
    """

    name: str
    kind: Kind
    records: tuple[str, ...]
    ttl: int
    server: str
    exists: bool = True  # False: NXDOMAIN, there is no such name at all
    alias: str = ""

    def __str__(self) -> str:
        if self.records:
            return ", ".join(self.records)
        return f"no {self.kind} record" if self.exists else "no such name"


@dataclass(frozen=True)
class OwnServers:
    """A zone's own name servers: name → address. `without_address` names those that have none."""

    zone: str
    servers: dict[str, str]
    without_address: tuple[str, ...] = ()


class Resolver:
    """Asks servers one after the other until one answers, twice round; IPv4 addresses, port 53.

    `authoritative`: these are a zone's own servers, which are asked without recursion and must answer with
    authority.
    """

    def __init__(self, servers: Sequence[str] = DEFAULT_SERVERS, *, authoritative: bool = False) -> None:
        if not servers:
            raise LookUpFailed("no DNS server to ask", fix="name at least one in the setting dns.resolvers")
        self.servers = tuple(servers)
        self.authoritative = authoritative

    def ask(self, name: str, kind: Kind) -> Answer:
        """The records of a kind under a name; an Answer without records where there are none."""
        failures: dict[str, LookUpFailed] = {}
        for timeout in TIMEOUTS:
            for server in self.servers:
                try:
                    return self._ask_one(server, name, kind, timeout)
                except LookUpFailed as error:
                    failures[server] = error
        if len(failures) == 1:
            raise next(iter(failures.values()))
        raise LookUpFailed(
            "none of the DNS servers answers: "
            + "; ".join(f"{server}: {error.what}" for server, error in failures.items()),
            where=f"{kind} of {name}",
            fix="check that this machine may ask them (port 53), or name others in the setting dns.resolvers",
        )

    def mx(self, domain: str) -> Answer:
        """The MX records of a domain."""
        return self.ask(domain, "MX")

    def mail_hosts(self, domain: str) -> list[tuple[int, str]]:
        """Preference and host of each MX, the preferred first; empty where there is none."""
        pairs = (record.split(" ", 1) for record in self.mx(domain).records)
        return sorted((int(preference), host) for preference, host in pairs)

    def addresses(self, name: str) -> tuple[str, ...]:
        """IPv4 addresses, then IPv6; empty where the name has none."""
        first = self.ask(name, "A")
        return first.records + (self.ask(name, "AAAA").records if first.exists else ())

    def ipv4(self, name: str) -> tuple[str, ...]:
        """IPv4 addresses; empty where the name has none."""
        return self.ask(name, "A").records

    def texts(self, name: str) -> tuple[str, ...]:
        """TXT records, the parts of each joined; empty where there are none."""
        return self.ask(name, "TXT").records

    def own_servers(self, domain: str) -> OwnServers:
        """The zone that a name lies in, and that zone's own servers with an address each."""
        labels = domain.rstrip(".").split(".")
        for at in range(len(labels) - 1):  # a name right under the root, `com`, is nobody's own zone
            zone = ".".join(labels[at:])
            found = self.ask(zone, "NS")
            if found.records and not found.alias:
                return self._with_addresses(zone, found.records)
        raise LookUpFailed(
            "no zone with name servers holds this name",
            where=domain,
            fix="check that the domain is registered and delegated",
        )

    def _with_addresses(self, zone: str, names: tuple[str, ...]) -> OwnServers:
        found = {name: self.addresses(name) for name in sorted(names)}
        servers = {name: addresses[0] for name, addresses in found.items() if addresses}
        without = tuple(name for name, addresses in found.items() if not addresses)
        if not servers:
            raise LookUpFailed("none of the zone's name servers has an address", where=zone)
        return OwnServers(zone, servers, without)

    def _ask_one(self, server: str, name: str, kind: Kind, timeout: float) -> Answer:
        asked = f"{kind} of {name}"
        try:
            query = wire.question(name, kind, recursive=not self.authoritative)
        except (dns.exception.DNSException, UnicodeError) as error:
            raise BrokenAnswer(
                f"is not a name that DNS can hold: {type(error).__name__}", where=name
            ) from None
        message = wire.ask(server, query, timeout=timeout)
        wire.require_success(message, server, asked)
        if self.authoritative and not message.flags & dns.flags.AA:
            raise NotAuthoritative(
                f"it answers {asked} without authority: the zone names it, but it does not hold the zone",
                where=wire.named(server),
                fix="repair the delegation (NS records) of the zone",
            )
        return read_answer(message, name, kind, server)


class RememberingResolver(Resolver):
    """Asks each thing once: for one evaluation that looks at the same names again and again."""

    def __init__(self, servers: Sequence[str] = DEFAULT_SERVERS) -> None:
        super().__init__(servers)
        self._known: dict[tuple[str, Kind], Answer] = {}

    def ask(self, name: str, kind: Kind) -> Answer:
        key = (name.lower().rstrip("."), kind)
        if key not in self._known:
            self._known[key] = super().ask(name, kind)
        return self._known[key]


def read_answer(message: dns.message.Message, name: str, kind: Kind, server: str) -> Answer:
    """An answer's records in one form, behind the CNAMEs that lead there."""
    try:
        chain = message.resolve_chaining()  # type: ignore[attr-defined] # every answer to a query has it
    except dns.exception.DNSException as error:
        raise BrokenAnswer(
            f"its answer to {kind} of {name} makes no sense: {type(error).__name__}", where=wire.named(server)
        ) from None
    records = tuple(sorted(record_text(one) for one in chain.answer)) if chain.answer else ()
    alias = plain_name(chain.canonical_name) if chain.cnames else ""
    exists = message.rcode() != dns.rcode.NXDOMAIN
    return Answer(name, kind, records, int(chain.minimum_ttl), server, exists, alias)


def record_text(record: dns.rdata.Rdata) -> str:
    """A record as text in its one form."""
    kind = record.rdtype.name
    if kind == "MX":
        return f"{record.preference} {plain_name(record.exchange)}"  # type: ignore[attr-defined]
    if kind == "TXT":
        joined: bytes = b"".join(record.strings)  # type: ignore[attr-defined]
        return joined.decode(errors="backslashreplace")
    if kind in ("NS", "CNAME", "PTR"):
        return plain_name(record.target)  # type: ignore[attr-defined]
    return record.to_text()


def plain_name(name: dns.name.Name) -> str:
    """Lower case, no final dot; the root is `.`."""
    return name.to_text(omit_final_dot=True).lower() or "."
