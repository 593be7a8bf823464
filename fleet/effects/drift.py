"""What drifted, read from what the engine tells of a refresh, and what each of it does to mail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dynamic_providers.entries import ABSENT, MISSING, THERE, Entries, Entry, differences, shown
from dynamic_providers.errors import clean
from dynamic_providers.gateway.every_member import DIFFERING
from fleet.effects.severity import RANK, Effect, Severity, Thing, Way, cosmetic
from fleet.effects.things import COMPARED, RULE, THINGS, thing
from fleet.events import Line, Step
from fleet.outcome import Outcome, State
from fleet.words import few
from mail_check.state import without_secrets

_DYNAMIC, _OBSERVED = "pulumi-python:dynamic/", "observed:"
_LONGEST = 160
Equal = Callable[[str, Any, Any], bool]
_PART = re.compile(r"(?:^|, )(?P<name>[^,:]+): (?:differs|not ours)|^(?P<shown>[^,:]+): theirs ")
_ALTERNATIVES = re.compile(r"^\d+ alternatives? (?P<what>missing|too many)$")


@dataclass(frozen=True)
class Drift:
    """One difference: of what, in which attribute (none: the thing itself), in which way, and what it does.

    `theirs` and `ours` are empty where they are secret, or there is nothing to show.
    """

    resource: str
    what: str
    attribute: str
    way: Way
    severity: Severity
    because: str
    theirs: str = ""
    ours: str = ""

    def __str__(self) -> str:
        ways = {"missing": "is gone", "changed": "is another", "extra": "is too many"}
        about = f": {self.attribute}" if self.attribute else f" {ways[self.way]}"
        return f"{self.severity}: {self.what}{about}: {self.because}{self.sides}"

    @property
    def sides(self) -> str:
        """What is there and what should be, as far as it may be shown."""
        told = (f"theirs {self.theirs}" if self.theirs else "", f"ours {self.ours}" if self.ours else "")
        return f" ({', '.join(filter(None, told))})" if any(told) else ""


def drifts(steps: Iterable[Step], lines: Sequence[Line]) -> list[Drift]:
    """All that drifted, the worst first; of each attribute the worst that can be said."""
    found: dict[tuple[str, str, str], Drift] = {}
    for step in steps:
        for one in _of(step, lines):
            place = (one.resource, one.what, one.attribute)
            if place not in found or RANK[one.severity] < RANK[found[place].severity]:
                found[place] = one
    return sorted(found.values(), key=lambda one: (RANK[one.severity], one.resource, one.what, one.attribute))


def judged(outcome: Outcome) -> Outcome:
    """The outcome of a drift, with what it does to mail: the worst of it in the stack's one line."""
    if outcome.state is not State.DRIFT:
        return outcome
    found = drifts(outcome.steps, outcome.lines)
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    told = {"severity": found[0].severity.value, "drift": [asdict(one) for one in found]}
    return replace(outcome, says=f"{found[0]}{more}", more={**outcome.more, **told})


# --- one resource -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """A resource that drifted, and the words for what it is."""

    step: Step
    thing: Thing
    what: str

    def drift(
        self, effect: Effect, way: Way, attribute: str = "", theirs: object = None, ours: object = None
    ) -> Drift:
        texts = [few(clean(_shown(one)), _LONGEST) for one in (theirs, ours)]
        return Drift(
            self.step.name, self.what, attribute, way, effect.severity, effect.because, texts[0], texts[1]
        )

    def itself(self, way: Way) -> Drift:
        return self.drift(self.thing.itself.of(way), way)

    def about(self, key: str) -> _Seen:
        """The same, of one entry."""
        return replace(self, what=f"{self.what} «{clean(key)}»" if key else self.what)


def _of(step: Step, lines: Sequence[Line]) -> list[Drift]:
    kind = step.type.removeprefix(_DYNAMIC)
    if kind.startswith(_OBSERVED):
        return _observed(step, kind.removeprefix(_OBSERVED))
    ours, theirs = without_secrets(step.old), without_secrets(step.new)
    compared = COMPARED.get(kind)
    seen = _Seen(step, thing(kind, ours), compared.label if compared else step.name)
    if step.op == "delete":
        return [seen.itself("missing")]
    if compared is None:
        found = [
            one
            for name in seen.thing.attributes
            if theirs.get(name) != ours.get(name)
            for one in _attribute(
                seen.about(str(ours.get("domain", ""))), name, theirs.get(name), ours.get(name)
            )
        ]
    else:
        provider = compared()
        found = list(_entries(seen, provider.entries(theirs), provider.entries(ours), provider.equal))
        found += _hidden(seen, str(ours.get("name", "")), lines)
    return found or [seen.itself("changed")]


def _entries(seen: _Seen, theirs: Entries, ours: Entries, equal: Equal) -> Iterator[Drift]:
    for key in sorted({*theirs, *ours}):
        yield from _compared(seen, key, (theirs.get(key), ours.get(key)), equal)


