"""One machine as its mail service sees it: what it is configured with, where it writes, whom it can ask."""

from __future__ import annotations

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


class Owner(Protocol):
    """The gateway that a machine belongs to."""

    state: State
    journal: Journal


class Appliance:
    """A member of the gateway; configuration is what is committed, the machine's own overrides included."""

    def __init__(self, owner: Owner, switches: Switches, member: Member, network: Network) -> None:
        self.member = member
        self.switches = switches
        self.network = network
        self.tracking = Tracking(FIRST_NUMBER)
        self._owner = owner

    @property
    def tables(self) -> Configuration:
        """What the machine works with at this moment."""
        return self._owner.state.effective(self.member.host, self.member.group)

    @property
    def interfaces(self) -> dict[str, str]:
        """Interface names and addresses."""
        return self.member.interfaces

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
