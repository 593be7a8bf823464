"""When a change counts for mail: never before its time, in order, and at once where no time is set."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from lab.tenant.foreign import furnish
from lab.tenant.mail.configuration import in_effect
from lab.tenant.practice import BCE_DEMO
from lab.tenant.session import Session
from lab.tenant.store import RULES, Store
from lab.tenant.switches import Seconds, Switches


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with patch("lab.tenant.store.time", clock):
        yield clock


@pytest.fixture
def store() -> Store:
    switches = Switches()
    made = Store(switches)
    furnish(made, switches, BCE_DEMO)
    return made


def rename(store: Store, name: str) -> None:
    """What a cmdlet does to the first rule."""
    session = Session(store, store.switches, "a test", by_hand=True)
    session.changing(RULES)[0]["Name"] = name


def first(store: Store) -> str:
    return str(in_effect(store).rules[0]["Name"])


def test_without_a_time_changes_count_at_once(store: Store) -> None:
    rename(store, "one")
    assert first(store) == "one"
    rename(store, "two")
    assert first(store) == "two"


def test_each_change_counts_when_its_time_is_over(clock: Clock, store: Store) -> None:
    store.switches.propagation_seconds = 60.0
    before = first(store)
    rename(store, "one")
    clock.now += 30
    rename(store, "two")
    seen = []
    for _ in range(7):
        seen.append(first(store))
        clock.now += 10
    assert seen == [before] * 3 + ["one"] * 3 + ["two"]


@pytest.mark.parametrize(
    "given", [(60.0, 120.0), {RULES: (60.0, 120.0)}], ids=["for every table", "for this table"]
)
def test_between_two_bounds_it_may_count_and_then_it_does(
    clock: Clock, store: Store, given: Seconds | dict[str, Seconds]
) -> None:
    store.switches.propagation_seconds = given
    before = first(store)
    rename(store, "one")
    clock.now += 59.9
    assert first(store) == before
    clock.now += 60.2
    assert first(store) == "one"


def test_another_tables_time_is_none_of_its_business(store: Store) -> None:
    store.switches.propagation_seconds = {"inbound": 3600.0}
    rename(store, "one")
    assert first(store) == "one"


def test_the_first_state_and_a_restored_one_count_at_once(store: Store) -> None:
    store.switches.propagation_seconds = 3600.0
    before, snapshot = first(store), store.snapshot()
    rename(store, "one")
    assert first(store) == before
    store.settle()
    assert first(store) == "one"
    rename(store, "two")
    store.restore(snapshot)
    assert first(store) == before


def test_what_was_handed_out_is_not_touched_by_a_later_write(store: Store) -> None:
    configuration = in_effect(store)
    name = configuration.rules[0]["Name"]
    rename(store, "one")
    assert configuration.rules[0]["Name"] == name
