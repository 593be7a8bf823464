"""`deliveryconfig`: which interface mail leaves from. Read only."""

import re

from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.tables import rows
from dynamic_providers.gateway.transaction import Session

TABLE = "deliveryconfig"
READ = Script(TABLE, what="reading the delivery settings")
_PAIR = re.compile(r"^\s*([^:]+?)\s*:\s+(\S.*?)\s*$")


def parse(text: str) -> dict[str, str]:
    """The settings as printed: label in lower case → value."""
    return {found.group(1).lower(): found.group(2) for line in rows(text) if (found := _PAIR.match(line))}


def read(session: Session) -> dict[str, str]:
    """The settings now; for `Gateway.read(TABLE, read)`."""
    return parse(session.run(READ)[0])
