"""`up`, then `destroy`: both sides are as they were, whatever was there before and happened in between."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pulumi
import pytest

from components import inbound_mail_flow, outbound_mail_flow
from dynamic_providers.managed_resource import ManagedResource
from lab.tenant.practice import OUTBOUND_SECRET
from tests.hands.acts import in_tables
from tests.hands.names import DOMAIN, FILTER, SHOP
from tests.hands.others import THEIR_SECRET, fill_domain_with_others
from tests.hands.tables import put_filter
from tests.hands.things import TAKE_OVER, THINGS
from tests.mini_engine import Refused
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import running
from tests.protocol.way_back_life import Before, Stack, Values, World, changed, domains, merged, ours, values

MANAGED = [thing.resource for thing in THINGS.values()]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Nursery() as nursery, running("new") as estate:
        yield World(estate, nursery)


def as_before(world: World, before: str) -> bool:
    """Whether the estate is as it was; if not, pytest shows which objects are not."""
    wrong = changed(before, world.estate.dump())
    assert wrong == []
    return world.estate.dump() == before


# --- what was there before --------------------------------------------------------------------------------


def test_nothing_was_there(world: World) -> None:
    before = world.begin("absent")
    stack = Stack(world, values())
    stack.up()
    assert set(ours(world.estate.dump())) == {thing.heading for thing in THINGS.values()}
    assert stack.up().operations() == {}
    stack.engine.destroy()
    assert as_before(world, before)


def test_all_of_it_was_there_and_right(world: World) -> None:
    before = world.begin("equal")
    stack = Stack(world, values())
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
        Stack(world, values()).engine.preview()
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
    stack = Stack(world, values(takeOver=list(TAKE_OVER)))
    stack.up()
    assert ours(world.estate.dump()) == ours(reference.after_dump)
    assert stack.up().operations() == {}
    stack.engine.destroy()
    assert as_before(world, before)


OUR_SHAPE = (
    'if (sendergroup == "{group}") {{ if (header("X-OUTBOUND-AUTH") == "^{key}$")'
    ' {{ strip-header("X-OUTBOUND-AUTH"); }} else {{ drop(); }} }}'
)


UNANCHORED = ("RELAY_O365", THEIR_SECRET, True)
ANCHORED = pytest.mark.xfail(
    reason="a shared filter without ^ and $ round the group gets them when we write it, and keeps them: the "
    "record is kept by alternative, and says nothing where ours was not among them"
)
SHAPES = [
    pytest.param(group, key, active, marks=[ANCHORED] if (group, key, active) == UNANCHORED else [])
    for group in ("^RELAY_O365$", "RELAY_O365", "RELAYLIST")
    for key in (THEIR_SECRET, OUTBOUND_SECRET)
    for active in (True, False)
]


@pytest.mark.parametrize(("group", "key", "active"), SHAPES)
def test_a_filter_of_our_own_shape_was_there(world: World, group: str, key: str, active: bool) -> None:  # noqa: FBT001
    """Another stack's, an inactive one, the guide's copied literally: it goes on as it was."""
    world.untouched()
    text = f"{FILTER}: {OUR_SHAPE.format(group=group, key=key)}"
    in_tables(lambda tables: put_filter(tables, text, 1, active=active))(world.estate)
    before = world.estate.dump()
    stack = Stack(world, values())
    if "O365" not in group or not active:
        with pytest.raises(Refused, match=r"filter.*differs.*add filter to the setting takeOver"):
            stack.engine.preview()
        stack.wanted = values(takeOver=["filter"])
    stack.up()
    assert stack.engine.preview().operations() == {}
    stack.engine.destroy()
    assert as_before(world, before)


# --- by hand in between -----------------------------------------------------------------------------------


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


# --- resources that are renamed ---------------------------------------------------------------------------


@pytest.fixture
def rename(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give every resource of the program another logical name, with or without its old one as an alias."""

    def to(suffix: str, *, aliases: bool) -> None:
        for module in (inbound_mail_flow, outbound_mail_flow):
            for name, made in vars(module).copy().items():
                if isinstance(made, type) and issubclass(made, ManagedResource):
                    monkeypatch.setattr(module, name, renaming(made, suffix, aliases=aliases))

    return to