def _compared(
    seen: _Seen, key: str, sides: tuple[Entry | None, Entry | None], equal: Equal
) -> Iterator[Drift]:
    """One entry. Of several gateways, each that is different, too."""
    for one in differences(key, *sides, secret=frozenset(), equal=equal):
        if one.attribute == DIFFERING:
            for host, entry in sorted((one.theirs or {}).items()):
                there = None if entry == ABSENT else entry
                usual = {name: value for name, value in (sides[1] or {}).items() if name != DIFFERING}
                yield from _compared(replace(seen, what=f"{host}: {seen.what}"), key, (there, usual), equal)
        elif one.attribute in (MISSING, THERE):
            yield _presence(seen, key, "missing" if one.attribute == MISSING else "extra")
        else:
            yield from _attribute(seen.about(key), one.attribute, one.theirs, one.ours)


def _presence(seen: _Seen, key: str, way: Way) -> Drift:
    """An entry that is gone or too many; a switch of the lock-down is an entry, and an attribute here."""
    switch = seen.thing.attributes.get(key)
    return seen.drift(switch.of(way), way, key) if switch else seen.about(key).itself(way)


def _attribute(seen: _Seen, name: str, theirs: Any, ours: Any) -> Iterator[Drift]:
    effects = seen.thing.attributes.get(name, seen.thing.itself)
    if isinstance(theirs, Mapping) or isinstance(ours, Mapping):
        yield from _parts(seen, name, theirs or {}, ours or {})
    elif isinstance(ours, list) and isinstance(theirs, list) and theirs and ours:
        yield from _members(seen, name, theirs, ours)
    else:
        way: Way = "missing" if theirs in (None, []) else "extra" if ours in (None, []) else "changed"
        yield seen.drift(effects.of(way, _word(theirs)), way, name, theirs, ours)


def _parts(seen: _Seen, name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[Drift]:
    """What we do not model, a part each."""
    for part in sorted({*theirs, *ours}):
        if theirs.get(part) != ours.get(part):
            way: Way = "missing" if part not in theirs else "changed" if part in ours else "extra"
            yield seen.drift(_part(seen.thing, name, part, way), way, part, theirs.get(part), ours.get(part))


def _part(thing: Thing, attribute: str, part: str, way: Way) -> Effect:
    return thing.parts.get(part) or thing.attributes.get(attribute, thing.itself).of(way)


def _members(seen: _Seen, name: str, theirs: Sequence[Any], ours: Sequence[Any]) -> Iterator[Drift]:
    """Which of a list are gone or too many; of those with attributes of their own, which of these differ."""
    effects = seen.thing.attributes.get(name, seen.thing.itself)
    there, wanted = ({_member(one): one for one in side} for side in (theirs, ours))
    if there.keys() == wanted.keys() and all(there[one] == wanted[one] for one in there):
        yield seen.drift(cosmetic("the order of these says nothing"), "changed", name)
    more, fewer = sorted(there.keys() - wanted.keys()), sorted(wanted.keys() - there.keys())
    if more:
        yield seen.drift(effects.of("extra"), "extra", name, more, fewer or None)
    if fewer:
        yield seen.drift(effects.of("changed"), "changed", name, more or None, fewer)
    for member in sorted(there.keys() & wanted.keys()):
        if isinstance(wanted[member], Mapping):
            for one in sorted({*there[member], *wanted[member]}):
                sides = there[member].get(one), wanted[member].get(one)
                if sides[0] != sides[1]:
                    yield from _attribute(seen, f"{name}.{one}", *sides)


def _member(one: Any) -> str:
    return str(one["host"] if isinstance(one, Mapping) else one)


def _shown(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return "" if value is None else shown(value)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hidden(seen: _Seen, name: str, lines: Sequence[Line]) -> Iterator[Drift]:
    """What differs inside a secret: only a line of ours names it."""
    for line in lines:
        for prefix in (f"{seen.what} «{clean(name)}»: ", f"{seen.what}: "):
            if line.text.startswith(prefix):
                yield from _told(seen.about(name), line.text.removeprefix(prefix))
                break


def _told(seen: _Seen, text: str) -> Iterator[Drift]:
    if alternatives := _ALTERNATIVES.match(text):
        yield seen.itself("missing" if alternatives["what"] == "missing" else "extra")
    for found in _PART.finditer(text):
        attribute = found["name"] or found["shown"]
        known = seen.thing.attributes.get(attribute)
        effect = known.changed if known else _part(seen.thing, "other", attribute, "extra")
        yield seen.drift(effect, "changed", attribute)


def _observed(step: Step, name: str) -> list[Drift]:
    """Of a stack that only looks: what is another than it was, and is not as wanted."""
    kind = next((one for one in (*THINGS, RULE) if one.endswith(f":{name}")), name)
    about = thing(kind, step.old)
    found = []
    for row in step.seen:
        way: Way = "missing" if row["state"] == "absent" else "changed"
        effects = about.attributes.get(row["attribute"], about.itself)
        seen = _Seen(step, about, clean(row["what"]))
        one = seen.drift(effects.of(way, row["theirs"]), way, row["attribute"])
        found.append(replace(one, theirs=clean(row["theirs"]), ours=clean(row["ours"])))
    right = cosmetic("it is nearer to what the settings want than it was")
    return found or [_Seen(step, about, step.name).drift(right, "changed")]
