"""Entries: what we manage in normal form, under its natural keys; how two differ, and how that is told.

All of it is JSON, since it comes from the engine and goes back to it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

Entry = dict[str, Any]
Entries = dict[str, Entry]
Place = dict[str, Any]
Props = dict[str, Any]

ABSENT: Entry = {"absent": True}  # None would vanish on its way through the engine
MISSING, THERE = "missing", "there"  # in place of an attribute: there is no entry, or one too many
RAW = "raw"  # in a `before`: what only the way back needs, never compared


@dataclass(frozen=True)
class Difference:
    """One attribute of one entry that is not as wanted; a side is None where it is not there."""

    key: str
    attribute: str
    theirs: Any
    ours: Any
    secret: bool = False

    def sides(self) -> list[tuple[str, str, str]]:
        """Attribute, theirs and ours, as an operator may see them; of a secret one, what is not ours."""
        if not self.secret:
            return [(self.attribute, shown(self.theirs), shown(self.ours))]
        theirs, ours = _parts(self.theirs), _parts(self.ours)
        names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
        return [(name, "not ours", "") for name in names] or [(self.attribute, "differs", "")]

    def __str__(self) -> str:
        return ", ".join(
            f"{name}: theirs {theirs}, ours {ours}" if ours else f"{name}: {theirs}"
            for name, theirs, ours in self.sides()
        )


def differences(
    key: str,
    theirs: Entry | None,
    ours: Entry | None,
    *,
    secret: frozenset[str],
    equal: Callable[[str, Any, Any], bool],
) -> list[Difference]:
    """Where two entries under one key differ; `equal` says whether an attribute counts as right."""
    if theirs is None and ours is None:
        return []
    if theirs is None or ours is None:
        return [Difference(key, THERE if ours is None else MISSING, _presence(theirs), _presence(ours))]
    names = sorted(({*theirs} | {*ours}) - {RAW})
    return [
        Difference(key, name, theirs.get(name), ours.get(name), name in secret)
        for name in names
        if not equal(name, theirs.get(name), ours.get(name))
    ]


def plain(value: Any) -> Any:
    """What the engine sends, as JSON would have it: whole numbers are integers again, None is gone."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def has_unknown(value: Any) -> bool:
    """Whether a part of it is not known before the run itself."""
    if isinstance(value, pulumi.output.Unknown):
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(v) for v in value.values())
    return isinstance(value, list) and any(has_unknown(v) for v in value)


def texts(value: Any) -> Iterable[str]:
    """The secrets in a secret input.

    Not those of a dict: it holds others' parts, which are never shown, and ordinary words too.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (one for one in value if isinstance(one, str))


def empty(value: Any) -> Any:
    """The empty value of the same kind."""
    return {} if isinstance(value, Mapping) else [] if isinstance(value, list) else ""


def quoted(names: Iterable[str]) -> str:
    """Names as a message shows them."""
    return ", ".join(f"«{name}»" for name in names)


def some(names: Iterable[str], most: int = 4) -> str:
    """The first names of a list, and how many more there are."""
    listed = list(names)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")


def _presence(entry: Entry | None) -> str:
    return "there" if entry is not None else "not there"


def _parts(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, list):
        return "[" + ", ".join(shown(one) for one in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {shown(v)}" for k, v in sorted(value.items())) + "}"
    return f"«{value}»" if isinstance(value, str) else "nothing" if value is None else str(value).lower()
