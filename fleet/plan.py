"""The plan of a stack in normal form, and how two of them differ, in the operator's words.

In it is what is done and said; not when, in what order, nor what a clock or a counter shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynamic_providers.errors import PROJECT
from fleet.events import Report, Step
from fleet.words import few

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine says for a value that is known only when another resource is made (pulumi.runtime.rpc)."""

_CLOCK = r"(?:\d{4}-\d{2}-\d{2} )?\d{2}:\d{2}(?::\d{2})? UTC"
_MOMENT = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[0-9.]*(?:Z|[+-]\d{2}:\d{2})"
_OF_THE_RUN = re.compile(
    rf"\d+ messages?, last {_CLOCK}, e\.g\. [^)]*"  # who came past the gateway, so often till now
    r"|, from its memory for up to \d+ s"  # what a resolver says, so long yet
    rf"|\d+ (?:s|min) after its connector|after {_CLOCK}"  # one before the connector is made, one then
    rf"|{_CLOCK}|{_MOMENT}"
)
_LONGEST = 120
_SAYS = {"info": "note", "warning": "warning"}
_Steps = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """What would be done to a stack, and what is said of it.

    `steps`: resource (`type::name`) → op, attributes that differ, old and new inputs. `right`: the inputs of
    what stays as it is; no part of the plan, but it tells what was done in the meantime.
    """

    steps: _Steps
    said: tuple[str, ...]
    right: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, report: Report) -> Plan:
        """What a preview told."""
        said = {f"{_SAYS[line.severity]}: {_timeless(line.text)}" for line in report.lines}
        right = {_key(step): step.new for step in report.planned if step.op == "same"}
        return cls(_normal(report.planned), tuple(sorted(said)), right)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Plan:
        """As `as_json` wrote it."""
        return cls(said["steps"], tuple(said["said"]))

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {"steps": self.steps, "said": list(self.said)}

    def differences(self, now: Plan) -> list[str]:
        """How the plan is another one than this, which was approved.

        What was done since, as approved, by a run that was cut, is no difference; nor is what was said of it.
        """
        done = {
            key for key in {*self.steps} - {*now.steps} if _is_done(self.steps[key], key, now.right or {})
        }
        found = [line for line in _steps_differ(self.steps, now.steps) if line[0] not in done]
        told = [text for _, text in found]
        told += [f"new: {text}" for text in now.said if text not in self.said]
        if not done:
            told += [f"no longer said: {text}" for text in self.said if text not in now.said]
        return told

    def deviations(self, done: Sequence[Step]) -> list[str]:
        """Where something else was done than was planned, or not all of it."""
        steps = _normal(done)
        loose = {key for key in {*self.steps} - {*steps} if _unknown(self.steps[key]["new"])}
        what = _steps_differ(self.steps, steps, ("new",), "was done, which nobody approved", "was not done")
        return [text for key, text in what if key not in loose]


# --- normal form --------------------------------------------------------------------------------------------


def _timeless(text: str) -> str:
    return _OF_THE_RUN.sub("…", text)


def _key(step: Step) -> str:
    return f"{step.type}::{step.name}"


def _normal(steps: Iterable[Step]) -> dict[str, dict[str, Any]]:
    """A resource's own steps as one: to replace it is to create another and to delete it, in any order."""
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        old, new = (_without_identity(step, side) for side in (step.old, step.new))
        if not step.changes or (step.type.startswith("pulumi:providers:") and old == new):
            continue
        one = found.setdefault(_key(step), {"op": "", "attributes": [], "old": {}, "new": {}})
        one["op"] = "replace" if "replace" in step.op else step.op
        one["attributes"] = sorted({*one["attributes"], *step.attributes})
        one["old"], one["new"] = one["old"] or dict(old), one["new"] or dict(new)
    return dict(sorted(found.items()))


def _without_identity(step: Step, side: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who previews and who applies log in as others: of a provider's process, only what it works on."""
    if not step.type.startswith("pulumi:providers:"):
        return side
    from dynamic_providers.connections import CREDENTIALS  # loads the drivers

    kept = {
        key: one for key, one in side.items() if key.removeprefix(f"{PROJECT}:") not in CREDENTIALS.values()
    }
    place = f"{PROJECT}:tenant"
    if isinstance(kept.get(place), str) and kept[place].startswith("{"):
        tenant = json.loads(kept[place])
        kept[place] = json.dumps(
            {key: one for key, one in tenant.items() if key != "clientId"}, sort_keys=True
        )
    return kept


# --- differences --------------------------------------------------------------------------------------------


def _steps_differ(
    approved: _Steps,
    now: _Steps,
    sides: Sequence[str] = ("old", "new"),
    more: str = "would be done, too",
    less: str = "would not be done now",
) -> Iterator[tuple[str, str]]:
    """Resource, and a line on how its two steps differ."""
    for key in sorted({*approved, *now}):
        name, was, is_ = key.partition("::")[2], approved.get(key), now.get(key)
        if was is None or is_ is None:
            step, what = (was, less) if was is not None else (is_, more)
            assert step is not None
            of = f" ({', '.join(step['attributes'])})" if step["attributes"] else ""
            yield key, f"{name}: {step['op']}{of} {what}"
        elif was["op"] != is_["op"]:
            yield key, f"{name}: {was['op']} → {is_['op']}"
        else:
            yield from ((key, f"{name}, {line}") for line in _inputs_differ(was, is_, sides))


def _inputs_differ(was: Mapping[str, Any], now: Mapping[str, Any], sides: Sequence[str]) -> Iterator[str]:
    told = False
    for side in sides:
        for place, one, other in _differing(was[side], now[side]):
            told = True
            before = " (as it is there)" if side == "old" else ""
            yield f"{place}{before}: {_shown(one)} → {_shown(other)}"
    if not told and "old" in sides and was["attributes"] != now["attributes"]:
        yield f"what differs: {_shown(was['attributes'])} → {_shown(now['attributes'])}"


def _differing(one: Any, other: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two values differ, and how. What was not known yet may be anything."""
    if one == UNKNOWN:
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            yield from _differing(one.get(key), other.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from _differing(first, second, f"{place}[{at}]")
    elif one != other:
        yield place, one, other


def _is_done(step: Mapping[str, Any], key: str, right: Mapping[str, Any]) -> bool:
    """Whether what was approved is there already."""
    if step["op"] == "delete":
        return key not in right
    return key in right and not any(_differing(step["new"], right[key]))


def _unknown(inputs: Any) -> bool:
    return UNKNOWN in json.dumps(inputs)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return few(text.replace(UNKNOWN, "what comes out then"), _LONGEST)
