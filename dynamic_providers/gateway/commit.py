"""`commit`, `clear` and what is pending: what makes staged changes count, or takes them back."""

import re

from dynamic_providers.gateway.dialogue import DialogueError
from dynamic_providers.gateway.question import Question, quote
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.shell import ConnectionLostError, Screen, ScreenTimeoutError, Waits
from dynamic_providers.gateway.ssh import GatewayError

RUN_AGAIN = "run it again: it reads anew and works on what is there then"
COMMIT_SECONDS = 300.0  # a large cluster takes its time
_COMMITTED = re.compile(r"\bchanges committed\b", re.IGNORECASE)
_NOTHING = re.compile(r"no data to commit|no changes|nothing to commit", re.IGNORECASE)
_COMMENT = re.compile(r"\bcomments?\b", re.IGNORECASE)
_ROLLBACK = re.compile(r"\bsave\b.*\brollback\b", re.IGNORECASE | re.DOTALL)
_CONFLICT = re.compile(
    r"\b(?:discard|overwrit|conflict|another (?:user|administrator|session)|someone else|out of "
    r"date|has changed|"
    r"ha(?:s|ve) been (?:changed|modified|committed))",
    re.IGNORECASE,
)
_CLEAR = re.compile(r"\bclear\b.*\bchanges\b", re.IGNORECASE | re.DOTALL)
_CLEARED = re.compile(r"changes cleared|no changes", re.IGNORECASE)
_NONE_PENDING = re.compile(
    r"\b(?:no|not any|0)\b[^.\n]*\b(?:changes?|modifications?|data|differences?)\b"
    r"|nothing\b[^.\n]*\b(?:pending|changed|commit)"
    r"|\b(?:has|have) not (?:been )?(?:changed|modified)",
    re.IGNORECASE,
)


class CommitRefusedError(GatewayError):
    """The appliance did not put the changes into force; they were taken back."""


class ConflictError(GatewayError):
    """Somebody else has committed in between; our changes were taken back."""


class CommitUnknownError(GatewayError):
    """The connection broke during a commit."""


class ForeignChangesError(GatewayError):
    """There are changes pending that are not ours: a commit of ours would put them into force."""


class EngineGoneError(GatewayError):
    """The engine that asked for the change is gone."""


class NotClearedError(GatewayError):
    """Changes could not be taken back; the session has to be ended."""


def commit(session: Session, comment: str) -> None:
    """Put what is staged into force.

    Returns only when the appliance said so, or silently came back to its prompt.
    """
    try:
        screen = _ask(session, comment)
    except (ConnectionLostError, ScreenTimeoutError) as error:
        raise CommitUnknownError(
            f"the connection broke during the commit ({error.what}): it is not known whether it took effect",
            where=session.name,
            fix="run it again: it reads what is there and goes on from that",
        ) from None
    text = screen.text.strip()
    if _COMMITTED.search(text) or _NOTHING.search(text) or not text:
        return  # where the release says nothing, the read-back of the caller proves it
    refused = f"the commit was refused: «{quote(text)}»"
    clear(session, after=refused)
    error_type = ConflictError if _CONFLICT.search(text) else CommitRefusedError
    raise error_type(
        f"{refused}. Our changes were taken back",
        where=session.name,
        fix="look at what it says, then run it again",
    )


def _ask(session: Session, comment: str) -> Screen:
    screen = session.shell.command("commit")
    said_comment = False
    while screen.waits is not Waits.COMMAND:
        question = Question.of(screen)
        if _CONFLICT.search(question.text) or _CONFLICT.search(question.printed):
            between = f"somebody else changed the configuration in between: «{quote(screen.text)}»"
            _give_up(session, between)
            raise ConflictError(
                f"{between}. Our changes were taken back",
                where=session.name,
                fix=RUN_AGAIN,
            )
        if _ROLLBACK.search(question.text):
            screen = session.shell.answer("Y", silence=COMMIT_SECONDS)
        elif _COMMENT.search(question.text) and not said_comment:
            said_comment = True
            screen = session.shell.answer(comment, silence=COMMIT_SECONDS)
        else:
            unknown = f"the commit asks what no answer is known for: «{quote(screen.text)}»"
            _give_up(session, unknown)
            raise CommitRefusedError(
                f"{unknown}. Our changes were taken back",
                where=session.name,
                fix="please report the question and the release (`version`)",
            )
    return screen


def _give_up(session: Session, why: str) -> None:
    session.shell.interrupt()
    clear(session, after=why)


def clear(session: Session, after: str = "") -> None:
    """Take back what is staged; `after`: what went wrong before, told where this fails, too."""
    screen = session.shell.command("clear")
    while screen.waits is not Waits.COMMAND:
        if not _CLEAR.search(screen.text):
            session.shell.interrupt()
            break
        screen = session.shell.answer("Y")
    if _CLEARED.search(screen.text):
        return
    pending = _pending(session)
    if pending:
        session.close()  # the surest way: what is not committed goes with the session
        raise NotClearedError(
            f"{after}{'; ' if after else ''}the changes could not be taken back («{quote(screen.text)}»), so "
            "the session was ended, and they with it",
            where=session.name,
            fix="check with `showchanges` that nothing is pending; please report the question and the "
            "release (`version`)",
        )


def refuse_foreign_changes(session: Session) -> None:
    """Before we stage anything, nothing may be pending: whatever is, is somebody else's work in progress."""
    pending = _pending(session)
    if pending:
        raise ForeignChangesError(
            f"changes are pending that are not ours: «{quote(pending)}»",
            where=session.name,
            fix="have whoever made them commit or clear them (`commit`, `clear`), then run it again",
        )


def _pending(session: Session) -> str:
    try:
        text = session.run(Script("showchanges", what="asking for pending changes"))[0].strip()
    except DialogueError:
        return ""  # not there on every release: nothing to go by
    return "" if not text or _NONE_PENDING.search(text) else text
