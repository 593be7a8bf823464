"""While ten messages a second flow each way and Microsoft lags, no change of the way out loses one.

Each way has a twin with the safe step left out, by a setting or by hand in the wrong order: there mail is
lost. So a way that loses nothing does so because of that step, and the traffic would show it.
"""

from __future__ import annotations

import pytest

from tests.estate import flowing
from tests.estate.flowing import (
    LONG_LAG,
    LONG_TTL,
    NEW_SECRET,
    NO_CONNECTOR,
    NONE,
    OLD_SECRET,
    OUT_AT_ONCE,
    OUTBOUND,
    PILOT,
    RULES_FIRST,
    SPREAD,
    TOO_SHORT,
    Ground,
    once_it_may,
)
from tests.estate.traffic import DATA2
from tests.mail_stack import DOMAIN, Changes

pytestmark = pytest.mark.timeout(120)
all_ground, ground = flowing.all_ground, flowing.ground


# --- the secret ---------------------------------------------------------------------------------------------


def test_rotation_of_the_secret_in_two_runs(ground: Ground) -> None:
    ground.begin(ground.carried)
    ground.lag(SPREAD)
    with ground.traffic() as traffic:
        ground.up({("outbound", "previousSecrets"): [OLD_SECRET]}, {"OUTBOUND_SECRET": NEW_SECRET})
        traffic.flow()
        ground.stack.set({("outbound", "previousSecrets"): None})
        once_it_may(ground.stack.up, "a secret would go too early")
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm() == {}


def test_twin_rotation_in_one_run(ground: Ground) -> None:
    ground.begin(ground.carried)
    acknowledged = [{"what": "rotation", "until": "2999-12-31"}]
    with ground.traffic() as traffic:
        ground.up({("acknowledge",): acknowledged}, {"OUTBOUND_SECRET": NEW_SECRET})
        traffic.flow()
    assert set(traffic.harm()) == {"outbound dropped"}


# --- outbound -----------------------------------------------------------------------------------------------


def test_outbound_on_and_off_and_all_of_it_away(ground: Ground) -> None:
    ground.begin(ground.carried, NONE)
    ground.lag(SPREAD)
    with ground.traffic() as traffic:
        ground.up({("outbound", "state"): "all"})
        traffic.flow()
        ground.up(NONE)
        ground.up(NO_CONNECTOR)
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_filter_and_connector_go_while_the_rule_still_acts(ground: Ground) -> None:
    ground.begin(ground.carried, {("settle", "rule"): TOO_SHORT})
    ground.lag(LONG_LAG)
    with ground.traffic() as traffic:
        ground.up(NONE)
        ground.up(NO_CONNECTOR)
        traffic.flow()
    assert "outbound lost" in traffic.harm(through=())


def test_outbound_on_in_the_run_that_makes_the_connector(ground: Ground) -> None:
    """Microsoft learns of rules sooner than of connectors; the rule waits until it knows the connector."""
    ground.begin(ground.carried, OUT_AT_ONCE)
    ground.lag(RULES_FIRST)
    changes: Changes = {("outbound", "smartHosts"): [DATA2], ("outbound", "state"): "all"}
    with ground.traffic() as traffic:
        ground.up({**changes, ("settle", "rule"): "4s"})  # WhenChanged has whole seconds, and lags are long
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_the_rule_waits_too_short_for_its_connector(ground: Ground) -> None:
    ground.begin(ground.carried, OUT_AT_ONCE)
    ground.lag({**RULES_FIRST, "outbound": 5.0})
    changes: Changes = {
        ("outbound", "smartHosts"): [DATA2],
        ("outbound", "state"): "all",
        ("settle", "rule"): TOO_SHORT,
    }
    with ground.traffic() as traffic:
        ground.up(changes)
        traffic.flow()
    assert set(traffic.harm(through=())) == {"header outside"}


def test_twin_the_rule_comes_before_the_gateways_part(ground: Ground) -> None:
    ground.begin(ground.untouched)
    with ground.traffic() as traffic:
        ground.by_hand("jk")
        traffic.flow(20)
        ground.by_hand("hil")
        traffic.flow()
    assert set(traffic.harm(through=())) == {"outbound lost", "header outside"}


def test_from_a_pilot_group_to_all(ground: Ground) -> None:
    ground.begin(ground.carried, {**NONE, ("outbound", "pilotGroup"): f"mail-pilot@{DOMAIN}"})
    ground.up({("outbound", "state"): "pilot", ("checks", "mailbox"): PILOT})
    ground.estate.tenant.store.settle()
    with ground.traffic("staff", "pilot") as traffic:
        ground.up({("outbound", "state"): "all"})
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=[PILOT]) == {}


def test_twin_the_pilots_rule_is_made_anew(ground: Ground) -> None:
    ground.begin(ground.carried)
    with ground.traffic("pilot") as traffic:
        ground.tenant("Remove-TransportRule", Identity=OUTBOUND)
        traffic.flow(20)
        ground.by_hand("k")
        traffic.flow()
    assert set(traffic.harm(through=[PILOT])) == {"past the gateway"}


# --- everything ---------------------------------------------------------------------------------------------


def test_destroy(ground: Ground) -> None:
    ground.begin(ground.carried)
    ground.lag(SPREAD)
    with ground.traffic() as traffic:
        ground.stack.destroy(freed=True)
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_destroy_that_waits_for_nothing(ground: Ground) -> None:
    short: Changes = {("settle", "rule"): TOO_SHORT, ("settle", "mx"): TOO_SHORT, ("dns", "ttl"): LONG_TTL}
    ground.begin(ground.carried, short)
    ground.lag(LONG_LAG)
    with ground.traffic() as traffic:
        ground.stack.destroy(freed=True)
        traffic.flow()
    harm = traffic.harm(through=())
    assert "inbound lost" in harm
    assert {"outbound lost", "header outside"} & harm.keys()
