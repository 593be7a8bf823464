"""A stack's settings and record, asked of the `pulumi` command. Secrets are read, and never shown."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.settings import Settings
from components.stack_config import NAMESPACE
from dynamic_providers.connections import CREDENTIALS, set_arguments
from dynamic_providers.errors import ManagedError
from dynamic_providers.model import Model
from mail_check.state import Recorded, recorded
from tools.asking import PulumiFailed, ask_json
from tools.engine import engine_environment


class StackError(ManagedError):
    """The stack is none whose mail could be checked."""


@dataclass(frozen=True)
class Stack:
    """One stack of the project in a folder."""

    name: str
    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def here(cls, name: str) -> Stack:
        """Of the project in the current folder; with the project's own engine, where it has one."""
        return cls(name, Path.cwd(), engine_environment())

    def settings(self) -> Settings:
        """Its settings, checked; raises SettingsError with every mistake, StackError, or PulumiFailed."""
        found = self._ask("config", "--show-secrets")
        ours = {key.partition(":")[2]: one for key, one in found.items() if key.startswith(f"{NAMESPACE}:")}
        values = {key: one.get("objectValue", one.get("value")) for key, one in ours.items()}
        if values.get("kind") == "gateway":
            raise StackError(
                "it is about a shared gateway, which has no mail of its own to check",
                where=f"stack {self.name}",
                fix="check the stacks of its tenants",
            )
        secret = {key for key, one in ours.items() if one.get("secret")}
        return Settings.from_config(values, os.environ, secret)

    def recorded(self) -> tuple[Recorded, ...]:
        """What it has on record; secrets stay encrypted, and are left out."""
        return recorded(self._ask("stack", "export"))

    def _ask(self, *words: str) -> dict[str, Any]:
        as_json = () if words[0] == "stack" else ("--json",)
        asked = (*words, *as_json, "--stack", self.name)
        answer: dict[str, Any] = ask_json(asked, self.folder, self.environment, self._explained)
        return answer

    def _explained(self, done: subprocess.CompletedProcess[str]) -> PulumiFailed:
        asked = " ".join(done.args[:2])
        return PulumiFailed(f"`{asked}` failed: {done.stderr}", where=f"stack {self.name}")


def set_process_arguments(settings: Settings, mailflow: Model, stack: str) -> None:
    """Give this process what the engine gives the checks' own: where everything is, and the credentials."""
    tracking = settings.gateway.tracking
    plain: dict[str, Model] = {
        "gateway": settings.gateway.connection(),
        "tenant": settings.tenant,
        "endpoints": settings.endpoints,
        "dns": settings.dns.connection(),
        "mailflow": mailflow,
        **({"tracking": tracking} if tracking else {}),
    }
    known = set(CREDENTIALS.values())
    credentials = {key: value for key, value in settings.credentials.in_clear().items() if key in known}
    texts = {key: one.model_dump_json(by_alias=True, exclude_none=True) for key, one in plain.items()}
    set_arguments({**texts, **credentials, "stack": stack})
