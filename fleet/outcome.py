"""How it went with one stack, and what that makes of the whole run: data, never an exception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fleet.events import Line, Step


class State(StrEnum):
    """What came of a stack; from what needs nobody to what needs somebody now."""

    SAME = "same"
    DONE = "done"
    CHANGES = "changes"
    DRIFT = "drift"
    UNPROVEN = "unproven"
    NOT_STARTED = "not started"
    REFUSED = "refused"
    ERROR = "error"


ALL_WELL = (State.SAME, State.DONE)
DIFFERS = (State.CHANGES, State.DRIFT)

NOTHING, WRONG, DIFFERENT = 0, 1, 2
"""Exit codes: nothing to do or success; an error; changes or drift."""


@dataclass(frozen=True)
class Outcome:
    """One stack's part of a run.

    `says`: the one line of the summary: what happened and, where somebody has to do something, what.
    `lines`: all that the engine or a check said. `more`: what a command tells beyond that, for `--json`.
    """

    stack: str
    state: State
    says: str
    steps: tuple[Step, ...] = ()
    lines: tuple[Line, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has to do something about it."""
        return self.state not in (*ALL_WELL, *DIFFERS)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "stack": self.stack,
            "state": self.state.value,
            "says": self.says,
            "counts": dict(self.counts),
            "steps": [step.as_json() for step in self.steps],
            "lines": [line.as_json() for line in self.lines],
            "seconds": round(self.seconds, 1),
            **self.more,
        }


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """Of the whole run: an error of one stack outweighs the changes of all others."""
    states = {one.state for one in outcomes}
    if states - {*ALL_WELL, *DIFFERS}:
        return WRONG
    return DIFFERENT if states & {*DIFFERS} else NOTHING
