"""The message trace: an entry per message and recipient, with its states and events, shown a while later."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from xml.sax.saxutils import quoteattr

from lab.tenant.switches import Switches

Status = Literal[
    "Delivered", "Expanded", "Failed", "FilteredAsSpam", "GettingStatus", "Pending", "Quarantined"
]
STATUSES = ("Delivered", "Expanded", "Failed", "FilteredAsSpam", "GettingStatus", "Pending", "Quarantined")
SETTLED: tuple[Status, ...] = ("Delivered", "Failed", "FilteredAsSpam", "Quarantined")


@dataclass(frozen=True)
class Event:
    """One line of a message's history; `data` becomes the XML of the column Data."""

    at: datetime
    event: str
    action: str
    detail: str
    data: tuple[tuple[str, str], ...] = ()

    @property
    def xml(self) -> str:
        """Data as the trace has it: named values below one root."""
        pairs = (f"<MEP Name={quoteattr(name)} String={quoteattr(text)}/>" for name, text in self.data)
        return f"<root>{''.join(pairs)}</root>"


@dataclass
class Traced:
    """One message for one recipient; `received` is the same for all its recipients."""

    trace_id: uuid.UUID
    message_id: str
    received: datetime
    sender: str
    recipient: str
    subject: str
    size: int
    from_ip: str = ""
    to_ip: str = ""
    states: list[tuple[datetime, Status]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """How it stands in truth, whatever the trace shows yet."""
        return self.states[-1][1]


@dataclass(frozen=True)
class Shown:
    """An entry as the trace shows it now: its status and events of a while ago."""

    traced: Traced
    status: Status
    events: tuple[Event, ...]
    to_ip: str


class Traces:
    """All entries of one tenant; thread-safe."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._entries: list[Traced] = []
        self._under_way: set[int] = set()
        self._grown = threading.Condition(threading.RLock())

    def begin(self, entries: list[Traced]) -> None:
        """A message has come in: its entries, one per recipient."""
        with self._grown:
            for entry in entries:
                entry.states.append((entry.received, self._switches.unsettled_status))
            self._entries.extend(entries)
            self._under_way.update(id(entry) for entry in entries)
            self._grown.notify_all()

    def add(self, entry: Traced, event: str, detail: str, *, action: str = "", **data: str) -> None:
        """Something happened to it."""
        pairs = tuple((name, text) for name, text in data.items() if text)
        with self._grown:
            entry.events.append(Event(datetime.now(UTC), event, action, detail, pairs))
            self._grown.notify_all()

    def settle(self, entry: Traced, status: Status, *, to_ip: str = "") -> None:
        """How it stands from now on."""
        with self._grown:
            entry.states.append((datetime.now(UTC), status))
            entry.to_ip = to_ip or entry.to_ip
            if status in SETTLED:
                self._under_way.discard(id(entry))
            self._grown.notify_all()

    def recall(self, sender: str, recipient: str, from_ip: str, received: datetime) -> Traced:
        """A message that came in on an earlier day, and was delivered: as if the lab had run then."""
        message_id = f"<{uuid.uuid4().hex}@{sender.rpartition('@')[2]}>"
        trace_id, subject = uuid.uuid4(), "From an earlier day"
        entry = Traced(trace_id, message_id, received, sender, recipient, subject, 4711, from_ip=from_ip)
        entry.states.append((received, "Delivered"))
        with self._grown:
            self._entries.append(entry)
            self._grown.notify_all()
        return entry

    def entries(self) -> list[Traced]:
        """All entries as they are, whatever the trace shows yet; the oldest first."""
        with self._grown:
            return list(self._entries)

    def shown(self) -> list[Shown]:
        """The entries as the trace shows them now: `trace_latency` behind."""
        horizon = datetime.now(UTC) - timedelta(seconds=self._switches.trace_latency)
        with self._grown:
            return [_shown(entry, horizon) for entry in self._entries if entry.received <= horizon]

    def wait_settled(self, timeout: float) -> None:
        """Until no message is under way any more; TimeoutError after so many seconds."""
        with self._grown:
            if not self._grown.wait_for(lambda: not self._under_way, timeout):
                raise TimeoutError(f"{len(self._under_way)} messages still under way after {timeout:g} s")

    def clear(self) -> None:
        """Forget everything."""
        with self._grown:
            self._entries.clear()
            self._under_way.clear()
            self._grown.notify_all()


def _shown(entry: Traced, horizon: datetime) -> Shown:
    states = [status for at, status in entry.states if at <= horizon]
    events = tuple(event for event in entry.events if event.at <= horizon)
    status = states[-1] if states else entry.states[0][1]
    return Shown(entry, status, events, entry.to_ip if status in SETTLED else "")
