"""Where a message leaves for: a connector's smart hosts, or the recipient domain's MX."""

from __future__ import annotations

import ipaddress
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.internet.resolver import Resolver
from lab.mail.client import Tls
from lab.tenant.store import Record

NO_DNS = "450 4.4.312 DNS query failed"


@dataclass(frozen=True)
class Hop:
    """One server to try: its name, or its address once more."""

    name: str
    address: str


@dataclass(frozen=True)
class Route:
    """The servers in the order to try them, and the TLS to demand; `missing` says why there are none.

    `trusted`: any certificate will not do, a public authority must have issued it. `certificate_for`: and it
    must be for this domain; "" minds no name.
    """

    hops: tuple[Hop, ...]
    tls: Tls
    missing: str = ""
    trusted: bool = False
    certificate_for: str = ""


@dataclass
class Router:
    """Finds routes; smart hosts take turns. Believes DNS answers for their time to live."""

    resolver: Resolver
    _turns: dict[str, Iterator[int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def route(self, domain: str, connector: Record | None, *, require_tls: bool) -> Route:
        """The way out for one domain, through a connector or by MX."""
        settings = None if connector is None else connector["TlsSettings"]
        tls: Tls = "required" if require_tls or settings else "preferred"
        trusted = settings in ("CertificateValidation", "DomainValidation")
        wanted = ""
        if connector is not None and settings == "DomainValidation":
            wanted = connector["TlsDomain"] or domain
        if connector is not None and not connector["UseMXRecord"]:
            hops = self._smart_hosts(connector)
            return Route(hops, tls, "" if hops else NO_DNS, trusted, wanted)
        hops = self._mail_hosts(domain)
        missing = "" if hops else f"550 5.4.310 DNS domain {domain} does not exist"
        return Route(hops, tls, missing, trusted, wanted)

    def hop(self, name: str) -> list[Hop]:
        """The servers that a smart host's name or address stands for."""
        try:
            return [Hop(name, str(ipaddress.IPv4Address(name)))]
        except ValueError:
            return [Hop(name, address) for address in self.resolver.addresses(name)]

    def _smart_hosts(self, connector: Record) -> tuple[Hop, ...]:
        found = [hop for name in connector["SmartHosts"] for hop in self.hop(name)]
        if not found:
            return ()
        with self._lock:
            turn = next(self._turns.setdefault(str(connector["Guid"]), itertools.count())) % len(found)
        return (*found[turn:], *found[:turn])

    def _mail_hosts(self, domain: str) -> tuple[Hop, ...]:
        names = [name for _preference, name in self.resolver.mail_hosts(domain)] or [domain]
        return tuple(Hop(name, address) for name in names for address in self.resolver.addresses(name))
