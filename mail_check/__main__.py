"""`python -m mail_check STACK`: runs the checks of a stack, for pipelines and for people."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn, get_args

import typer

from dynamic_providers.mailflow.proof import CheckName
from mail_check.command import Files, Order, check_stack
from mail_check.report import SECRET_DAYS

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Check(StrEnum):
    """The checks, as the command line names them."""

    DIRECT = "direct"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    FORGED = "forged"
    SIDE_ENTRANCE = "sideEntrance"


class _Ended(SystemExit):
    """The command's own end, told from its parser's, which takes 2 for a mistake in the command line."""


@app.command(
    epilog="Exit codes: 0 all is ok; 1 the checks could not be run; 2 something failed; 3 nothing failed, but"
    " something is not proven."
)
def run(
    stack: Annotated[str, typer.Argument(help="The stack, as `pulumi stack ls` names it.")],
    *,
    only: Annotated[
        list[Check] | None,
        typer.Option(help="Run this check; may be given again. Without it: those that the settings ask for."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write it as Markdown.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write it as JSON.")] = None,
    secret_days: Annotated[
        int, typer.Option(min=1, help="How old the header's secret may grow before the report warns, days.")
    ] = SECRET_DAYS,
) -> NoReturn:
    """Send mail on purpose through a stack's gateway and tenant, and say hop by hop what became of it.

    On stdout a line a hop; on stderr what is waited for.
    """
    names = {one.value for one in only or ()}
    order = Order(
        stack=stack,
        only=tuple(name for name in get_args(CheckName) if name in names),
        files=Files(html, markdown, json),
        secret_days=secret_days,
    )
    raise _Ended(check_stack(order))


def main() -> int:
    """The exit code; a mistake in the command line is 1, since 2 says that a check failed."""
    try:
        app(prog_name="python -m mail_check")
    except _Ended as ended:
        return int(ended.code or 0)
    except SystemExit as ended:
        return 1 if ended.code else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
