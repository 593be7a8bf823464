"""What a mail flow policy limits for one sending host: connections at once, recipients in an hour."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

HOUR = 3600.0


class Rates:
    """Counts by listener and address; thread-safe. A limit below 0 is none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: Counter[tuple[str, str]] = Counter()
        self._received: dict[tuple[str, str], deque[float]] = {}
        self._lock = threading.Lock()

    def enter(self, listener: str, address: str, limit: int) -> bool:
        """One connection more, if that many are allowed at once."""
        key = (listener, address)
        with self._lock:
            if 0 <= limit <= self._open[key]:
                return False
            self._open[key] += 1
            return True

    def leave(self, listener: str, address: str) -> None:
        """A connection that had entered is closed."""
        with self._lock:
            self._open[listener, address] -= 1

    def count(self, listener: str, address: str, limit: int) -> bool:
        """One recipient more, if that many are allowed in an hour."""
        now = self._clock()
        with self._lock:
            received = self._received.setdefault((listener, address), deque())
            while received and now - received[0] >= HOUR:
                received.popleft()
            if 0 <= limit <= len(received):
                return False
            received.append(now)
            return True
