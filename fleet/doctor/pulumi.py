"""What the `pulumi` command says about itself, its backend and a stack's settings. It changes nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.stack_config import NAMESPACE
from fleet.children import Ended
from fleet.engine import Ran
from fleet.failures import failure
from tools.asking import PulumiFailed, ask, ask_json


@dataclass(frozen=True)
class Pulumi:
    """The command in a project's folder, with the environment of one stack."""

    stack: str
    folder: Path
    environment: Mapping[str, str]

    def version(self) -> str:
        """Its release, without the «v»."""
        said = ask(("version",), self.folder, self.environment, self._explained).strip().removeprefix("v")
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
        return ask_json(words, self.folder, self.environment, self._explained)

    def _explained(self, done: subprocess.CompletedProcess[str]) -> PulumiFailed:
        ran = Ran.without_events(Ended(done.returncode, tuple(done.stderr.splitlines())))
        return PulumiFailed(failure(self.stack, ran)[1], fix="look at the backend, and at the stack file")
