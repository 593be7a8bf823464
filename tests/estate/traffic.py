"""Mail that never stops, both ways, and what became of each message: by where it lies, not by tracking.

Inbound: two senders outside in turn, one whose DNS cache is as stale as the time to live allows, and one that
has none, so both that follow a change of the MX late and at once. Outbound: mailboxes of the tenant. Ten
messages a second each way, if nothing else is said.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Self

from lab.estate import Estate
from lab.internet.outside import Sender
from lab.internet.resolver import Resolver
from lab.internet.stream import Stream
from lab.internet.zones import Answer, Zones, aged, plain
from lab.mail.envelope import Envelope, compose, domain_of
from lab.tenant.server import LabTenant

HEADER = "X-OUTBOUND-AUTH"
DATA2 = "198.51.100.186"
DROPPED = "Dropped By Message Filters"
PATIENCE = 10.0  # seconds that anybody tries to deliver a message: who is put off for good shows as a loss
AT_REST = 90.0  # seconds until all queues have to be empty, on a machine that has other work too
Harm = dict[str, list[str]]
"""Kind of harm → the messages that it came to, with what is known of each."""


class StaleCache(Resolver):
    """A cache that always has just been filled when a record changes: the worst that a TTL allows.

    While the zone says what the cache holds, that counts as asked for now; from a change on, the old answer
    stays for its whole time to live.
    """

    def __init__(self, zones: Zones) -> None:
        super().__init__(zones)
        self._held: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._one = threading.Lock()

    def lookup(self, name: str, kind: str) -> Answer:
        """An answer, the old one while it may be used."""
        key, now = (plain(name), kind.upper()), time.monotonic()
        with self._one:
            asked, held = self._held.get(key, (0.0, None))
            fresh = self._zones.lookup(*key)
            if held is None or held == fresh or now - asked >= min(one.ttl for one in held.records):
                self._held[key] = now, fresh
                return fresh
        return replace(held, records=tuple(aged(records, now - asked) for records in held.records))

    def forget(self) -> None:
        """Empty the cache."""
        with self._one:
            self._held.clear()


class NoCache(Resolver):
    """Asks each time: follows a change at once."""

    def lookup(self, name: str, kind: str) -> Answer:
        """What the zone says now."""
        return self._zones.lookup(plain(name), kind)


class Traffic:
    """Two streams over one estate; a context manager that stops them and waits until all queues are empty.

    `users` take turns as senders of outbound mail.
    """

    def __init__(
        self,
        estate: Estate,
        domain: str,
        users: Sequence[str] = ("staff",),
        tenant: LabTenant | None = None,
        per_second: float = 10.0,
    ) -> None:
        self._estate, self._tenant = estate, tenant or estate.tenant
        self._users = [f"{user}@{domain}" for user in users]
        self._mailbox = f"staff@{domain}"
        self._senders = [Sender(estate.network, patience=PATIENCE) for _ in range(2)]
        for sender, cache in zip(self._senders, (StaleCache, NoCache), strict=True):
            sender.resolver = cache(estate.network.zones)
        self._mark = estate.journal.mark()
        self.inbound = Stream(self._to_us, self._deliver, per_second)
        self.outbound = Stream(self._from_us, self._tenant.mail.submit, per_second)

    def __enter__(self) -> Self:
        self.inbound.start()
        self.outbound.start()
        self.flow(5)
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is not None:
            for sender in self._senders:
                sender.stop()
        self.inbound.stop()
        self.outbound.stop()
        self._rest()

    def flow(self, more: int = 10) -> None:
        """Wait until that many more messages have set out each way."""
        for stream in (self.inbound, self.outbound):
            stream.wait_for(more)

    def hosts(self) -> list[str]:
        """Where the senders outside deliver to now."""
        return [host for sender in self._senders for host in sender.hosts(domain_of(self._mailbox))]

    def harm(self, through: Collection[str] | None = None) -> Harm:
        """What went wrong, by kind; {} when nothing did. After the streams have stopped.

        `through`: the senders of ours all of whose mail has to leave by the gateway, None for all of them.
        """
        all_through = set(self._users) if through is None else through
        found = self._inbound_harm() | self._outbound_harm(all_through)
        return {kind: messages for kind, messages in found.items() if messages}

    def numbers(self) -> str:
        """What was sent and arrived, for a report."""
        inbox, sink = Counter(self._in_folder("inbox")), Counter(self._at_sink())
        came = [sum(inbox[one.message_id] > 0 for one in self.inbound.sent)]
        came.append(sum(sink[one.message_id] > 0 for one in self.outbound.sent))
        return (
            f"in {len(self.inbound.sent)} sent, {came[0]} arrived; "
            f"out {len(self.outbound.sent)} sent, {came[1]} arrived"
        )

    # --- what became of it ----------------------------------------------------------------------------------

    def _inbound_harm(self) -> Harm:
        inbox, sent = Counter(self._in_folder("inbox")), self.inbound.sent
        junk = set(self._in_folder("junkemail"))
        log = [one for sender in self._senders for one in sender.sent]
        outcomes = {one.envelope.message_id: f"{one.host}: {one.outcome.text}" for one in log}
        bounced = self._why("bounced")
        return {
            "inbound lost": [
                f"{one.subject}: {bounced.get(one.message_id) or outcomes.get(one.message_id, 'no answer')}"
                for one in sent
                if not inbox[one.message_id] and one.message_id not in junk
            ],
            "inbound junked": [one.subject for one in sent if one.message_id in junk],
            "inbound twice": [one.subject for one in sent if inbox[one.message_id] > 1],
        }

    def _outbound_harm(self, through: Collection[str]) -> Harm:
        at_sink, sent = Counter(self._at_sink()), self.outbound.sent
        ours = {one.message_id: one for one in sent}
        kept = [one for one in self._estate.internet.sink.received if one.envelope.message_id in ours]
        why = self._why("failed") | self._why("bounced")
        dropped = self._dropped()
        return {
            "outbound lost": [
                f"{one.subject}: {why.get(one.message_id, 'nobody says why')}"
                for one in sent
                if not at_sink[one.message_id] and one.message_id not in dropped
            ],
            "outbound dropped": [one.subject for one in sent if one.message_id in dropped],
            "outbound twice": [one.subject for one in sent if at_sink[one.message_id] > 1],
            "header outside": [
                one.envelope.subject for one in kept if one.envelope.header(HEADER) is not None
            ],
            "past the gateway": [
                one.envelope.subject
                for one in kept
                if one.peer != DATA2 and ours[one.envelope.message_id].sender in through
            ],
        }

    def _in_folder(self, folder: str) -> Iterable[str]:
        items = self._tenant.mail.mailboxes.items(self._mailbox, folder)
        return (item.envelope.message_id for item in items)

    def _at_sink(self) -> Iterable[str]:
        return (one.envelope.message_id for one in self._estate.internet.sink.received)

    def _dropped(self) -> set[str]:
        """By the message filter; tracking is asked for what leaves no other trace."""
        messages = self._estate.mail.tracking().messages
        return {one.message_id for one in messages if DROPPED in one.statuses(time.time()).values()}

    def _why(self, kind: str) -> dict[str, str]:
        """What the gateway or the tenant said of messages that came to nothing."""
        mids = {
            mid: one.message_id for one in self._estate.mail.tracking().messages for mid in one.recipients
        }
        events = self._estate.journal.events(kind=kind, since=self._mark)
        told = [
            (e.detail, e.detail.get("message_id") or mids.get(e.detail.get("mid", 0), "")) for e in events
        ]
        return {str(message): str(detail["reply"]) for detail, message in told}

    # --- the streams ----------------------------------------------------------------------------------------

    def _to_us(self, number: int) -> Envelope:
        return compose("customer@sender.example", self._mailbox, f"in {number}")

    def _deliver(self, envelope: Envelope) -> None:
        number = int(envelope.subject.rpartition(" ")[2])
        self._senders[number % len(self._senders)].send(envelope)

    def _from_us(self, number: int) -> Envelope:
        user = self._users[number % len(self._users)]
        return compose(user, "customer@probe.example", f"out {number} of {user}")

    def _rest(self) -> None:
        """Wait until nothing is on its way: first what the tenant sends, then the gateway's queue."""
        wait_for(lambda: self._tenant.mail.outbound.waiting() == 0, "the tenant's queue is empty")
        if not self._estate.mail.wait_until_empty(AT_REST):
            raise TimeoutError(f"{self._estate.mail.waiting} messages are left in the gateway's queue")


def wait_for(condition: Callable[[], bool], what: str, timeout: float = AT_REST) -> None:
    """Return when a condition holds that nothing tells of; TimeoutError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        threading.Event().wait(0.02)
