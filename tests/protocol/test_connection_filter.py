"""The gateways' addresses in the IP allow list of the connection filter: ours come and go, others' stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest

from dynamic_providers.exchange.connection_filter import ConnectionFilter
from dynamic_providers.exchange.snapshot import ALLOWED, ExchangeSnapshot
from tests.protocol import tenant_estate
from tests.protocol.tenant_estate import GATEWAYS, TENANT, Engine, Side

running_side, side = tenant_estate.running_side, tenant_estate.side
THEIRS = "203.0.113.77"


@dataclass
class Wish:
    allowed: list[str] = field(default_factory=lambda: list(GATEWAYS))

    def program(self, exchange: pulumi.ResourceOptions) -> None:
        before = ExchangeSnapshot(
            "before",
            tenant=TENANT,
            inbound_connectors=["In"],  # a stack's snapshot always has some
            allowed=self.allowed,
            opts=exchange,
        )
        if self.allowed:
            ConnectionFilter(
                "filter",
                tenant=TENANT,
                before=before.before(ALLOWED),
                allowed=self.allowed,
                opts=exchange,
            )


@pytest.fixture
def wish() -> Wish:
    return Wish()


@pytest.fixture
def engine(side: Side, wish: Wish) -> Engine:
    return side.engine(wish.program)


def listed(side: Side) -> list[str]:
    [row] = side.do("Get-HostedConnectionFilterPolicy")
    return sorted(row["IPAllowList"])


def put(side: Side, *add: str, remove: tuple[str, ...] = ()) -> None:
    change: dict[str, Any] = {"@odata.type": "#Exchange.GenericHashTable"}
    change |= {"Add": list(add)} if add else {}
    change |= {"Remove": list(remove)} if remove else {}
    side.do("Set-HostedConnectionFilterPolicy", Identity="Default", IPAllowList=change)


def test_ours_come_and_go_beside_others(side: Side, engine: Engine, wish: Wish) -> None:
    before = side.estate.tenant.dump()
    first = engine.up()
    assert listed(side) == sorted([*GATEWAYS, THEIRS])
    assert [
        line for line in first.lines if "skips Microsoft's spam filter and its spoof intelligence" in line
    ]
    mark = side.estate.journal.mark()
    assert engine.drifted() == {}
    assert engine.up().operations() == {}
    assert side.writes(mark) == []
    put(side, "203.0.113.78")
    assert engine.drifted() == {}
    wish.allowed = []
    engine.up()
    assert listed(side) == [THEIRS, "203.0.113.78"]
    put(side, remove=("203.0.113.78",))
    wish.allowed = list(GATEWAYS)
    engine.up()
    engine.destroy()
    assert side.estate.tenant.dump() == before


def test_one_call_names_only_what_changes(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.allowed = [GATEWAYS[0], "192.0.2.0/28"]
    mark = side.estate.journal.mark()
    engine.up()
    cmdlet = "Set-HostedConnectionFilterPolicy"
    [sent] = side.estate.journal.events("tenant", "call", since=mark, cmdlet=cmdlet)
    assert sent.detail["parameters"] == {
        "Identity": "Default",
        "IPAllowList": {
            "@odata.type": "#Exchange.GenericHashTable",
            "Add": ["192.0.2.0/28"],
            "Remove": [GATEWAYS[1]],
        },
    }


def test_taken_out_by_hand_is_shown_and_put_back(side: Side, engine: Engine) -> None:
    engine.up()
    put(side, remove=(GATEWAYS[0],))
    assert engine.drifted() == {"filter": "update"}
    assert engine.up().operations() == {"filter": "update"}
    assert listed(side) == sorted([*GATEWAYS, THEIRS])


def test_what_was_there_before_us_stays_when_we_go(side: Side, engine: Engine) -> None:
    put(side, f"{GATEWAYS[0]}/32")
    before = side.estate.tenant.dump()
    lines = engine.up().lines
    assert [line for line in lines if "exists and is right: will be managed" in line]
    engine.destroy()
    assert side.estate.tenant.dump() == before


def test_a_run_that_was_cut_is_ended_and_leaves_nothing(side: Side, engine: Engine) -> None:
    before = side.estate.tenant.dump()
    engine.preview()
    engine.up()
    del engine.state["filter"]  # the engine died before it wrote its state
    engine.up()
    engine.destroy()
    assert side.estate.tenant.dump() == before
