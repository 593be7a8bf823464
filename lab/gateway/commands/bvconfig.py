"""`bvconfig`: the key that tags where bounces go, and what happens to bounces that have no such tag."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.gateway.menus import Handler, clearer, run_settings
from lab.gateway.state import BounceVerification, Configuration

if TYPE_CHECKING:
    from lab.gateway.session import Session

TABLE = "bvconfig"


async def bvconfig(session: Session, words: list[str]) -> None:
    """The command. Its settings, the keys among them, stand before each menu."""
    handlers: dict[str, Handler] = {
        "KEY": _key,
        "PURGE": _purge,
        "CLEAR": clearer(_clear),
        "SETUP": _setup,
    }

    async def header() -> None:
        found = session.tables.bounce_verification
        text, stamp = session.profile.text, time.strftime("%a %b %d %H:%M:%S %Y GMT", time.gmtime())
        lines = [text("bounce_action", action=found.action), ""]
        lines.append(text("bounce_key", tag=found.key) if found.key else text("bounce_no_key"))
        if found.previous:
            lines += ["", text("bounce_previous")]
            lines += [
                f"{number}. {key} (last in use {stamp})" for number, key in enumerate(found.previous, 1)
            ]
        await session.console.say("\n" + "\n".join(lines))

    await run_settings(session, TABLE, handlers, words, header)


def _put(session: Session, key: str, new: BounceVerification) -> None:
    def mutate(tables: Configuration) -> None:
        tables.bounce_verification = new

    if new != session.tables.bounce_verification:
        session.write(TABLE, key, "changed", mutate)


async def _key(session: Session, words: list[str]) -> None:
    """A new key; the old one goes on being taken."""
    given = {"key": words[0]} if words else {}
    key = (await session.ask("bvconfig.key", given=given))["key"]
    old = session.tables.bounce_verification
    previous = [one for one in (old.key, *old.previous) if one and one != key]
    _put(session, "key", replace(old, key=key, previous=previous))


async def _purge(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    _put(session, "key", replace(session.tables.bounce_verification, previous=[]))


def _clear(session: Session) -> None:
    _put(session, "key", replace(session.tables.bounce_verification, key="", previous=[]))


async def _setup(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    old = session.tables.bounce_verification
    answers = await session.ask("bvconfig.setup", defaults={"action": old.action})
    _put(session, "setup", replace(old, action=answers["action"]))
