"""`deliveryconfig` and `altsrchost`: which interface mail leaves from. Read only."""

import re

from dynamic_providers.gateway.script import Script, Step
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.tables import rows, unreadable

TABLE, SOURCES = "deliveryconfig", "altsrchost"
DEFAULT = "default interface to deliver mail"
READ = Script(TABLE, what="reading the delivery settings")
READ_SOURCES = Script(
    SOURCES,
    (Step("PRINT", optional=True),),
    what="reading whose mail leaves from another interface",
)
_PAIR = re.compile(r"^\s*([^:]+?)\s*:\s+(\S.*?)\s*$")
_SOURCE = re.compile(r"^\s*(?:\d+[.)]\s+)?(\S+)(?:\s*->\s*|\s+)(\S.*?)\s*$")


def parse(text: str) -> dict[str, str]:
    """The settings as printed: label in lower case → value."""
    return {found.group(1).lower(): found.group(2) for line in rows(text) if (found := _PAIR.match(line))}


def read(session: Session) -> dict[str, str]:
    """The settings now; for `Gateway.read(TABLE, read)`."""
    return parse(session.run(READ)[0])


def parse_sources(text: str, where: str) -> dict[str, str]:
    """Sender or client address → interface (or group of them); an exception to the default."""
    found = {line: _SOURCE.match(line) for line in rows(text)}
    for line, row in found.items():
        if row is None:
            raise unreadable(where, SOURCES, line)
    return {row.group(1): row.group(2) for row in found.values() if row}


def read_sources(session: Session) -> dict[str, str]:
    """The exceptions now; for `Gateway.read(SOURCES, read_sources)`."""
    return parse_sources(session.run(READ_SOURCES)[1], session.name)
