"""A `pulumi` that says what a test has written down for a stack and a command, and keeps what is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PULUMI = """#!/bin/sh
words="$*"
while [ $# -gt 0 ]; do [ "$1" = --stack ] && stack="$2"; shift; done
case "$words" in
  "stack export"*) verb=export ;;
  *--clear-pending-creates*) verb=clear ;;
  *) verb="${{words%% *}}" ;;
esac
cd {folder}
echo "begin $stack $verb" >> order
echo "$words" >> asked
env > "$stack.environment"
answer="$stack.$verb"
[ -e "$answer.sh" ] && . "./$answer.sh"
if [ -e "$answer" ]; then cat "$answer"; elif [ $verb = export ]; then echo '{no_state}'; fi
[ -e "$answer.errors" ] && cat "$answer.errors" >&2
echo "end $stack $verb" >> order
[ -e "$answer.code" ] && exit "$(cat "$answer.code")"
exit 0
"""
NO_STATE = json.dumps({"version": 3, "deployment": {"resources": []}})


@dataclass(frozen=True)
class FakeEngine:
    """`folder` is to be first on PATH. A stack of which nothing is written has nothing to do."""

    folder: Path

    @classmethod
    def begun(cls, folder: Path) -> FakeEngine:
        folder.mkdir()
        command = folder / "pulumi"
        command.write_text(PULUMI.format(folder=folder, no_state=NO_STATE), encoding="utf-8")
        command.chmod(0o755)
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}:{os.environ['PATH']}"}

    def answer(
        self, stack: str, verb: str, *events: str, code: int = 0, errors: str = "", script: str = ""
    ) -> None:
        """What one command says for one stack; `script` is shell that comes first."""
        parts = {"": "\n".join(events) + "\n", ".errors": errors, ".code": str(code), ".sh": script}
        for ending, text in parts.items():
            if text.strip():
                (self.folder / f"{stack}.{verb}{ending}").write_text(text, encoding="utf-8")

    def pending(self, stack: str, *names: str) -> None:
        """What a killed run has left in the record."""
        operations = [{"resource": {"urn": urn(name)}, "type": "creating"} for name in names]
        state = {"version": 3, "deployment": {"resources": [], "pending_operations": operations}}
        self.answer(stack, "export", json.dumps(state, indent=2))

    def order(self) -> list[str]:
        return (self.folder / "order").read_text(encoding="utf-8").splitlines()

    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text(encoding="utf-8").splitlines()

    def environment_of(self, stack: str) -> dict[str, str]:
        lines = (self.folder / f"{stack}.environment").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


def urn(name: str, kind: str = "pulumi-python:dynamic/exchange:TransportRule") -> str:
    return f"urn:pulumi:x::m365-secure-email::{kind}::{name}"


def event(kind: str, **body: Any) -> str:
    return json.dumps({"sequence": 1, "timestamp": 1, kind: body})


def step(op: str, name: str, *, planning: bool = False, kind: str = "resourcePreEvent", **more: Any) -> str:
    """One step, as the engine tells it."""
    given = urn(name)
    metadata = {"op": op, "urn": given, "type": given.split("::")[2], "old": None, "new": None, **more}
    return event(kind, metadata=metadata, planning=planning)


def said(severity: str, text: str, name: str = "") -> str:
    of: Mapping[str, str] = {"urn": urn(name)} if name else {}
    return event("diagnosticEvent", message=f"{text}\n", color="never", severity=severity, **of)
