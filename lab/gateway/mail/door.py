"""One interface and port of a gateway: the listener there decides about hosts, senders and recipients.

In this order: host access table, limits of the mail flow policy, TLS, recipient access table. The work on
the message itself is the intake's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.gateway.mail.appliance import Appliance
from lab.gateway.mail.host_access import Admission, Host, admit
from lab.gateway.mail.intake import Intake
from lab.gateway.mail.rates import Rates
from lab.gateway.mail.recipients import NO_RELAY, is_local, lookup, refusal
from lab.gateway.mail.tracking import ABORTED, Arrival, Tracked
from lab.gateway.state import Listener
from lab.mail.connection import Connection
from lab.mail.envelope import Envelope

NOBODY = "421 4.3.2 Service not available, closing transmission channel"
REJECTED = "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation."
TOO_MANY_CONNECTIONS = "421 Too many concurrent connections from this host"
TOO_MANY_MESSAGES = "421 Too many messages for this session"
TOO_MANY_RECIPIENTS = "452 Too many recipients"
TOO_MANY_THIS_HOUR = "452 Too many recipients received this hour"
TOO_BIG = "552 size limit exceeded"
SIZES = {"k": 1024, "m": 1024**2, "g": 1024**3}
VISIT = "visit"


@dataclass
class Visit:
    """A connection as the gateway keeps it; `messages` are all that it brought."""

    icid: int
    host: Host
    listener: Listener
    admission: Admission
    entered: bool = False
    mid: int = 0
    current: Tracked | None = None
    recipients: int = 0
    messages: list[Tracked] = field(default_factory=list)


class ListenerDoor:
    """A `DoorOwner`: the listener that the committed configuration has here at that moment."""

    def __init__(self, appliance: Appliance, intake: Intake, rates: Rates, interface: str, port: int) -> None:
        self._appliance = appliance
        self._intake = intake
        self._rates = rates
        self._interface = interface
        self._port = port

    def connected(self, c: Connection) -> str | None:
        """The host access table. A refused TCP connection is shown as a 421 instead of the greeting."""
        listener = self._appliance.listener_at(self._interface, self._port)
        if listener is None:
            return NOBODY
        host = self._appliance.host(c.peer)
        admission = admit(listener, host)
        visit = Visit(self._appliance.tracking.next_icid(), host, listener, admission)
        c.data[VISIT] = visit
        reply = self._fault("connect") or self._unwelcome(visit)
        if reply:
            self._appliance.record(
                "refused", listener=listener.name, group=admission.shown_group, peer=c.peer, reply=reply
            )
        return reply

    def _unwelcome(self, visit: Visit) -> str | None:
        if visit.admission.behaviour == "REJECT":
            return REJECTED
        if visit.admission.behaviour == "TCPREFUSE":
            return NOBODY
        limit = self._limit(visit, "max_concurrency")
        visit.entered = self._rates.enter(visit.listener.name, visit.host.address, limit)
        return None if visit.entered else TOO_MANY_CONNECTIONS

    def tls_offered(self, c: Connection) -> bool:
        """As the mail flow policy says."""
        return _visit(c).admission.tls != "off"

    def tls_required(self, c: Connection) -> bool:
        """As the mail flow policy says."""
        return _visit(c).admission.tls == "required"

    def mail(self, c: Connection, sender: str) -> str | None:
        """A new message begins; one that did not get as far as its end is given up."""
        visit = _visit(c)
        self._give_up(visit)
        limit = self._limit(visit, "max_msgs_per_session")
        if 0 <= limit <= len(visit.messages):
            return TOO_MANY_MESSAGES
        reply = self._fault("mail")
        if reply is None:
            arrival = self._arrival(c, visit)
            visit.mid, visit.current = self._intake.begin(
                arrival, sender, _connection_lines(c, visit, arrival)
            )
            visit.recipients = 0
        return reply

    def recipient(self, c: Connection, recipient: str) -> str | None:
        """Relay: anybody. Accept: whom the recipient access table takes; a private listener has none."""
        visit = _visit(c)
        reply = self._fault("rcpt") or self._too_many(visit, recipient) or self._not_taken(visit, recipient)
        assert visit.current is not None
        where = f"Message {visit.mid} on incoming connection (ICID {visit.icid})"
        if reply:
            visit.current.rejected.append(recipient)
            visit.current.say(f"{where} rejected recipient ({recipient}): {reply}")
            return reply
        visit.recipients += 1
        visit.current.add_recipient(visit.mid, recipient)
        visit.current.say(f"{where} added recipient ({recipient}).")
        return None

    def _not_taken(self, visit: Visit, recipient: str) -> str | None:
        if visit.admission.behaviour == "RELAY":
            return None
        if visit.listener.kind == "public":
            return refusal(visit.listener, recipient)
        if is_local(self._appliance.tables, recipient):
            return None
        return NO_RELAY.format(recipient=recipient)

    def _too_many(self, visit: Visit, recipient: str) -> str | None:
        name, limit = visit.listener.name, self._limit(visit, "max_rcpts_per_msg")
        if 0 <= limit <= visit.recipients:
            return TOO_MANY_RECIPIENTS
        hourly = self._limit(visit, "max_rcpts_per_hour")
        if visit.listener.kind == "public" and lookup(visit.listener, recipient).bypass_receiving:
            hourly = -1
        return None if self._rates.count(name, visit.host.address, hourly) else TOO_MANY_THIS_HOUR

    def message(self, c: Connection, e: Envelope) -> str:
        """The end of DATA: taken, whatever the filters will do with it."""
        visit = _visit(c)
        reply = self._fault("data")
        if reply is None and 0 <= _size(visit.admission.parameters.get("max_message_size", "")) < len(
            e.content
        ):
            reply = TOO_BIG
        if reply is not None:
            self._give_up(visit, reply)
            return reply
        current, visit.current = visit.current, None
        assert current is not None
        visit.messages.append(current)
        self._intake.take(visit.mid, current, visit.admission.policy, e)
        return f"250 ok:  Message {visit.mid} accepted"

    def closed(self, c: Connection) -> None:
        """The connection's end, which tracking shows as lost."""
        if VISIT not in c.data:
            return
        visit = _visit(c)
        self._give_up(visit)
        if visit.entered:
            self._rates.leave(visit.listener.name, visit.host.address)
        for tracked in visit.messages:
            tracked.say(f"Incoming connection (ICID {visit.icid}) lost.")

    def _give_up(self, visit: Visit, reason: str = "Receiving aborted") -> None:
        if visit.current is not None:
            visit.current.say(f"Message {visit.mid} aborted: {reason}")
            visit.current.set(visit.mid, ABORTED)
            visit.current = None

    def _fault(self, stage: str) -> str | None:
        return self._appliance.switches.smtp_faults.get(stage)

    def _limit(self, visit: Visit, parameter: str) -> int:
        return visit.admission.limit(parameter) if self._appliance.switches.hat_limits else -1

    def _arrival(self, c: Connection, visit: Visit) -> Arrival:
        return Arrival(
            icid=visit.icid,
            listener=visit.listener.name,
            kind=visit.listener.kind,
            interface=self._interface,
            sender_group=visit.admission.shown_group,
            peer=c.peer,
            host=visit.host.name,
            tls=c.tls,
            outgoing=visit.admission.behaviour == "RELAY",
        )


