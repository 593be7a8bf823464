"""The emulated internet's wiring: who listens at which address, and what names mean."""

from __future__ import annotations

import threading
from collections.abc import Callable
from ipaddress import ip_address

from lab.internet.resolver import Resolver, addresses, mail_hosts
from lab.internet.zones import Zones, plain


class Network:
    """Addresses and ports of the lab's world, each behind a local port on 127.0.0.1.

    `changed` is called when something listens at another local port than before.
    """

    def __init__(self, zones: Zones | None = None) -> None:
        self.zones = zones or Zones()
        self.changed: Callable[[], None] | None = None
        self._listening: dict[tuple[str, int], int] = {}
        self._known: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def listen(self, address: str, port: int, local_port: int) -> None:
        """From now on `address`:`port` is answered at 127.0.0.1:`local_port`.

        A name in place of the address is for services that are asked for by name alone (IMAP, HTTPS).
        """
        with self._lock:
            moved = self._known.get((address, port)) != local_port
            self._listening[address, port] = self._known[address, port] = local_port
        if moved and self.changed is not None:
            self.changed()

    def unlisten(self, address: str, port: int) -> None:
        """From now on nobody answers there: connections are refused."""
        with self._lock:
            self._listening.pop((address, port), None)

    def local_port(self, address: str, port: int) -> int | None:
        """Where on 127.0.0.1 an address and port are; None: nobody is there."""
        with self._lock:
            return self._listening.get((address, port))

    def known(self) -> dict[tuple[str, int], int]:
        """(address, port) → local port, of all who listen and all who once did."""
        with self._lock:
            return dict(self._known)

    def addresses(self, name: str) -> list[str]:
        """The IPv4 addresses that a name has right now; [] when it has none."""
        return addresses(self.zones.lookup(name, "A"))

    def mail_hosts(self, domain: str) -> list[tuple[int, str]]:
        """Preference and host of the MX records that a domain has right now, the best first."""
        return mail_hosts(self.zones.lookup(domain, "MX"))

    def resolver(self) -> Resolver:
        """A look-up with a cache of its own: believes an answer until its time to live is over."""
        return Resolver(self.zones)

    def reverse(self, address: str) -> str:
        """The name that an address points back to, if that name has this address; else ""."""
        found = self.zones.lookup(ip_address(address).reverse_pointer, "PTR")
        for records in found.records:
            for value in records.values:
                if records.kind == "PTR" and address in self.addresses(value):
                    return plain(value)
        return ""
