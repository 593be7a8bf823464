"""One stack in a sandbox of its own, driven by the real `pulumi` command, for the demo and engine tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.engine import ROOT, engine_environment

PROGRAM = ("Pulumi.yaml", "__main__.py", "components", "dynamic_providers")
PASSPHRASE = "practice-passphrase"  # noqa: S105 - of a sandbox's state, which goes with the sandbox
_MINUTES = 60.0


@dataclass(frozen=True)
class Run:
    """What one command said, both streams as the operator sees them."""

    command: str
    code: int
    output: str

    @property
    def ok(self) -> bool:
        return self.code == 0


class Failed(Exception):
    """A `pulumi` command ended non-zero where it should not have."""


class Project:
    """The program, linked into a folder of its own, with one stack file and a state that nobody else sees."""

    def __init__(
        self, folder: Path, stack: str, environment: Mapping[str, str], *, settings: str | None = None
    ) -> None:
        """`settings` is the text of the stack file; the repository's own file for that stack if left out."""
        self.folder, self.stack = folder, stack
        self.stack_file = folder / "stacks" / f"Pulumi.{stack}.yaml"
        self.stack_file.parent.mkdir(parents=True, exist_ok=True)
        for name in PROGRAM:
            if not (folder / name).exists():
                (folder / name).symlink_to(ROOT / name)
        text = (
            settings
            if settings is not None
            else (ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
        )
        self.stack_file.write_text(text, encoding="utf-8")
        self.environment = {
            **engine_environment(ROOT, home=folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            **environment,
        }

    def init(self) -> None:
        """Make the stack, once."""
        self.pulumi("stack", "init", self.stack)

    def set(self, settings: Mapping[str, str]) -> None:
        """Change settings of the stack by their paths, `outbound.state`."""
        for path, value in settings.items():
            self.pulumi("config", "set", "--path", f"m365-secure-email:{path}", value)

    def python(self, *arguments: str) -> str:
        """Run a module of the project beside the stack; what it said. Raises Failed if it ends non-zero."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(
                f"python {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def preview(self, *options: str, check: bool = True) -> Run:
        return self.pulumi("preview", "--diff", *options, check=check)

    def up(self, *options: str, check: bool = True) -> Run:
        return self.pulumi("up", "--yes", "--skip-preview", *options, check=check)

    def refresh(self, *options: str, check: bool = True) -> Run:
        return self.pulumi("refresh", "--yes", "--skip-preview", *options, check=check)

    def destroy(self, *options: str, check: bool = True) -> Run:
        return self.pulumi("destroy", "--yes", "--skip-preview", *options, check=check)

    def steps(self, *options: str) -> dict[str, str]:
        """What a preview would do: logical name → operation, those that stay the same left out."""
        run = self.pulumi("preview", "--json", *options)
        plan = json.loads(run.output[run.output.index("{") :])
        return {step["urn"].rsplit("::", 1)[-1]: step["op"] for step in plan["steps"] if step["op"] != "same"}

    def state(self) -> dict[str, Any]:
        """The state as it is stored, secrets encrypted."""
        exported: dict[str, Any] = json.loads(self.pulumi("stack", "export").output)
        return exported

    def pulumi(self, *arguments: str, check: bool = True, timeout: float = 10 * _MINUTES) -> Run:
        """Run a command to its end. Raises Failed with its whole output when it fails and `check` is set."""
        process = self.start(*arguments)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise
        run = Run(f"pulumi {' '.join(arguments)}", process.returncode, output)
        if check and not run.ok:
            raise Failed(f"{run.command} ended with {run.code}:\n{run.output}")
        return run

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own; stdout and stderr come in one stream."""
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive", "--stack", self.stack, *(("--color", "never"))]
            if arguments[:2] != ("stack", "init")
            else ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def kill_group(process: subprocess.Popen[str]) -> None:
    """End a command and everything that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