def renaming(made: Callable[..., object], suffix: str, *, aliases: bool) -> Callable[..., object]:
    def make(name: str, /, *arguments: Any, **named: Any) -> object:
        given = named.pop("opts", None)
        *rest, opts = (*arguments, given) if given else arguments
        known = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=name)] if aliases else [])
        return made(f"{name}{suffix}", *rest, **named, opts=pulumi.ResourceOptions.merge(opts, known))

    return make


def test_renamed_with_aliases_is_no_change(world: World, rename: Callable[..., None]) -> None:
    stack, known = world.stack("different")
    mark = world.estate.journal.mark()
    rename("-renamed", aliases=True)
    assert stack.engine.preview().operations() == {}
    assert stack.up().operations() == {}
    assert {*stack.engine.state} >= {f"{one}-renamed" for one in MANAGED}
    assert not world.estate.journal.count("gateway", "commit", since=mark)
    assert not world.estate.journal.count("tenant", "effect", since=mark)
    stack.engine.destroy()
    assert as_before(world, known.before_dump)


@pytest.mark.parametrize("before", ["absent", "different"])
def test_renamed_without_aliases_is_refused_and_nothing_is_lost(
    world: World, rename: Callable[..., None], before: Before
) -> None:
    stack, known = world.stack(before)
    rename("-renamed", aliases=False)
    for _ in range(2):  # the second up finds both in the state
        with pytest.raises(Refused, match=r"another logical name.*`aliases`.*`pulumi state delete`"):
            stack.up()
        assert as_before(world, known.after_dump)
    for name in MANAGED:
        del stack.engine.state[name]  # pulumi state delete
    assert stack.up().operations() == {}
    stack.refresh_and_destroy()
    assert as_before(world, known.before_dump)


def test_both_names_in_the_state_are_destroyed_once(world: World, rename: Callable[..., None]) -> None:
    stack, known = world.stack("different")
    rename("-renamed", aliases=False)
    with pytest.raises(Refused):
        stack.up()
    stack.engine.destroy()
    assert as_before(world, known.before_dump)


# --- settings that change and change back -----------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True], ids=["nothing under its name", "others under its name"])
def test_a_domain_is_added_later_and_removed_again(world: World, there: bool) -> None:  # noqa: FBT001
    world.begin("absent")
    if there:
        fill_domain_with_others(world.estate, SHOP)
    before = world.estate.dump()
    stack = Stack(world, values(domains=domains(DOMAIN)))
    stack.up()
    alone = world.estate.dump()
    if there:
        stack.wanted = values()
        with pytest.raises(Refused) as refused:
            stack.engine.preview()
        assert len(re.findall(rf"add \w+\.{re.escape(SHOP)} to", str(refused.value))) == 3
        assert f"«{DOMAIN}»" not in str(refused.value)
    tables = ("smtpRoutes", "recipientAccess", "destinationControls")
    stack.up(values(takeOver=[f"{table}.{SHOP}" for table in tables]))
    assert len(changed(alone, world.estate.dump())) == 3
    stack.up(values(domains=domains(DOMAIN)))
    assert as_before(world, alone)
    stack.engine.destroy()
    assert as_before(world, before)


