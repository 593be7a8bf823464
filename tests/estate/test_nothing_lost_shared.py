"""A second tenant joins and leaves a gateway while both have mail and Microsoft lags: none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab.estate import Estate
from lab.tenant.practice import BCE_DEMO, FABRIKAM
from tests.estate.flowing import LONG_LAG, QUICK, SETTLE, SPREAD, TOO_SHORT, TTL
from tests.estate.test_the_guide import hand_transcript
from tests.estate.traffic import Traffic
from tests.mail_stack import Changes
from tests.plugin_nursery import Nursery
from tests.shared_stacks import A_DOMAIN, A_SECRET, B_DOMAIN, B_SECRET, Point, SharedStacks

TIMES: Changes = {("settle", "rule"): SETTLE, ("settle", "mx"): "ttl", ("dns", "ttl"): TTL}

pytestmark = pytest.mark.timeout(120)


class Scene:
    """The stacks, and two moments: the first tenant is `alone` on the gateway, and `both` are there."""

    def __init__(self, stacks: SharedStacks) -> None:
        self.stacks, self.estate = stacks, stacks.estate
        for tenant, domain in ((BCE_DEMO, A_DOMAIN), (FABRIKAM, B_DOMAIN)):
            self.estate.internet.zones.set(domain, "MX", f"0 {tenant.mx[domain]}.", ttl=TTL)
        stacks.a.set(TIMES)
        stacks.b.set(TIMES)
        stacks.gateway.up()
        stacks.a.up()
        self.alone = stacks.here()
        stacks.b.up()
        self.both = stacks.here()

    def begin(self, point: Point) -> None:
        """Back to that moment."""
        self.stacks.go_back(point)

    def lag(self, seconds: float | tuple[float, float]) -> None:
        """How long Microsoft's side takes from now on, for both tenants."""
        for tenant in self.estate.tenants:
            tenant.switches.propagation_seconds = seconds

    def traffic(self, streams: ExitStack) -> tuple[Traffic, Traffic]:
        """Mail of both tenants, until the end of `streams`."""
        a = streams.enter_context(Traffic(self.estate, A_DOMAIN))
        return a, streams.enter_context(Traffic(self.estate, B_DOMAIN, tenant=self.estate.second))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("shared-flowing")
    with (
        Estate(folder / ".lab", second_tenant=True, hat_limits=False, **QUICK) as estate,
        Nursery() as nursery,
    ):
        yield Scene(SharedStacks(estate, nursery))


def test_a_second_tenant_joins(scene: Scene) -> None:
    scene.begin(scene.alone)
    with ExitStack() as streams:
        a, b = scene.traffic(streams)
        scene.stacks.b.up()
        b.flow()
    print(a.numbers(), b.numbers())
    assert a.harm() == {}
    assert b.harm(through=()) == {}


def test_a_second_tenant_leaves(scene: Scene) -> None:
    scene.begin(scene.both)
    scene.lag(SPREAD)
    with ExitStack() as streams:
        a, b = scene.traffic(streams)
        scene.stacks.b.destroy(freed=True)
        b.flow()
    print(a.numbers(), b.numbers())
    assert a.harm() == {}
    assert b.harm(through=()) == {}


def test_the_first_tenant_leaves_the_second(scene: Scene) -> None:
    scene.begin(scene.both)
    scene.lag(SPREAD)
    with ExitStack() as streams:
        a, b = scene.traffic(streams)
        scene.stacks.a.destroy(freed=True)
        a.flow()
    print(a.numbers(), b.numbers())
    assert a.harm(through=()) == {}
    assert b.harm() == {}


def test_twin_a_second_filter_in_place_of_an_alternative(scene: Scene) -> None:
    """As the guide would have it for a gateway of one's own: each filter drops what the other is for."""
    scene.begin(scene.both)
    [step] = [one for one in hand_transcript() if one.title.endswith("(l)")]
    lines = [one.replace("office365_outbound", "fabrikam").replace(A_SECRET, B_SECRET) for one in step.lines]
    with ExitStack() as streams:
        a, b = scene.traffic(streams)
        scene.estate.gateway.type_by_hand(lines)
        b.flow()
    assert set(a.harm()) == set(b.harm()) == {"outbound dropped"}


def test_twin_a_tenant_leaves_while_its_rule_still_acts(scene: Scene) -> None:
    scene.begin(scene.both)
    scene.stacks.b.set({("settle", "rule"): TOO_SHORT})
    scene.stacks.b.up()
    scene.lag(LONG_LAG)
    with ExitStack() as streams:
        a, b = scene.traffic(streams)
        scene.stacks.b.destroy(freed=True)
        b.flow()
    assert a.harm() == {}
    assert set(b.harm(through=())) == {"outbound dropped"}
