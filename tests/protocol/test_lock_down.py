"""The side entrance is shut, stays shut and is opened again, beside the connector whose restriction it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pulumi
import pytest

from dynamic_providers.exchange.inbound_connector import InboundConnector
from dynamic_providers.exchange.lock_down import LockDown
from dynamic_providers.exchange.snapshot import INBOUND_CONNECTOR, LOCK_DOWN, ExchangeSnapshot
from tests.mini_engine import Refused
from tests.protocol import tenant_estate
from tests.protocol.tenant_estate import (
    DOMAIN,
    GATEWAYS,
    INBOUND,
    MICROSOFT,
    MX_HOST,
    SCANNER,
    STRANGER,
    TENANT,
    Engine,
    Side,
)

running_side, side = tenant_estate.running_side, tenant_estate.side
SWITCHED = {"b": "update", "lock-down": "update"}


@dataclass
class Wish:
    """A stack's settings, as far as they matter here."""

    closed: bool = False
    always: bool = True  # whether the lock-down is there, open, while it is not closed
    acknowledged: bool = False
    allow: list[str] = field(default_factory=list)
    take_over: list[str] = field(default_factory=list)
    addresses: Sequence[str] = tuple(GATEWAYS)
    mx: Mapping[str, Sequence[str]] = field(default_factory=lambda: {DOMAIN: [MX_HOST]})
    mx_settled: list[str] = field(default_factory=list)
    settle: int | None = None

    def program(self, exchange: pulumi.ResourceOptions) -> None:
        before = ExchangeSnapshot(
            "before",
            tenant=TENANT,
            inbound_connectors=[INBOUND],
            lock_down=self.closed or self.always,
            opts=exchange,
        )
        b = InboundConnector(
            "b",
            tenant=TENANT,
            name=INBOUND,
            before=before.before(INBOUND_CONNECTOR),
            sender_ip_addresses=self.addresses,
            locked_down_by_others=self.closed,
            take_over=self.take_over,
            opts=exchange,
        )
        if self.closed or self.always:
            LockDown(
                "lock-down",
                tenant=TENANT,
                connector=INBOUND,
                before=before.before(LOCK_DOWN),
                closed=self.closed,
                mx=self.mx,
                gateways=self.addresses,
                allow=self.allow,
                acknowledged=self.acknowledged,
                mx_settled=self.mx_settled,
                settle=self.settle,
                opts=pulumi.ResourceOptions.merge(exchange, pulumi.ResourceOptions(depends_on=[b])),
            )


@pytest.fixture
def wish() -> Wish:
    return Wish()


@pytest.fixture
def engine(side: Side, wish: Wish) -> Engine:
    side.mx(MX_HOST)
    return side.engine(wish.program)


def shut(side: Side) -> tuple[bool, bool]:
    return side.restricted(), side.rejects()


# --- there and back -----------------------------------------------------------------------------------------


def test_shut_and_opened_again(side: Side, engine: Engine, wish: Wish) -> None:
    untouched = side.estate.tenant.dump()
    engine.up()
    opened = side.estate.tenant.dump()
    wish.closed = True
    assert engine.preview().operations() == SWITCHED
    mark = side.estate.journal.mark()
    assert engine.up().operations() == SWITCHED
    assert shut(side) == (True, True)
    assert side.writes(mark) == ["Set-InboundConnector", "Set-OrganizationConfig"]
    mark = side.estate.journal.mark()
    assert engine.drifted() == {}
    assert engine.up().operations() == {}
    assert side.writes(mark) == []
    wish.closed = False
    assert engine.preview().operations() == SWITCHED
    engine.up()
    assert side.estate.tenant.dump() == opened
    assert engine.drifted() == {}
    engine.destroy()
    assert side.estate.tenant.dump() == untouched


def test_it_may_also_come_and_go_with_the_lock_down(side: Side, engine: Engine, wish: Wish) -> None:
    wish.always = False
    engine.up()
    opened = side.estate.tenant.dump()
    wish.closed = True
    assert engine.up().operations() == {"before": "update", "b": "update", "lock-down": "create"}
    assert shut(side) == (True, True)
    assert engine.drifted() == {}
    wish.closed = False
    assert engine.up().operations() == {"before": "update", "b": "update", "lock-down": "delete"}
    assert side.estate.tenant.dump() == opened
    assert engine.drifted() == {}


