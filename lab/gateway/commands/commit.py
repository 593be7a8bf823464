"""`commit`, `clear`, `showchanges`, `commitdetail`: what is pending, and what becomes of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab.gateway.session import now
from lab.gateway.state import State

if TYPE_CHECKING:
    from lab.gateway.session import Session


async def commit(session: Session, words: list[str]) -> None:
    """Make the pending changes the configuration of the machine, or of the whole cluster."""
    if not session.pending:
        await session.console.tell("nothing_to_commit")
        return
    given = {"comment": words[0]} if words else {}
    if len(words) > 1:
        given["rollback"] = "yes" if words[1].lower() in {"y", "yes"} else "no"
    elif words:
        given["rollback"] = "yes"
    answers = await session.ask(
        "commit", given=given, facts={"rollback_question": session.gateway.rollback_question}
    )
    await _take_effect(session, answers.get("comment", ""), silent=bool(words))


async def _take_effect(session: Session, comment: str, *, silent: bool) -> None:
    gateway = session.gateway
    changes = [(change.table, change.key) for change in session.pending.changes]
    tables = sorted({table for table, _ in changes})
    session.record("commit-started", comment=comment, tables=tables)
    await _wait(session)
    refusal = gateway.refuse_commit
    reason = refusal if isinstance(refusal, str) else refusal(changes) if refusal else None
    if reason:
        await _refuse(session, reason)
        return
    if session.closing and not gateway.commit_survives_disconnect:
        return
    new = await _settled(session)
    if new is None:
        return
    gateway.accept(session.member, session.user, new, comment, session.pending.changes)
    session.last_commit = "\n".join(
        [f"Committed at: {now()}", f"By: {session.user}", f"Comment: {comment}", *describe(session)]
    )
    session.pending.drop()
    session.record("commit", comment=comment, tables=tables)
    if not silent:
        await session.console.tell("committed", date=now())


async def _wait(session: Session) -> None:
    gateway = session.gateway
    if gateway.commit_hold is not None:
        await asyncio.get_running_loop().run_in_executor(None, gateway.commit_hold.wait)
    if gateway.commit_seconds:
        await asyncio.sleep(gateway.commit_seconds)
    if not gateway.commit_survives_disconnect:
        await asyncio.sleep(0.05)  # a connection that was just cut is known as cut only a moment later


async def _settled(session: Session) -> State | None:
    """The state to commit, after looking whether somebody else was faster; None where it must not be."""
    if not session.pending.outdated:
        return session.state
    habit = session.gateway.conflict
    if habit == "refuse":
        await _refuse(session, session.profile.text("conflict_refused"))
        return None
    if habit == "ask" and await session.console.confirm(
        session.profile.text("conflict_question"), default=True
    ):
        session.pending.drop()
        session.record("clear")
        await session.console.tell("conflict_discarded")
        return None
    try:
        return session.pending.rebased()
    except LookupError as gone:
        await _refuse(session, str(gone.args[0]))
        return None


async def _refuse(session: Session, reason: str) -> None:
    session.record("commit-refused", reason=reason)
    await session.console.tell("commit_refused", reason=reason)


async def clear(session: Session, words: list[str]) -> None:
    """Forget what is pending."""
    if not session.pending:
        await session.console.tell("nothing_to_clear")
        return
    if not words:
        answers = await session.ask("clear", facts={"clear_asks": session.gateway.clear_asks})
        if answers.get("sure") == "no":
            return
    session.pending.drop()
    session.record("clear")
    await session.console.tell("cleared", date=now())


def describe(session: Session) -> list[str]:
    """One line a pending change."""
    form = session.profile.setting("formats.showchanges")
    return [
        form["line"].format(table=change.table, key=change.key, what=change.what)
        for change in session.pending.changes
    ]


async def showchanges(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a command's signature
    """What is pending in this session."""
    if not session.pending:
        await session.console.tell("no_changes")
        return
    form = session.profile.setting("formats.showchanges")
    await session.console.say("\n" + "\n".join([*form["heading"], *describe(session)]))


async def commitdetail(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a command's signature
    """The last commit of this session."""
    if session.last_commit:
        await session.console.say("\n" + session.last_commit)
    else:
        await session.console.tell("no_commit_yet")
