"""`listenerconfig`: the listeners, and the way to their host and recipient access tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.gateway.commands.hostaccess import hostaccess
from lab.gateway.commands.rcptaccess import rcptaccess
from lab.gateway.dialogue import Disliked
from lab.gateway.menus import pick, run_menu
from lab.gateway.state import Listener

if TYPE_CHECKING:
    from lab.gateway.session import Session

COMMAND = "listenerconfig"


async def listenerconfig(session: Session, words: list[str]) -> None:
    """The command."""

    async def header() -> None:
        lines = [session.profile.text("listeners_heading")]
        for number, listener in enumerate(session.tables.listeners, 1):
            lines.append(f"{number}. {_line(session, listener)}")
        await session.console.say("\n" + "\n".join(lines))

    handlers = {"EDIT": _edit, "SETUP": _setup}
    await run_menu(session, COMMAND, handlers, words, command=COMMAND, header=header)


def _line(session: Session, listener: Listener) -> str:
    address = session.member.interfaces.get(listener.interface, "")
    return (
        f"{listener.name} (on {listener.interface}, {address}) SMTP TCP Port {listener.port}"
        f" {listener.kind.capitalize()}"
    )


async def _setup(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    await session.console.tell("listener_setup")


async def _edit(session: Session, words: list[str]) -> None:
    names = [listener.name for listener in session.tables.listeners]
    if words and words[0] not in names and not words[0].isdecimal():
        raise Disliked(session.profile.text("no_such_listener", name=words[0]))
    name = await pick(session, "which_listener", names, words)
    await listener_menu(session, name, words)


async def listener_menu(session: Session, name: str, words: list[str]) -> None:
    """The menu of one listener; a private one has no recipient access table."""
    public = session.tables.listener(name).kind == "public"

    async def header() -> None:
        listener = session.tables.listener(name)
        tls = listener.defaults.get("tls", "off")
        await session.console.say(
            "\n"
            + session.profile.text(
                "listener_details",
                name=name,
                kind=listener.kind.capitalize(),
                interface=listener.interface,
                address=session.member.interfaces.get(listener.interface, ""),
                port=listener.port,
                tls="No" if tls == "off" else tls.capitalize(),
                ldap=listener.ldap,
            )
        )

    async def host_access(session: Session, words: list[str]) -> None:
        await hostaccess(session, name, words)

    async def rcpt_access(session: Session, words: list[str]) -> None:
        await rcptaccess(session, name, words)

    handlers = {"HOSTACCESS": host_access, "RCPTACCESS": rcpt_access}
    menu = "listener_public" if public else "listener_private"
    await run_menu(session, menu, handlers, words, header=header)
