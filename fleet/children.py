"""The child processes of a run: their lines as they come, and an end of all of them that hurts nobody."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_LONGEST_LINE = 2**27  # an event holds all inputs and outputs of a resource
_TAIL = 200

OnLine = Callable[[str], None]


class NoProgram(Exception):
    """The program to be started is not on PATH."""


class Stopped(Exception):
    """Nothing new is started any more."""


@dataclass(frozen=True)
class Ended:
    """How a child ended. `errors`: the last lines of its stderr."""

    code: int
    errors: tuple[str, ...]


@dataclass
class Children:
    """All children that live. `asked`: how often they were asked to end."""

    asked: int = 0
    _living: set[asyncio.subprocess.Process] = field(default_factory=set)

    async def run(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str],
        on_line: OnLine,
        on_error: OnLine | None = None,
    ) -> Ended:
        """Run a program to its end. It gets signals from us alone: a terminal's Ctrl-C does not reach it.

        Raises NoProgram; Stopped where `stop` was called before.
        """
        if self.stopping():
            raise Stopped
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env=dict(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                limit=_LONGEST_LINE,
            )
        except FileNotFoundError:
            raise NoProgram(str(command[0])) from None
        assert process.stdout is not None
        assert process.stderr is not None
        tail: deque[str] = deque(maxlen=_TAIL)

        def keep(line: str) -> None:
            tail.append(line)
            if on_error is not None:
                on_error(line)

        self._living.add(process)
        if self.stopping():  # while it was being started
            self._ask(process)
        try:
            await asyncio.gather(_lines(process.stdout, on_line), _lines(process.stderr, keep))
            return Ended(await process.wait(), tuple(tail))
        finally:
            self._living.discard(process)
            if process.returncode is None:
                _kill(process)

    def stopping(self) -> bool:
        """Whether nothing new is to begin."""
        return self.asked > 0

    def stop(self) -> None:
        """First: let each finish what it is doing. Then: leave off at once. At last: kill."""
        self.asked += 1
        for process in self._living:
            self._ask(process)

    def _ask(self, process: asyncio.subprocess.Process) -> None:
        if self.asked > 2:
            _kill(process)
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)


async def _lines(stream: asyncio.StreamReader, take: OnLine) -> None:
    async for line in stream:
        take(line.decode(errors="replace").rstrip("\n"))


def _kill(process: asyncio.subprocess.Process) -> None:
    """The child and what it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
