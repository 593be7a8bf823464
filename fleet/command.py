"""The commands of `fleet`: each chooses stacks, has something done for them, and ends with a code."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fleet import approval, operations, operator, pipeline, table
from fleet.carrying_out import carry_out, choose_or_end, confirm, do_all, finish, or_end
from fleet.compare import compare
from fleet.doctor.command import doctor
from fleet.mail import MailCheck
from fleet.offboard import offboard
from fleet.onboard.command import onboard
from fleet.options import (
    PARALLEL,
    AsJson,
    ChangedSince,
    Ended,
    Labels,
    Names,
    OutsideWindow,
    Parallel,
    ShardOption,
    Yes,
    on_stdout,
)
from fleet.outcome import NOTHING, WRONG
from fleet.report.command import report
from fleet.rotate import rotate

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
Save = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Write the plans into a file, to be approved."),
]
Approved = Annotated[
    list[Path] | None,
    typer.Option(
        "--approved",
        metavar="FILE",
        help="Do only what `preview --save` wrote there, and refuse what has become something else; without"
        " names, for all stacks that are in it. May be given again.",
    ),
]


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
    save: Save = None,
    json: AsJson = False,
) -> NoReturn:
    """What `up` would do. Changes nothing."""
    choice = choose_or_end(names, label, changed_since, shard)
    saved: dict[str, approval.Approval] | None = None if save is None else {}
    done = do_all(choice, partial(operations.preview, refresh=refresh, saved=saved), parallel)
    if save is not None and saved is not None:
        or_end(partial(approval.write, save, saved))
    finish("preview", done, as_json=json)


@app.command(epilog=_CODES)
def up(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    parallel: Parallel = PARALLEL,
    *,
    refresh: Refresh = False,
    approved: Approved = None,
    outside_window: OutsideWindow = False,
    yes: Yes = False,
    json: AsJson = False,
) -> NoReturn:
    """Make it so. Each stack is previewed first, and what that refuses is refused before anything changes."""
    choice = choose_or_end(names, label, changed_since, shard, ask_for_names=not approved)
    approvals = or_end(partial(approval.read, approved)) if approved else None
    if approvals is not None:
        choice = approval.among_approved(choice, approvals, names)
    confirm(choice, yes=yes)
    work = partial(operations.up, refresh=refresh, approved=approvals, outside_window=outside_window)
    carry_out("up", choice, work, parallel, as_json=json)


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
app.command(epilog=_CODES)(offboard)
app.command(epilog=_CODES)(rotate)
app.command(epilog=_CODES)(report)


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
