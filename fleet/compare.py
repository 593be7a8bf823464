"""`fleet compare`: what the stack files want against what is there, attribute by attribute."""

from __future__ import annotations

import json as json_text
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dynamic_providers.errors import clean
from fleet import table
from fleet.carrying_out import carry_out, choose_or_end
from fleet.engine import Engine
from fleet.events import Line
from fleet.options import PARALLEL, AsJson, ChangedSince, Labels, Names, Parallel, ShardOption
from fleet.outcome import Outcome, State
from fleet.running import Say
from fleet.stacks import StackFile
from tools.engine import ROOT

if TYPE_CHECKING:  # loads the engine's library: only who compares waits for it
    from dynamic_providers.observation import Observation
    from dynamic_providers.observation import State as Seen

_TOLD: Mapping[Seen, str] = {
    "in the way": "in the way",
    "absent": "not there",
    "differs": "different",
    "noted": "worth knowing",
    "right": "right",
}
_STYLES: Mapping[Seen, str] = {"in the way": "red", "absent": "yellow", "differs": "yellow", "right": "dim"}

All = Annotated[bool, typer.Option("--all", help="Show what is right, too.")]


def compare(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    parallel: Parallel = PARALLEL,
    *,
    show_all: All = False,
    json: AsJson = False,
) -> NoReturn:
    """Desired against live, attribute by attribute. Needs no state, and changes nothing on either side."""
    choice = choose_or_end(names, label, changed_since, shard)
    show = partial(_show, show_all=show_all)
    carry_out("compare", choice, Comparison, parallel, as_json=json, show=show)


@dataclass(frozen=True)
class Comparison:
    """The work for any stack, in a process of its own."""

    engine: Engine

    async def __call__(self, stack: StackFile, say: Say) -> Outcome:
        """Look at all that a stack wants."""
        from dynamic_providers.observation import Observation

        say("looks at both sides")
        found: list[Observation] = []
        errors: list[str] = []

        def take(text: str) -> None:
            row = json_text.loads(text)
            if "error" in row:
                errors.append(row["error"])
            else:
                found.append(Observation(**row))

        ended = await self.engine.children.run(
            [sys.executable, "-m", "fleet.comparison", stack.name],
            folder=self.engine.folder,
            environment={**self.engine.environments.of(stack.name), "PYTHONPATH": str(ROOT)},
            on_line=take,
        )
        said = [clean(line) for line in ended.errors]
        if ended.code and not errors:
            errors = [said.pop() if said else f"the comparison ended with {ended.code}. Please report this"]
        return outcome(stack.name, found, errors, said)


def outcome(
    stack: str, found: Sequence[Observation], errors: Sequence[str], said: Sequence[str] = ()
) -> Outcome:
    """What came of one stack. `said`: what is worth knowing besides, in lines."""
    from dynamic_providers.observation import QUIET

    rows = sorted(dict.fromkeys(found), key=lambda one: (one.where, one.what, one.attribute))
    counts = Counter(one.state for one in rows)
    told = ", ".join(f"{counts[state]} {word}" for state, word in _TOLD.items() if counts[state])
    differs = any(one.state not in QUIET for one in rows)
    state = State.ERROR if errors else State.CHANGES if differs else State.SAME
    says = "; ".join([*errors[:1], *([told] if told else [])]) or "nothing to compare"
    lines = [Line("error", text) for text in errors] + [Line("info", text) for text in said]
    more = {"observations": [asdict(one) for one in rows]}
    return Outcome(stack, state, says, lines=tuple(dict.fromkeys(lines)), more=more)


def _show(
    _command: str, outcomes: Sequence[Outcome], seconds: float, console: Console, *, show_all: bool
) -> None:
    """A table a stack: the thing, its attribute, theirs and ours. What is right only on demand."""
    from dynamic_providers.observation import ONLY_LOOKS, Observation

    for one in outcomes:
        console.print(Text(f"{one.stack}: {one.says}", style="bold"), soft_wrap=True)
        for line in one.lines:
            console.print(Text(f"  {line.severity}: {line.text}"), soft_wrap=True)
        rows = [Observation(**row) for row in one.more.get("observations", ())]
        wanted = [row for row in rows if show_all or row.state != "right"]
        if wanted:
            console.print(_table(wanted))
    console.print(Text(f"It only looked: {ONLY_LOOKS}.", style="dim"), soft_wrap=True)
    console.print(table.headline(outcomes, seconds), style="bold", markup=False)


def _table(rows: Sequence[Observation]) -> Table:
    found = Table(box=None, header_style="bold", padding=(0, 1, 0, 2))
    for column in ("resource", "attribute", "theirs", "ours", ""):
        found.add_column(column, overflow="fold")
    for row in rows:
        cells = (f"{row.where}: {row.what}", row.attribute, row.theirs, row.ours, _TOLD[row.state])
        found.add_row(*(Text(cell) for cell in cells), style=_STYLES.get(row.state, ""))
    return found
