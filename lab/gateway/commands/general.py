"""`version`, `who`, `help`, `exit`, `quit`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.gateway.session import LoggedOut

if TYPE_CHECKING:
    from lab.gateway.session import Session


async def version(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a command's signature
    """Model and release."""
    release = session.profile.setting("release")
    await session.console.tell("version", **release, serial=session.member.serial)


async def who(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a command's signature
    """Who is logged in to this member."""
    lines = [
        "Username  Login Time  Idle Time  Remote Host      What",
        "========  ==========  =========  ===========      ====",
    ]
    for other in session.all_sessions:
        if other.member is session.member:
            login = time.strftime("%I:%M%p", time.gmtime(other.since))
            lines.append(f"{other.user:<9} {login:<11} {'0s':<10} {other.peer:<16} cli")
    await session.console.say("\n" + "\n".join(lines))


async def show_help(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a command's signature
    """The commands that there are."""
    names = sorted(session.commands)
    await session.console.say("\n" + session.profile.text("help") + "\n" + "\n".join(names))


async def leave(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a command's signature
    """Log out; with pending changes only after asking."""
    if session.pending and not await session.console.confirm(
        session.profile.text("sure_to_leave"), default=False
    ):
        return
    raise LoggedOut
