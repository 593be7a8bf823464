"""Everything that is neither gateway nor tenant, as an estate holds it."""

from __future__ import annotations

from lab.certificates import LabAuthority
from lab.internet.dns_door import DnsDoor
from lab.internet.dns_server import Authority, DnsSwitches, PublicResolver
from lab.internet.imap import PORT as IMAP_PORT
from lab.internet.imap import ImapDoor
from lab.internet.outside import Sender, Sink
from lab.internet.practice import IMAP_HOST, NAME_SERVER_ADDRESS, RESOLVERS, SINK_HOST
from lab.internet.world import furnish
from lab.internet.zones import Zone
from lab.journal import Journal
from lab.mail.network import Network


class Internet:
    """DNS with its resolvers, the outside's sender, sink and IMAP server, on one `network`.

    `gateway_in_spf`: whether the domains' SPF records name the gateways' outbound addresses at the start.
    """

    def __init__(self, journal: Journal, certificates: LabAuthority, *, gateway_in_spf: bool = True) -> None:
        self.network = Network()
        self.zones = self.network.zones
        furnish(self.zones, gateway_in_spf=gateway_in_spf)
        self.authority = Authority(self.zones, journal)
        self.resolvers = {address: PublicResolver(self.network.resolver()) for address in RESOLVERS}
        self.sender = Sender(self.network)
        context = certificates.server_context(SINK_HOST, IMAP_HOST)
        self.sink = Sink(context, self.network)
        self._imap = ImapDoor(self.sink, context)
        self._dns = {NAME_SERVER_ADDRESS: DnsDoor(self.authority)}
        self._dns |= {address: DnsDoor(resolver) for address, resolver in self.resolvers.items()}

    def start(self) -> None:
        """Listen everywhere."""
        for address, door in self._dns.items():
            self.network.listen(address, 53, door.start())
        self.sink.start()
        self.network.listen(IMAP_HOST, IMAP_PORT, self._imap.start())
        self.sender.start()

    def stop(self) -> None:
        """Stop listening; what the sink keeps can still be read."""
        self.sender.stop()
        self.network.unlisten(IMAP_HOST, IMAP_PORT)
        self._imap.stop()
        for address, door in self._dns.items():
            self.network.unlisten(address, 53)
            door.stop()
        self.sink.stop()

    def reset(self) -> None:
        """No faults anywhere."""
        self.authority.switches = DnsSwitches()
        for resolver in self.resolvers.values():
            resolver.switches = DnsSwitches()
        self.sink.reset()

    def snapshot(self) -> dict[str, Zone]:
        """The DNS records, to `restore` later."""
        return self.zones.snapshot()

    def restore(self, snapshot: dict[str, Zone]) -> None:
        """Back to those records; caches, mailboxes and the sender's log are empty afterwards."""
        self.zones.restore(snapshot)
        for resolver in self.resolvers.values():
            resolver.resolver.forget()
        self.sender.forget()
        self.sink.forget()
