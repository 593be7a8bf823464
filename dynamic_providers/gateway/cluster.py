"""At which level of a cluster we work: always the cluster's, never past a machine's own settings."""

import re
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

from dynamic_providers.connections import GatewayConnection
from dynamic_providers.gateway.dialogue import OverrideError
from dynamic_providers.gateway.question import Question, quote
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.shell import Waits
from dynamic_providers.gateway.ssh import GatewayError

_NOTICE_TO_CLUSTER = re.compile(r"NOTICE:.*\bswitch\b[^.]*\bcluster\b", re.IGNORECASE | re.DOTALL)
_HARMLESS = ("PRINT", "LIST", "OUTBOUND", "EDIT", "NEW")  # left with Ctrl-C at their first question
_NOTICE = re.compile(r"NOTICE:\s", re.IGNORECASE)
_CUT_OFF = re.compile(r"\bdisconnected\b|\bnot connected\b|\bunreachable\b", re.IGNORECASE)


class ClusterModeError(GatewayError):
    """The settings and the gateway do not agree on whether it is clustered."""


class MemberDisconnectedError(GatewayError):
    """A member of the cluster does not answer the others: a commit would not reach it."""


def enter(session: Session, connection: GatewayConnection) -> None:
    """Go to the cluster's level, where the settings say that there is a cluster."""
    if not connection.cluster:
        if session.shell.mode:
            raise ClusterModeError(
                f"it is in a cluster (its prompt is «{session.shell.prompt.strip()}»), and "
                "gateway.cluster is not set",
                where=session.name,
                fix="set gateway.cluster: true, and name all members",
            )
        return
    said = _switch(session, "clustermode cluster")
    if not session.shell.mode.lower().startswith("cluster"):
        raise ClusterModeError(
            f"gateway.cluster is set, but it cannot go to the cluster's level: «{quote(said)}»",
            where=session.name,
            fix="check with `clustermode` by hand; a single gateway needs gateway.cluster: false",
        )


def refuse_overrides(session: Session, connection: GatewayConnection, table: str) -> None:
    """Ask every member, before the first write to a table, whether the cluster's settings of it count there.

    At a machine's level a command without settings of its own says so in a notice, and offers the
    level that has them.
    """
    command = table.split(":", maxsplit=1)[0]
    if not connection.cluster or command in session.tables_checked:
        return
    if not session.tables_checked:
        for cut_off in disconnected(session, connection).values():
            raise cut_off
    with closing(overrides(session, connection, command)) as found:
        for one in found:
            raise one
    session.tables_checked.add(command)


def overrides(
    session: Session, connection: GatewayConnection, command: str
) -> Generator[OverrideError | MemberDisconnectedError, None, None]:
    """What keeps the cluster's settings for a command from counting on a member, one member after the other.

    At the cluster's level again when the generator ends, or is closed.
    """
    try:
        for member in connection.members:
            found = _override(session, member.host, command)
            if found is not None:
                yield found
    finally:
        _switch(session, "clustermode cluster")


def disconnected(session: Session, connection: GatewayConnection) -> dict[str, MemberDisconnectedError]:
    """The members that the cluster's list calls cut off: some releases let them be entered all the same."""
    text = connection_status(session)
    return {
        member.host: _disconnected(session, member.host, line.strip())
        for member in connection.members
        for line in text.splitlines()
        if member.host.lower() in line.lower() and _CUT_OFF.search(line)
    }


def connection_status(session: Session) -> str:
    """The cluster's own list of its members, as printed.

    Empty on a release whose `clusterconfig` does not offer it: what entering a member shows has to do then.
    """
    screen = session.shell.command("clusterconfig")
    text = ""
    if screen.waits is Waits.ANSWER and "CONNSTATUS" in Question.of(screen).verbs:
        screen = session.shell.answer("CONNSTATUS")
        text = screen.text
    if screen.waits is not Waits.COMMAND:
        session.shell.interrupt()
    return text


@contextmanager
def at_machine(session: Session, host: str) -> Iterator[None]:
    """At the level of one member, as long as the block lasts; raises where it is not connected."""
    try:
        cut_off = _enter_machine(session, host)
        if cut_off is not None:
            raise cut_off
        yield
    finally:
        _switch(session, "clustermode cluster")


def _disconnected(session: Session, host: str, said: str) -> MemberDisconnectedError:
    return MemberDisconnectedError(
        f"its member {host} cannot be reached from the cluster: «{quote(said)}»",
        where=session.name,
        fix="`clusterconfig` shows the state of the members; connect it again, or correct gateway.members",
    )


def _enter_machine(session: Session, host: str) -> MemberDisconnectedError | None:
    said = _switch(session, f"clustermode machine {host}")
    is_there = not said.strip() and session.shell.mode.lower().startswith("machine")
    return None if is_there else _disconnected(session, host, said)


def _override(session: Session, host: str, command: str) -> OverrideError | MemberDisconnectedError | None:
    cut_off = _enter_machine(session, host)
    if cut_off is not None:
        return cut_off
    level = own_level(session, command)
    if not level:
        return None
    return OverrideError(
        f"member {host}: {level} has its own settings for `{command}`, so what is set for the "
        "cluster is without effect there",
        where=session.name,
        fix="remove them with `clusterconfig`, or move them to the cluster's level",
    )


def own_level(session: Session, command: str) -> str:
    """Who has settings of its own for a command, asked at a member's level; empty: the cluster's count."""
    text = _first_screens(session, command)
    if _NOTICE_TO_CLUSTER.search(text):
        return ""
    return "a group" if _NOTICE.search(text) else "this machine"


def _first_screens(session: Session, command: str) -> str:
    """What a command says at first and after its first verb: the notice may come at either."""
    screen = session.shell.command(command)
    text = screen.text
    offered = Question.of(screen).verbs if screen.waits is Waits.ANSWER and not _NOTICE.search(text) else ()
    harmless = [verb for verb in _HARMLESS if verb in offered]
    if harmless:
        screen = session.shell.answer(harmless[0])
        text += screen.text
    if screen.waits is not Waits.COMMAND:
        session.shell.interrupt()
    return text


def _switch(session: Session, command: str) -> str:
    screen = session.shell.change_mode(command)
    if screen.waits is not Waits.COMMAND:
        session.shell.interrupt()
    return screen.text
