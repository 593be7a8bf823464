"""The header's secret is changed in two runs; the second is refused while the old one may still be sent."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

import pulumi
import pytest
from pulumi.runtime import rpc

from dynamic_providers import connections, report
from dynamic_providers.entries import Props
from dynamic_providers.errors import ManagedError
from dynamic_providers.exchange.secret_rotation import SecretRotation, SecretRotationProvider
from dynamic_providers.exchange.snapshot import TRANSPORT_RULE
from dynamic_providers.exchange.transport_rule import TransportRule
from tests.mini_engine import Refused
from tests.protocol import tenant_estate
from tests.protocol.tenant_estate import OUTBOUND, TENANT, Engine, Side, with_outbound_connector

running_side, side = tenant_estate.running_side, tenant_estate.side

OLD, NEW, NEWEST = "oldSecretKey1", "newSecretKey2", "newestSecretKey3"
HEADER = "X-OUTBOUND-AUTH"
LONG, SHORT = 3600, 3


@dataclass
class Wish:
    """A stack's settings, as far as they matter here."""

    accepted: list[str] = field(default_factory=lambda: [OLD])
    settle: int = LONG
    acknowledged: bool = False
    outbound: bool = True

    def program(self, exchange: pulumi.ResourceOptions) -> None:
        before, j = with_outbound_connector(exchange)
        rotation = SecretRotation(
            "rotation",
            tenant=TENANT,
            name=OUTBOUND,
            header=HEADER,
            accepted=self.accepted,
            settle=self.settle,
            acknowledged=self.acknowledged,
            opts=exchange,
        )
        if self.outbound:
            TransportRule(
                "k",
                tenant=TENANT,
                name=OUTBOUND,
                before=before.before(TRANSPORT_RULE),
                route_message_outbound_connector=OUTBOUND,
                set_header_name=HEADER,
                set_header_value=self.accepted[0],
                opts=pulumi.ResourceOptions.merge(exchange, pulumi.ResourceOptions(depends_on=[j, rotation])),
            )


@pytest.fixture
def wish() -> Wish:
    return Wish()


@pytest.fixture
def engine(side: Side, wish: Wish) -> Engine:
    return side.engine(wish.program)


def refused(engine: Engine) -> str:
    """What a preview says; a run without one says no as well."""
    with pytest.raises(Refused) as in_preview:
        engine.preview()
    with pytest.raises(Refused):
        engine.up()
    said = str(in_preview.value)
    assert not any(secret in said for secret in (OLD, NEW, NEWEST))
    return said


def tried(engine: Engine) -> str:
    """Why a preview is refused; «» where it is not."""
    try:
        engine.preview()
    except Refused as refusal:
        return str(refusal)
    return ""


def test_two_runs_and_the_second_not_before_its_time(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.accepted = [NEW, OLD]
    assert engine.up().operations() == {"rotation": "update", "k": "update"}
    wish.accepted = [NEW]
    said = refused(engine)
    assert said.startswith(
        f"rotation: {TENANT}: a secret would go too early: the transport rule «{OUTBOUND}» changed at "
    )
    assert re.search(
        r"It may go after (\d{4}-\d\d-\d\d )?\d\d:\d\d UTC; until then keep it in outbound.previousSecrets",
        said,
    )
    assert engine.state["rotation"].outputs["accepted"] == [NEW, OLD]


def test_after_the_settle_time_the_old_one_goes(side: Side, engine: Engine, wish: Wish) -> None:
    wish.settle = SHORT
    engine.up()
    wish.accepted = [NEW, OLD]
    engine.up()
    wish.accepted = [NEW]
    deadline = time.monotonic() + 20
    while "too early" in tried(engine):
        assert time.monotonic() < deadline
    run = engine.up()
    assert run.operations() == {"rotation": "update"}
    assert engine.up().operations() == {}


def test_in_one_run_it_is_refused(side: Side, engine: Engine, wish: Wish) -> None:
    wish.settle = 0
    engine.up()
    wish.accepted = [NEW]
    said = refused(engine)
    assert "still sends a secret that the gateway would no longer accept" in said
    assert "put it into outbound.previousSecrets" in said
    [row] = side.do("Get-TransportRule", Identity=OUTBOUND)
    assert row["SetHeaderValue"] == OLD


def test_a_secret_that_comes_or_changes_its_place_hinders_nobody(engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.accepted = [OLD, NEW]
    said = engine.up().lines
    assert "header secrets: 1 new" in said
    wish.accepted = [NEW, OLD]
    assert engine.up().operations() == {"rotation": "update", "k": "update"}
    assert engine.refresh().operations() == {}


def test_without_a_rule_any_may_go(engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.outbound = False
    engine.up()
    wish.accepted = [NEWEST]
    assert engine.up().operations() == {"rotation": "update"}


def test_a_rule_that_somebody_changed_back_is_seen(side: Side, engine: Engine, wish: Wish) -> None:
    wish.settle = 0
    wish.accepted = [NEW, OLD]
    engine.up()
    side.do("Set-TransportRule", Identity=OUTBOUND, SetHeaderName=HEADER, SetHeaderValue=OLD)
    wish.accepted = [NEW]
    assert "still sends" in refused(engine)
    side.do("Disable-TransportRule", Identity=OUTBOUND)  # it sends nothing now
    engine.up()


def test_another_header_of_that_value_is_not_ours(side: Side, engine: Engine, wish: Wish) -> None:
    wish.settle = 0
    wish.accepted = [NEW, OLD]
    engine.up()
    side.do("Set-TransportRule", Identity=OUTBOUND, SetHeaderName="X-OTHER", SetHeaderValue=OLD)
    wish.accepted = [NEW]
    engine.up()


def test_acknowledged_it_goes_with_a_warning(engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.accepted = [NEW, OLD]
    engine.up()
    wish.accepted, wish.acknowledged = [NEW], True
    lines = engine.up().lines
    assert any(line.startswith(f"{TENANT}: acknowledged: a secret would go too early") for line in lines)


def test_settle_time_and_acknowledgement_are_no_difference(engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.settle, wish.acknowledged = 7, True
    assert engine.preview().operations() == {}


def test_no_secret_is_said_or_kept_in_clear(engine: Engine, wish: Wish) -> None:
    lines = list(engine.up().lines)
    wish.accepted = [NEW, OLD]
    lines += engine.up().lines
    assert lines
    assert not any(secret in line for line in lines for secret in (OLD, NEW))
    kept = engine._asked["rotation"].object["accepted"]
    assert kept[rpc._special_sig_key] == rpc._special_secret_sig
    wish.accepted = ["short"]
    with pytest.raises(Refused) as found:
        engine.preview()
    assert "accepted" in str(found.value)
    assert "short" not in str(found.value).replace("wrong length", "")


def test_what_changed_between_check_and_update_is_refused_in_the_update(
    side: Side, engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish.settle = 0
    wish.accepted = [NEW, OLD]
    engine.up()
    olds = engine.state["rotation"].outputs
    news: Props = {**olds, "accepted": [NEW]}
    provider = SecretRotationProvider()
    monkeypatch.setattr(report, "info", lambda _: None)
    side.new_process()
    assert provider.check(olds, news).failures == []
    side.do("Set-TransportRule", Identity=OUTBOUND, SetHeaderName=HEADER, SetHeaderValue=OLD)
    side.new_process()
    assert connections._live
    with pytest.raises(ManagedError, match="still sends"):
        provider.update("rotation", olds, news)
