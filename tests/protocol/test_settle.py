"""Taking the outbound rule away: what it leads to stays until Microsoft has forgotten it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
import pulumi
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2

from dynamic_providers import engine as engine_module
from dynamic_providers import report, settling
from dynamic_providers.exchange.rule_settling import settled_at
from dynamic_providers.exchange.snapshot import TRANSPORT_RULE
from dynamic_providers.exchange.transport_rule import TransportRule
from dynamic_providers.settling import Interrupted
from tests.mini_engine import EngineService, Plugin, Refused, struct
from tests.protocol import tenant_estate
from tests.protocol.tenant_estate import DATA2, OUTBOUND, TENANT, Engine, Side, with_outbound_connector

running_side, side = tenant_estate.running_side, tenant_estate.side

SETTLE = 2


@dataclass
class Wish:
    """A stack's settings, as far as they matter here."""

    outbound: bool = True
    settle: int | None = SETTLE
    take_over: bool = False

    def program(self, exchange: pulumi.ResourceOptions) -> None:
        before, j = with_outbound_connector(exchange)
        if self.outbound:
            TransportRule(
                "k",
                tenant=TENANT,
                name=OUTBOUND,
                before=before.before(TRANSPORT_RULE),
                from_scope="InOrganization",
                sent_to_scope="NotInOrganization",
                route_message_outbound_connector=OUTBOUND,
                set_header_name="X-OUTBOUND-AUTH",
                set_header_value="mysecretkey",
                settle=self.settle,
                take_over=["*"] if self.take_over else [],
                opts=pulumi.ResourceOptions.merge(exchange, pulumi.ResourceOptions(depends_on=[j])),
            )


@pytest.fixture
def wish() -> Wish:
    return Wish()


@pytest.fixture
def engine(side: Side, wish: Wish) -> Engine:
    return side.engine(wish.program)


