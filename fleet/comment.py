"""What runs of `fleet` found, as one readable comment in Markdown: for a request, an issue, a job's summary.

Read from what `fleet … --json` printed. What others said (servers, rules, customers' names) is never markup.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamic_providers.errors import ManagedError
from fleet.effects.severity import Severity, rank
from fleet.outcome import DIFFERENT, NOTHING, WRONG, State
from fleet.words import MARKS, elapsed, few, many
from mail_check.markdown import text
from mail_check.words import one_line

LONGEST = 60_000
"""Characters: GitHub takes 65,536, the others more."""

_SIGNS = {"create": "+", "update": "~", "delete": "-"}
_QUIET = (State.SAME, State.DONE)
_ORDER = {state: at for at, state in enumerate(State)}
_ROWS = 100
_IN_A_ROW = 200


class NoResult(ManagedError):
    """A file holds no result of `fleet`."""


@dataclass(frozen=True)
class Result:
    """One run of `fleet`: its command, and a row a stack as `Outcome.as_json` writes them."""

    command: str
    code: int
    seconds: float
    stacks: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()

    @classmethod
    def read(cls, path: Path) -> Result:
        """From a file. An empty one is a run that ended before it began: its error is in the job's log."""
        content = path.read_text(encoding="utf-8") if path.is_file() else ""
        if not content.strip():
            return cls(path.stem, WRONG, 0.0, ())
        try:
            said = json.loads(content)
            return cls(
                said["command"], said["exitCode"], said["seconds"], said["stacks"], said.get("notes", ())
            )
        except (ValueError, KeyError, TypeError):
            raise NoResult("is no result of `fleet … --json`", where=str(path)) from None


def together(results: Iterable[Result]) -> list[Result]:
    """The parts of a run that was split over several machines (`--shard`) as one; by command, in order."""
    found: dict[str, Result] = {}
    for one in results:
        before = found.get(one.command)
        found[one.command] = one if before is None else _sum(before, one)
    return list(found.values())


def markdown(results: Sequence[Result]) -> str:
    """A table a command, then what is behind each row that needs eyes; cut where it grows too long."""
    parts = [line for one in results for line in (*_section(one), "")]
    for one in results:
        parts += [line for stack in _interesting(one) for line in (*_details(stack), "")]
    return _cut(parts)


def code(results: Iterable[Result]) -> int:
    """Of all of them: an error outweighs changes."""
    codes = {one.code for one in results}
    return WRONG if codes - {NOTHING, DIFFERENT} else max(codes, default=NOTHING)


def headline(result: Result) -> str:
    """`drift: 1 error, 2 drift (1 stops mail), 97 same`."""
    if not result.stacks:
        why = "did not run; see the log" if result.code == WRONG else "no stack is chosen"
        return f"{result.command}: {why}"
    counts = Counter(State(one["state"]) for one in result.stacks)
    worst_first = sorted(counts, key=lambda state: -_ORDER[state])
    stopping = sum(one.get("severity") == Severity.STOPS for one in result.stacks)
    worse = f" ({stopping} {'stops' if stopping == 1 else 'stop'} mail)" if stopping else ""
    told = (f"{counts[state]} {state}{worse if state is State.DRIFT else ''}" for state in worst_first)
    return f"{result.command}: {', '.join(told)}"


def _sum(one: Result, other: Result) -> Result:
    return Result(
        one.command,
        code((one, other)),
        max(one.seconds, other.seconds),
        [*one.stacks, *other.stacks],
        [*one.notes, *other.notes],
    )


def _section(result: Result) -> Iterator[str]:
    yield from (f"## {headline(result)}", "")
    for note in dict.fromkeys(result.notes):
        yield from (f"Note: {text(note)}", "")
    rows = sorted(result.stacks, key=lambda one: (-_ORDER[State(one["state"])], rank(one), one["stack"]))
    loud = [one for one in rows if State(one["state"]) not in _QUIET]
    if loud:
        yield from ("| stack | | what | time |", "|---|---|---|---:|")
    for one in loud[:_ROWS]:
        state = State(one["state"])
        mark = f"{MARKS[state].sign} {state}"
        says = text(few(one["says"], _IN_A_ROW))
        yield f"| {text(one['stack'])} | {mark} | {says} | {elapsed(one['seconds'])} |"
    if len(loud) > _ROWS:
        yield f"| … | | and {len(loud) - _ROWS} more | |"
    quiet = [one["stack"] for one in rows if one not in loud]
    if quiet:
        names = ", ".join(text(name) for name in quiet[:_ROWS])
        yield from (
            "",
            f"<details><summary>{many(len(quiet), 'stack')} without a remark</summary>",
            "",
            names,
        )
        yield from ("", "</details>")


def _interesting(result: Result) -> Iterator[Mapping[str, Any]]:
    for one in result.stacks:
        findings = [found for found in one.get("findings", ()) if found["level"] != "ok"]
        if one["steps"] or findings or State(one["state"]) not in _QUIET:
            yield {**one, "findings": findings, "command": result.command}


def _details(stack: Mapping[str, Any]) -> Iterator[str]:
    """One stack's: a line a resource, then what was said. Folded, since a request may have forty of them."""
    title = _in_html(f"{stack['command']} {stack['stack']}: {stack['says']}")
    yield from (f"<details><summary>{title}</summary>", "")
    for step in stack["steps"]:
        attributes = f": {', '.join(map(text, step['attributes']))}" if step["attributes"] else ""
        yield f"- `{_SIGNS.get(step['op'], '±')}` {text(step['name'])}{attributes}"
    for one in stack.get("drift", ()):
        what = ": ".join(part for part in (one["what"], one["attribute"], one["because"]) if part)
        yield f"- **{text(one['severity'])}**: {text(what)}"
    for found in stack["findings"]:
        fix = f". {found['fix'][0].upper()}{found['fix'][1:]}" if found["fix"] else ""
        yield f"- {found['level']}: {text(found['check'])}: {text(found['says'] + fix)}"
    for line in stack["lines"]:
        yield f"- {line['severity']}: {text(line['text'])}"
    yield from ("", "</details>")


def _in_html(value: str) -> str:
    """One line inside an HTML tag, where Markdown's escapes do not count: no link, nobody mentioned."""
    return html.escape(one_line(value)).replace("@", "@&#8203;").replace("://", ":&#8203;//")


def _cut(parts: Sequence[str]) -> str:
    """Whole blocks only: half a table row or an open fold would spoil what comes after it."""
    kept: list[str] = []
    length = 0
    for block in _blocks(parts):
        size = sum(len(line) + 1 for line in block)
        if length + size > LONGEST:
            kept += ["… and more: it is too long for a comment. The job keeps all of it as JSON.", ""]
            break
        kept += block
        length += size
    return "\n".join(kept).rstrip() + "\n"


def _blocks(parts: Iterable[str]) -> Iterator[list[str]]:
    """A fold with all that is in it, else a line."""
    block: list[str] = []
    folded = False
    for line in parts:
        block.append(line)
        folded = line != "</details>" and (folded or line.startswith("<details>"))
        if not folded:
            yield block
            block = []
