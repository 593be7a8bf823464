"""`clustermode` and `clusterconfig`: which level a session works on, and how the members are connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.gateway.dialogue import Disliked
from lab.gateway.menus import run_menu

if TYPE_CHECKING:
    from lab.gateway.session import Session


async def clustermode(session: Session, words: list[str]) -> None:
    """Change the mode of this session: cluster, group or machine."""
    if not session.profile.cluster:
        await session.console.tell("not_in_a_cluster")
        return
    if not words:
        kinds = ["cluster", "group", "machine"]
        choices = [kind.capitalize() for kind in kinds]
        words = [kinds[await session.console.choose(session.profile.text("which_mode"), choices)]]
    kind, names = words[0].lower(), words[1:]
    if kind == "cluster":
        session.mode = ("cluster", session.profile.cluster)
    elif kind == "group":
        session.mode = ("group", await _name(session, names, session.gateway.groups))
    elif kind == "machine":
        session.mode = ("machine", await _machine(session, names))
    else:
        await session.console.tell("unknown_mode", word=words[0])


async def _machine(session: Session, names: list[str]) -> str:
    host = await _name(session, names or [session.member.host], [one.host for one in session.gateway.members])
    own, gone = session.member.host, session.gateway.disconnected
    apart = host != own and bool({host, own} & gone)
    if apart and not session.gateway.disconnected_mode:
        raise Disliked(session.profile.text("machine_disconnected", host=host))
    return host


async def _name(session: Session, names: list[str], known: list[str]) -> str:
    if names:
        if names[0] not in known:
            raise Disliked(session.profile.text("not_a_name", answer=names[0]))
        return names[0]
    if len(known) == 1:
        return known[0]
    return known[await session.console.choose(session.profile.text("which_name"), known)]


async def clusterconfig(session: Session, words: list[str]) -> None:
    """Members of the cluster and whether they are connected."""
    cluster = session.profile.cluster
    if not cluster:
        await session.console.tell("not_in_a_cluster")
        return

    form = session.profile.setting("formats.clusterconfig")

    async def header() -> None:
        await session.console.say("\n" + form["heading"][0].format(cluster=cluster))

    async def list_members(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
        lines = [line.format(cluster=cluster) for line in form["heading"]]
        for group in session.gateway.groups:
            lines.append(form["group"].format(group=group))
            lines += [
                form["machine"].format(host=member.host, serial=member.serial)
                for member in session.gateway.members
                if member.group == group
            ]
        await session.console.say("\n" + "\n".join(lines))

    async def connection_status(session: Session, words: list[str]) -> None:  # noqa: ARG001 - as above
        lines = list(form["status_heading"])
        for member in session.gateway.members:
            gone = member.host in session.gateway.disconnected
            state = session.profile.text("member_disconnected" if gone else "member_connected")
            lines.append(form["status"].format(host=member.host, serial=member.serial, state=state))
        await session.console.say("\n" + "\n".join(lines))

    handlers = {"LIST": list_members, "CONNSTATUS": connection_status}
    await run_menu(session, "clusterconfig", handlers, words, header=header)
