"""`fleet pipeline …`: what only a pipeline's job does. The jobs are in pipelines/."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dynamic_providers.errors import ManagedError, clean_errors
from fleet.federated import VARIABLE, token, token_file
from fleet.forge.forges import forge_of
from fleet.options import Ended, on_stderr
from fleet.outcome import NOTHING, WRONG

REVIEW = "fleet-review"
DRIFT = "fleet-drift"
"""By these words our comment and our issue are known again."""

app = typer.Typer(
    help="What only a pipeline's job does: its identity, one comment, one issue, the approved plan."
)

Results = Annotated[
    list[Path], typer.Argument(help="What `fleet … --json` printed; parts of a run together.")
]


@app.command()
def identity(
    words: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
) -> NoReturn:
    """Run a command with the job's own identity token in AZURE_FEDERATED_TOKEN_FILE."""

    def work() -> int:
        with token_file(lambda: token(os.environ)) as file:
            done = subprocess.run(words, env={**os.environ, VARIABLE: str(file)}, check=False)
        return done.returncode if done.returncode >= 0 else 128 - done.returncode

    raise Ended(_told(work))


@app.command()
def comment(
    results: Results, *, dry: Annotated[bool, typer.Option("--print", help="On stdout only.")] = False
) -> NoReturn:
    """Write the one comment on this job's pull or merge request, or write it anew."""

    def work() -> int:
        from fleet import comment as comments  # loads the reports

        text = comments.markdown(comments.together(map(comments.Result.read, results)))
        print(text if dry else forge_of(os.environ).comment(REVIEW, text))
        return NOTHING

    raise Ended(_told(work))


@app.command()
def issue(results: Results) -> NoReturn:
    """Open the one issue about drift, or write it anew; close it where everything is right again."""

    def work() -> int:
        from fleet import comment as comments

        found = comments.together(map(comments.Result.read, results))
        forge, title = forge_of(os.environ), "; ".join(map(comments.headline, found))
        if comments.code(found) == NOTHING:
            print(forge.close_issue(DRIFT, title))
        else:
            print(forge.issue(DRIFT, title, comments.markdown(found)))
        return NOTHING

    raise Ended(_told(work))


@app.command()
def approved(
    file: Annotated[Path, typer.Argument(help="Where to write it; the review left it under the same name.")],
    *,
    commit: Annotated[str, typer.Option(help="What was merged.")],
) -> NoReturn:
    """Fetch the plan that was approved: what the review of the request left that this commit came by."""

    def work() -> int:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(forge_of(os.environ).approved(commit, file.name))
        return NOTHING

    raise Ended(_told(work))


def _told(work: Callable[[], int]) -> int:
    """What the work answers; an error in one line."""
    try:
        return clean_errors(work)()
    except ManagedError as error:
        on_stderr().print(f"error: {error}", markup=False)
        return WRONG
