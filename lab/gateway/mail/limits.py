"""Destination controls at work: what the gateway keeps to when it delivers to a domain."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from lab.gateway.state import Configuration, Destination
from lab.mail.client import Tls

DEFAULT = "DEFAULT"
TLS: dict[str, Tls] = {
    "none": "no",
    "preferred": "preferred",
    "required": "required",
    "preferred-verify": "preferred",
    "required-verify": "required",
}
"""What a table's TLS setting asks of a connection. Verifying the certificate is not emulated."""
UNLIMITED = 1_000_000


@dataclass(frozen=True)
class Control:
    """The limits for one domain, defaults filled in; `per_…` says what is counted apart."""

    connections: int
    messages: int
    tls: Tls
    per_exchanger: bool
    per_interface: bool
    recipients: int
    minutes: int


def control_of(tables: Configuration, domain: str) -> Control:
    """What counts for a domain: its own entry, the longest .suffix, the default entry."""
    default = tables.destinations[DEFAULT]
    entry = _entry(tables, domain) or default

    def number(attribute: str) -> int:
        own = getattr(entry, attribute)
        value = getattr(default, attribute) if own is None else own
        return UNLIMITED if value is None else int(value)

    tls = entry.table_tls or default.table_tls or "none"
    return Control(
        connections=number("max_host_concurrency"),
        messages=number("max_messages_per_connection"),
        tls=TLS[tls],
        per_exchanger=entry.limit_type == "MXIP",
        per_interface=entry.limit_apply == "VG",
        recipients=number("recipient_limit"),
        minutes=number("recipient_minutes"),
    )


def _entry(tables: Configuration, domain: str) -> Destination | None:
    labels = domain.split(".")
    for key in (domain, *("." + ".".join(labels[place:]) for place in range(1, len(labels)))):
        if key in tables.destinations:
            return tables.destinations[key]
    return None


class Slots:
    """Counts connections that are open at this moment, and recipients of the last minutes; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._open: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._recipients: dict[str, deque[tuple[float, int]]] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, key: str, limit: int) -> bool:
        """One connection more, if that many are allowed."""
        with self._lock:
            if self._open[key] >= limit:
                return False
            self._open[key] += 1
            self._most[key] = max(self._most[key], self._open[key])
            return True

    def give_back(self, key: str) -> None:
        """A connection is closed."""
        with self._lock:
            self._open[key] -= 1

    def most(self, key: str) -> int:
        """The most connections that were ever open at once."""
        with self._lock:
            return self._most[key]

    def may_send(self, domain: str, control: Control, count: int) -> bool:
        """Count so many recipients more; False when the domain has had all it may have in these minutes."""
        if control.recipients >= UNLIMITED:
            return True
        now = self._clock()
        with self._lock:
            sent = self._recipients.setdefault(domain, deque())
            while sent and now - sent[0][0] >= control.minutes * 60:
                sent.popleft()
            if sum(number for _, number in sent) + count > max(control.recipients, count):
                return False
            sent.append((now, count))
            return True
