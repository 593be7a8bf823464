"""The small engine for cuts: the same batches in each run, one process that dies, an engine that dies."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from tests.mini_engine import Plugin, Props, Refused, Saved
from tests.nursery_engine import ForkedPlugin, NurseryEngine
from tests.plugin_nursery import Forked

TOGETHER = 4  # a plugin has four threads, and commits what they bring at once
GATHER_SECONDS = 0.1


class Turnstile:
    """Lets changes in by rounds: of each process four, in the order of their names, and then all end.

    Which of them come first, and so which share a commit, is otherwise a matter of threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, str] = {}  # name → process
        self._busy = 0
        self._since = 0.0
        self._mine = threading.local()

    @contextmanager
    def working(self) -> Iterator[None]:
        """While a resource is worked at; nobody is let in till it waits here itself, or is through."""
        self._mine.counted = True
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)
            self._mine.counted = False

    @contextmanager
    def passing(self, name: str, process: str) -> Iterator[None]:
        """Wait to be let in."""
        counted = getattr(self._mine, "counted", False)
        with self._changed:
            self._waiting[name] = process
            self._count(-counted)
            while name in self._waiting:
                left = self._since + GATHER_SECONDS - time.monotonic()
                if not self._busy and left <= 0:
                    self._let_in()
                else:
                    self._changed.wait(None if self._busy else left)
        try:
            yield
        finally:
            self._count(counted - 1)

    def _count(self, more: int) -> None:
        with self._changed:
            self._busy += more
            self._since = time.monotonic()
            self._changed.notify_all()

    def _let_in(self) -> None:
        for process in set(self._waiting.values()):
            names = sorted(name for name, one in self._waiting.items() if one == process)
            for name in names[:TOGETHER]:
                del self._waiting[name]
                self._busy += 1
        self._changed.notify_all()


class FaultEngine(NurseryEngine):
    """An engine whose plugins may be killed one by one, and that may be gone itself."""

    threads = 24  # more than a stack has resources: the real engine does not queue them either

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._turnstile = Turnstile()
        self._gone = False
        self.left_running: list[int] = []  # processes of plugins that an engine which died has left behind

    def kill_plugin(self, provider: str) -> None:
        """End one process, and return when it is gone; the engine lives on."""
        plugin = self._plugins[provider]
        plugin.stop()
        assert ended([self._pid(provider)], 10)

    def die(self) -> None:
        """Be gone, with all that is not in the state yet; the plugins run on."""
        self._gone = self._killed = True
        self.left_running = [self._pid(provider) for provider in self._plugins]
        self._plugins.clear()
        self._server.stop(None).wait()

    def _start(self, arguments: Props) -> Plugin:
        """A process that starts while its engine goes ends itself, or is left behind like the others."""
        try:
            plugin = super()._start(arguments)
        except grpc.RpcError:
            self._require_engine()
            raise
        if self._gone:
            assert isinstance(plugin, ForkedPlugin)
            self.left_running.append(plugin.pid)
        self._require_engine()
        return plugin

    def _pid(self, provider: str) -> int:
        plugin = self._plugins[provider]
        assert isinstance(plugin, ForkedPlugin)
        return plugin.pid

    def _register(self, *given: Any) -> tuple[str, Props]:
        with self._turnstile.working():
            return super()._register(*given)

    def _change(self, method: str, what: Saved, request: Any) -> Any:
        with self._turnstile.passing(what.name, what.provider):
            try:
                answer = super()._change(method, what, request)
                self._require_engine()
            except Refused:
                self._note_what_stays_open(method, what)
                raise
            return answer

    def _note_what_stays_open(self, method: str, what: Saved) -> None:
        """An engine that lives hears that an operation has failed; a dead one leaves it open in its state."""
        if self._gone:
            self.pending[what.name] = method

    def _require_engine(self) -> None:
        if self._gone:
            raise Refused("the engine is gone")

    def clear_away(self) -> None:
        """What a dead engine has left; the next run is another engine's."""
        for pid in self.left_running:
            Forked(pid).kill()
        self._gone, self.left_running = False, []


def ended(pids: list[int], seconds: float) -> bool:
    """Whether these processes, which are no children of ours, have ended in time."""
    deadline = time.monotonic() + seconds
    return all(_has_ended(pid, deadline - time.monotonic()) for pid in pids)


def _has_ended(pid: int, seconds: float) -> bool:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([watched], [], [], max(0.0, seconds))
        return bool(ready)
    finally:
        os.close(watched)
