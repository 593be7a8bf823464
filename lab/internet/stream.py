"""A steady stream of messages, to see that nothing gets lost while something else is changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from lab.mail.envelope import Envelope

WORKERS = 32
"""How many messages may be on their way to the first server at once."""


class Stream:
    """Sends `make(number)` by `send`, `per_second` times a second, from `start` to `stop`; a context manager.

    `send` may be `Sender.send`, a tenant's `submit`, or whatever takes an envelope. Numbers count from 1.
    A defect in `send` is raised by `stop`.
    """

    def __init__(
        self, make: Callable[[int], Envelope], send: Callable[[Envelope], object], per_second: float = 10.0
    ) -> None:
        self.sent: list[Envelope] = []
        self._make, self._send = make, send
        self._pause = 1 / per_second
        self._over = threading.Event()
        self._grown = threading.Condition()
        self._pool = ThreadPoolExecutor(WORKERS, "lab-stream")
        self._under_way: list[Future[object]] = []
        self._thread = threading.Thread(target=self._run, name="lab-stream", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait until each message has been handed over or given up."""
        self._over.set()
        self._thread.join()
        self._pool.shutdown()
        for one in self._under_way:
            one.result()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for(self, more: int, timeout: float = 30.0) -> None:
        """Wait until that many more messages have set out; TimeoutError if not in time (seconds)."""
        with self._grown:
            wanted = len(self.sent) + more
            if not self._grown.wait_for(lambda: len(self.sent) >= wanted, timeout):
                raise TimeoutError(f"not {more} more messages in {timeout:g} s")

    def missing(self, arrived: Iterable[Envelope]) -> list[Envelope]:
        """What was sent and is not among `arrived`, by Message-ID."""
        there = {envelope.message_id for envelope in arrived}
        return [envelope for envelope in self.sent if envelope.message_id not in there]

    def _run(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(due - time.monotonic(), 0)):
            due += self._pause
            envelope = self._make(len(self.sent) + 1)
            self._under_way.append(self._pool.submit(self._send, envelope))
            with self._grown:
                self.sent.append(envelope)
                self._grown.notify_all()
