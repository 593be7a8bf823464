"""The end of a run: what changes, a table with the worst last, and one line that says it all."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleet.effects.severity import rank
from fleet.outcome import Outcome, State, exit_code
from fleet.stacks import StackFile
from fleet.words import MARKS, elapsed, many

_SIGNS = {"create": "+", "update": "~", "delete": "-"}
_STEPS = 12
_ROWS_THE_SAME = 10
_ORDER = {state: at for at, state in enumerate(State)}


def as_json(command: str, outcomes: Sequence[Outcome], seconds: float) -> str:
    """The whole run for programs."""
    body: dict[str, Any] = {
        "command": command,
        "exitCode": exit_code(outcomes),
        "seconds": round(seconds, 1),
        "states": dict(Counter(one.state.value for one in outcomes)),
        "stacks": [one.as_json() for one in outcomes],
    }
    return json.dumps(body, indent=2, ensure_ascii=False)


def show(command: str, outcomes: Sequence[Outcome], seconds: float, console: Console) -> None:
    """The same for people: what differs in detail, a row a stack, and how it went with all of them."""
    for one in outcomes:
        if one.steps or one.state in (State.UNPROVEN, State.REFUSED, State.ERROR):
            _details(one, console)
    console.print(_table(outcomes))
    console.print(headline(outcomes, seconds), style="bold", markup=False)
    again = [one.stack for one in outcomes if one.needs_somebody]
    if again and len(again) < len(outcomes):
        console.print(f"Those again: fleet {command} {shlex.join(again)}", markup=False, soft_wrap=True)


def headline(outcomes: Sequence[Outcome], seconds: float) -> str:
    """`100 stacks in 4 min 12 s: 2 failed, 1 to change, 97 the same`."""
    counts = Counter(one.state for one in outcomes)
    worst_first = sorted(counts, key=lambda state: -_ORDER[state])
    told = ", ".join(f"{counts[state]} {MARKS[state].told}" for state in worst_first)
    return f"{many(len(outcomes), 'stack')} in {elapsed(seconds)}: {told}"


def listed(stacks: Sequence[StackFile], console: Console) -> None:
    """A row a stack, from its file alone."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("stack", "customer", "environment", "kind", "gateway", "domains", "labels"):
        table.add_column(column, overflow="fold")
    for one in stacks:
        if one.problem:
            table.add_row(Text(one.name), Text(one.problem, style="red"))
            continue
        own = one.values.get("labels")
        labels = " ".join(f"{key}={one.labels[str(key)]}" for key in own) if isinstance(own, dict) else ""
        kind = one.kind if one.mode == "manage" else f"{one.kind}, {one.mode}"
        domains = str(len(one.domains) or "")
        cells = (one.name, one.customer, one.environment, kind, one.gateway, domains, labels)
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


def listed_json(stacks: Iterable[StackFile], project: Path) -> str:
    """The same for programs: a pipeline's matrix, say."""
    rows = [
        {
            "name": one.name,
            "path": one.path.relative_to(project).as_posix(),
            "customer": one.customer,
            "environment": one.environment,
            "kind": one.kind,
            "mode": one.mode,
            "gateway": one.gateway,
            "domains": list(one.domains),
            "labels": one.labels,
            "problem": one.problem,
        }
        for one in stacks
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _details(one: Outcome, console: Console) -> None:
    """What is, or would be, done to a stack, and what was said about it."""
    mark = MARKS[one.state]
    console.print(Text(f"{mark.sign} {one.stack}: {one.says}", style=mark.style), soft_wrap=True)
    for step in one.steps[:_STEPS]:
        attributes = f": {', '.join(step.attributes)}" if step.attributes else ""
        console.print(f"    {_SIGNS.get(step.op, '±')} {step.name}{attributes}", markup=False, soft_wrap=True)
    if len(one.steps) > _STEPS:
        console.print(f"    … and {len(one.steps) - _STEPS} more", markup=False)
    for found in one.more.get("drift", ())[:_STEPS]:
        what = ": ".join(text for text in (found["what"], found["attribute"]) if text)
        told_so = f"    {found['severity']}: {what}: {found['because']}"
        console.print(told_so, markup=False, soft_wrap=True)
    told = [line for line in one.lines if line.text in one.says]
    for line in one.lines:
        if line not in told:
            console.print(f"    {line.severity}: {line.text}", markup=False, soft_wrap=True, style="dim")


def _table(outcomes: Sequence[Outcome]) -> Table:
    """The worst last, since that is where the eye is when a run has ended."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stack", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("what", overflow="ellipsis", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    same = [one for one in outcomes if one.state is State.SAME]
    folded = len(same) > _ROWS_THE_SAME
    if folded:
        mark = MARKS[State.SAME]
        table.add_row(many(len(same), "stack"), f"{mark.sign} same", "nothing to do", "", style=mark.style)
    for one in sorted(outcomes, key=lambda one: (_ORDER[one.state], -rank(one.more), one.stack)):
        if folded and one.state is State.SAME:
            continue
        mark = MARKS[one.state]
        state = Text(f"{mark.sign} {one.state}", style=mark.style)
        table.add_row(Text(one.stack), state, Text(one.says), elapsed(one.seconds))
    return table
