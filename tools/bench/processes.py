"""What a process and all that it starts take: memory, looked at once a second, and processor time."""

from __future__ import annotations

import resource
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

EVERY = 1.0
"""Seconds between two looks; each look costs some milliseconds a process."""


class Watch:
    """Of a running process: `peak` bytes, `most` processes at once; `cpu` seconds when it has ended.

    Memory is the sum of PSS: what several processes share is counted once. Processor time is that of those
    that were waited for.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.peak = self.most = 0
        self.cpu = 0.0
        self._process = process
        self._before = _children_seconds()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """The process has ended by now."""
        self._over.set()
        self._thread.join()
        self.cpu = _children_seconds() - self._before

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            there = tree(self._process.pid)
            self.most = max(self.most, len(there))
            self.peak = max(self.peak, sum(map(proportional, there)))


def tree(root: int) -> list[int]:
    """A process and all that come from it."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:  # grows while it is gone through
        found += children.get(pid, ())
    return found


def proportional(pid: int) -> int:
    """A process's part of the memory, in bytes; 0 when it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


def _parents() -> Iterable[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        yield int(folder.name), int(said.rpartition(")")[2].split()[1])


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
