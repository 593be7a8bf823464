"""`listenerconfig`: choosing a listener, and saying which exist when it is not there."""

import re
from collections.abc import Callable
from typing import TypeVar

from dynamic_providers.gateway.dialogue import DialogueError, UnknownCommandError
from dynamic_providers.gateway.question import quote
from dynamic_providers.gateway.script import Ask, Script, Step
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.ssh import GatewayError

COMMAND = "listenerconfig"
HAT_MENU = ("MOVE", "IMPORT", "EXPORT", "RESET")  # verbs that tell the table's own menu from those in it
GROUP_MENU = ("POLICY", "RENAME")  # and the menu of one of its sender groups
_ROW = re.compile(r"^\s*\d+\.\s+(\S.*?)\s+\(on\s+.*?\b(public|private)?\b\s*$", re.IGNORECASE | re.MULTILINE)

T = TypeVar("T")


class ListenerMissingError(GatewayError):
    """There is no listener of that name, or it lacks the table that is wanted."""


def parse(text: str) -> dict[str, str]:
    """The listeners: name, as written there → «public», «private» or nothing."""
    return {found.group(1): (found.group(2) or "").lower() for found in _ROW.finditer(text)}


def read(session: Session) -> dict[str, str]:
    """The listeners now; for `Gateway.read(COMMAND, read)`."""
    return parse(session.run(Script(COMMAND, what="listing the listeners"))[0])


def read_details(session: Session, listener: str) -> dict[str, str]:
    """What is printed above the menu of a listener: label in lower case → value."""
    choose = Step("EDIT", (Ask(r"\blistener\b", listener),))
    one = Script(COMMAND, (choose,), what="reading the listener's settings")
    printed = about(session, listener, lambda: session.run(one))[1]
    pairs = (line.partition(":") for line in printed.split("\n") if ":" in line)
    return {label.strip().lower(): value.strip() for label, _, value in pairs}


def script(listener: str, table: str, steps: tuple[Step, ...], what: str) -> Script:
    """A dialogue about a table (HOSTACCESS, RCPTACCESS) of a listener."""
    choose = Step("EDIT", (Ask(r"\blistener\b", listener),))
    return Script(COMMAND, (choose, Step(table), *steps), what=what)


def about(session: Session, listener: str, work: Callable[[], T]) -> T:
    """Do something with a listener. Where that fails because it is not there, say which are."""
    try:
        return work()
    except UnknownCommandError:
        raise
    except DialogueError as error:
        found = read(session)
        if listener in found or not found:
            if found.get(listener) == "private" and "RCPTACCESS" in str(error):
                raise ListenerMissingError(
                    f"listener «{listener}» is private: it has no recipient access table",
                    where=session.name,
                    fix=f"set gateway.inboundListener to a public one of: {quote(', '.join(found))}",
                ) from None
            raise
        raise ListenerMissingError(
            f"there is no listener «{listener}» (upper and lower case count); there are: "
            f"{quote(', '.join(found))}",
            where=session.name,
            fix="correct gateway.inboundListener or gateway.outboundListener",
        ) from None
