"""A stack's settings and record, asked of the `pulumi` command. Secrets are read, and never shown."""

from __future__ import annotations

import json
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
from tools.engine import engine_environment

_SECONDS = 120.0


class StackError(ManagedError):
    """The `pulumi` command does not tell what was asked."""


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
        """Its settings, checked; raises SettingsError with every mistake, or StackError."""
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
        command = ["pulumi", *words, *as_json, "--stack", self.name, "--non-interactive", "--color", "never"]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise StackError("there is no `pulumi` on PATH", fix="run `make setup`") from None
        except subprocess.TimeoutExpired:
            raise StackError(f"`pulumi {words[0]}` said nothing for {_SECONDS:.0f} s") from None
        if done.returncode:
            raise StackError(f"`pulumi {words[0]}` failed: {done.stderr}", where=f"stack {self.name}")
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            # What it said may hold a secret: not shown, and not the error's own excerpt either.
            raise StackError(f"`pulumi {words[0]}` gave no JSON", where=f"stack {self.name}") from None
        return answer


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
