"""A stack's life on the real engine: what tests do with it again and again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.estate import Estate, EstateSnapshot
from lab.journal import Event
from tools.pulumi_cli import Project, Run


@dataclass(frozen=True)
class Saved:
    """A moment of a life: the state, the stack file, and both sides."""

    state: bytes
    stack_file: str
    estate: EstateSnapshot


@dataclass(frozen=True)
class Life:
    """A stack, the estate that it works on, and how that looked before."""

    project: Project
    estate: Estate
    before: str

    @property
    def state_file(self) -> Path:
        """Where the file backend keeps the state."""
        stacks = self.project.folder / "home" / "state" / ".pulumi" / "stacks"
        return stacks / "m365-secure-email" / f"{self.project.stack}.json"

    def saved(self) -> Saved:
        """What to go back to, by files: `stack export` and `import` would cost a second."""
        stack_file = self.project.stack_file.read_text(encoding="utf-8")
        return Saved(self.state_file.read_bytes(), stack_file, self.estate.snapshot())

    def restore(self, saved: Saved) -> None:
        """Go back to a moment."""
        self.state_file.write_bytes(saved.state)
        self.project.stack_file.write_text(saved.stack_file, encoding="utf-8")
        self.estate.reset()
        self.estate.restore(saved.estate)

    def destroy(self, *options: str, check: bool = True) -> Run:
        """Let all of it go, also while mail flows."""
        self.free()
        return self.project.destroy(*options, check=check)

    def kill_engine_at(self, match: Callable[[Event], bool], *command: str) -> str:
        """Start a command and SIGKILL its engine, and the engine alone, at a moment of the lab's journal.

        Answers what it said. The moment lasts until the engine is gone, which can take longer than a commit.
        """
        processes: list[subprocess.Popen[str]] = []

        def kill(_event: Event) -> None:
            os.kill(processes[0].pid, signal.SIGKILL)
            with suppress(ChildProcessError):  # whoever waits for it was told already
                os.waitid(os.P_PID, processes[0].pid, os.WEXITED | os.WNOWAIT)

        self.estate.journal.when(match, kill)
        processes.append(self.project.start(*command))
        said, _ = processes[0].communicate(timeout=120)
        assert processes[0].returncode == -signal.SIGKILL, said
        return said

    def free(self) -> None:
        """Let `destroy` go while mail flows: what holds it has a test of its own, and an `up` costs more.

        As `pulumi state unprotect --all` does it, for nothing.
        """
        state = json.loads(self.state_file.read_text(encoding="utf-8"))
        for resource in state["checkpoint"]["latest"].get("resources", ()):
            resource.pop("protect", None)
        self.state_file.write_text(json.dumps(state), encoding="utf-8")

    def unlock(self) -> None:
        """What an operator does after a kill: take away the dead engine's lock."""
        self.project.pulumi("cancel", "--yes")


def living(project: Project, estate: Estate) -> Life:
    """A life that begins: the stack is made."""
    begin(project)
    return Life(project, estate, estate.dump())


_begun: dict[str, tuple[str, dict[Path, bytes]]] = {}
"""By stack: what `stack init` wrote. It is the same in every sandbox, since all have one passphrase."""


def begin(project: Project) -> None:
    """`pulumi stack init`, by the engine once for each stack's name, by files then."""
    state = project.folder / "home" / "state"
    if project.stack in _begun:
        salt, files = _begun[project.stack]
        with project.stack_file.open("a", encoding="utf-8") as stack_file:
            stack_file.write(salt)
        for path, content in files.items():
            (state / path).parent.mkdir(parents=True, exist_ok=True)
            (state / path).write_bytes(content)
        return
    project.init()
    salts = re.findall(r"^encryptionsalt: .*\n", project.stack_file.read_text(encoding="utf-8"), re.MULTILINE)
    made = [path for path in state.rglob("*") if path.is_file()]
    _begun[project.stack] = (salts[0], {path.relative_to(state): path.read_bytes() for path in made})


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
