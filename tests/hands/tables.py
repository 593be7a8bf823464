"""Single entries put into the gateway's committed configuration, or taken out of it."""

from __future__ import annotations

from lab.gateway.commands.filters import canonical
from lab.gateway.filter_check import parse
from lab.gateway.state import Configuration, MessageFilter, Recipient, SenderGroup
from tests.hands.names import FILTER, GROUP, INBOUND_LISTENER, OUTBOUND_LISTENER, POLICY


def put_filter(tables: Configuration, text: str, place: int, *, active: bool = True) -> None:
    one = parse(text)[0]
    tables.filters = [entry for entry in tables.filters if entry.name != one.name]
    tables.filters.insert(place, MessageFilter(one.name, canonical(one), active))


def drop_filter(tables: Configuration) -> None:
    tables.filters = [entry for entry in tables.filters if entry.name != FILTER]


def put_recipient(tables: Configuration, entry: Recipient) -> None:
    rows = tables.listener(INBOUND_LISTENER).recipients
    rows[:] = [entry, *(row for row in rows if row.address != entry.address)]


def drop_recipient(tables: Configuration, address: str) -> None:
    rows = tables.listener(INBOUND_LISTENER).recipients
    rows.remove(tables.listener(INBOUND_LISTENER).recipient(address))


def put_group(tables: Configuration, group: SenderGroup, place: int) -> None:
    groups = tables.listener(OUTBOUND_LISTENER).groups
    groups[:] = [one for one in groups if one.label != group.name]
    groups.insert(place, group)


def drop_group(tables: Configuration) -> None:
    groups = tables.listener(OUTBOUND_LISTENER).groups
    groups.remove(tables.listener(OUTBOUND_LISTENER).group(GROUP))


def policy(tables: Configuration) -> dict[str, str]:
    return tables.listener(OUTBOUND_LISTENER).policies[POLICY].parameters
