"""While ten messages a second flow each way and Microsoft lags, what our program changes loses none.

Each way has a twin with the safe step left out, by a setting or by hand in the wrong order: there mail is
lost. So a way that loses nothing does so because of that step, and the traffic would show it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from lab.estate import Estate, EstateSnapshot
from tests.estate.test_the_guide import do_by_hand, hand_transcript
from tests.estate.traffic import PATIENCE, Traffic, wait_for
from tests.mail_stack import DOMAIN, Changes, MailStack
from tests.mini_engine import Refused, StateFile
from tests.plugin_nursery import Nursery

LAG = (0.4, 1.0)
"""Seconds until Microsoft's side acts as it is told, for each change another time between these."""
SETTLE, LONGEST_LAG, TTL = "2s", 1.8, 2
TOO_SHORT, LONG_LAG, LONG_TTL = "1s", 30.0, 30
"""A settle time that does not last as long as what it waits for."""
QUICK: Mapping[str, Any] = {
    "token_latency": (0.0, 0.0),
    "read_latency": (0.0, 0.0),
    "write_latency": (0.0, 0.0),
    "expire_seconds": PATIENCE,
    "queue_seconds": PATIENCE,
    "propagation_seconds": LAG,
}
MICROSOFT_MX, GATEWAY_MX = "0 bce-demo-com.mail.protection.outlook.com", "10 mx1.bce-demo.example"
INBOUND, OUTBOUND = "Inbound from Cisco CES", "Outbound to Cisco CES"
NEW_SECRET, OLD_SECRET = "newSecretKey9", "mysecretkey"
PILOT = f"pilot@{DOMAIN}"

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True)
class Start:
    """A state that a test may begin from."""

    estate: EstateSnapshot
    engine: StateFile


class Ground:
    """One estate and one stack; `untouched` by us, and `carried`: all mail runs through the gateway."""

    def __init__(self, estate: Estate, nursery: Nursery) -> None:
        self.estate = estate
        self.mx(MICROSOFT_MX)
        times: Changes = {("settle", "rule"): SETTLE, ("settle", "mx"): "ttl", ("dns", "ttl"): TTL}
        self.stack = MailStack(nursery, estate, times)
        self._values, self._environment = copy.deepcopy(self.stack.values), self.stack.environment
        self.untouched = self._here()
        self.stack.up()
        self.carried = self._here()

    def _here(self) -> Start:
        return Start(self.estate.snapshot(), self.stack.saved())

    def begin(self, start: Start, changes: Changes | None = None) -> None:
        """Back to that state; with `changes` to the settings of it, if there are any."""
        self.estate.reset()
        self.estate.restore(start.estate)
        self.stack.load(start.engine)
        self.stack.values, self.stack.environment = copy.deepcopy(self._values), self._environment
        if changes:
            self.up(changes)

    def up(self, changes: Changes, environment: Mapping[str, str] | None = None) -> None:
        """Change settings and run it."""
        self.stack.set(changes, environment)
        self.stack.up()

    def mx(self, record: str, ttl: int = TTL) -> None:
        """Set the domain's MX by hand."""
        self.estate.internet.zones.set(DOMAIN, "MX", f"{record}.", ttl=ttl)

    def by_hand(self, rows: str) -> None:
        """The guide's steps of these rows, in this order."""
        steps = {step.title[-2]: step for step in hand_transcript()}
        for row in rows:
            do_by_hand(self.estate, steps[row])

    def tenant(self, cmdlet: str, **parameters: Any) -> None:
        """Another administrator's cmdlet."""
        self.estate.tenant.invoke_by_hand(cmdlet, **parameters)

    def lag(self, seconds: float) -> None:
        """How long Microsoft's side takes from now on."""
        self.estate.tenant.switches.propagation_seconds = seconds

    def traffic(self, *users: str) -> Traffic:
        return Traffic(self.estate, DOMAIN, users or ("staff",))


@pytest.fixture(scope="module")
def all_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("flowing")
    with Estate(folder / ".lab", **QUICK) as estate, Nursery() as nursery:
        yield Ground(estate, nursery)


@pytest.fixture
def ground(all_ground: Ground) -> Ground:
    return all_ground


def once_it_may(run: Callable[[], object], refusal: str) -> None:
    """Run it again and again while it is refused for that reason."""

    def may() -> bool:
        try:
            run()
        except Refused as refused:
            if refusal not in str(refused):
                raise
            return False
        return True

    wait_for(may, "it is refused no more")


# --- the secret ---------------------------------------------------------------------------------------------


def test_rotation_of_the_secret_in_two_runs(ground: Ground) -> None:
    ground.begin(ground.carried)
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


# --- inbound ------------------------------------------------------------------------------------------------


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
        ground.stack.destroy()
        traffic.flow()
    assert set(traffic.harm(through=())) == {"inbound lost"}


