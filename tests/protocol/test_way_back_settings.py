"""Settings that change and change back, then `destroy`: both sides are as they were."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping

import pytest

from lab.tenant.practice import OUTBOUND_SECRET
from tests.hands.names import DOMAIN, SHOP
from tests.hands.others import fill_domain_with_others
from tests.hands.things import THINGS
from tests.mini_engine import Refused
from tests.protocol import way_back_life
from tests.protocol.way_back_life import (
    OTHER_NAMES,
    Before,
    Stack,
    Values,
    World,
    as_before,
    changed,
    domains,
    merged,
    ours,
    values,
)

world = way_back_life.world


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
    stack.destroy()
    assert as_before(world, before)


CHANGES: Mapping[str, Values] = {
    "tighter throttle": {"inbound": {"throttle": {"connections": 2, "messagesPerConnection": 3}}},
    "no throttle": {"inbound": {"throttle": "none"}},
    "sender addresses": {"inbound": {"senderAddresses": ["192.0.2.200", "192.0.2.128/25"]}},
    "smart hosts": {"outbound": {"smartHosts": ["mx1.bce-demo.example", "203.0.113.80"]}},
    "ciphers only compared": {"outbound": {"ciphers": "check"}},
    "another ticket": {"change": {"ticket": "DEMO-2"}},
    "inbound connector": {"names": {"inboundConnector": "From IronPort"}},
    "outbound connector": {"names": {"outboundConnector": "To IronPort"}},
    "inbound rule": {"names": {"inboundRule": "Bypass for IronPort"}},
    "outbound rule": {"names": {"outboundRule": "Through IronPort"}},
    "sender group": {"names": {"senderGroup": "FROM_M365"}},
    "mail flow policy": {"names": {"mailFlowPolicy": "BLOCKED"}},
    "filter": {"names": {"filter": "m365_only"}},
    "all names": {"names": OTHER_NAMES},
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
    stack.destroy()
    assert as_before(world, known.before_dump)
    stack.engine.load(halfway[0])
    world.estate.restore(halfway[1])
    stack.destroy()
    assert as_before(world, known.before_dump)


def up_when_settled(stack: Stack, wanted: Values) -> None:
    """Up as soon as the settle time lets a secret go."""
    deadline = time.monotonic() + 10
    while True:
        try:
            stack.up(wanted)
        except Refused as refused:
            if "too early" not in str(refused) or time.monotonic() > deadline:
                raise
            threading.Event().wait(0.1)
        else:
            return


@pytest.mark.parametrize("before", ["absent", "different"])
def test_the_secret_is_changed_in_three_steps(world: World, before: Before) -> None:
    """The gateway takes old and new, the rule sends the new one, the old one goes; and never in one step."""
    stack, known = world.stack(before)
    first = stack.wanted
    new = "anothersecretkey"
    both = merged(first, {"outbound": {"previousSecrets": [new]}})
    new_first = merged(first, {"outbound": {"previousSecrets": [OUTBOUND_SECRET]}})
    for secret, wanted in ((OUTBOUND_SECRET, both), (new, new_first), (new, first)):
        stack.secret = secret
        up_when_settled(stack, wanted)
        assert stack.engine.preview().operations() == {}
    assert ours(world.estate.dump()).keys() == ours(known.after_dump).keys()
    stack.secret = OUTBOUND_SECRET
    with pytest.raises(Refused, match="still sends a secret that the gateway would no longer accept"):
        stack.up(first)
    stack.secret = new
    stack.destroy()
    assert as_before(world, known.before_dump)


@pytest.mark.parametrize("before", ["absent", "different"])
def test_outbound_none_takes_away_the_rule_alone(world: World, before: Before) -> None:
    stack, known = world.stack(before)
    first = stack.wanted
    none = stack.up(merged(first, {"outbound": {"state": "none"}}))
    assert none.operations() == {"guard": "update", "outbound-rule": "delete", "sender-policy": "delete"}
    rule = THINGS["outbound rule"].heading
    now = ours(world.estate.dump())
    assert {k: v for k, v in now.items() if k != rule} == {
        k: v for k, v in ours(known.after_dump).items() if k != rule
    }
    assert now.get(rule) == ours(known.before_dump).get(rule)
    again = {"guard": "update", "outbound-rule": "create", "sender-policy": "create"}
    assert stack.up(first).operations() == again
    assert ours(world.estate.dump()) == ours(known.after_dump)
    stack.destroy()
    assert as_before(world, known.before_dump)