def seconds(call: Callable[[], object]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def rules(side: Side) -> list[str]:
    return [str(row["Name"]) for row in side.do("Get-TransportRule")]


def waited(lines: list[str]) -> list[str]:
    return [line for line in lines if "waiting until" in line]


def test_it_waits_says_so_at_once_and_what_it_leads_to_stays(side: Side, engine: Engine) -> None:
    engine.up()
    mark, begun = side.estate.journal.mark(), time.monotonic()
    with futures.ThreadPoolExecutor(1) as thread:
        run = thread.submit(engine.destroy)
        side.estate.journal.wait_for(
            lambda e: e.detail.get("cmdlet") == "Remove-TransportRule", 10, since=mark
        )
        removed = time.monotonic()
        side.estate.journal.wait_for(
            lambda e: e.detail.get("cmdlet") == "Remove-OutboundConnector", 10, since=mark
        )
        assert time.monotonic() - removed >= SETTLE * 0.95
        lines = run.result().lines
    assert time.monotonic() - begun >= SETTLE
    [line] = waited(lines)
    assert line.startswith(f"{TENANT}: the transport rule «{OUTBOUND}» is gone: waiting until ")
    assert " UTC. Microsoft may go on acting on it until then, so what it leads to stays until then. " in line
    assert "Safe to interrupt: the next run waits again" in line


def test_found_gone_already_it_waits_all_the_same(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    side.do("Remove-TransportRule", Identity=OUTBOUND)  # as a run that was cut while it waited
    wish.outbound = False
    assert seconds(engine.up) >= SETTLE


def test_a_new_rule_waits_until_microsoft_knows_its_connector(side: Side, engine: Engine) -> None:
    [told] = [line for line in engine.preview().lines if "settle.rule" in line]
    assert f"«{OUTBOUND}» is written {SETTLE} s after its connector" in told
    [line] = waited(engine.up().lines)
    assert line.startswith(
        f"{TENANT}: the transport rule «{OUTBOUND}» comes after its connector «{OUTBOUND}»"
    )
    [connector] = side.do("Get-OutboundConnector", Identity=OUTBOUND)
    [rule] = side.do("Get-TransportRule", Identity=OUTBOUND)
    assert settled_at(rule, TENANT, 0) >= settled_at(connector, TENANT, SETTLE * 0.95)


def test_a_rule_of_a_connector_that_is_known_waits_for_nothing(
    side: Side, engine: Engine, wish: Wish
) -> None:
    engine.up()
    side.do("Remove-TransportRule", Identity=OUTBOUND)
    engine.refresh()
    assert waited(engine.up().lines) == []
    assert OUTBOUND in rules(side)
    side.do("Disable-TransportRule", Identity=OUTBOUND)
    side.do("Set-OutboundConnector", Identity=OUTBOUND, Comment="looked at")  # just now
    engine.refresh()
    [line] = waited(engine.up().lines)
    assert "comes after its connector" in line


@pytest.mark.parametrize("settle", [None, 0])
def test_without_a_settle_time_nothing_waits(
    side: Side, engine: Engine, wish: Wish, settle: int | None
) -> None:
    wish.settle = settle
    engine.up()
    wish.outbound = False
    assert waited(engine.up().lines) == []
    assert OUTBOUND not in rules(side)


def theirs(side: Side) -> None:
    """A rule of that name, which is not ours."""
    side.do("New-OutboundConnector", Name=OUTBOUND, ConnectorType="Partner", IsTransportRuleScoped=True,
            UseMXRecord=False, SmartHosts=[DATA2], TlsSettings="EncryptionOnly")  # fmt: skip
    side.do("New-TransportRule", Name=OUTBOUND, SetSCL=-1)


def test_after_the_rule_before_us_was_put_back_it_waits(side: Side, engine: Engine, wish: Wish) -> None:
    theirs(side)
    wish.take_over = True
    engine.up()
    wish.outbound = False
    [line] = waited(engine.up().lines)
    assert "is as it was before us: waiting until" in line
    [row] = side.do("Get-TransportRule", Identity=OUTBOUND)
    assert row["SetHeaderName"] is None


def test_a_rule_that_stays_as_it_is_counts_from_its_last_change(
    side: Side, engine: Engine, wish: Wish
) -> None:
    """So a run after one that was cut waits for the rest, and nobody waits for what nobody touched."""
    engine.up()
    other = side.engine(wish.program)  # its stack finds all as it wants it
    other.up()
    wish.outbound = False
    other.up()  # at the end of this one the last change is settled
    wish.outbound = True
    other.up()
    wish.outbound = False
    assert waited(other.up().lines) == []
    assert OUTBOUND in rules(side)
    wish.settle, wish.outbound = 3600, True
    other.up()
    [row] = side.do("Get-TransportRule", Identity=OUTBOUND)
    changed = settled_at(row, TENANT, 0)
    assert datetime.now(UTC) - changed < timedelta(minutes=1)
    assert settled_at(row, TENANT, 90) == changed + timedelta(seconds=90)


def test_another_settle_time_is_taken_note_of_and_nothing_is_written(engine: Engine, wish: Wish) -> None:
    engine.up()
    mark = engine._side.estate.journal.mark()
    wish.settle = 7
    assert list(engine.up().operations().values()) == ["update"]
    assert engine._side.estate.journal.count(kind="effect", since=mark) == 0
    assert engine.drifted() == {}


@pytest.mark.parametrize("settle", [-1, 86_401])
def test_an_odd_settle_time_is_refused(engine: Engine, wish: Wish, settle: int) -> None:
    wish.settle = settle
    with pytest.raises(Refused, match="settle"):
        engine.preview()


class Listening(EngineService):
    """An engine that knows when a plugin has begun to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Event()

    def Log(self, request: engine_pb2.LogRequest, context: object) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        if "waiting until" in request.message:
            self.waits.set()
        return super().Log(request, context)


def test_when_the_engine_dies_the_wait_ends_and_the_plugin_too(
    side: Side, engine: Engine, wish: Wish
) -> None:
    engine.up()
    wish.settle = 600
    engine.up()
    service, server = Listening(), grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    engine_pb2_grpc.add_EngineServicer_to_server(service, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    plugin = Plugin(address, engine._arguments["exchange"], side.estate.environment)
    rule = engine.state["k"]
    request = provider_pb2.DeleteRequest(id=rule.id, properties=struct(rule.outputs))
    with futures.ThreadPoolExecutor(1) as thread:
        call = thread.submit(plugin.call, "Delete", request)
        assert service.waits.wait(20)
        server.stop(None).wait()
        with pytest.raises(Refused):
            call.result(timeout=20)
    assert plugin.process.wait(timeout=20) == engine_module._EXIT_CODE
    plugin.stop()


def test_who_waits_in_this_process_is_woken_by_the_end_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()
    monkeypatch.setattr(settling, "_gone", gone)
    said = threading.Event()
    monkeypatch.setattr(report, "info", lambda _: said.set())
    until = datetime.now(UTC) + timedelta(hours=1)
    with futures.ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(settling.wait_until, until, "the rule", "because")
        assert said.wait(5)
        gone.set()
        with pytest.raises(Interrupted, match="the engine is gone"):
            waiting.result(timeout=5)


def test_that_it_still_waits_is_told_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(settling, "SAY_EVERY", 0.1)
    monkeypatch.setattr(report, "info", lines.append)
    until = datetime.now(UTC) + timedelta(seconds=0.35)
    settling.wait_until(until, "the rule", "because")
    assert len(lines) == 4
    assert datetime.now(UTC) >= until
