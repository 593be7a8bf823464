"""Which stacks git says have changed: for a pull request, and for what has been merged."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.stacks import NotChosen, StackFile, stacks_folder

PROGRAM = ("Pulumi.yaml", "__main__.py", "components/", "dynamic_providers/", "requirements.txt")
"""What every stack is made by: a change there may change what any of them does."""


@dataclass(frozen=True)
class Changed:
    """The names of the stacks that changed, and what an operator should know about it."""

    names: frozenset[str]
    notes: tuple[str, ...] = ()


def changed_since(ref: str, project: Path, stacks: Sequence[StackFile]) -> Changed:
    """What differs from where this branch left `ref`, work that is not committed yet included.

    Where the program itself changed, every stack did. Raises NotChosen where git cannot tell.
    """
    commit = _ask(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if commit is None:
        raise NotChosen(
            f"git knows no commit «{ref}»",
            where=str(project),
            fix="fetch it first; a pipeline's checkout may have fetched the last commit only",
        )
    base = _ask(project, "merge-base", commit[0], "HEAD")
    if base is None:
        raise NotChosen(
            f"git knows no commit that «{ref}» and this branch have in common",
            where=str(project),
            fix="fetch the whole history: a pipeline's checkout may have fetched the last commits only",
        )
    paths = _paths(project, "diff", "--name-only", "--relative", "-z", base[0], "--")
    paths += _paths(project, "ls-files", "--others", "--exclude-standard", "-z")
    return of_paths(paths, project, stacks)


def of_paths(paths: Sequence[str], project: Path, stacks: Sequence[StackFile]) -> Changed:
    """The stacks that a change of these files, named from the project's folder, is about."""
    program = sorted(path for path in paths if path.startswith(PROGRAM))
    if program:
        more = f" and {len(program) - 1} more" if len(program) > 1 else ""
        names = frozenset(one.name for one in stacks)
        return Changed(names, (f"the program itself changed ({program[0]}{more}): all stacks are chosen",))
    files = {one.path.relative_to(project).as_posix(): one.name for one in stacks}
    folder = stacks_folder(project).relative_to(project)
    gone = [
        path
        for path in sorted({*paths} - {*files})
        if Path(path).parent == folder and Path(path).match("Pulumi.*.yaml")
    ]
    notes = (
        f"{path} is gone: what it made stays, on both sides; bring the file back and run `pulumi destroy`"
        for path in gone
    )
    return Changed(frozenset(files[path] for path in paths if path in files), tuple(notes))


def _paths(folder: Path, *words: str) -> list[str]:
    answer = _ask(folder, *words)
    if answer is None:
        raise NotChosen(f"`git {words[0]}` failed", where=str(folder), fix="choose by name or label")
    return answer


def _ask(folder: Path, *words: str) -> list[str] | None:
    """What git says, by lines or by what `-z` separates; None where it fails."""
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise NotChosen("there is no `git` on PATH", fix="install it, or choose by name or label") from None
    if "not a git repository" in done.stderr:
        raise NotChosen("is in no git repository", where=str(folder), fix="choose by name or label")
    if done.returncode:
        return None
    return [one for one in done.stdout.replace("\0", "\n").split("\n") if one]
