"""One machine as its mail service sees it: what it is configured with, where it writes, whom it can ask."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Protocol

from lab.gateway.mail.host_access import Host
from lab.gateway.mail.tracking import Tracking
from lab.gateway.member import Member
from lab.gateway.state import Configuration, Listener, State
from lab.gateway.switches import Switches
from lab.internet.zones import Found
from lab.journal import Journal
from lab.mail.network import Network

FIRST_NUMBER = 186370
"""MIDs and connection numbers begin after this one on every machine: only with its serial is one unique."""


class Identities(Protocol):
    """Makes a client's TLS context with a certificate for these names, one that the world trusts or not."""

    def __call__(self, *names: str, public: bool = True) -> ssl.SSLContext:
        """The context; each call makes a new certificate."""


class Owner(Protocol):
    """The gateway that a machine belongs to."""

    state: State
    journal: Journal


class Appliance:
    """A member of the gateway; configuration is what is committed, the machine's own overrides included."""

    def __init__(
        self,
        owner: Owner,
        switches: Switches,
        member: Member,
        network: Network,
        identities: Identities | None = None,
    ) -> None:
        self.member = member
        self.switches = switches
        self.network = network
        self.tracking = Tracking(FIRST_NUMBER)
        self._owner = owner
        self._identity = lru_cache(identities) if identities else None

    @property
    def tables(self) -> Configuration:
        """What the machine works with at this moment."""
        return self._owner.state.effective(self.member.host, self.member.group)

    @property
    def interfaces(self) -> dict[str, str]:
        """Interface names and addresses."""
        return self.member.interfaces

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """The names in the machine's certificate, the subject first."""
        return self.switches.certificate_names or (self.member.host,)

    @property
    def identity(self) -> ssl.SSLContext | None:
        """What the machine shows in TLS where it delivers; None: no certificate."""
        if self._identity is None or self.switches.certificate == "none":
            return None
        return self._identity(*self.certificate_names, public=self.switches.certificate == "public")

    def listener_at(self, interface: str, port: int) -> Listener | None:
        """The listener on an interface and port."""
        for listener in self.tables.listeners:
            if (listener.interface, listener.port) == (interface, port):
                return listener
        return None

    def record(self, kind: str, **detail: object) -> None:
        """Write into the journal."""
        self._owner.journal.record(self.member.channel, kind, **detail)

    def host(self, address: str) -> Host:
        """Who an address is by reverse look-up, and what is wrong with it."""
        name = self.network.reverse(address)
        if name:
            return Host(address, name)
        backwards = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
        known = self.network.zones.lookup(backwards, "PTR").found is Found.RECORDS
        return Host(address, "", "not.double.verified" if known else "nx.domain")
