"""What all commands have in common on the command line: which stacks, how many at once, told to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fleet.changed import changed_since
from fleet.sharing import Shard
from fleet.stacks import NotChosen, StackFile, all_stacks, chosen, project_folder, stacks_folder

PARALLEL = 4
"""Stacks at once, unless told otherwise: each takes some 300 MiB."""

Names = Annotated[
    list[str] | None, typer.Argument(help="Stacks, by name or pattern, in quotes: 'contoso-*'.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        help="Only those labelled key=value in the stack file; also environment, kind, mode and gateway. May"
        " be given again: another value of the same key widens, another key narrows the choice, key!=value"
        " leaves out.",
    ),
]
ChangedSince = Annotated[
    str | None,
    typer.Option(
        "--changed-since",
        metavar="REF",
        help="Only those whose file differs from where this branch left REF; all, if the program differs.",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="I/N", help="Only part I of N; stacks that share a gateway stay together."
    ),
]
Parallel = Annotated[
    int, typer.Option(min=1, help="So many stacks at once; those that share a gateway never are.")
]
OutsideWindow = Annotated[
    bool, typer.Option("--outside-window", help="Also where a stack's change window is shut.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")
]


class Ended(SystemExit):
    """A command's own end, told from its parser's, which takes 2 for a mistake in the command line."""


@dataclass(frozen=True)
class Choice:
    """Which stacks the command line means. `all_names`: of all that there are."""

    project: Path
    stacks: list[StackFile]
    all_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def choose(
    names: Sequence[str] | None,
    labels: Sequence[str] | None,
    since: str | None,
    shard: str | None,
    *,
    ask_for_names: bool = False,
) -> Choice:
    """The stacks of the project in this folder that are meant. Raises NotChosen.

    `ask_for_names`: refuse to take all of them only because nobody said which.
    """
    project = project_folder()
    there = all_stacks(stacks_folder(project))
    if ask_for_names and not (names or labels or since):
        raise NotChosen("no stack is named", fix="name them, or say '*', in quotes, for all")
    part = Shard.read(shard) if shard else None
    changed = changed_since(since, project, there) if since else None
    stacks = chosen(there, names=names or (), labels=labels or (), changed=changed.names if changed else None)
    return Choice(
        project,
        part.of(stacks) if part else stacks,
        tuple(one.name for one in there),
        changed.notes if changed else (),
    )


def on_stderr() -> Console:
    """For progress and errors: what is printed for programs stays clean."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def on_stdout() -> Console:
    """For results. A log that is no terminal is as wide as its longest useful line."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)
