"""The tenant's data plane as a whole: `tenant.mail`."""

from __future__ import annotations

import threading
import time
from collections import deque

from lab.certificates import LabAuthority
from lab.internet import spf
from lab.journal import Journal
from lab.mail.client import SmtpClient
from lab.mail.envelope import Envelope
from lab.mail.network import Network
from lab.mail.server import MailDoor
from lab.tenant.mail.configuration import Configuration, domain_of, in_effect
from lab.tenant.mail.door_counts import DoorCounts
from lab.tenant.mail.facts import Facts
from lab.tenant.mail.front_door import SERVER, FrontDoor
from lab.tenant.mail.mailboxes import Item, Mailboxes
from lab.tenant.mail.outbound import Outbound, Wire
from lab.tenant.mail.routing import Hop, Route, Router
from lab.tenant.mail.rule_run import run
from lab.tenant.mail.trace import Traces
from lab.tenant.mail.transport import Arrived, Transport, as_ruled, header_fields
from lab.tenant.practice import Organization
from lab.tenant.store import Store
from lab.tenant.switches import Switches

MICROSOFT = (".mail.protection.outlook.com", ".mx.microsoft")


class TenantMail:
    """Front door, rules, mailboxes, outbound queue and trace of one tenant.

    `connect` it to a network before `start`. Without one, mail inside the tenant flows, and what should leave
    waits in the queue.
    """

    def __init__(
        self, organization: Organization, store: Store, switches: Switches, journal: Journal
    ) -> None:
        self.organization, self.store, self.switches = organization, store, switches
        self.traces = Traces(switches)
        self.mailboxes = Mailboxes()
        self.outbound = Outbound(switches, self.traces, journal)
        self.transport = Transport(
            switches,
            self.configuration,
            self.traces,
            self.mailboxes,
            self.outbound,
            journal,
            self._points_elsewhere,
            self._spf,
        )
        self.front_door = FrontDoor(switches, self.configuration, self.transport, journal)
        self.door: MailDoor | None = None
        self._wire: Wire | None = None
        self._queries: deque[float] = deque()
        self._lock = threading.Lock()

    @property
    def door_counts(self) -> DoorCounts:
        """Connections and messages at the front door, in all and by peer."""
        return self.front_door.counts

    @property
    def wire(self) -> Wire:
        """The tenant's side of the network that it is connected to."""
        if self._wire is None:
            raise RuntimeError("the tenant is connected to no network: call connect() before start()")
        return self._wire

    def connect(self, network: Network, certificates: LabAuthority) -> None:
        """Listen and send on this network from `start` on."""
        names = (SERVER, *self.organization.mx.values(), self.organization.front_door)
        self.door = MailDoor(self.front_door, SERVER, certificates.server_context(*names, asks=True))
        self._wire = Wire(network, Router(network.resolver()), self.organization.outbound)

    def start(self) -> None:
        """Open the door and send, if there is a network."""
        if self.door is not None:
            address = self.organization.front_door
            self.wire.network.listen(address, 25, self.door.start())
            self.outbound.start(self.wire)

    def stop(self) -> None:
        """Close the door, send no more; everything can still be read."""
        if self.door is not None:
            self.wire.network.unlisten(self.organization.front_door, 25)
            self.outbound.stop()
            self.door.stop()

    def clear(self) -> None:
        """Empty mailboxes, queue, trace and DNS cache, and the counters of the door."""
        if self._wire is not None:
            self._wire.router.resolver.forget()
        self.outbound.clear()
        self.mailboxes.clear()
        self.traces.clear()
        self.door_counts.reset()
        with self._lock:
            self._queries.clear()

    def reset(self) -> None:
        """No faults at the door."""
        self.front_door.refuse.clear()
        if self.door is not None:
            self.door.faults.clear()

    def configuration(self) -> Configuration:
        """The configuration that counts for mail now."""
        return in_effect(self.store)

    def submit(self, envelope: Envelope, *, keep: bool = True) -> None:
        """Send from a mailbox of ours, signed in; `keep` puts a copy into its sent items."""
        if keep:
            self.mailboxes.put(Item(envelope.sender.lower(), "sentitems", envelope))
        self.transport.accept(Arrived(envelope, internal=True))

    def ruled(self, envelope: Envelope) -> Envelope:
        """A message of our own as the rules would have it leave; for the first recipient."""
        configuration = self.configuration()
        recipient = envelope.recipients[0]
        accepted = configuration.accepts(domain_of(recipient))
        facts = Facts(envelope.sender, recipient, header_fields(envelope), internal=True, accepted=accepted)
        return as_ruled(envelope, run(configuration.rules, facts, configuration.groups))

    def client(self, hop: Hop, route: Route) -> SmtpClient:
        """A connection of the tenant's own to one server."""
        source = self.wire.addresses[0]
        return SmtpClient(self.wire.network, source, hop.address, helo=self.wire.helo(source), tls=route.tls)

    def may_query(self, limit: int, window: float) -> bool:
        """Whether one more query of the trace is allowed: `limit` in so many seconds."""
        now = time.monotonic()
        with self._lock:
            while self._queries and self._queries[0] < now - window:
                self._queries.popleft()
            if len(self._queries) >= limit:
                return False
            self._queries.append(now)
            return True

    def _spf(self, address: str, sender: str, name: str) -> str:
        return "none" if self._wire is None else spf.check(self._wire.network.zones, address, sender, name)

    def _points_elsewhere(self, domain: str) -> bool:
        if self._wire is None:
            return False
        names = [name for _preference, name in self._wire.network.mail_hosts(domain)]
        return bool(names) and not any(name.endswith(MICROSOFT) for name in names)
