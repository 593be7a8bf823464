"""The commands of `fleet`: each chooses stacks, has something done for them, and ends with a code."""

from __future__ import annotations

from functools import partial
from typing import Annotated, NoReturn

import typer

from fleet import operations, operator, pipeline, table
from fleet.carrying_out import carry_out, choose_or_end, confirm
from fleet.compare import compare
from fleet.doctor.command import doctor
from fleet.mail import MailCheck
from fleet.onboard.command import onboard
from fleet.options import (
    PARALLEL,
    AsJson,
    ChangedSince,
    Ended,
    Labels,
    Names,
    Parallel,
    ShardOption,
    on_stdout,
)
from fleet.outcome import NOTHING, WRONG

_CODES = (
    "Exit codes: 0 nothing to do, or done; 1 an error, or a mistake in the command line; 2 changes or drift."
)

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Many stacks from one command. A stack is a customer's environment: stacks/Pulumi.<stack>.yaml.",
    epilog=_CODES,
)

app.add_typer(pipeline.app, name="pipeline")
app.command("operator")(operator.command)

Refresh = Annotated[
    bool, typer.Option("--refresh", help="Read both sides first: what somebody changed there.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")]


@app.command("list")
def list_stacks(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    *,
    json: AsJson = False,
) -> NoReturn:
    """The stacks, and what they are chosen by. Reads their files, and asks nobody."""
    choice = choose_or_end(names, label, changed_since, shard)
    if json:
        print(table.listed_json(choice.stacks, choice.project))
    else:
        table.listed(choice.stacks, on_stdout())
    raise Ended(WRONG if any(one.problem for one in choice.stacks) else NOTHING)


@app.command(epilog=_CODES)
def preview(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    parallel: Parallel = PARALLEL,
    *,
    refresh: Refresh = False,
    json: AsJson = False,
) -> NoReturn:
    """What `up` would do. Changes nothing."""
    choice = choose_or_end(names, label, changed_since, shard)
    carry_out("preview", choice, partial(operations.preview, refresh=refresh), parallel, as_json=json)


@app.command(epilog=_CODES)
def up(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    parallel: Parallel = PARALLEL,
    *,
    refresh: Refresh = False,
    yes: Yes = False,
    json: AsJson = False,
) -> NoReturn:
    """Make it so. Each stack is previewed first, and what that refuses is refused before anything changes."""
    choice = choose_or_end(names, label, changed_since, shard, ask_for_names=True)
    confirm(choice, yes=yes)
    carry_out("up", choice, partial(operations.up, refresh=refresh), parallel, as_json=json)


@app.command(epilog=_CODES)
def drift(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    parallel: Parallel = PARALLEL,
    *,
    json: AsJson = False,
) -> NoReturn:
    """What somebody else has changed on either side since the last `up`. Changes nothing."""
    choice = choose_or_end(names, label, changed_since, shard)
    carry_out("drift", choice, operations.drift, parallel, as_json=json)


@app.command(epilog=_CODES)
def check(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    parallel: Parallel = PARALLEL,
    *,
    json: AsJson = False,
) -> NoReturn:
    """Whether mail flows: sends mail on purpose, and follows it. Not proven is an error, too."""
    choice = choose_or_end(names, label, changed_since, shard)
    carry_out("check", choice, MailCheck, parallel, as_json=json)


app.command(epilog=_CODES)(compare)
app.command(epilog=_CODES)(doctor)
app.command(epilog=_CODES)(onboard)


def main() -> int:
    """The exit code; a mistake in the command line is 1, since 2 says that something differs."""
    try:
        app(prog_name="fleet")
    except Ended as ended:
        return int(ended.code or 0)
    except SystemExit as ended:
        return WRONG if ended.code else NOTHING
    except KeyboardInterrupt:
        return WRONG
    return NOTHING
