"""`up`, then `destroy`: gateway and tenant are as they were, whatever was there before and happened in between."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pulumi
import pytest

from components import inbound_mail_flow, outbound_mail_flow
from lab.estate import Estate
from lab.tenant.practice import OUTBOUND_SECRET
from tests.hands import DOMAIN, SHOP, TAKE_OVER, THEIR_SECRET, THINGS, fill_domain_with_others
from tests.mini_engine import Refused
from tests.protocol.way_back_life import Before, Stack, World, changed, domains, ours, values

MAKES = ("smtp-routes", "recipient-access", "destination-controls", "inbound-connector", "inbound-rule",
         "outbound-tls", "sender-group", "mail-flow-policy", "outbound-filter", "outbound-connector", "outbound-rule")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Estate(tmp_path_factory.mktemp("way-back") / ".lab") as estate:
        yield World(estate)


def as_before(world: World, before: str) -> bool:
    """Whether the estate is as it was; if not, pytest shows which objects are not."""
    wrong = changed(before, world.estate.dump())
    assert wrong == []
    return world.estate.dump() == before


# --- what was there before --------------------------------------------------------------------------------------


def test_nothing_was_there(world: World) -> None:
    before = world.begin("absent")
    stack = Stack(world.estate, values())
    stack.up()
    assert set(ours(world.estate.dump())) == {thing.heading for thing in THINGS.values()}
    assert stack.up().operations() == {}
    stack.engine.destroy()
    assert as_before(world, before)


def test_all_of_it_was_there_and_right(world: World) -> None:
    before = world.begin("equal")
    stack = Stack(world.estate, values())
    mark = world.estate.journal.mark()
    said = " ".join(stack.up().lines)
    for label in ("SMTP route", "inbound connector", "transport rule", "sender group", "outbound filter"):
        assert f"{label} «" in said
    stack.engine.destroy()
    assert as_before(world, before)
    assert not world.estate.journal.count("gateway", "commit", since=mark)
    assert not world.estate.journal.count("tenant", "effect", since=mark)


def test_what_was_there_and_differs_is_refused_in_the_preview(world: World) -> None:
    before = world.begin("different")
    with pytest.raises(Refused) as refused:
        Stack(world.estate, values()).engine.preview()
    said = str(refused.value)
    for thing in THINGS.values():
        if thing.resource != "outbound-tls":  # ciphers: set is the word for that
            assert re.search(rf"(?m)^{thing.resource}: .*differs.*add {re.escape(thing.take_over)} to", said)
    assert said.count("theirs ") >= len(THINGS) - 2  # a filter is a secret as a whole
    assert OUTBOUND_SECRET not in said
    assert THEIR_SECRET not in said
    assert as_before(world, before)


def test_what_was_there_and_differs_is_taken_over_and_put_back(world: World) -> None:
    _, reference = world.stack("absent")
    before = world.begin("different")
    stack = Stack(world.estate, values(takeOver=list(TAKE_OVER)))
    stack.up()
    assert ours(world.estate.dump()) == ours(reference.after_dump)
    assert stack.up().operations() == {}
    stack.engine.destroy()
    assert as_before(world, before)


# --- by hand in between -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, thing in THINGS.items() if thing.remove])
@pytest.mark.parametrize("before", ["absent", "different"])
def test_one_thing_is_deleted_by_hand_then_all_refreshed_and_destroyed(
    world: World, before: Before, name: str
) -> None:
    stack, known = world.stack(before)
    thing = THINGS[name]
    assert thing.remove is not None
    thing.remove(world.estate)
    assert changed(known.after_dump, world.estate.dump())
    stack.refresh_and_destroy()
    assert as_before(world, known.before_dump)


@pytest.mark.parametrize("name", THINGS)
@pytest.mark.parametrize("before", ["absent", "different"])
def test_what_a_hand_changed_is_not_overwritten_unseen(world: World, before: Before, name: str) -> None:
    stack, known = world.stack(before)
    thing = THINGS[name]
    thing.change(world.estate)
    theirs = ours(world.estate.dump())[thing.heading]
    assert theirs != ours(known.after_dump)[thing.heading]
    with pytest.raises(Refused, match=r"changed since the last run.*`pulumi refresh`") as refused:
        stack.engine.destroy()
    assert OUTBOUND_SECRET not in str(refused.value)
    assert ours(world.estate.dump())[thing.heading] == theirs
    assert thing.resource in stack.engine.state
    stack.refresh_and_destroy()
    assert as_before(world, known.before_dump)
