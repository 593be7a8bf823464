"""What the doctor says: one line about one thing, how bad it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from dynamic_providers.errors import ManagedError, clean

Level = Literal["ok", "warning", "error"]
LEVELS: tuple[Level, ...] = ("ok", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """One line. `says` and `fix` are clauses without secrets; what is not ok says what to do about it."""

    check: str
    level: Level
    says: str
    fix: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "says", clean(self.says))
        object.__setattr__(self, "fix", clean(self.fix))

    def __str__(self) -> str:
        advice = f". {self.fix[0].upper()}{self.fix[1:]}" if self.fix else ""
        return f"{self.level:<7} | {self.check} | {self.says}{advice}"


class NotLookedAt(Exception):
    """A check cannot be made: why, and what would help."""

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__(why)
        self.why, self.fix = why, fix


def ok(says: str) -> Finding:
    """It is as it should be. Who runs the check puts its name in, here and below."""
    return Finding("", "ok", says)


def warning(says: str, fix: str) -> Finding:
    """Worth a look; nothing is in the way of the work."""
    return Finding("", "warning", says, fix)


def error(says: str, fix: str) -> Finding:
    """The work would fail, or mail would go wrong."""
    return Finding("", "error", says, fix)


def not_looked_at(why: str, fix: str = "") -> Finding:
    """Never ok: nobody has seen it."""
    return Finding("", "warning", f"not looked at: {why}", fix)


def from_error(failed: ManagedError) -> Finding:
    """What an operator can act on, as it was raised."""
    place = f"{failed.where}: " if failed.where else ""
    return error(f"{place}{failed.what}", failed.fix or "run it again; if it stays so, please report it")


def together(findings: Iterable[tuple[str, Finding]]) -> Iterator[Finding]:
    """Of several things (a name and what was found): those of which the same is true in one line."""
    from dynamic_providers.entries import some  # loads the engine's library

    names: dict[Finding, list[str]] = {}
    for name, finding in findings:
        names.setdefault(finding, []).append(name)
    for finding, found in names.items():
        who = some(found) if finding.level == "ok" else ", ".join(found)
        yield replace(finding, says=f"{who}: {finding.says}")


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level of all; ok where nothing was found."""
    return max((one.level for one in findings), key=LEVELS.index, default="ok")
