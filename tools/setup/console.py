"""What the set-up says, and how it runs programs that take minutes and say nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PROGRESS_SECONDS = 15.0
"""How often a program that is still at work is reported."""

_TAIL_LINES = 25


class SetupError(Exception):
    """The set-up cannot go on; the text says what happened and what to do."""


def say(text: str) -> None:
    """One line for the person who waits; on stderr, so that `eval "$(make -s env)"` stays clean."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


def elapsed(seconds: float) -> str:
    """A duration as people read it."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def capture(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], seconds: float) -> str:
    """Output of a short command, stripped; SetupError if it fails, is not there or takes too long."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=env, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"`{' '.join(words)}`: {error}") from None
    if done.returncode:
        raise SetupError(f"`{' '.join(words)}` failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout.strip()


def run(
    command: Sequence[str | Path],
    what: str,
    *,
    cwd: Path,
    env: Mapping[str, str],
    describe: Callable[[int], str] = lambda lines: f"{lines} lines of output",
) -> int:
    """Run a long command quietly, with a line now and then; SetupError with its last lines if it fails.

    Answers how many lines it printed; `describe` puts into words how many it has printed so far.
    """
    words = [str(word) for word in command]
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise SetupError(f"{what}: `{words[0]}` does not start: {error}") from None
    with _ended(process):
        output = _Output(process.stdout)
        with heartbeat(what, lambda: describe(output.count)):
            process.wait()
        output.finished()
    if process.returncode:
        raise SetupError(f"{what}: `{' '.join(words)}` failed ({process.returncode}):\n{output.tail()}")
    return output.count


@contextmanager
def heartbeat(what: str, describe: Callable[[], str]) -> Iterator[None]:
    """Say every PROGRESS_SECONDS that the block is still at work."""
    over = threading.Event()
    start = time.monotonic()

    def beat() -> None:
        while not over.wait(PROGRESS_SECONDS):
            say(f"  … {what}: {elapsed(time.monotonic() - start)}, {describe()}")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """No child outlives us, whatever interrupts the block."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


class _Output:
    """Counts a program's lines as they come, and keeps the last ones for the error message."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self.count = 0
        self._last: deque[str] = deque(maxlen=_TAIL_LINES)
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes] | None) -> None:
        for line in stream or ():
            self._last.append(line.decode(errors="replace").rstrip())
            self.count += 1

    def finished(self) -> None:
        # A grandchild may hold the pipe open; what has come by now is all that a message needs.
        self._thread.join(timeout=5)

    def tail(self) -> str:
        return "\n".join(f"  {line}" for line in self._last)
