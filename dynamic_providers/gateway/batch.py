"""Changes that are committed together; where one of them is bad, only that one fails."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from dynamic_providers import connections
from dynamic_providers.gateway.commit import CommitRefusedError, clear, commit
from dynamic_providers.gateway.dialogue import DialogueError
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.shell import ConnectionLostError, ScreenTimeoutError

COMMENT_LENGTH = 240


@dataclass
class Change:
    """Something to be staged and committed. `resource` names it in the commit's comment."""

    order: int  # of the table: policy, sender group, filter, destination controls, recipients, routes
    table: str  # whose cached read ends by it
    stage: "Callable[[Session], None]"
    resource: str
    why: str = ""
    done: "Future[None]" = field(default_factory=Future)


def put_through(session: Session, batch: Sequence[Change], before_commit: Callable[[], None]) -> None:
    """Stage and commit; each change is settled, or the error that stops all of them is raised.

    What cannot be staged fails alone. A commit that is refused is tried again by halves, in their order,
    until the culprit stands alone and fails.
    """
    staged = _stage(session, batch)
    if not staged:
        return
    before_commit()
    try:
        commit(session, comment(staged))
    except CommitRefusedError as error:
        if len(staged) == 1:
            staged[0].done.set_exception(error)
            return
        half = len(staged) // 2
        put_through(session, staged[:half], before_commit)
        put_through(session, staged[half:], before_commit)
        return
    for change in staged:
        change.done.set_result(None)


def _stage(session: Session, batch: Sequence[Change]) -> list[Change]:
    """Stage all that can be staged; a bad change fails alone: `clear`, and the others are staged anew."""
    left = sorted(batch, key=lambda change: (change.order, change.resource))
    while left:
        bad = _first_that_fails(session, left)
        if bad is None:
            break
        culprit, error = bad
        clear(session)
        culprit.done.set_exception(error)
        left.remove(culprit)
    return left


def _first_that_fails(session: Session, batch: Sequence[Change]) -> tuple[Change, Exception] | None:
    for change in batch:
        try:
            change.stage(session)
        except (ConnectionLostError, ScreenTimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - given to the thread whose change it is; the others go on
            if not isinstance(error, DialogueError):
                session.shell.interrupt()
            return change, error
    return None


def comment(batch: Sequence[Change]) -> str:
    """Who and why, for the gateway's log of commits: one line, plain characters."""
    reasons = sorted({change.why for change in batch if change.why})
    head = " ".join(["m365-secure-email", connections.stack_name(), *reasons]).strip()
    text = f"{head}: {', '.join(change.resource for change in batch)}"
    plain = re.sub(r"[^A-Za-z0-9 .,:@/()_+-]", " ", text)
    plain = re.sub(r" +", " ", plain).strip()
    return plain if len(plain) <= COMMENT_LENGTH else plain[: COMMENT_LENGTH - len(" ...")] + " ..."
