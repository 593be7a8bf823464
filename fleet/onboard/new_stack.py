"""A new stack at the engine: initialised once, its header's secret encrypted into the stack file.

The secret goes over stdin: it is no argument, and in no file in clear.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.stack_config import NAMESPACE
from dynamic_providers.errors import ManagedError
from fleet.children import Ended
from fleet.engine import Ran
from fleet.failures import failure

PLACE = "outbound.secret"  # of the header's secret, among the settings
_SECONDS = 120.0
_THERE_ALREADY = "already exists"


class EngineRefused(ManagedError):
    """The engine does not do what it was asked for."""


@dataclass(frozen=True)
class NewStack:
    """One stack of the project in a folder. `environment`: of the engine, for this stack."""

    name: str
    folder: Path
    environment: Mapping[str, str]

    def initialise(self, secrets_provider: str = "") -> bool:
        """Make it known to the backend, with a key for its secrets. Whether it was new."""
        chosen = ("--secrets-provider", secrets_provider) if secrets_provider else ()
        done = self._run("stack", "init", self.name, "--no-select", *chosen)
        if done.returncode and _THERE_ALREADY not in done.stderr:
            raise self._refused("stack init", done)
        return not done.returncode

    def keep_secret(self, secret: str, file: Path | None = None, *, place: str = PLACE) -> None:
        """Encrypt a secret, the header's if no other, into the stack file, or into a copy of it."""
        words = ("--secret", "--path", f"{NAMESPACE}:{place}", "--stack", self.name)
        copy = ("--config-file", str(file)) if file else ()
        done = self._run("config", "set", *words, *copy, given=secret)
        if done.returncode:
            raise self._refused("config set", done)

    def _run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["pulumi", *words, "--non-interactive", "--color", "never"],
                cwd=self.folder,
                env=dict(self.environment),
                input=given,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise EngineRefused(
                "there is no `pulumi` on PATH", fix="run `make setup`, then this again"
            ) from None
        except subprocess.TimeoutExpired:
            raise EngineRefused(
                f"`pulumi {words[0]} {words[1]}` said nothing for {_SECONDS:.0f} s",
                where=f"stack {self.name}",
                fix="look at its backend, then run this again",
            ) from None

    def _refused(self, command: str, done: subprocess.CompletedProcess[str]) -> EngineRefused:
        ran = Ran.without_events(Ended(done.returncode, tuple(done.stderr.splitlines())))
        return EngineRefused(
            f"`pulumi {command}` failed: {failure(self.name, ran)[1]}",
            where=f"stack {self.name}",
            fix="put that right, then run this again: it goes on where it stopped",
        )