def test_first_run_while_the_mx_points_at_the_gateway(ground: Ground) -> None:
    """A gateway in use, by somebody's hands, that delivers without TLS."""
    ground.begin(ground.untouched)
    ground.by_hand("de")
    ground.mx(GATEWAY_MX)
    ground.estate.gateway.queue_seconds = 0.0  # it bounces what is put off once
    with ground.traffic() as traffic:
        ground.up({})
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_a_connector_that_demands_tls_of_a_gateway_that_uses_none(ground: Ground) -> None:
    ground.begin(ground.untouched)
    ground.by_hand("de")
    ground.mx(GATEWAY_MX)
    ground.estate.gateway.queue_seconds = 0.0
    mark = ground.estate.journal.mark()
    with ground.traffic() as traffic:
        ground.by_hand("b")
        ground.estate.journal.wait_for(lambda event: event.kind == "bounced", 10, since=mark)
        ground.by_hand("c")
        traffic.flow()
    assert set(traffic.harm(through=())) == {"inbound lost"}


# --- outbound -----------------------------------------------------------------------------------------------

NONE: Changes = {("outbound", "state"): "none"}


def test_outbound_on_and_off_and_all_of_it_away(ground: Ground) -> None:
    ground.begin(ground.carried, NONE)
    with ground.traffic() as traffic:
        ground.up({("outbound", "state"): "all"})
        traffic.flow()
        ground.up(NONE)
        ground.up({("outbound", "smartHosts"): None})
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_filter_and_connector_go_while_the_rule_still_acts(ground: Ground) -> None:
    ground.begin(ground.carried, {("settle", "rule"): TOO_SHORT})
    ground.lag(LONG_LAG)
    with ground.traffic() as traffic:
        ground.up(NONE)
        ground.up({("outbound", "smartHosts"): None})
        traffic.flow()
    assert set(traffic.harm(through=())) <= {"outbound lost", "header outside"}
    assert traffic.harm(through=()) != {}


def test_twin_the_rule_comes_before_the_gateways_part(ground: Ground) -> None:
    ground.begin(ground.untouched)
    with ground.traffic() as traffic:
        ground.by_hand("jk")
        traffic.flow(20)
        ground.by_hand("hil")
        traffic.flow()
    assert set(traffic.harm(through=())) <= {"outbound lost", "header outside"}
    assert traffic.harm(through=()) != {}


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
    with ground.traffic() as traffic:
        ground.stack.destroy()
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_destroy_that_waits_for_nothing(ground: Ground) -> None:
    short: Changes = {("settle", "rule"): TOO_SHORT, ("settle", "mx"): TOO_SHORT, ("dns", "ttl"): LONG_TTL}
    ground.begin(ground.carried, short)
    ground.lag(LONG_LAG)
    with ground.traffic() as traffic:
        ground.stack.destroy()
        traffic.flow()
    harm = traffic.harm(through=())
    assert "inbound lost" in harm
    assert {"outbound lost", "header outside"} & harm.keys()


# --- the side entrance --------------------------------------------------------------------------------------

CLOSED: Changes = {("lockdown",): "closed"}


def test_lock_down_right_after_the_mx_has_moved(ground: Ground) -> None:
    """Some still deliver past the gateway, until the old MX has passed everywhere."""
    ground.begin(ground.carried, {("domains", DOMAIN, "mx"): "microsoft", ("dns", "ttl"): 8})
    with ground.traffic() as traffic:
        ground.up({("domains", DOMAIN, "mx"): "gateway"})
        acknowledged = [{"what": "lockdown", "until": "2999-12-31"}]
        ground.stack.set({**CLOSED, ("acknowledge",): acknowledged})
        once_it_may(ground.stack.up, "lockdown cannot be closed yet")
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm() == {}


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
        ground.stack.destroy()
        traffic.flow()
    print(traffic.numbers())
    assert traffic.harm(through=()) == {}


def test_twin_lock_down_before_the_mx_has_moved(ground: Ground) -> None:
    ground.begin(ground.carried, {("domains", DOMAIN, "mx"): "microsoft"})
    with ground.traffic() as traffic:
        ground.tenant("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToIPAddresses=True)
        traffic.flow(20)
    assert set(traffic.harm()) == {"inbound lost"}


def test_twin_the_mx_goes_back_before_the_lock_down_is_off_everywhere(ground: Ground) -> None:
    ground.begin(ground.carried, CLOSED)
    ground.estate.tenant.store.settle()
    with ground.traffic() as traffic:
        ground.tenant("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToIPAddresses=False)
        ground.mx(MICROSOFT_MX)
        wait_for(lambda: "mx1.bce-demo.example" not in traffic.hosts(), "the MX has moved back")
        traffic.flow(20)
    assert set(traffic.harm()) == {"inbound lost"}
