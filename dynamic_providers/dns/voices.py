"""What the world says of a domain's MX: its zone's own servers and some resolvers, all asked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from dynamic_providers.dns import mx_set
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.entries import Entry

_AT_ONCE = 8


@dataclass(frozen=True)
class Voice:
    """One server's word: the set that it gives (None: no MX), or why it gave none."""

    who: str
    own: bool  # one of the zone's own servers, so what it says is no memory
    found: Entry | None = None
    failed: str = ""

    def says(self, hosts: Mapping[str, Any]) -> bool:
        """Whether it leads mail to these hosts."""
        return not self.failed and mx_set.same_hosts(self.found, hosts)

    def line(self) -> str:
        """What it says and for how long it will, for an operator."""
        if self.failed:
            return f"{self.who}: {self.failed}"
        ttl = int(self.found["ttl"]) if self.found else 0
        memory = f", from its memory for up to {ttl} s" if not self.own and self.found else ""
        source = "the zone's own server " if self.own else ""
        return f"{source}{self.who} says {mx_set.shown(self.found)}{memory}"


def listen(domain: str, resolvers: Sequence[str]) -> list[Voice]:
    """Ask them all; a server that fails has a voice, too. The zone's own come first."""
    askers = [(address, Resolver([address]), False) for address in resolvers]
    try:
        own = Resolver(resolvers).own_servers(domain)
    except LookUpFailed as error:
        lost = [Voice("the zone's own servers", own=True, failed=f"not found: {error}")]
    else:
        lost = [Voice(name, own=True, failed="has no address") for name in own.without_address]
        askers = [
            *((name, Resolver([address], authoritative=True), True) for name, address in own.servers.items()),
            *askers,
        ]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return lost + list(threads.map(lambda asker: _voice(domain, asker), askers))


def _voice(domain: str, asker: tuple[str, Resolver, bool]) -> Voice:
    who, resolver, own = asker
    try:
        answer = resolver.mx(domain)
    except LookUpFailed as error:
        return Voice(who, own, failed=error.what)
    return Voice(who, own, mx_set.entry(answer) if answer.records else None)
