"""Where a rule stands: what is wrong, how it is put right, and how it goes back to where it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamic_providers.exchange import rule_order as rules
from dynamic_providers.exchange.rule_parameters import PREDICATES
from dynamic_providers.exchange.transport_rule import _unknown

OURS = "Ours"
NAMES = ("Ours", "Probe", "A", "B", "C", "D")


def row(name: str, priority: int, state: str = "Enabled") -> dict[str, Any]:
    return {"Name": name, "Identity": name, "Priority": priority, "State": state}


def tenant(names: list[str], disabled: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    return [row(name, at, "Disabled" if name in disabled else "Enabled") for at, name in enumerate(names)]


def moved(rows: list[dict[str, Any]], name: str, priority: int) -> list[dict[str, Any]]:
    """What Set-TransportRule -Priority does: taking a used number shifts the rest."""
    order = [one["Name"] for one in sorted(rows, key=lambda one: int(one["Priority"]))]
    states = {one["Name"]: one["State"] for one in rows}
    order.remove(name)
    order.insert(priority, name)
    return [row(one, at, states[one]) for at, one in enumerate(order)]


def own(rows: list[dict[str, Any]], name: str = OURS) -> dict[str, Any]:
    return next(one for one in rows if one["Name"] == name)


orders = st.permutations(NAMES).map(list)
some = st.frozensets(st.sampled_from(NAMES))


@given(
    orders, some, st.sampled_from([{"top": True}, {"top": True, "besides": ["probe"]}, {"below": "A"}, {}])
)
def test_one_move_puts_it_right_and_none_is_needed_then(
    names: list[str], disabled: frozenset[str], placement: dict[str, Any]
) -> None:
    rows = tenant(names, disabled)
    right = rules.right_priority(own(rows), rows, placement)
    if rules.position(own(rows), rows, placement) == rules.RIGHT:
        assert right == own(rows)["Priority"]
        return
    after = moved(rows, OURS, right)
    assert rules.position(own(after), after, placement) == rules.RIGHT
    assert rules.right_priority(own(after), after, placement) == own(after)["Priority"]


@given(orders, some)
def test_first_means_that_only_what_does_nothing_or_is_ours_stands_above(
    names: list[str], disabled: frozenset[str]
) -> None:
    rows = tenant(names, disabled)
    above = set(names[: names.index(OURS)]) - disabled - {"Probe"}
    position = rules.position(own(rows), rows, {"top": True, "besides": ["Probe"]})
    assert (position == rules.RIGHT) == (not above)


@given(orders, st.integers(0, len(NAMES) - 1))
def test_the_way_back_restores_the_order(names: list[str], priority: int) -> None:
    at = names.index(OURS)
    raw = {"above": names[:at], "below": names[at + 1 :]}
    after = moved(tenant(names), OURS, priority)
    back = moved(after, OURS, rules.old_priority(own(after), after, raw))
    assert [one["Name"] for one in back] == names
    gone = [one for one in moved(after, OURS, len(NAMES) - 1) if one["Name"] != OURS]
    assert rules.old_priority(None, gone, raw) == at


@given(orders, some, st.integers(0, len(NAMES) - 1))
def test_the_way_back_with_neighbours_gone(names: list[str], lost: frozenset[str], priority: int) -> None:
    lost -= {OURS}
    at = names.index(OURS)
    raw = {"above": names[:at], "below": names[at + 1 :]}
    left = [one for one in names if one not in lost]
    after = moved(tenant(left), OURS, min(priority, len(left) - 1))
    back = moved(after, OURS, rules.old_priority(own(after), after, raw))
    assert [one["Name"] for one in back] == left


@given(orders, st.integers(0, len(NAMES) - 1), st.integers(0, len(NAMES) - 1), st.booleans(), some)
def test_two_of_ours_go_back_one_after_the_other(
    names: list[str],
    first: int,
    second: int,
    swapped: bool,  # noqa: FBT001
    gone: frozenset[str],
) -> None:
    both = ["Ours", "Probe"]
    at = {name: names.index(name) for name in both}
    raw = {name: {"above": names[: at[name]], "below": names[at[name] + 1 :]} for name in both}
    rows = moved(moved(tenant(names), "Ours", first), "Probe", second)
    rows = [one for one in rows if one["Name"] not in gone & {*both}]
    rows = tenant([str(one["Name"]) for one in rows])
    for name in reversed(both) if swapped else both:
        there = next((one for one in rows if one["Name"] == name), None)
        back = rules.old_priority(there, rows, raw[name], both)
        rows = moved(rows if there else [*rows, row(name, len(rows))], name, back)
    assert [one["Name"] for one in rows] == names


def test_who_still_stands_among_its_old_neighbours_is_not_moved() -> None:
    rows = tenant(["New", "A", "Ours", "Newer", "B"])
    assert rules.old_priority(own(rows), rows, {"above": ["A"], "below": ["B"]}) == 2


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        (None, ""),
        ([], ""),
        (["X.FromScopePredicate"], ""),
        (["X.FromScopePredicate", "X.MoonPhasePredicate"], "FromScopePredicate, MoonPhasePredicate"),
    ],
)
def test_a_condition_that_no_parameter_shows_is_found(listed: list[str] | None, text: str) -> None:
    rule = {"FromScope": "InOrganization", "Conditions": listed}
    assert _unknown(rule, "Conditions", PREDICATES) == text
