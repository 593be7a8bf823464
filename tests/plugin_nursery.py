"""Plugin processes without their start: a process that has loaded everything, and forks when one is wanted.

What runs in the fork is `python -m pulumi.dynamic ADDRESS`, with nothing used yet but its imports: as fresh
as a new process, in a hundredth of the time. So a drift case costs what its reads and writes cost.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from tests import forks

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "m365-secure-email"
QUIET = 0.05
"""Seconds instead of the four tenths that a change waits for others to be committed with: a wait that none of
these tests is about. The changes of one run come at once here, so they still share their commits."""


class Forked:
    """A plugin's process that is not our child: what `Plugin` needs of one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # it ends itself, too, when its engine is gone
            os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """The process that forks; a context manager."""

    def __init__(self, *, quiet: float = QUIET, patience: Mapping[str, float] | None = None) -> None:
        """`quiet`: how many seconds a plugin waits for more changes before it commits.

        `patience`: of the client of Exchange, what differs from its own; see `admin_api.Patience`.
        """
        ours, theirs = socket.socketpair()
        ours.settimeout(30)  # seconds, of which loading everything takes one or two
        self._one_at_a_time = threading.Lock()
        self._asking = ours
        self._answers = ours.makefile("r", encoding="ascii")
        self._process = subprocess.Popen(
            [sys.executable, "-u", __file__, str(theirs.fileno()), str(quiet), json.dumps(patience or {})],
            cwd=ROOT,
            env={**os.environ, "PULUMI_PROJECT": PROJECT, "PYTHONPATH": str(ROOT)},
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()

    def fork(self, engine_address: str, environment: Mapping[str, str]) -> tuple[Forked, int]:
        """A new plugin process, and the port that it listens on."""
        wanted = json.dumps({"address": engine_address, "environment": dict(environment)})
        with self._one_at_a_time:
            self._asking.sendall(f"{wanted}\n".encode())
            pid, port = self._answers.readline().split()
        return Forked(int(pid)), int(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._asking.shutdown(socket.SHUT_RDWR)
        self._answers.close()
        self._asking.close()
        self._process.wait(timeout=10)


def serve(asked: socket.socket, quiet: float, patience: Mapping[str, float]) -> None:
    """Load everything, then fork for each line; in a child, return when its plugin ends.

    At the end all go: one that was forked too late for its engine has nobody else who knows it.
    """
    forks.load()
    sys.modules["dynamic_providers.gateway.transaction"].QUIET_SECONDS = quiet  # type: ignore[attr-defined] # of a module
    client = sys.modules["dynamic_providers.exchange.client"]
    client.Patience = partial(client.Patience, **patience)  # type: ignore[attr-defined] # of a module
    children: set[int] = set()
    for line in asked.makefile("r", encoding="ascii"):
        children -= ended(children)
        wanted = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            asked.close()
            become_plugin(writing, wanted["address"], wanted["environment"])
            return
        children.add(child)
        os.close(writing)
        with os.fdopen(reading, encoding="ascii") as first:
            port = first.readline().strip()
        asked.sendall(f"{child} {port}\n".encode())
    for child in children - ended(children):
        os.kill(child, signal.SIGKILL)


def ended(children: set[int]) -> set[int]:
    """Those that are gone. Until they are waited for, their numbers are nobody else's."""
    return {child for child in children if os.waitpid(child, os.WNOHANG)[0]}


def become_plugin(port_to: int, address: str, environment: Mapping[str, str]) -> None:
    """What `python -m pulumi.dynamic ADDRESS` does, its standard output going to `port_to`."""
    os.dup2(port_to, 1)
    os.close(port_to)
    os.environ.update(environment)
    forks.plant()
    sys.argv = ["pulumi.dynamic", address]
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2]), json.loads(sys.argv[3]))
