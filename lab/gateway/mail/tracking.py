"""Message tracking: what became of every message, line by line, as the guide's pictures show it.

Every line and every status has its time, so that the Email and Web Manager can know less than its gateways.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

PROCESSING = "Processing"
DELIVERED = "Delivered"
DROPPED = "Dropped By Message Filters"
BOUNCED = "Bounced"
ABORTED = "Aborted"
QUARANTINED = "Quarantined"


@dataclass(frozen=True)
class Line:
    """One line of the processing details; `at` in seconds since the epoch."""

    at: float
    text: str


@dataclass(frozen=True)
class Arrival:
    """The connection that a message came over."""

    icid: int
    listener: str
    kind: str
    interface: str
    sender_group: str
    peer: str
    host: str
    tls: str
    outgoing: bool


@dataclass
class Tracked:
    """One message under all its MIDs. `subject` and the like are known once the message is in."""

    serial: str
    gateway: str
    address: str
    arrival: Arrival
    sender: str
    started: float
    subject: str = ""
    message_id: str = ""
    header_from: str = ""
    size: int = 0
    dcids: list[int] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    states: list[tuple[float, int, str]] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    """Recipients that were refused."""
    errors: list[str] = field(default_factory=list)
    """What the lab could not run of the filters."""
    _recipients: dict[int, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, text: str) -> None:
        """One line more."""
        with self._lock:
            self.lines.append(Line(time.time(), text))

    def set(self, mid: int, status: str) -> None:
        """What a MID has come to."""
        with self._lock:
            self.states.append((time.time(), mid, status))

    def forget(self, mid: int) -> None:
        """A MID that lives on under another one has no status of its own."""
        with self._lock:
            self.states = [state for state in self.states if state[1] != mid]

    def give(self, mid: int, recipients: list[str]) -> None:
        """Whom a MID is for."""
        with self._lock:
            self._recipients[mid] = recipients

    def add_recipient(self, mid: int, recipient: str) -> None:
        """One more for a MID."""
        with self._lock:
            self._recipients[mid].append(recipient)

    @property
    def recipients(self) -> dict[int, list[str]]:
        """Recipients by MID; its keys are all the MIDs that the message has."""
        with self._lock:
            return {mid: list(some) for mid, some in self._recipients.items()}

    @property
    def everybody(self) -> list[str]:
        """All recipients under whatever MID; of a message that nobody could get, those refused."""
        taken = [one for some in self.recipients.values() for one in some]
        return list(dict.fromkeys(taken or self.rejected))

    def connected(self, dcid: int) -> None:
        """A delivery connection was opened for it."""
        with self._lock:
            if dcid not in self.dcids:
                self.dcids.append(dcid)

    def lines_until(self, moment: float) -> list[Line]:
        """The lines that were there at a moment."""
        with self._lock:
            return [line for line in self.lines if line.at <= moment]

    def statuses(self, moment: float) -> dict[int, str]:
        """Each MID's status as it was at a moment; {} before the message was known."""
        with self._lock:
            return {mid: status for at, mid, status in self.states if at <= moment}

    def status(self, moment: float) -> str:
        """The message as a whole: still processing while any MID is, else what the last MID has come to."""
        with self._lock:
            known = [(at, mid, status) for at, mid, status in self.states if at <= moment]
        last = {mid: status for _, mid, status in known}
        if PROCESSING in last.values():
            return PROCESSING
        return known[-1][2] if known else ""


class Tracking:
    """All messages of one gateway, and its counters of messages and connections; thread-safe."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget all messages; numbers are never used again."""
        with self._lock:
            self._messages: list[Tracked] = []

    def next_mid(self) -> int:
        """A new message's number."""
        return self._next("_mid")

    def next_icid(self) -> int:
        """A new incoming connection's number."""
        return self._next("_icid")

    def next_dcid(self) -> int:
        """A new delivery connection's number."""
        return self._next("_dcid")

    def _next(self, counter: str) -> int:
        with self._lock:
            value: int = getattr(self, counter, self._first) + 1
            setattr(self, counter, value)
            return value

    def add(self, message: Tracked) -> None:
        """Begin to track a message."""
        with self._lock:
            self._messages.append(message)

    @property
    def messages(self) -> list[Tracked]:
        """All messages, in the order of their coming."""
        with self._lock:
            return list(self._messages)

    def find(self, mid: int) -> Tracked | None:
        """The message that has this MID among its own."""
        return next((one for one in reversed(self.messages) if mid in one.recipients), None)
