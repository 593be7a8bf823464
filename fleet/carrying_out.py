"""One command over many stacks: choose them, do the work for each, tell how it went, and end with a code."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import typer
from rich.console import Console

from dynamic_providers.errors import ManagedError
from fleet import table
from fleet.children import Children
from fleet.engine import Engine
from fleet.environment import Environments
from fleet.options import Choice, Ended, choose, on_stderr, on_stdout
from fleet.outcome import WRONG, Outcome, exit_code
from fleet.progress import shown
from fleet.running import Work, run
from fleet.words import many
from tools.engine import engine_environment

T = TypeVar("T")

Show = Callable[[str, Sequence[Outcome], float, Console], None]
"""Tells people how it went: the command, how each stack's part ended, seconds, and where to print."""


def choose_or_end(
    names: Sequence[str] | None,
    labels: Sequence[str] | None,
    since: str | None,
    shard: str | None,
    *,
    ask_for_names: bool = False,
) -> Choice:
    """The stacks that the command line means; a mistake there ends the program. As `options.choose`."""
    try:
        choice = choose(names, labels, since, shard, ask_for_names=ask_for_names)
    except ManagedError as error:
        refuse(error)
    for note in choice.notes:
        on_stderr().print(f"note: {note}", markup=False)
    return choice


def or_end(work: Callable[[], T]) -> T:
    """What the work answers; an error of it ends the program."""
    try:
        return work()
    except ManagedError as error:
        refuse(error)


def confirm(choice: Choice, *, yes: bool) -> None:
    """Go on only where somebody says yes."""
    if yes or not choice.stacks:
        return
    console = on_stderr()
    if not sys.stdin.isatty():
        refuse(ManagedError("nobody is there to be asked", fix="add --yes"))
    names = ", ".join(one.name for one in choice.stacks)
    console.print(f"{many(len(choice.stacks), 'stack')}: {names}", markup=False)
    if not typer.confirm("Make them so?", err=True):
        raise Ended(WRONG)


@dataclass(frozen=True)
class Done:
    """What came of all of them, and how long it took."""

    outcomes: list[Outcome]
    seconds: float


def carry_out(
    command: str,
    choice: Choice,
    work: Callable[[Engine], Work],
    parallel: int,
    *,
    as_json: bool,
    show: Show = table.show,
    tenants_first: bool = False,
) -> NoReturn:
    """Do the work for all of them, tell it, and end."""
    done = do_all(choice, work, parallel, tenants_first=tenants_first)
    finish(command, done, as_json=as_json, show=show)


def do_all(
    choice: Choice, work: Callable[[Engine], Work], parallel: int, *, tenants_first: bool = False
) -> Done:
    """Do the work for all of them. `work` is given what it needs to start processes for a stack."""
    environments = Environments(engine_environment(), choice.all_names)
    environments.register_secrets()
    try:
        environments.require_unmixed(choice.stacks)
    except ManagedError as error:
        refuse(error)
    begin, children = time.monotonic(), Children()
    engine = Engine(choice.project, environments, children)
    with shown(choice.stacks, on_stderr()) as watcher:
        outcomes = run(
            choice.stacks,
            work(engine),
            parallel=parallel,
            watcher=watcher,
            children=children,
            tenants_first=tenants_first,
        )
    return Done(outcomes, time.monotonic() - begin)


def finish(command: str, done: Done, *, as_json: bool, show: Show = table.show) -> NoReturn:
    """Tell how it went, and end with the code that says it."""
    if as_json:
        print(table.as_json(command, done.outcomes, done.seconds))
    elif done.outcomes:
        show(command, done.outcomes, done.seconds, on_stdout())
    else:
        on_stderr().print("no stack is chosen: nothing to do")
    raise Ended(exit_code(done.outcomes))


def refuse(error: ManagedError) -> NoReturn:
    """Say why nothing is done, and end."""
    on_stderr().print(f"error: {error}", markup=False)
    raise Ended(WRONG)
