"""The outbound connector is validated as the admin center does it; what is left behind is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pulumi
import pytest

from dynamic_providers.exchange.connector_validation import ConnectorValidation, _failed
from dynamic_providers.exchange.outbound_connector import OutboundConnector
from dynamic_providers.exchange.snapshot import OUTBOUND_CONNECTOR, ExchangeSnapshot
from tests.mini_engine import Refused
from tests.protocol import tenant_estate
from tests.protocol.lab_tenant_mail_kit import StandIn
from tests.protocol.tenant_estate import OUTBOUND, TENANT, Engine, Side

running_side, side = tenant_estate.running_side, tenant_estate.side

OUTSIDE, GATEWAY = "probe@probe.example", "198.51.100.187"


@dataclass
class Wish:
    """A stack's settings, as far as they matter here."""

    smart_hosts: list[str] = field(default_factory=lambda: [GATEWAY])
    recipients: list[str] = field(default_factory=lambda: [OUTSIDE])
    validates: bool = True
    take_over: bool = False

    def program(self, exchange: pulumi.ResourceOptions) -> None:
        before = ExchangeSnapshot("before", tenant=TENANT, outbound_connectors=[OUTBOUND], opts=exchange)
        j = OutboundConnector(
            "j",
            tenant=TENANT,
            name=OUTBOUND,
            before=before.before(OUTBOUND_CONNECTOR),
            smart_hosts=self.smart_hosts,
            take_over=["*"] if self.take_over else [],
            opts=exchange,
        )
        if self.validates:
            ConnectorValidation(
                "validation",
                tenant=TENANT,
                connector=OUTBOUND,
                recipients=self.recipients,
                smart_hosts=self.smart_hosts,
                watches=[j.revision],
                opts=pulumi.ResourceOptions.merge(exchange, pulumi.ResourceOptions(depends_on=[j])),
            )


@pytest.fixture
def wish() -> Wish:
    return Wish()


@pytest.fixture
def gateway(side: Side) -> Iterator[StandIn]:
    """A mail server in the gateway's place that takes Microsoft's mail."""
    with taking(side, GATEWAY) as server:
        yield server


@pytest.fixture
def other_gateway(side: Side) -> Iterator[StandIn]:
    with taking(side, "198.51.100.188") as server:
        yield server


@contextmanager
def taking(side: Side, address: str) -> Iterator[StandIn]:
    server = StandIn(side.estate.network, address, side.estate.certificates)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def engine(side: Side, gateway: StandIn, wish: Wish) -> Engine:
    return side.engine(wish.program)


def row(side: Side) -> dict[str, object]:
    [found] = side.do("Get-OutboundConnector", Identity=OUTBOUND, IncludeTestModeConnectors=True)
    return found


def runs(side: Side, since: int) -> int:
    return side.estate.journal.count("tenant", "call", since=since, cmdlet="Validate-OutboundConnector")


def test_validated_as_the_admin_center_does_it(side: Side, gateway: StandIn, engine: Engine) -> None:
    mark = side.estate.journal.mark()
    engine.up()
    _, mail = gateway.one()
    assert mail.recipients == (OUTSIDE,)
    [call] = [
        event.detail["parameters"]
        for event in side.estate.journal.events("tenant", "call", since=mark, cmdlet="Set-OutboundConnector")
    ]
    assert set(call) == {"Identity", "IsValidated", "LastValidationTimestamp", "ValidationRecipients"}
    found = row(side)
    assert (found["IsValidated"], found["ValidationRecipients"]) == (True, [OUTSIDE])
    outs = engine.state["validation"].outputs
    assert outs["validated"] is True
    assert str(found["LastValidationTimestamp"]).startswith(outs["at"].removesuffix("Z"))
    assert any("Send test email" in task for task in outs["tasks"])


def test_a_second_run_does_nothing_and_the_connector_shows_no_drift(side: Side, engine: Engine) -> None:
    engine.up()
    mark = side.estate.journal.mark()
    assert engine.drifted() == {}
    assert engine.up().operations() == {}
    assert (runs(side, mark), side.writes(mark)) == (0, [])


def test_it_runs_again_when_what_it_watches_changes(
    side: Side, engine: Engine, wish: Wish, other_gateway: StandIn
) -> None:
    engine.up()
    wish.smart_hosts = [other_gateway.address]
    mark = side.estate.journal.mark()
    assert engine.preview().operations() == {"j": "update", "validation": "update"}
    engine.up()
    assert runs(side, mark) == 1
    other_gateway.one()
    side.do("Set-OutboundConnector", Identity=OUTBOUND, TlsSettings=None)  # repaired drift
    engine.refresh()
    mark = side.estate.journal.mark()
    assert engine.up().operations() == {"j": "update", "validation": "update"}
    assert runs(side, mark) == 1
    assert engine.up().operations() == {}


def test_it_runs_again_for_another_recipient_or_when_it_does_not_count_any_more(
    side: Side, engine: Engine, wish: Wish
) -> None:
    engine.up()
    wish.recipients = ["second@probe.example"]
    assert engine.up().operations() == {"validation": "update"}
    assert row(side)["ValidationRecipients"] == wish.recipients
    side.do("Set-OutboundConnector", Identity=OUTBOUND, IsValidated=False)
    assert engine.drifted() == {"validation": "update"}
    engine.up()
    assert row(side)["IsValidated"] is True


