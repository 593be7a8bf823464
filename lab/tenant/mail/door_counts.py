"""How many connections and messages the front door has seen: counted here, not by who holds to a limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Counts:
    """Of one peer, or of all: now and at the most at once, in all, and at the most in one connection."""

    now: int = 0
    at_once: int = 0
    connections: int = 0
    messages: int = 0
    per_connection: int = 0
    refused: int = 0
    """Messages and recipients that got a 4xx or 5xx."""


class DoorCounts:
    """Counters of one front door, over all peers and for each; thread-safe."""

    def __init__(self) -> None:
        self.all = Counts()
        self.peers: dict[str, Counts] = {}
        self._lock = threading.Lock()

    def peer(self, address: str) -> Counts:
        """The counts of one address; zeros if it never came."""
        with self._lock:
            return self.peers.setdefault(address, Counts())

    def opened(self, address: str) -> None:
        """A connection more."""
        self._each(address, _opened)

    def closed(self, address: str) -> None:
        """A connection less."""
        self._each(address, _closed)

    def message(self, address: str, in_connection: int) -> None:
        """A whole message, the so-manyth of its connection."""
        self._each(address, lambda counts: _message(counts, in_connection))

    def refused(self, address: str) -> None:
        """A refusal."""
        self._each(address, _refused)

    def reset(self) -> None:
        """Zero, but for the connections that are open."""
        with self._lock:
            for counts in (self.all, *self.peers.values()):
                counts.at_once = counts.now
                counts.connections = counts.messages = counts.per_connection = counts.refused = 0

    def _each(self, address: str, change: Callable[[Counts], None]) -> None:
        with self._lock:
            for counts in (self.all, self.peers.setdefault(address, Counts())):
                change(counts)


def _opened(counts: Counts) -> None:
    counts.now += 1
    counts.connections += 1
    counts.at_once = max(counts.at_once, counts.now)


def _closed(counts: Counts) -> None:
    counts.now -= 1


def _message(counts: Counts, in_connection: int) -> None:
    counts.messages += 1
    counts.per_connection = max(counts.per_connection, in_connection)


def _refused(counts: Counts) -> None:
    counts.refused += 1
