"""Where a rule stands. Exchange runs rules in order, 0 first; a number that is taken shifts the rest.

Absolute numbers are others' business too: only what stands above what counts.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import Rows, named
from dynamic_providers.field_types import ExchangeName, Flag
from dynamic_providers.model import Model
from dynamic_providers.neighbours import place_among

RIGHT: Final = "right"


class Placement(Model):
    """Where a rule must stand.

    `top`: first when it is made; later wrong only while an enabled rule, not of `besides`, stands above it.
    `below`: anywhere below the rule of that name, if there is one.
    """

    top: Flag = False
    besides: tuple[ExchangeName, ...] = ()
    below: ExchangeName | None = None


def priority_of(row: Row) -> int:
    """A rule's number."""
    return int(row["Priority"])


def in_order(rows: Rows) -> list[Row]:
    """Rules as Exchange runs them."""
    return sorted(rows, key=priority_of)


def state_of(row: Row) -> str:
    """Enabled or Disabled, whatever the case that it is shown in."""
    return "Enabled" if str(row.get("State", "")).casefold() == "enabled" else "Disabled"


def position(row: Row, rows: Rows, placement: Mapping[str, Any]) -> str:
    """«right», or what is wrong with where it stands, in words."""
    above = _wrongly_above(row, rows, placement)
    if above is not None:
        return f"below the enabled rule «{above['Name']}»"
    top = _must_be_below(row, rows, placement)
    return f"above the rule «{top['Name']}»" if top is not None else RIGHT


def _wrongly_above(row: Row, rows: Rows, placement: Mapping[str, Any]) -> Row | None:
    if not placement.get("top"):
        return None
    besides = {name.casefold() for name in placement.get("besides", [])}
    enabled = (one for one in in_order(rows) if state_of(one) == "Enabled")
    above = (one for one in enabled if priority_of(one) < priority_of(row))
    return next((one for one in above if str(one["Name"]).casefold() not in besides), None)


def _must_be_below(row: Row, rows: Rows, placement: Mapping[str, Any]) -> Row | None:
    """The rule that must stand above, and does not."""
    top = named(rows, placement["below"]) if placement.get("below") else None
    return top if top is not None and priority_of(row) < priority_of(top) else None


def right_priority(row: Row, rows: Rows, placement: Mapping[str, Any]) -> int:
    """The number to give it: its own where it stands right. Taking a used number shifts the rest."""
    found = _wrongly_above(row, rows, placement) or _must_be_below(row, rows, placement)
    return priority_of(row if found is None else found)


def old_priority(row: Row | None, rows: Rows, raw: Mapping[str, Any], siblings: Iterable[str] = ()) -> int:
    """The number that puts a rule back among its old neighbours. `siblings` are rules of ours."""
    order = in_order(rows)
    others = [str(one["Name"]).casefold() for one in order if row is None or one["Name"] != row["Name"]]
    above, below = ([name.casefold() for name in raw[side]] for side in ("above", "below"))
    now = None if row is None else sum(1 for one in rows if priority_of(one) < priority_of(row))
    at = place_among(others, above, below, now=now, moving=[name.casefold() for name in siblings])
    return priority_of(row) if row is not None and at == now else at


def siblings_of(placement: Mapping[str, Any]) -> set[str]:
    """The rules of ours that a placement names."""
    below = placement.get("below")
    return {*placement.get("besides", []), *([below] if below else [])}
