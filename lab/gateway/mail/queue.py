"""The delivery queue of one gateway: lanes by destination, a pool of threads, and another try later."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from lab.gateway.mail.tracking import Tracked
from lab.mail.envelope import Envelope


@dataclass(frozen=True)
class LaneKey:
    """What messages must have in common to share a connection."""

    domain: str
    interface: str
    mail_host: str = ""
    tls_required: bool = False


@dataclass(eq=False)
class Item:
    """A message as far as it goes to one domain; `since` in seconds since the epoch."""

    mid: int
    envelope: Envelope
    lane: LaneKey
    tracked: Tracked
    since: float = field(default_factory=time.time)
    attempts: int = 0
    generation: int = 0


class Queue:
    """Holds what has to be delivered and calls `serve(lane)` in a thread for every item that was put.

    `serve` takes items with `take` as long as it likes, and settles each by `done` or `later`.
    """

    def __init__(self, name: str, threads: int, serve: Callable[[LaneKey], None]) -> None:
        self._serve = serve
        self._lanes: dict[LaneKey, deque[Item]] = {}
        self._postponed: list[tuple[float, int, Item]] = []
        self._numbers = itertools.count()
        self._open = 0
        self._busy = 0
        self._generation = 0
        self._stopped = False
        self._changed = threading.Condition()
        self.errors: list[BaseException] = []
        self._pool = ThreadPoolExecutor(threads, f"{name}-delivery")
        self._clock = threading.Thread(target=self._wake, name=f"{name}-retry", daemon=True)
        self._clock.start()

    def put(self, item: Item) -> None:
        """Deliver that, as soon as it can be."""
        with self._changed:
            self._open += 1
            item.generation = self._generation
            self._append(item)

    def take(self, lane: LaneKey) -> Item | None:
        """The next item of a lane; None when there is none waiting."""
        with self._changed:
            waiting = self._lanes.get(lane)
            return waiting.popleft() if waiting else None

    def waiting(self, lane: LaneKey) -> bool:
        """Whether anything waits in a lane."""
        with self._changed:
            return bool(self._lanes.get(lane))

    def done(self, item: Item) -> None:  # noqa: ARG002 - which one it was is for whoever reads the call
        """Delivered, bounced or dropped: it has left the queue."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def later(self, item: Item, seconds: float) -> None:
        """Try again in that many seconds; not what was under way while the queue was cleared."""
        with self._changed:
            if item.generation != self._generation:
                self.done(item)
                return
            heapq.heappush(self._postponed, (time.monotonic() + seconds, next(self._numbers), item))
            self._changed.notify_all()

    def nudge(self, domain: str) -> None:
        """A connection to a domain has ended: whoever waits for one may try."""
        with self._changed:
            for lane, waiting in self._lanes.items():
                if waiting and lane.domain == domain:
                    self._submit(lane)

    def retry_now(self) -> None:
        """Try everything that was postponed, as an administrator's `delivernow` does."""
        with self._changed:
            due, self._postponed = self._postponed, []
            for _, _, item in due:
                self._append(item)

    @property
    def open(self) -> int:
        """How many items are not settled yet."""
        with self._changed:
            return self._open

    def wait_until_empty(self, timeout: float) -> bool:
        """Wait, in seconds, until all is settled and every connection closed; False if it is not."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == self._busy == 0, timeout)

    def clear(self) -> None:
        """Forget what waits; what is under way ends with its first try."""
        with self._changed:
            self._generation += 1
            self._open -= len(self._postponed) + sum(len(waiting) for waiting in self._lanes.values())
            self._postponed.clear()
            self._lanes.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """End all threads; what waits is lost."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._clock.join(10)
        self._pool.shutdown(cancel_futures=True)

    def _append(self, item: Item) -> None:
        self._lanes.setdefault(item.lane, deque()).append(item)
        self._submit(item.lane)

    def _submit(self, lane: LaneKey) -> None:
        if not self._stopped:
            self._busy += 1
            self._pool.submit(self._serve, lane).add_done_callback(self._served)

    def _served(self, future: Future[None]) -> None:
        """One thread is free again; a defect of the lab itself must not vanish in the pool."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()
        if not future.cancelled() and (error := future.exception()) is not None:
            self.errors.append(error)

    def _wake(self) -> None:
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                while self._postponed and self._postponed[0][0] <= now:
                    self._append(heapq.heappop(self._postponed)[2])
                self._changed.wait(self._postponed[0][0] - now if self._postponed else None)