def test_a_failure_quotes_task_and_detail_and_says_what_usually_causes_it(
    side: Side, gateway: StandIn, engine: Engine
) -> None:
    gateway.reply = "550 5.7.1 Relaying denied by the practice gateway"
    with pytest.raises(Refused) as found:
        engine.up()
    said = str(found.value)
    assert said.startswith(
        f"m365-secure-email: {TENANT}, outbound connector «{OUTBOUND}»: validation failed: "
    )
    assert "task «Send test email»: " in said
    assert "550 5.7.1 Relaying denied by the practice gateway" in said
    assert "a transport rule of yours catches the test mail" in said
    assert "\n" not in said.strip()
    assert row(side)["IsValidated"] is False
    assert "validation" not in engine.state
    gateway.reply = StandIn.reply
    assert engine.up().operations() == {"validation": "create"}


def test_a_disabled_connector_is_named_as_the_cause(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    side.do("Set-OutboundConnector", Identity=OUTBOUND, Enabled=False)
    wish.recipients = ["second@probe.example"]
    with pytest.raises(Refused, match="the connector is disabled, so it cannot be validated"):
        engine.up()


def test_what_the_cmdlet_leaves_behind_is_told_and_not_removed(
    side: Side, gateway: StandIn, engine: Engine
) -> None:
    side.estate.tenant.switches.validation_leaves_connector = True
    side.estate.tenant.switches.lag_reads = 1  # the list does not show at once what the cmdlet left
    lines = engine.up().lines
    left = [str(one["Name"]) for one in side.do("Get-OutboundConnector", IncludeTestModeConnectors=True)]
    [name] = [one for one in left if one.startswith(f"{OUTBOUND}_Test_")]
    [line] = [line for line in lines if "_Test_" in line]
    assert f"«{name}»" in line
    assert "Remove-OutboundConnector" in line
    assert engine.drifted() == {}


def test_without_the_connector_it_says_so(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    side.do("Remove-OutboundConnector", Identity=OUTBOUND)
    assert engine.refresh().operations() == {"j": "changed", "validation": "changed"}
    assert engine.up().operations() == {"j": "update", "validation": "update"}
    assert row(side)["IsValidated"] is True


def test_taken_away_it_leaves_the_connector_and_destroyed_nothing_is_left(
    side: Side, engine: Engine, wish: Wish
) -> None:
    before = side.estate.tenant.dump()
    engine.up()
    wish.validates = False
    assert engine.up().operations() == {"validation": "delete"}
    assert row(side)["IsValidated"] is True
    engine.destroy()
    assert side.estate.tenant.dump() == before


@pytest.mark.parametrize("then", ["validated", "not validated"])
def test_the_flag_of_a_connector_before_us_is_put_back(
    side: Side, engine: Engine, wish: Wish, then: str
) -> None:
    validated = then == "validated"
    side.do("New-OutboundConnector", Name=OUTBOUND, ConnectorType="Partner", IsTransportRuleScoped=True,
            UseMXRecord=False, SmartHosts=["198.51.100.9"], TlsSettings="EncryptionOnly")  # fmt: skip
    if validated:
        flag = {"IsValidated": True, "LastValidationTimestamp": "2026-01-02T03:04:05Z"}
        side.do("Set-OutboundConnector", Identity=OUTBOUND, ValidationRecipients=["a@b.example"], **flag)
    before, at = side.estate.tenant.dump(), row(side)["LastValidationTimestamp"]
    wish.take_over = True
    engine.up()
    assert row(side)["ValidationRecipients"] == [OUTSIDE]
    engine.destroy()
    assert side.estate.tenant.dump() == before
    assert row(side)["IsValidated"] is validated
    assert not validated or row(side)["LastValidationTimestamp"] == at


def test_a_connector_that_was_right_before_us_gets_its_flag_back_too(side: Side, engine: Engine) -> None:
    side.do("New-OutboundConnector", Name=OUTBOUND, ConnectorType="Partner", IsTransportRuleScoped=True,
            UseMXRecord=False, SmartHosts=[GATEWAY], TlsSettings="EncryptionOnly")  # fmt: skip
    before = side.estate.tenant.dump()
    engine.up()
    assert row(side)["IsValidated"] is True
    engine.destroy()
    assert side.estate.tenant.dump() == before


# --- what the cmdlet says, whose form is known from a single report -----------------------------------------

TASK = {"TaskName": "Send test email", "IsTaskSuccessful": False, "TaskDetail": "no\x1b[2J answer"}
PARTS = [
    {"TaskName": "EHLO", "IsTaskSuccessful": True},
    {"TaskName": "STARTTLS", "IsTaskSuccessful": "False", "TaskDetail": "454 TLS not available"},
]


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        ({"IsTaskSuccessful": True}, []),
        ({"IsTaskSuccessful": "True", "SubTaskResults": None}, []),
        ({}, ["task «without a name»"]),
        (TASK, ["task «Send test email»: no [2J answer"]),
        ({**TASK, "SubTaskResults": ["EHLO: 250"]}, ["task «Send test email»: no [2J answer; EHLO: 250"]),
        ({**TASK, "SubTaskResults": PARTS}, ["task «STARTTLS»: 454 TLS not available"]),
        ({**TASK, "SubTaskResults": PARTS[1]}, ["task «STARTTLS»: 454 TLS not available"]),
    ],
)
def test_every_form_of_a_failed_task_is_told(result: dict[str, object], lines: list[str]) -> None:
    assert list(_failed(result)) == lines
