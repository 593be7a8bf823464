"""What a gateway does with a message that it has taken: filters, then the queue, all of it tracked."""

from __future__ import annotations

import time
from dataclasses import replace
from email.utils import formatdate

from lab.gateway.mail.appliance import Appliance
from lab.gateway.mail.delivery import Delivery
from lab.gateway.mail.filter_actions import Passage
from lab.gateway.mail.filter_rules import Circumstances
from lab.gateway.mail.filter_run import run_filters
from lab.gateway.mail.queue import Item, LaneKey
from lab.gateway.mail.routing import source_interface
from lab.gateway.mail.tracking import BOUNCED, DROPPED, PROCESSING, QUARANTINED, Arrival, Tracked
from lab.mail.envelope import Envelope, domain_of

MOST_HOPS = 50
"""More Received headers than this are taken for a loop."""


class Intake:
    """The work queue of one gateway."""

    def __init__(self, appliance: Appliance, delivery: Delivery) -> None:
        self._appliance = appliance
        self._delivery = delivery
        self.held: list[tuple[str, Envelope]] = []
        """Quarantine and message."""

    def begin(self, arrival: Arrival, sender: str, lines: list[str]) -> tuple[int, Tracked]:
        """MAIL FROM: the message gets its first MID; `lines` are what the connection has to say."""
        member, tracking = self._appliance.member, self._appliance.tracking
        mid = tracking.next_mid()
        tracked = Tracked(member.serial, member.host, member.data1, arrival, sender, time.time())
        tracked.give(mid, [])
        direction = "outgoing" if arrival.outgoing else "incoming"
        for line in (
            *lines,
            f"Message {mid} Sender Domain: {domain_of(sender)}",
            f"Start message {mid} on incoming connection (ICID {arrival.icid}).",
            f"Message {mid} enqueued on incoming connection (ICID {arrival.icid}) from {sender}.",
            f"Message {mid} direction: {direction}",
        ):
            tracked.say(line)
        tracked.set(mid, PROCESSING)
        tracking.add(tracked)
        return mid, tracked

    def take(self, mid: int, tracked: Tracked, policy: str, mail: Envelope) -> None:
        """The whole message is there, for the recipients that were taken."""
        arrival = tracked.arrival
        self._note_content(mid, tracked, mail)
        self._appliance.record(
            "mail",
            listener=arrival.listener,
            group=arrival.sender_group,
            peer=arrival.peer,
            mid=mid,
            sender=mail.sender,
            to=list(mail.recipients),
            tls=arrival.tls,
        )
        how = Circumstances(
            listener=arrival.listener,
            interface=arrival.interface,
            sender_group="" if arrival.sender_group == "None" else arrival.sender_group,
            policy=policy,
            peer=arrival.peer,
            host=arrival.host,
            mid=mid,
            waiting=self._delivery.queue.open,
        )
        passage = run_filters(self._appliance.tables, self._stamped(mid, arrival, mail), how)
        self._decide(mid, tracked, passage)

    def _note_content(self, mid: int, tracked: Tracked, mail: Envelope) -> None:
        tracked.subject, tracked.message_id = mail.subject, mail.message_id
        tracked.header_from = mail.header("From") or ""
        tracked.size = len(mail.content)
        arrival = tracked.arrival
        group = f"sender_group: {arrival.sender_group}"
        for line in (
            f"Message {mid} contains message ID header '{mail.message_id}'.",
            f"Message {mid} original subject on injection: {mail.subject}",
            f"Message {mid} ({tracked.size} bytes) from {mail.sender} ready.",
            f"Message {mid} has {group}, sender_ip: {arrival.peer} and sbrs: None",
        ):
            tracked.say(line)

    def _stamped(self, mid: int, arrival: Arrival, mail: Envelope) -> Envelope:
        host = self._appliance.member.host
        sender = f"{arrival.host or 'unknown'} ([{arrival.peer}])"
        kind = "ESMTPS" if arrival.tls else "ESMTP"
        return mail.with_header("Received", f"from {sender} by {host} with {kind} id {mid}; {formatdate()}")

    def _decide(self, mid: int, tracked: Tracked, passage: Passage) -> None:
        tracked.errors += passage.errors
        for line in (*passage.notes, *(f"Message {mid} {error}" for error in passage.errors)):
            tracked.say(line)
        for copy in passage.copies:
            self._queue(self._new_mid(mid, tracked, copy, "copied by a filter"), tracked, passage, copy)
        if passage.verdict == "dropped":
            tracked.say(f"Message {mid} aborted: Dropped by filter '{passage.by}'")
            tracked.set(mid, DROPPED)
            self._appliance.record("dropped", mid=mid, filter=passage.by)
        elif passage.verdict == "bounced":
            self._bounced(mid, tracked, f"Bounced by filter '{passage.by}'")
        elif len(passage.mail.headers("Received")) > MOST_HOPS:
            self._bounced(mid, tracked, f"5.4.6 - Too many hops (more than {MOST_HOPS} Received headers)")
        elif passage.quarantine:
            by = f"(message filter:{passage.held_by})"
            tracked.say(f'Message {mid} quarantined to "{passage.quarantine}" {by}')
            tracked.set(mid, QUARANTINED)
            self.held.append((passage.quarantine, passage.mail))
            self._appliance.record("quarantined", mid=mid, quarantine=passage.quarantine)
        else:
            self._split(mid, tracked, passage)

    def _bounced(self, mid: int, tracked: Tracked, reason: str) -> None:
        tracked.say(f"Message {mid} bounced. Reason: {reason}")
        tracked.set(mid, BOUNCED)
        self._appliance.record("bounced", mid=mid, reply=reason)

    def _split(self, mid: int, tracked: Tracked, passage: Passage) -> None:
        """One part for each recipient domain; the first keeps the MID."""
        if passage.changed and self._appliance.switches.new_mid_when_changed:
            mid = self._new_mid(mid, tracked, passage.mail, "rewritten by a filter")
        domains: dict[str, list[str]] = {}
        for recipient in passage.mail.recipients:
            domains.setdefault(domain_of(recipient), []).append(recipient)
        parts = [replace(passage.mail, recipients=tuple(some)) for some in domains.values()]
        tracked.give(mid, list(parts[0].recipients))
        mids = [mid, *(self._new_mid(mid, tracked, part, "split by recipient") for part in parts[1:])]
        for own, part in zip(mids, parts, strict=True):
            self._queue(own, tracked, passage, part)

    def _new_mid(self, old: int, tracked: Tracked, mail: Envelope, why: str) -> int:
        new = self._appliance.tracking.next_mid()
        tracked.give(new, list(mail.recipients))
        tracked.say(f"Message {old} was split creating Message {new}: {why}.")
        if why.startswith("rewritten"):
            tracked.forget(old)
        tracked.set(new, PROCESSING)
        return new

    def _queue(self, mid: int, tracked: Tracked, passage: Passage, part: Envelope) -> None:
        switches, arrival = self._appliance.switches, tracked.arrival
        automatic = switches.delivery_interface or ("Data 2" if arrival.outgoing else "Data 1")
        chosen = source_interface(self._appliance.tables, part.sender, arrival.peer, automatic)
        domain = domain_of(part.recipients[0])
        lane = LaneKey(domain, passage.interface or chosen, passage.mail_host, passage.tls_required)
        self._delivery.send(Item(mid, part, lane, tracked))
