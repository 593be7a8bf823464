"""A limit for what a library waits for without one: its connection is cut when the time has passed."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from typing import Self


class TimeLimit:
    """`with TimeLimit(20, cut) as limit:` runs `cut` from another thread if the block takes longer, seconds.

    What waits in the block then fails as with any broken connection; `limit.passed` says why.
    """

    def __init__(self, seconds: float, cut: Callable[[], object]) -> None:
        self.passed = False
        self._cut = cut
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._timer.cancel()

    def _pass(self) -> None:
        self.passed = True
        self._cut()


class Handle:
    """A second hold on a socket's connection, by which it can be cut whatever TLS has made of the first."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = socket.socket(fileno=os.dup(wire.fileno()))

    def cut(self) -> None:
        """End the connection for all that hold it."""
        with contextlib.suppress(OSError):  # it has ended already
            self._wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go; the connection stays."""
        self._wire.close()
