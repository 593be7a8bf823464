"""What the `pulumi` command says about itself, its backend and a stack's settings. It changes nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.stack_config import NAMESPACE
from dynamic_providers.errors import ManagedError
from fleet.children import Ended
from fleet.engine import Ran
from fleet.failures import failure

_SECONDS = 120.0


class PulumiFailed(ManagedError):
    """The command is not there, says nothing, or fails."""


@dataclass(frozen=True)
class Pulumi:
    """The command in a project's folder, with the environment of one stack."""

    stack: str
    folder: Path
    environment: Mapping[str, str]

    def version(self) -> str:
        """Its release, without the «v»."""
        said = self._run("version").strip().removeprefix("v")
        if not said:
            raise PulumiFailed("`pulumi version` says nothing", fix="run `make setup`")
        return said

    def stacks(self) -> dict[str, dict[str, Any]]:
        """The stacks that the backend has, by name."""
        listed: list[dict[str, Any]] = self._json("stack", "ls", "--json")
        return {str(one["name"]).rpartition("/")[2]: one for one in listed}

    def settings(self) -> dict[str, object]:
        """The stack's settings without the namespace, secrets in clear."""
        config: dict[str, dict[str, Any]] = self._json(
            "config", "--show-secrets", "--json", "--stack", self.stack
        )
        ours = {key.partition(":")[2]: one for key, one in config.items() if key.startswith(f"{NAMESPACE}:")}
        return {key: one.get("objectValue", one.get("value")) for key, one in ours.items()}

    def _json(self, *words: str) -> Any:
        said = self._run(*words)
        try:
            return json.loads(said)
        except ValueError:
            # It may hold a secret: neither it nor the error's own excerpt is shown.
            raise PulumiFailed(f"`pulumi {words[0]}` gave no JSON", fix="please report it") from None

    def _run(self, *words: str) -> str:
        try:
            done = subprocess.run(
                ["pulumi", *words, "--non-interactive", "--color", "never"],
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise PulumiFailed("there is no `pulumi` on PATH", fix="run `make setup`") from None
        except subprocess.TimeoutExpired:
            raise PulumiFailed(
                f"`pulumi {words[0]}` said nothing for {_SECONDS:.0f} s", fix="look at its backend"
            ) from None
        if done.returncode:
            ran = Ran.without_events(Ended(done.returncode, tuple(done.stderr.splitlines())))
            raise PulumiFailed(failure(self.stack, ran)[1], fix=f"to see more: `pulumi {words[0]}`")
        return done.stdout
