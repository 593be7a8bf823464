"""The table of what we made: from the settings, in the words of the two user interfaces, beside the record.

Words are those of the guide's pictures and steps. A secret is counted, never shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.settings import Settings
from mail_check import inbound_objects, outbound_objects
from mail_check.report import MadeObject, State
from mail_check.state import Recorded
from mail_check.wanted import WantedObject


def made_objects(
    settings: Settings,
    on_record: Iterable[Recorded] | None = None,
    plan: Mapping[str, str] | None = None,
) -> tuple[MadeObject, ...]:
    """All objects of a stack. `on_record`: what the stack has; None where nobody looked.

    `plan`: logical name → what the next `up` would do there, of a preview; what is not in it stays.
    """
    known = None if on_record is None else tuple(on_record)
    return tuple(_made(one, known, plan or {}) for one in _objects(settings))


def _made(one: WantedObject, known: tuple[Recorded, ...] | None, plan: Mapping[str, str]) -> MadeObject:
    state, note = _compared(one, known, plan)
    return MadeObject(
        row=one.row,
        side=one.side,
        place=one.place,
        kind=one.kind,
        name=one.name,
        attributes=dict(one.attributes),
        state=state,
        note=note,
    )


def _compared(
    one: WantedObject, known: tuple[Recorded, ...] | None, plan: Mapping[str, str]
) -> tuple[State, str]:
    if one.elsewhere:
        return "managed", one.elsewhere
    if known is None:
        return "unknown", ""
    found = next((record for record in known if _is(record, one)), None)
    there: Any = None if found is None else found.properties
    for step in one.entry:
        there = there.get(step) if isinstance(there, Mapping) else None
    if found is None or there is None:
        return "missing", "not on record: the next up makes it"
    different = [
        f"{key}: {_shown(there.get(key))} is on record" for key in one.wanted if _differs(there, one, key)
    ]
    if different:
        return "drift", "; ".join(different)
    if plan.get(found.name, "same") != "same":
        return "drift", f"the next up would {plan[found.name]} it"
    return "right", ""


def _is(record: Recorded, one: WantedObject) -> bool:
    if record.kind not in one.kind_on_record:
        return False
    return one.key is None or str(record.properties.get(one.key[0], "")).lower() == one.key[1].lower()


def _differs(there: Mapping[str, Any], one: WantedObject, key: str) -> bool:
    return bool(_normal(there.get(key)) != _normal(one.wanted[key]))


def _normal(value: Any) -> Any:
    """Order and case are nothing to the user interfaces, and neither is whether a number is whole."""
    if isinstance(value, Mapping):
        return {key: _normal(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return sorted((_normal(inner) for inner in value), key=repr)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.lower() if isinstance(value, str) else value


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(inner) for inner in value) or "nothing"
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    return str(value)


def _objects(settings: Settings) -> Iterator[WantedObject]:
    """In the order of the guide's rows."""
    yield from inbound_objects.tenant(settings)
    yield from inbound_objects.tables(settings)
    yield from inbound_objects.mx_records(settings)
    if settings.outbound.smart_hosts:
        yield from outbound_objects.relay(settings)
        yield from outbound_objects.tenant(settings, settings.outbound.smart_hosts)
        yield outbound_objects.message_filter(settings)
    yield outbound_objects.ciphers(settings)
    if settings.lockdown != "open":
        yield outbound_objects.lock_down(settings)
