"""What a session has changed and not committed: a copy of the configuration, and how it came about."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lab.gateway.state import Configuration, Level, State

Mutation = Callable[[Configuration], None]


@dataclass(frozen=True)
class Change:
    """One pending change; it can be applied again to a newer configuration."""

    level: Level
    table: str
    key: str
    what: str
    mutate: Mutation


OVERRIDE = "(override)"


def _nothing(tables: Configuration) -> None:
    """An override is applied again by copying it, not by a mutation."""


class Committed(Protocol):
    """Whatever holds the committed state."""

    state: State


class Pending:
    """The changes of one session, on top of what was committed when the first of them was made."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed
        self._working = committed.state
        self.changes: list[Change] = []

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def state(self) -> State:
        """With the changes, or what is committed now if there are none."""
        return self._working if self.changes else self._committed.state

    @property
    def outdated(self) -> bool:
        """Whether somebody else has committed since the first change."""
        return bool(self.changes) and self._working.version != self._committed.state.version

    def change(self, change: Change) -> None:
        """Apply a change and remember it."""
        change.mutate(self._open().own(change.level))
        self.changes.append(change)

    def override(self, level: Level, command: str, source: Configuration | None) -> None:
        """Give a group or a machine settings of its own for a command."""
        self._open().override(level, command, source)
        what = f"settings of {level[0]} {level[1]}"
        self.changes.append(Change(level, command, OVERRIDE, what, _nothing))

    def drop(self) -> None:
        """Forget everything."""
        self.changes.clear()

    def rebased(self) -> State:
        """The changes applied to what is committed now; LookupError where one no longer fits."""
        result = copy.deepcopy(self._committed.state)
        for change in self.changes:
            if change.key == OVERRIDE:
                result.override(change.level, change.table, self._working.own(change.level))
            else:
                change.mutate(result.own(change.level))
        return result

    def _open(self) -> State:
        if not self.changes:
            self._working = copy.deepcopy(self._committed.state)
        return self._working
