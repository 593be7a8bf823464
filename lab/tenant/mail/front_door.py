"""The tenant's front door: SMTP from the world, judged by inbound connectors as they count now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from lab.journal import Journal
from lab.mail.connection import Connection
from lab.mail.envelope import Envelope
from lab.tenant.mail.attribution import NO_TLS, RELAY, Arrival, Judged, counting, judge, known
from lab.tenant.mail.configuration import Configuration
from lab.tenant.mail.door_counts import DoorCounts
from lab.tenant.mail.enhanced_filtering import source
from lab.tenant.mail.predicates import in_ranges
from lab.tenant.mail.transport import Arrived, Transport
from lab.tenant.switches import Switches, pause

SERVER = "DB5PEPF00014B8A.mail.protection.outlook.com"
UNKNOWN = "550 5.4.1 Recipient address rejected: Access denied."
LOOP = "554 5.4.14 Hop count exceeded - possible mail loop ATTR34"
BLOCKED = "550 5.7.1 Service unavailable, Client host [{peer}] blocked using the organization's IP block list"
BUSY = "451 4.7.500 Server busy. Please try again later from [{peer}]. (S77714)"
HOPS = 20


@dataclass
class FrontDoor:
    """The owner of a tenant's SMTP door; `refuse` maps recipients to a reply that they get in any case."""

    switches: Switches
    configuration: Callable[[], Configuration]
    transport: Transport
    journal: Journal
    counts: DoorCounts = field(default_factory=DoorCounts)
    refuse: dict[str, str] = field(default_factory=dict)

    def connected(self, c: Connection) -> str | None:
        """Everybody may come in."""
        self.counts.opened(c.peer)
        return None

    def tls_offered(self, c: Connection) -> bool:  # noqa: ARG002 - the same for all
        """TLS is offered to everybody."""
        return True

    def tls_required(self, c: Connection) -> bool:  # noqa: ARG002 - a connector decides, later
        """And demanded by connectors only."""
        return False

    def mail(self, c: Connection, sender: str) -> str | None:
        """Any sender; who it is counts with the recipient. Strangers in a crowd are put off."""
        c.data["sender"], c.data["judged"] = sender, {}
        configuration = self.configuration()
        if in_ranges(configuration.blocked, c.peer):
            return self._refuse(c, Judged(refusal=BLOCKED.format(peer=c.peer)), "")
        limit = self.switches.throttled_above
        certificate = counting(c.certificate, self.switches)
        if not limit or self.counts.peer(c.peer).now <= limit or known(c.peer, certificate, configuration):
            return None
        return self._refuse(c, Judged(refusal=BUSY.format(peer=c.peer)), "")

    def recipient(self, c: Connection, recipient: str) -> str | None:
        """Attribute the message for this recipient; some refusals wait for the data."""
        certificate = counting(c.certificate, self.switches)
        arrival = Arrival(c.peer, c.tls, c.data["sender"], recipient, certificate)
        judged = judge(arrival, self.configuration(), self.switches.attribution_prefers)
        at_once = judged.refusal in (RELAY, NO_TLS) or self.switches.attribution_stage == "recipient"
        if judged.refusal and at_once:
            return self._refuse(c, judged, recipient)
        unknown = UNKNOWN if recipient.partition("@")[0].lower() in self.switches.no_mailbox else ""
        forced = self.refuse.get(recipient.lower(), unknown)
        if forced:
            return self._refuse(c, Judged(judged.connector, forced), recipient)
        c.data["judged"][recipient] = judged
        return None

    def message(self, c: Connection, e: Envelope) -> str:
        """Take the message, or refuse it for what was found at its recipients."""
        self.counts.message(c.peer, c.messages)
        pause(self.switches.front_door_latency)
        judged: dict[str, Judged] = c.data["judged"]
        refused = next((one for one in judged.values() if one.refusal), None)
        if refused is not None:
            return self._refuse(c, refused, e.recipients[0])
        if len(e.headers("Received")) > HOPS:
            return self._refuse(c, Judged(refusal=LOOP), e.recipients[0])
        one = next(iter(judged.values()))
        how = f"with ESMTPS ({c.tls})" if c.tls else "with ESMTP"
        stamped = e.with_header(
            "Received", f"from {c.helo} ({c.peer}) by {SERVER} {how}; {formatdate(usegmt=True)}"
        )
        origin = source(e, c.peer, c.helo, one.connector)
        self.transport.accept(
            Arrived(
                origin.stamped(stamped),
                internal=one.internal,
                peer=c.peer,
                tls=c.tls,
                connector=one.name,
                server=SERVER,
                source=origin,
            )
        )
        return f"250 2.6.0 {e.message_id} [Hostname={SERVER}] Queued mail for delivery"

    def closed(self, c: Connection) -> None:
        """One connection less."""
        self.counts.closed(c.peer)

    def _refuse(self, c: Connection, judged: Judged, recipient: str) -> str:
        self.counts.refused(c.peer)
        self.journal.record(
            "tenant",
            "received",
            peer=c.peer,
            connector=judged.name,
            verdict=judged.refusal,
            sender=c.data["sender"],
            recipient=recipient,
        )
        return f"{judged.refusal} [{SERVER}]"