def test_open_it_asks_and_writes_nothing(side: Side, engine: Engine, wish: Wish) -> None:
    side.mx(MICROSOFT)
    side.do("Set-OrganizationConfig", RejectDirectSend=True)
    wish.mx = {}
    mark = side.estate.journal.mark()
    engine.up()
    assert side.writes(mark) == ["New-InboundConnector"]
    assert not side.estate.journal.events("tenant", "call", since=mark, cmdlet="Get-MessageTraceV2")
    side.do("Set-OrganizationConfig", RejectDirectSend=False)
    assert engine.drifted() == {}
    mark = side.estate.journal.mark()
    engine.destroy()
    assert side.writes(mark) == ["Remove-InboundConnector"]


def test_mail_from_elsewhere_is_refused_while_it_is_shut(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.closed = True
    engine.up()
    assert side.mail(GATEWAYS[0]).code == 250
    assert "5.7.51" in side.mail(STRANGER).text
    wish.closed = False
    engine.up()
    assert side.mail(STRANGER).code == 250


def test_only_what_changes_is_sent_and_b_never_sends_the_restriction(
    side: Side, engine: Engine, wish: Wish
) -> None:
    engine.up()
    mark = side.estate.journal.mark()
    wish.closed = True
    engine.up()
    sent = [
        (event.detail["cmdlet"], sorted(event.detail["parameters"]))
        for event in side.estate.journal.events("tenant", "call", since=mark)
        if event.detail["cmdlet"].startswith("Set-")
    ]
    assert sent == [
        ("Set-InboundConnector", ["Identity", "RestrictDomainsToIPAddresses"]),
        ("Set-OrganizationConfig", ["RejectDirectSend"]),
    ]


def test_made_locked_down_from_the_start_and_destroyed(side: Side, engine: Engine, wish: Wish) -> None:
    before = side.estate.tenant.dump()
    wish.closed = True
    assert set(engine.up().operations().values()) == {"create"}
    assert shut(side) == (True, True)
    assert engine.drifted() == {}
    engine.destroy()
    assert side.estate.tenant.dump() == before


def test_what_was_on_before_us_stays_on(side: Side, engine: Engine, wish: Wish) -> None:
    side.do("Set-OrganizationConfig", RejectDirectSend=True)
    before = side.estate.tenant.dump()
    wish.closed = True
    engine.up()
    wish.closed = False
    engine.up()
    assert shut(side) == (False, True)
    wish.closed = True
    engine.up()
    engine.destroy()
    assert side.estate.tenant.dump() == before


def test_a_connector_that_was_restricted_before_us_gets_it_back_with_all_the_rest(
    side: Side, engine: Engine, wish: Wish
) -> None:
    side.do(
        "New-InboundConnector",
        Name=INBOUND,
        ConnectorType="Partner",
        SenderDomains=["*"],
        SenderIPAddresses=["192.0.2.105"],
        RestrictDomainsToIPAddresses=True,
        RequireTls=True,
    )
    before = side.estate.tenant.dump()
    wish.take_over = ["*"]
    wish.closed = True
    engine.up()
    assert shut(side) == (True, True)
    wish.closed = False  # `open` is what the operator wants now, whatever was there
    engine.up()
    assert shut(side) == (False, False)
    assert engine.drifted() == {}
    engine.destroy()
    assert side.estate.tenant.dump() == before


def test_an_update_of_the_connector_leaves_the_lock_down_alone(
    side: Side, engine: Engine, wish: Wish
) -> None:
    wish.closed = True
    engine.up()
    wish.addresses = [*GATEWAYS, SCANNER]
    mark = side.estate.journal.mark()
    assert engine.up().operations() == {"b": "update"}
    [sent] = side.estate.journal.events("tenant", "call", since=mark, cmdlet="Set-InboundConnector")
    assert "RestrictDomainsToIPAddresses" not in sent.detail["parameters"]
    side.do("Set-InboundConnector", Identity=INBOUND, RequireTls=False)
    assert engine.drifted() == {"b": "update"}
    engine.up()
    assert shut(side) == (True, True)


# --- opening ------------------------------------------------------------------------------------------------


def waits(lines: list[str]) -> list[str]:
    return [line for line in lines if "waiting until" in line]


def test_opened_it_answers_when_microsoft_refuses_nothing_any_more(
    side: Side, engine: Engine, wish: Wish
) -> None:
    """An MX that moves back comes after it."""
    wish.settle = 2
    assert waits(engine.up().lines) == []
    wish.closed = True
    assert waits(engine.up().lines) == []
    side.estate.tenant.switches.propagation_seconds = 1.8
    side.estate.tenant.store.settle()
    wish.closed = False
    [line] = waits(engine.up().lines)
    assert line.startswith(f"{TENANT}: the side entrance is open again: waiting until ")
    assert "Safe to interrupt: the next run waits again" in line
    assert side.mail(STRANGER).code == 250
    assert engine.drifted() == {}
    assert waits(engine.destroy().lines) == []  # it is open already


def test_destroyed_while_it_is_shut_it_waits_too(side: Side, engine: Engine, wish: Wish) -> None:
    wish.settle, wish.closed = 1, True
    engine.up()
    assert len(waits(engine.destroy().lines)) == 1
    assert not side.rejects()


# --- drift --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", ["restriction", "direct send"])
def test_opened_by_hand_is_shown_at_the_switch_and_shut_again(
    side: Side, engine: Engine, wish: Wish, switch: str
) -> None:
    wish.closed = True
    engine.up()
    if switch == "restriction":
        side.do("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToIPAddresses=False)
    else:
        side.do("Set-OrganizationConfig", RejectDirectSend=False)
    assert engine.refresh().operations() == {"lock-down": "changed"}
    outs = engine.state["lock-down"].outputs
    shown = (outs["restrictDomainsToIpAddresses"], outs["rejectDirectSend"])
    assert shown == ((False, True) if switch == "restriction" else (True, False))
    assert engine.preview().operations() == {"lock-down": "update"}
    mark = side.estate.journal.mark()
    engine.up()
    assert len(side.writes(mark)) == 1
    assert shut(side) == (True, True)


def test_shut_by_hand_while_it_is_to_be_open_is_the_connectors_drift(side: Side, engine: Engine) -> None:
    engine.up()
    side.do("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToIPAddresses=True)
    assert engine.drifted() == {"b": "update"}
    engine.up()
    assert shut(side) == (False, False)


def test_opened_by_hand_before_it_is_opened(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    opened = side.estate.tenant.dump()
    wish.closed = True
    engine.up()
    side.do("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToIPAddresses=False)
    side.do("Set-OrganizationConfig", RejectDirectSend=False)
    wish.closed = False
    engine.up()
    assert side.estate.tenant.dump() == opened


def test_the_connector_removed_by_hand_comes_back_shut(side: Side, engine: Engine, wish: Wish) -> None:
    wish.closed = True
    engine.up()
    side.do("Remove-InboundConnector", Identity=INBOUND)
    engine.refresh()
    engine.up()
    assert shut(side) == (True, True)
    side.do("Remove-InboundConnector", Identity=INBOUND)
    engine.refresh()
    engine.destroy()
    assert not side.rejects()


def test_a_run_that_was_cut_half_way_is_ended_by_the_next(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    opened = side.estate.tenant.dump()
    wish.closed = True
    engine.preview()
    side.do("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToIPAddresses=True)  # as it left it
    side.mx(MICROSOFT)  # too late to ask
    engine.up()
    assert shut(side) == (True, True)
    wish.closed = False
    engine.up()
    assert side.estate.tenant.dump() == opened


# --- when it may not be shut --------------------------------------------------------------------------------


def refused(engine: Engine) -> str:
    with pytest.raises(Refused) as found:
        engine.preview()
    with pytest.raises(Refused):
        engine.up()
    return str(found.value)


@pytest.mark.parametrize("hosts", [[MICROSOFT], [MX_HOST, MICROSOFT]], ids=["elsewhere", "half moved"])
def test_not_while_an_mx_names_another_host(side: Side, engine: Engine, wish: Wish, hosts: list[str]) -> None:
    engine.up()
    side.mx(*hosts)
    wish.closed = True
    said = refused(engine)
    assert f"the MX of {DOMAIN} still names «{MICROSOFT}»" in said
    assert MX_HOST in said
    assert shut(side) == (False, False)


def test_not_while_one_resolver_remembers_the_old_mx(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    side.mx(MICROSOFT)
    old = side.estate.internet.resolvers["8.8.8.8"].resolver
    assert old.mail_hosts(DOMAIN)
    side.estate.internet.zones.set(DOMAIN, "MX", f"0 {MX_HOST}")
    wish.closed = True
    assert MICROSOFT in refused(engine)
    old.forget()
    engine.up()
    assert shut(side) == (True, True)


def test_not_while_the_old_mx_may_be_held_by_somebody(side: Side, engine: Engine, wish: Wish) -> None:
    """Whom we ask has forgotten it, or never had it; others go by it until its time to live has passed."""
    engine.up()
    now = datetime.now(UTC)
    wish.closed = True
    wish.mx_settled = [f"{now - timedelta(hours=1):%FT%TZ}", f"{now + timedelta(minutes=3):%FT%T+00:00}"]
    said = refused(engine)
    assert "the MX has moved, but until " in said
    assert f"{now + timedelta(minutes=3):%H:%M}" in said
    wish.mx_settled = [f"{now:%FT%T+00:00}"]
    engine.up()
    assert shut(side) == (True, True)
    wish.mx_settled = []
    assert engine.drifted() == {}


def test_not_without_an_mx_and_not_where_dns_does_not_answer(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.closed = True
    side.estate.internet.zones.remove(DOMAIN, "MX")
    for resolver in side.estate.internet.resolvers.values():
        resolver.resolver.forget()
    assert f"{DOMAIN} has no MX record" in refused(engine)
    for resolver in side.estate.internet.resolvers.values():
        resolver.switches.servfail = True
    assert f"where mail for {DOMAIN} goes could not be looked up" in refused(engine)


def test_not_while_nobody_said_where_the_mx_has_to_lead(engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.closed, wish.mx = True, {}
    assert "set inbound.mxHosts" in refused(engine)


def test_it_holds_for_all_domains_of_the_tenant(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    assert side.mail(STRANGER, recipient=f"probe@{TENANT}").delivered
    side.settled()
    wish.closed = True
    assert STRANGER in refused(engine)
    wish.acknowledged = True
    [line] = [line for line in engine.up().lines if "holds for all domains" in line]
    assert "«shop.bce-demo.com»" in line
    assert TENANT not in line.partition("also for")[2]
    assert DOMAIN not in line.partition("also for")[2].replace("shop.bce-demo.com", "")


def test_one_resolver_that_fails_is_told_and_does_not_hinder(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.closed = True
    side.estate.internet.resolvers["9.9.9.9"].switches.servfail = True
    assert any("9.9.9.9" in line and "other resolvers" in line for line in engine.up().lines)
    assert shut(side) == (True, True)


def test_not_while_others_deliver_past_the_gateway(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    for _ in range(2):
        assert side.mail(STRANGER).delivered
    assert side.mail(GATEWAYS[0]).delivered
    side.settled()
    wish.closed = True
    said = refused(engine)
    assert "1 sender(s) came past the gateway" in said
    assert f"{STRANGER} (sender.example: 2 messages, last " in said
    assert "Let them send through the gateway, or name them in inbound.allowedSenders" in said
    assert GATEWAYS[0] not in said
    assert shut(side) == (False, False)


@pytest.mark.parametrize("way", ["allowed", "acknowledged"])
def test_others_who_are_allowed_or_acknowledged_do_not_hinder(
    side: Side, engine: Engine, wish: Wish, way: str
) -> None:
    engine.up()
    assert side.mail(STRANGER).delivered
    side.settled()
    wish.closed = True
    wish.allow = ["203.0.113.0/24"] if way == "allowed" else []
    wish.acknowledged = way == "acknowledged"
    said = " ".join(engine.up().lines)
    assert (STRANGER in said) == wish.acknowledged
    assert shut(side) == (True, True)


def test_once_shut_nothing_is_asked_any_more(side: Side, engine: Engine, wish: Wish) -> None:
    wish.closed = True
    engine.up()
    mark = side.estate.journal.mark()
    side.mx(MICROSOFT)
    assert engine.up().operations() == {}
    assert not side.estate.journal.events("tenant", "call", since=mark, cmdlet="Get-MessageTraceV2")


def test_the_way_back_asks_neither_dns_nor_trace(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    wish.closed = True
    engine.up()
    for resolver in side.estate.internet.resolvers.values():
        resolver.switches.servfail = True
    mark = side.estate.journal.mark()
    wish.closed = False
    engine.up()
    assert shut(side) == (False, False)
    assert not side.estate.journal.events("tenant", "call", since=mark, cmdlet="Get-MessageTraceV2")
