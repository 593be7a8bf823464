"""What bad weather is made of: peers that fall silent, and a clock that only waiting moves on."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.gateway_canned import CannedTerminal


@dataclass
class Clock:
    """Stands in for the module `time`: nobody really waits, and how long they would have is in `waits`."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def rules(self, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
        """In these modules from now on."""
        for module in modules:
            monkeypatch.setattr(f"{module}.time", self)


class SlowTerminal(CannedTerminal):
    """One whose answer to a line takes its time, in seconds of a clock."""

    def __init__(self, clock: Clock, slow: Mapping[str, float], *canned: Any) -> None:
        super().__init__(*canned)
        self._clock, self._slow, self._ready_at, self._limit = clock, slow, 0.0, 0.0

    def settimeout(self, timeout: float | None, /) -> None:
        self._limit = timeout or 0.0

    def sendall(self, s: bytes, /) -> None:
        super().sendall(s)
        self._ready_at = self._clock.now + self._slow.get(s.decode().strip(), 0.0)

    def recv(self, nbytes: int, /) -> bytes:
        if self._clock.now < self._ready_at or not self._ready:
            self._clock.now += self._limit
            raise TimeoutError
        return super().recv(nbytes)


@dataclass
class FallsSilent:
    """Accepts connections, says each of `says` after having heard something, and then nothing any more.

    The first is said at once. `drips` is said then for ever. `context`: by TLS. `port` is where.
    """

    says: tuple[bytes, ...] = ()
    drips: bytes = b""
    context: ssl.SSLContext | None = None
    connections: int = 0
    port: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = int(server.getsockname()[1])
            thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
            thread.start()
            try:
                yield self.port
            finally:
                self._over.set()
                with contextlib.suppress(OSError):  # wakes the thread where it accepts
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                thread.join(5)

    def _serve(self, server: socket.socket) -> None:
        talks: list[threading.Thread] = []
        while not self._over.is_set():
            wire, _ = server.accept()
            self.connections += 1
            talks.append(threading.Thread(target=self._talk, args=(wire,), daemon=True))
            talks[-1].start()
        for talk in talks:
            talk.join(5)

    def _talk(self, wire: socket.socket) -> None:
        with contextlib.suppress(OSError), wire, self._peer(wire) as peer:  # whoever asked may have given up
            for number, said in enumerate(self.says):
                if number and not peer.recv(65_536):
                    return
                peer.sendall(said)
            while self.drips and not self._over.wait(0.02):
                peer.sendall(self.drips)
            self._over.wait(60)

    def _peer(self, wire: socket.socket) -> socket.socket:
        return self.context.wrap_socket(wire, server_side=True) if self.context else wire
