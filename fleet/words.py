"""Small words that progress and summary share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.outcome import State


@dataclass(frozen=True)
class Mark:
    """How a state is marked: a sign for those who see no colours, a style; and how several are told."""

    sign: str
    style: str
    told: str


MARKS: Mapping[State, Mark] = {
    State.SAME: Mark("=", "dim", "the same"),
    State.DONE: Mark("✔", "green", "done"),
    State.CHANGES: Mark("~", "yellow", "to change"),
    State.DRIFT: Mark("≠", "yellow", "drifted"),
    State.UNPROVEN: Mark("?", "red", "not proven"),
    State.NOT_STARTED: Mark("-", "red", "not started"),
    State.REFUSED: Mark("!", "red", "refused"),
    State.ERROR: Mark("✘", "bold red", "failed"),
}

_OPERATIONS = (
    ("create", "to create", "created"),
    ("update", "to update", "updated"),
    ("replace", "to replace", "replaced"),
    ("delete", "to delete", "deleted"),
)
_SAME_AS = {
    "create-replacement": "replace",
    "delete-replaced": "",
    "discard-replaced": "",
    "import": "create",
}


def elapsed(seconds: float) -> str:
    """A duration as people read it: `8 s`, `4 min 08 s`, `1 h 04 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def operations(counts: Mapping[str, int], *, done: bool) -> str:
    """`1 to create, 2 to update`, or what was done."""
    together: dict[str, int] = {}
    for op, count in counts.items():
        name = _SAME_AS.get(op, op)
        together[name] = together.get(name, 0) + count
    told = [
        f"{together[op]} {past if done else future}" for op, future, past in _OPERATIONS if together.get(op)
    ]
    return ", ".join(told)


def few(text: str, most: int) -> str:
    """The beginning of a text that is too long."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def many(count: int, one: str) -> str:
    """`1 stack`, `3 stacks`."""
    return f"{count} {one}" if count == 1 else f"{count} {one}s"
