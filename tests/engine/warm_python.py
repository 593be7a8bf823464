"""A Python that has loaded everything already, for the program and the plugins that the engine starts.

Three quarters of what a `pulumi` command costs are interpreters that start and import. Here the engine
starts a stand-in (PULUMI_PYTHON_CMD), which hands arguments, folder, environment and streams to a process
that has imported everything, and forks. The stand-in lives as long as the fork: it passes signals on, its end
ends the fork, and its exit code is the fork's. What runs is the same code, nothing used yet but its imports.
"""

from __future__ import annotations

import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests import forks

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = "pulumi-language-python-exec"
PIP = ["-m", "pip", "list"]
STAND_IN = """#!{python} -IS
import json, os, signal, socket, sys
arguments = [one for one in sys.argv[1:] if one != "-u"]
if not (arguments[:2] == ["-m", "pulumi.dynamic"] or arguments[:3] == {pip} or {program!r} in arguments[0]):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
wanted = dict(arguments=arguments, folder=os.getcwd(), environment=dict(os.environ))
with socket.socket(socket.AF_UNIX) as line:
    line.connect({door!r})
    socket.send_fds(line, [b"!"], [0, 1, 2])
    line.sendall(json.dumps(wanted).encode() + b"\\n")
    fork = int.from_bytes(line.recv(4), "big")
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda number, _frame: os.kill(fork, number))
    code = line.recv(1)
sys.exit(code[0] if code else 1)
"""


class WarmPython:
    """The process that forks; a context manager. `command` is what PULUMI_PYTHON_CMD is to name."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="warm"))  # a socket's path must be short
        self.command = self._folder / "python3"
        door = str(self._folder / "door")
        text = STAND_IN.format(python=sys.executable, pip=PIP, program=PROGRAM, door=door)
        self.command.write_text(text, encoding="utf-8")
        self.command.chmod(0o700)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(door)
            listening.listen(64)
            self._process = subprocess.Popen(
                [sys.executable, "-u", __file__, str(listening.fileno())],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                pass_fds=(listening.fileno(),),
                stdin=subprocess.PIPE,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        shutil.rmtree(self._folder)


class Server:
    """Forks for whoever knocks, until standard input ends."""

    def __init__(self, door: socket.socket) -> None:
        self._door, self._running = door, dict[int, socket.socket]()
        self._news = selectors.DefaultSelector()
        self._news.register(door, selectors.EVENT_READ, self._open)
        self._news.register(sys.stdin, selectors.EVENT_READ, self._end)
        pip = [sys.executable, *PIP, "-v", "--format", "json"]
        self._packages = subprocess.run(
            pip, stdout=subprocess.PIPE, check=True
        ).stdout  # half a second a time

    def serve(self) -> None:
        """Until all is over; in a fork, until what it became is."""
        while True:
            for key, _ in self._news.select():
                if self._news.get_map().get(key.fd) is key:  # else another one of the same round ended it
                    key.data()

    def _open(self) -> None:
        line, _ = self._door.accept()
        _, streams, _, _ = socket.recv_fds(line, 1, 3)
        with line.makefile("r", encoding="utf-8") as asked:
            wanted = json.loads(asked.readline())
        if wanted["arguments"][:3] == PIP:
            os.write(streams[1], self._packages)
            line.sendall(bytes(5))
            line.close()
        elif pid := os.fork():
            line.sendall(pid.to_bytes(4, "big"))
            self._watch(pid, line)
        else:
            self._forget()
            line.close()
            become(wanted, streams)
        for stream in streams:
            os.close(stream)

    def _watch(self, pid: int, line: socket.socket) -> None:
        ended = os.pidfd_open(pid)

        def reap() -> None:
            _, status = os.waitpid(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self._news.unregister(ended)
            os.close(ended)
            self._news.unregister(line)
            with suppress(OSError):  # the stand-in was ended, and the fork for that
                line.sendall(bytes([code if code >= 0 else 128 - code]))
            line.close()

        self._news.register(ended, selectors.EVENT_READ, reap)
        self._news.register(line, selectors.EVENT_READ, lambda: os.kill(pid, signal.SIGKILL))

    def _forget(self) -> None:
        """In a fork: nothing of ours stays open."""
        for key in list(self._news.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            elif key.fd:
                os.close(key.fd)
        self._news.close()

    def _end(self) -> None:
        sys.exit()


def become(wanted: dict[str, Any], streams: list[int]) -> None:
    """What `python ARGUMENTS` does. Raises SystemExit."""
    for at, stream in enumerate(streams):
        os.dup2(stream, at)
        os.close(stream)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    is_plugin = wanted["arguments"][0] == "-m"
    if is_plugin:
        forks.plant()  # while `tests` is still found
    sys.path = [one for one in sys.path if one not in (str(ROOT), str(Path(__file__).parent))]
    if is_plugin:
        sys.path.insert(0, wanted["folder"])
        sys.argv = wanted["arguments"][1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = wanted["arguments"]
        sys.path.insert(0, str(Path(sys.argv[0]).parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    forks.load()
    Server(socket.socket(fileno=int(sys.argv[1]))).serve()
