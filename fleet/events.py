"""What the engine tells while it works: its stream of JSON events, a line each, read into steps and lines.

Source: `apitype.EngineEvent` of Pulumi 3.250. Secrets come as «[secret]», also in inputs and outputs.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynamic_providers.errors import PROJECT, clean

_NO_CHANGE = ("same", "read", "refresh", "read-discard")
_SEVERITIES = {"info": "info", "info#err": "info", "warning": "warning", "error": "error"}
_REFUSAL = re.compile(r"^.*? resource '.*? has a problem: ")
"""How the engine begins what a provider's `check` refuses: with the resource, and the value of a setting."""
_SETTINGS = "settings of this stack: "
_NOISE = re.compile(
    r"(preview|update|refresh) failed"
    r"|resource registration failed"
    r"|an unhandled error occurred: [Pp]rogram (exited|failed).*"
    r"|Running program .* failed with an unhandled exception:?"
    r"|the program exited with .*"
)
"""What the engine says of an error that has been told already."""


@dataclass(frozen=True)
class Step:
    """What is done, or would be done, to one resource.

    `attributes`: what differs, as the engine names it; none of them may mean a difference inside a secret.
    `old` and `new` are the inputs, secrets masked: what an approval is about. No part of any output, but
    `seen`: what one that only looks (`mode: observe`) finds wrong now, and did not before.
    """

    op: str
    name: str
    type: str
    attributes: tuple[str, ...] = ()
    old: Mapping[str, Any] = field(default_factory=dict, repr=False)
    new: Mapping[str, Any] = field(default_factory=dict, repr=False)
    seen: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    @property
    def changes(self) -> bool:
        """Whether anything is done at all."""
        return self.op not in _NO_CHANGE

    def as_json(self) -> dict[str, Any]:
        """For programs; the engine's words for what is done: create, update, replace, delete."""
        return {"op": self.op, "name": self.name, "type": self.type, "attributes": list(self.attributes)}


@dataclass(frozen=True)
class Line:
    """Something that was said to the operator; clean, one line.

    Severities: info, warning, error, and refused: an error that says no before anything is done.
    """

    severity: str
    text: str
    resource: str = ""

    def as_json(self) -> dict[str, str]:
        """For programs."""
        return {"severity": self.severity, "text": self.text, "resource": self.resource}


@dataclass
class Report:
    """All that one command of the engine told."""

    planned: list[Step] = field(default_factory=list)
    done: list[Step] = field(default_factory=list)
    found: list[Step] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    began: bool = False

    def take(self, text: str) -> str:
        """One line of the stream. Answers what to tell somebody who watches; nothing, mostly."""
        try:
            event = json.loads(text)
        except ValueError:
            if text.strip():
                self.unread.append(clean(text))
            return ""
        if "diagnosticEvent" in event:
            return self._diagnostic(event["diagnosticEvent"])
        if "resourcePreEvent" in event:
            return self._begins(event["resourcePreEvent"])
        if "resOutputsEvent" in event:
            self._outputs(event["resOutputsEvent"])
        return ""

    def say(self, severity: str, text: str, resource: str = "") -> None:
        """Keep a line, once; without what the engine puts around ours."""
        text = clean(text).removeprefix("error: ")
        if severity == "error" and (_REFUSAL.match(text) or _SETTINGS in text):
            severity = "refused"
        bare = _REFUSAL.sub("", text).removeprefix(f"{PROJECT}: ")
        line = Line(severity, bare, resource)
        if bare and not _NOISE.fullmatch(bare) and line not in self.lines:
            self.lines.append(line)

    @property
    def errors(self) -> list[Line]:
        """What went wrong, or was refused."""
        return [line for line in self.lines if line.severity in ("error", "refused")]

    # --- the events -----------------------------------------------------------------------------------------

    def _diagnostic(self, event: Mapping[str, Any]) -> str:
        severity = _SEVERITIES.get(event["severity"])
        if event.get("ephemeral") or severity is None:
            return ""
        for text in event["message"].splitlines():
            self.say(severity, text, _name(event.get("urn", "")))
        return clean(event["message"]) if severity != "error" else ""

    def _begins(self, event: Mapping[str, Any]) -> str:
        step = _step(event["metadata"])
        planning = bool(event.get("planning"))
        self.began = self.began or not planning
        (self.planned if planning else self.done).append(step)
        return f"{'looks at' if planning or not step.changes else step.op} {step.name}"

    def _outputs(self, event: Mapping[str, Any]) -> None:
        step = _step(event["metadata"])
        if step.changes:
            self.found.append(step)


def changes(steps: list[Step]) -> tuple[Step, ...]:
    """Those that change something, each resource's last word only."""
    last = {(step.name, step.type): step for step in steps}
    return tuple(step for step in last.values() if step.changes)


def counted(steps: tuple[Step, ...]) -> dict[str, int]:
    """Operation → how many."""
    return dict(Counter(step.op for step in steps))


def _step(metadata: Mapping[str, Any]) -> Step:
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    differing = metadata.get("detailedDiff") or dict.fromkeys(metadata.get("diffs") or ())
    return Step(
        op=metadata["op"],
        name=_name(metadata["urn"]),
        type=metadata["type"],
        attributes=tuple(differing),
        old=old.get("inputs") or {},
        new=new.get("inputs") or {},
        seen=tuple(_seen(old.get("outputs") or {}, new.get("outputs") or {})),
    )


def _seen(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """What one that only looks finds wrong now, and did not before: it keeps an Observation each."""
    if not new:
        return
    from dynamic_providers.observation import QUIET  # they load the engine's library
    from dynamic_providers.observing import FOUND

    before, now = old.get(FOUND), new.get(FOUND)
    known = before if isinstance(before, list) else []
    for row in now if isinstance(now, list) else []:
        if row not in known and row["state"] not in QUIET:
            yield row


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def paths(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Where two values differ: `entries.contoso.example.host`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from paths(old.get(key), new.get(key), f"{place}.{key}" if place else str(key))
    elif old != new:
        yield place
