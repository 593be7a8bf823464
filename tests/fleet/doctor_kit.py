"""A stack in front of its doctor: the lab's estate, one way to spoil it, and what is found then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dynamic_providers import connections, errors
from fleet.doctor.checks import CHECKS, examine
from fleet.doctor.finding import Finding
from fleet.doctor.logins import Logins
from fleet.doctor.subject import Subject
from fleet.stacks import StackFile
from lab.estate import Estate
from tests.mail_stack import Changes, change
from tests.protocol.estate_kit import put_back
from tests.protocol.exchange_practice import AZURE, QUICK

Values = dict[str, Any]


@dataclass
class Practice:
    """What a doctor looks at. `values`: of the stack file; `environment`: of its processes."""

    estate: Estate
    values: Values
    environment: dict[str, str]
    monkeypatch: pytest.MonkeyPatch
    logins: Logins = field(default_factory=Logins)

    def set(self, **variables: str) -> None:
        """Change the environment; an empty value takes one away."""
        for name, value in variables.items():
            self.environment[name] = value
            self.monkeypatch.setenv(name, value)

    def look(self, *names: str, **changed: Any) -> list[Finding]:
        """What these checks find. `changed`: settings, `outbound__state="none"`."""
        changes: Changes = {tuple(key.split("__")): value for key, value in changed.items()}
        change(self.values, changes)
        checks = [one for one in CHECKS if one.name in names]
        assert len(checks) == len(names), f"there is no such check among {names}"
        stack = StackFile("bce-demo-lab", Path("Pulumi.bce-demo-lab.yaml"), self.values)
        with closing(Subject(stack, Path.cwd(), self.environment, self.logins)) as subject:
            return examine(subject, checks)

    def one(self, name: str, **changed: Any) -> Finding:
        """The one line of a check."""
        [finding] = self.look(name, **changed)
        return finding


@contextmanager
def practice(
    estate: Estate, values: Values, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]
) -> Iterator[Practice]:
    """An estate as it was at the start, before and after."""
    for name in (*AZURE, "GATEWAY_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(connections, "_arguments", {})
    monkeypatch.setattr("fleet.doctor.tenant_side._PATIENCE", QUICK)
    connections._connect_table.cache_clear()
    with put_back(estate):
        one = Practice(estate, values, dict(environment), monkeypatch)
        yield one
        one.logins.close()


def levels(findings: list[Finding]) -> dict[str, list[str]]:
    """By check: the level of each line, «not looked at» as one of its own."""
    found: dict[str, list[str]] = {}
    for one in findings:
        seen = "not looked at" if "not looked at: " in one.says else one.level
        found.setdefault(one.check, []).append(seen)
    return found