def _visit(c: Connection) -> Visit:
    visit: Visit = c.data[VISIT]
    return visit


def _size(text: str) -> int:
    """A size as policies hold it (10M); -1 where there is none."""
    unit = SIZES.get(text[-1:].lower(), 1)
    digits = text.rstrip("kKmMgG")
    return int(digits) * unit if digits.isdecimal() else -1


def _connection_lines(c: Connection, visit: Visit, arrival: Arrival) -> list[str]:
    """What tracking says of a connection, in the words of the guide's pictures."""
    incoming = f"ncoming connection (ICID {visit.icid})"
    name, verified = (visit.host.name, "yes") if visit.host.name else ("unknown", "no")
    behaviour, matched = visit.admission.behaviour, visit.admission.matched
    came = f"on i{incoming} from sender IP {c.peer}. Reverse DNS host {name} verified {verified}."
    group = f"{behaviour} sender group {arrival.sender_group} match {matched}"
    lines = [
        f"I{incoming} has sender_group: {arrival.sender_group}, sender_ip: {c.peer} and sbrs: not enabled",
        f"Protocol SMTP interface {arrival.interface} (IP {c.local}) {came}",
        f"(ICID {visit.icid}) {group} SBRs not enabled country not enabled",
    ]
    if c.tls:
        lines.append(f"I{incoming} successfully accepted TLS protocol {c.tls} cipher {c.cipher}.")
    return lines
