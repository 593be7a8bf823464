"""What is on this machine and in the backend: the stack's settings, the engine, the record."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fleet.doctor.finding import Finding, error, ok, warning
from fleet.doctor.subject import Subject
from tools.asking import PulumiFailed
from tools.engine import missing_parts, pinned_version


def settings(subject: Subject) -> Iterator[Finding]:
    """The stack file, checked as a whole, and what is encrypted in it."""
    for line in subject.right.mistakes:
        yield error(line, "correct the stack file, or the environment; docs/reference/settings.md has all")
    if subject.encrypted_unread:
        failed = subject.encrypted_unread
        yield error(f"what is encrypted in the stack file cannot be read: {failed.what}", failed.fix)
    if not subject.right.mistakes and not subject.encrypted_unread:
        yield ok(f"{subject.stack.path.name} has no mistakes")


def engine(subject: Subject) -> Iterator[Finding]:
    """The engine is there, with all that it needs, and is one that this was tested with."""
    missing = missing_parts(subject.environment)
    if missing:
        yield error(f"not found: {', '.join(missing)}", "run `make setup`")
        return
    version, tested = subject.pulumi.version(), pinned_version()
    if _numbers(version) < _numbers(tested):
        yield warning(
            f"pulumi {version} is older than {tested}, which this was tested with",
            f"install {tested} or newer",
        )
    else:
        yield ok(f"pulumi {version}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version)[:3])


def backend(subject: Subject) -> Iterator[Finding]:
    """The backend answers, and has a record of the stack that nobody holds."""
    name = subject.stack.name
    try:
        found = subject.pulumi.stacks().get(name)
    except PulumiFailed as failed:
        yield error(
            f"{failed.what}", "check PULUMI_BACKEND_URL and this machine's right to use it (docs/how-to.md)"
        )
        return
    if found is None:
        yield warning(
            f"it has no stack {name}",
            f"if it is new: `pulumi stack init {name}`, and commit the salt in {subject.stack.path.name}; "
            "else check PULUMI_BACKEND_URL",
        )
    elif found.get("updateInProgress"):
        yield warning(f"a run holds the stack {name}", "wait for it; if it is dead: `pulumi cancel`")
    else:
        last = found.get("lastUpdate")
        yield ok(f"has the stack {name}, " + (f"last changed {last}" if last else "without an update yet"))
