"""The recipient access table at work: for whom a public listener takes mail.

The most specific entry counts: user@domain, then user@, the domain (or [address]), the longest .suffix, ALL.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.gateway.state import Configuration, Listener, Recipient

REJECTED = "550 #5.1.0 Address rejected."
NO_RELAY = "550 #5.7.1 Unable to relay for {recipient}"


def lookup(listener: Listener, recipient: str) -> Recipient:
    """The row that decides about a recipient; LookupError for a table without ALL."""
    for key in _keys(recipient.lower()):
        for row in listener.recipients:
            if row.address.lower() == key:
                return row
    raise LookupError(f"the recipient access table of {listener.name} has no row for {recipient}")


def _keys(recipient: str) -> Iterator[str]:
    user, _, domain = recipient.rpartition("@")
    yield f"{user}@{domain}"
    yield f"{user}@"
    yield domain
    labels = domain.split(".")
    for place in range(1, len(labels)):
        yield "." + ".".join(labels[place:])
    yield "all"


def refusal(listener: Listener, recipient: str) -> str | None:
    """What the table answers to a recipient whom it does not take: the row's own reply, or the usual one."""
    row = lookup(listener, recipient)
    if row.action == "ACCEPT" and not row.response.startswith(("4", "5")):
        return None
    return row.response or REJECTED


def is_local(tables: Configuration, recipient: str) -> bool:
    """Whether a public listener takes mail for that recipient: then nobody needs leave to relay to it."""
    return any(
        lookup(listener, recipient).action == "ACCEPT"
        for listener in tables.listeners
        if listener.kind == "public"
    )
