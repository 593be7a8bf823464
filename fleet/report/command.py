"""`fleet report`: all stacks on one page, how they are and what drifted. Changes nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dynamic_providers.errors import ManagedError
from fleet import table
from fleet.carrying_out import choose_or_end, do_all, finish, refuse
from fleet.options import (
    PARALLEL,
    AsJson,
    ChangedSince,
    Labels,
    Names,
    Parallel,
    ShardOption,
    on_stderr,
)

Html = Annotated[Path | None, typer.Option(help="Write the page to this file.", dir_okay=False)]
Results = Annotated[
    list[Path] | None,
    typer.Option(help="What `fleet check --json` printed, for the last mail check; may be given again."),
]


def report(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    parallel: Parallel = PARALLEL,
    *,
    html: Html = None,
    results: Results = None,
    json: AsJson = False,
) -> NoReturn:
    """All stacks on one page: state, drift by what it does to mail, last check. Changes nothing."""
    from fleet.report.facts import utc_now  # they load the drivers
    from fleet.report.gathering import Gathering, checks_in
    from fleet.report.page import html as page

    try:
        _require_folder(html)
        checked = checks_in(results or ())
    except ManagedError as error:
        refuse(error)
    choice = choose_or_end(names, label, changed_since, shard)
    done = do_all(choice, partial(Gathering, checked=checked), parallel)
    if html is not None:
        html.write_text(page(done.outcomes, utc_now()), encoding="utf-8")
        on_stderr().print(f"the page is {html}", markup=False)
    finish("report", done, as_json=json, show=table.show)


def _require_folder(html: Path | None) -> None:
    """Said before half an hour of looking, not after."""
    if html is not None and not html.parent.is_dir():
        raise ManagedError("cannot be written", where=str(html), fix="name a file in a folder that is")
