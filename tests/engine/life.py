"""A stack's life on the real engine: what tests do with it again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.estate import Estate
from lab.journal import Event
from tools.pulumi_cli import Project


@dataclass(frozen=True)
class Life:
    """A stack, the estate that it works on, and how that looked before."""

    project: Project
    estate: Estate
    before: str

    def kill_engine_at(self, match: Callable[[Event], bool], *command: str) -> subprocess.Popen[str]:
        """Start a command and SIGKILL its engine, and the engine alone, at a moment of the lab's journal."""
        processes: list[subprocess.Popen[str]] = []
        self.estate.journal.when(match, lambda _event: os.kill(processes[0].pid, signal.SIGKILL))
        processes.append(self.project.start(*command))
        processes[0].communicate(timeout=120)
        assert processes[0].returncode == -signal.SIGKILL
        return processes[0]

    def unlock(self) -> None:
        """What an operator does after a kill: take away the dead engine's lock."""
        self.project.pulumi("cancel", "--yes")


def living(project: Project, estate: Estate) -> Life:
    project.init()
    return Life(project, estate, estate.dump())


def processes_of(project: Project) -> list[str]:
    """The processes that still run in a project's folder, as «pid command»."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            cwd, command = (folder / "cwd").readlink(), (folder / "cmdline").read_bytes()
        except OSError:
            continue  # ended while we looked, or not ours
        if cwd == project.folder and command:
            text = command.replace(bytes(1), b" ").decode(errors="replace").strip()
            found.append(f"{folder.name} {text}")
    return found


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it came to hold in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.05)  # no event tells of a process that ends
    return True


def is_commit(event: Event) -> bool:
    return event.channel.startswith("gateway") and event.kind == "commit"


def plugins(commands: Iterable[str]) -> list[str]:
    return [command for command in commands if "pulumi.dynamic" in command]
