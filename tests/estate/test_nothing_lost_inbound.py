"""While ten messages a second flow each way and Microsoft lags, no change of the way in loses one.

Each way has a twin with the safe step left out, by a setting or by hand in the wrong order: there mail is
lost. So a way that loses nothing does so because of that step, and the traffic would show it.
"""

from __future__ import annotations

import pytest

from tests.estate import flowing
from tests.estate.flowing import (
    CLOSED,
    GATEWAY_MX,
    INBOUND,
    LONG_LAG,
    LONG_TTL,
    LONGEST_LAG,
    MICROSOFT_MX,
    NONE,
    PASSERS_ARE_KNOWN,
    TOO_SHORT,
    Ground,
    once_it_may,
)
from tests.estate.traffic import PATIENCE, wait_for
from tests.mail_stack import DOMAIN, Changes

pytestmark = pytest.mark.timeout(120)
all_ground, ground = flowing.all_ground, flowing.ground


# --- inbound ------------------------------------------------------------------------------------------------

BOUNCES_SOON = 2.0
"""Seconds that the gateway tries a message: longer than a connection that began before a commit may last."""


def test_cut_over_and_back(ground: Ground) -> None:
    """The very first run, all of it, and the MX back at Microsoft."""
    ground.begin(ground.untouched)
    with ground.traffic() as traffic:
        ground.up({})
        traffic.flow()
        ground.up({("domains", DOMAIN, "mx"): "microsoft"})
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_the_mx_moves_before_the_gateway_takes_the_domain(ground: Ground) -> None:
    ground.begin(ground.untouched)
    with ground.traffic() as traffic:
        ground.mx(GATEWAY_MX)
        wait_for(lambda: not any(MICROSOFT_MX.endswith(host) for host in traffic.hosts()), "the MX has moved")
        traffic.flow()
        ground.by_hand("dec")
        traffic.flow()
    assert set(traffic.harm(through=())) == {"inbound lost"}


def test_twin_the_gateways_part_goes_while_resolvers_hold_its_mx(ground: Ground) -> None:
    ground.begin(ground.carried, {("dns", "ttl"): LONG_TTL, ("settle", "mx"): TOO_SHORT})
    with ground.traffic() as traffic:
        ground.stack.destroy(freed=True)
        traffic.flow()
    assert set(traffic.harm(through=())) == {"inbound lost"}


def test_first_run_while_the_mx_points_at_the_gateway_and_all_away_again(ground: Ground) -> None:
    """A gateway in use, by somebody's hands, that delivers without TLS; the MX stays where it was."""
    ground.begin(ground.untouched)
    ground.by_hand("de")
    ground.mx(GATEWAY_MX)
    ground.estate.gateway.queue_seconds = BOUNCES_SOON
    with ground.traffic() as traffic:
        ground.up({})
        traffic.flow()
        ground.estate.gateway.queue_seconds = PATIENCE  # for a lag it is asked for TLS that it uses no more
        ground.stack.destroy(freed=True)
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_a_connector_that_demands_tls_of_a_gateway_that_uses_none(ground: Ground) -> None:
    ground.begin(ground.untouched)
    ground.by_hand("de")
    ground.mx(GATEWAY_MX)
    ground.estate.gateway.queue_seconds = BOUNCES_SOON
    mark = ground.estate.journal.mark()
    with ground.traffic() as traffic:
        ground.by_hand("b")
        ground.estate.journal.wait_for(lambda event: event.kind == "bounced", 10, since=mark)
        ground.by_hand("c")
        traffic.flow()
    assert set(traffic.harm(through=())) == {"inbound lost"}


# --- the side entrance --------------------------------------------------------------------------------------


def test_lock_down_right_after_the_mx_has_moved(ground: Ground) -> None:
    """Some still deliver past the gateway, until the old MX has passed everywhere."""
    ground.begin(ground.carried, {("domains", DOMAIN, "mx"): "microsoft", ("dns", "ttl"): 8})
    with ground.traffic() as traffic:
        ground.up({("domains", DOMAIN, "mx"): "gateway"})
        ground.stack.set({**CLOSED, **PASSERS_ARE_KNOWN})
        once_it_may(ground.stack.up, "its old time to live has not passed")
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm() == {}


def test_twin_lock_down_while_resolvers_hold_the_old_mx(ground: Ground) -> None:
    long: Changes = {("dns", "ttl"): LONG_TTL, ("settle", "mx"): TOO_SHORT}
    ground.begin(ground.carried, {("domains", DOMAIN, "mx"): "microsoft", **long})
    with ground.traffic() as traffic:
        ground.up({("domains", DOMAIN, "mx"): "gateway"})
        ground.stack.set({**CLOSED, **PASSERS_ARE_KNOWN})
        once_it_may(ground.stack.up, "its old time to live has not passed")
        traffic.flow(20)
    assert set(traffic.harm()) == {"inbound lost"}


def test_lock_down_and_back_with_the_mx_at_once(ground: Ground) -> None:
    ground.begin(ground.carried)
    ground.lag(LONGEST_LAG)
    with ground.traffic() as traffic:
        ground.up(CLOSED)
        traffic.flow()
        ground.up({("lockdown",): "open", ("domains", DOMAIN, "mx"): "microsoft"})
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm() == {}


def test_destroy_of_what_is_locked_down(ground: Ground) -> None:
    """Without a rule whose settle time would cover that of the lock-down."""
    ground.begin(ground.carried, {**CLOSED, **NONE})
    ground.estate.tenant.store.settle()
    ground.lag(LONGEST_LAG)
    with ground.traffic() as traffic:
        ground.stack.destroy(freed=True)
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_destroy_while_microsoft_still_refuses(ground: Ground) -> None:
    ground.begin(ground.carried, {**CLOSED, **NONE, ("settle", "rule"): TOO_SHORT})
    ground.estate.tenant.store.settle()
    ground.lag(LONG_LAG)
    with ground.traffic() as traffic:
        ground.stack.destroy(freed=True)
        traffic.flow()
    assert set(traffic.harm(through=())) == {"inbound lost"}


def test_twin_lock_down_before_the_mx_has_moved(ground: Ground) -> None:
    ground.begin(ground.carried, {("domains", DOMAIN, "mx"): "microsoft"})
    with ground.traffic() as traffic:
        ground.tenant("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToIPAddresses=True)
        traffic.flow(20)
    assert set(traffic.harm()) == {"inbound lost"}


def test_twin_the_mx_goes_back_before_the_lock_down_is_off_everywhere(ground: Ground) -> None:
    ground.begin(ground.carried, {**CLOSED, ("settle", "rule"): TOO_SHORT})
    ground.estate.tenant.store.settle()
    ground.lag(LONG_LAG)
    with ground.traffic() as traffic:
        ground.up({("lockdown",): "open", ("domains", DOMAIN, "mx"): "microsoft"})
        traffic.flow()
    assert set(traffic.harm()) == {"inbound lost"}