CHANGES: Mapping[str, Values] = {
    "tighter throttle": {"inbound": {"throttle": {"connections": 2, "messagesPerConnection": 3}}},
    "no throttle": {"inbound": {"throttle": "none"}},
    "sender addresses": {"inbound": {"senderAddresses": ["192.0.2.200", "192.0.2.128/25"]}},
    "smart hosts": {"outbound": {"smartHosts": ["relay.bce-demo.example", "198.51.100.187"]}},
    "ciphers only compared": {"outbound": {"ciphers": "check"}},
    "another ticket": {"change": {"ticket": "DEMO-2"}},
    "inbound connector": {"names": {"inboundConnector": "From IronPort"}},
    "outbound connector": {"names": {"outboundConnector": "To IronPort"}},
    "inbound rule": {"names": {"inboundRule": "Bypass for IronPort"}},
    "outbound rule": {"names": {"outboundRule": "Through IronPort"}},
    "sender group": {"names": {"senderGroup": "FROM_M365"}},
    "mail flow policy": {"names": {"mailFlowPolicy": "BLOCKED"}},
    "filter": {"names": {"filter": "m365_only"}},
    "all names": {
        "names": {
            "inboundConnector": "From IronPort",
            "outboundConnector": "To IronPort",
            "inboundRule": "Bypass for IronPort",
            "outboundRule": "Through IronPort",
            "senderGroup": "FROM_M365",
            "filter": "m365_only",
        }
    },
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("before", ["absent", "different"])
def test_a_setting_changes_and_changes_back(world: World, before: Before, name: str) -> None:
    stack, known = world.stack(before)
    first = stack.wanted
    stack.up(merged(first, CHANGES[name]))
    assert stack.engine.preview().operations() == {}
    assert (changed(known.after_dump, world.estate.dump()) == []) == (name == "another ticket")
    halfway = stack.engine.saved(), world.estate.snapshot()
    stack.up(first)
    assert ours(world.estate.dump()) == ours(known.after_dump)
    stack.engine.destroy()
    assert as_before(world, known.before_dump)
    stack.engine.load(halfway[0])
    world.estate.restore(halfway[1])
    stack.engine.destroy()
    assert as_before(world, known.before_dump)


@pytest.mark.parametrize("before", ["absent", "different"])
def test_the_secret_is_changed_in_three_steps(world: World, before: Before) -> None:
    """The gateway takes old and new, the rule sends the new one, the old one goes; then back in one step."""
    stack, known = world.stack(before)
    first = stack.wanted
    new = "anothersecretkey"
    both = merged(first, {"outbound": {"previousSecrets": [new]}})
    new_first = merged(first, {"outbound": {"previousSecrets": [OUTBOUND_SECRET]}})
    for secret, wanted in ((OUTBOUND_SECRET, both), (new, new_first), (new, first)):
        stack.secret = secret
        stack.up(wanted)
        assert stack.engine.preview().operations() == {}
    assert ours(world.estate.dump()).keys() == ours(known.after_dump).keys()
    halfway = stack.engine.saved(), world.estate.snapshot()
    stack.engine.destroy()
    assert as_before(world, known.before_dump)
    stack.engine.load(halfway[0])
    world.estate.restore(halfway[1])
    stack.secret = OUTBOUND_SECRET  # in one step
    stack.up(first)
    assert ours(world.estate.dump()) == ours(known.after_dump)
    stack.engine.destroy()
    assert as_before(world, known.before_dump)


@pytest.mark.parametrize("before", ["absent", "different"])
def test_outbound_none_takes_away_the_rule_alone(world: World, before: Before) -> None:
    stack, known = world.stack(before)
    first = stack.wanted
    none = stack.up(merged(first, {"outbound": {"state": "none"}}))
    assert none.operations() == {"outbound-rule": "delete"}
    rule = THINGS["outbound rule"].heading
    now = ours(world.estate.dump())
    assert {k: v for k, v in now.items() if k != rule} == {
        k: v for k, v in ours(known.after_dump).items() if k != rule
    }
    assert now.get(rule) == ours(known.before_dump).get(rule)
    assert stack.up(first).operations() == {"outbound-rule": "create"}
    assert ours(world.estate.dump()) == ours(known.after_dump)
    stack.engine.destroy()
    assert as_before(world, known.before_dump)
