"""Several gateways without a cluster: each resource on all of them, and the state says what is true."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings
from dynamic_providers import connections, managed_provider
from dynamic_providers.gateway import transaction
from dynamic_providers.gateway.every_member import HalfDoneError, NotAllReadError
from lab.estate import Estate
from lab.gateway.server import LabGateway
from lab.journal import Event
from tests.mini_engine import Refused
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery
from tests.protocol import estate_kit
from tests.protocol.gateway_kit import DOMAIN, stack
from tests.protocol.gateway_life import NAME, SECRET, Stack, connection, wanted
from tests.unit.settings_samples import sample

B = "esa2.bce-demo.example"


@pytest.fixture(scope="module")
def running() -> Iterator[Estate]:
    with estate_kit.running("new", more_gateways=1) as estate:
        yield estate


@pytest.fixture
def estate(running: Estate) -> Iterator[Estate]:
    with estate_kit.put_back(running) as estate:
        yield estate


@contextmanager
def plugin(estate: Estate, monkeypatch: pytest.MonkeyPatch, *hosts: str) -> Iterator[None]:
    """A fresh provider process that is given several gateways, as far as this process can be one."""
    there = connection(estate)
    chosen = tuple(one for one in there.members if not hosts or one.host in hosts)
    given = there.model_copy(update={"members": chosen}).model_dump_json(by_alias=True, exclude_none=True)
    live: dict[str, Any] = {}
    monkeypatch.setattr(transaction, "QUIET_SECONDS", 0.05)
    for name, value in estate.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connections, "_arguments", {"stack": "several", "gateway": given})
    monkeypatch.setattr(connections, "_live", live)
    monkeypatch.setattr(managed_provider, "_kept", set())
    connections._connect_table.cache_clear()
    try:
        yield
    finally:
        for one in live.values():
            one.close()


def dumps(estate: Estate) -> list[str]:
    return [one.dump() for one in estate.gateways]


def by_hand(gateway: LabGateway, *lines: str) -> None:
    gateway.type_by_hand([*lines, 'commit "by hand" Y'])


def down(gateway: LabGateway) -> None:
    gateway.refuse_connections = True
    gateway.drop_connections()


# --- a whole life -------------------------------------------------------------------------------------------


def test_a_whole_life(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables; on one of the two there was something before us, which comes back there alone."""
    other = estate.others[0]
    by_hand(other, f"smtproutes new {DOMAIN} mx.before.example")
    before, start = dumps(estate), estate.journal.mark()
    ours = stack()
    ours.take_over = ("mailFlowPolicy", "smtpRoutes")
    with plugin(estate, monkeypatch):
        assert len(ours.up()) == len(ours.inputs)
    first, second = dumps(estate)
    assert first == second
    for one in estate.gateways:
        channel = one.members[0].channel
        assert estate.journal.count(channel, "connect", since=start) == 1
        assert estate.journal.count(channel, "commit", since=start) <= 2
    start = estate.journal.mark()
    with plugin(estate, monkeypatch):
        assert ours.up() == []
        ours.refresh()
        assert ours.drift() == {}
    assert estate.journal.count("gateway", "write", since=start) == 0
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert dumps(estate) == before
    assert before[0] != before[1]


def test_at_first_contact_each_is_asked(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand(estate.others[0], f"smtproutes new {DOMAIN} mx.before.example")
    with plugin(estate, monkeypatch), pytest.raises(AssertionError) as refused:
        stack("smtpRoutes").up()
    assert f"{NAME}, {B}: SMTP route «{DOMAIN}» exists and differs" in str(refused.value)
    assert "esa1" not in str(refused.value)


# --- drift --------------------------------------------------------------------------------------------------

DRIFTS = {
    "changed": (
        [f"smtproutes delete {DOMAIN}", f"smtproutes new {DOMAIN} mx.evil.example"],
        {"hosts": [{"host": "mx.evil.example", "priority": 0, "port": 25}]},
        f"SMTP route «{DOMAIN}» is different on {B}",
    ),
    "gone": ([f"smtproutes delete {DOMAIN}"], {"absent": True}, f"SMTP route «{DOMAIN}» is not there on {B}"),
}


@pytest.mark.parametrize("case", list(DRIFTS))
def test_a_member_that_differs_is_named_and_repaired(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    lines, found, told = DRIFTS[case]
    ours, before = stack("smtpRoutes"), dumps(estate)
    with plugin(estate, monkeypatch):
        ours.up()
    after = dumps(estate)
    by_hand(estate.others[0], *lines)
    with plugin(estate, monkeypatch):
        ours.refresh()
        right = wanted()["smtpRoutes"]["routes"][DOMAIN]
        assert ours.state["smtpRoutes"]["routes"] == {DOMAIN: {**right, "differing": {B: found}}}
        repaired = Stack({"smtpRoutes": wanted()["smtpRoutes"]})
        repaired.state, repaired.record = dict(ours.state), ours.record
        assert repaired.up() == ["update smtpRoutes"]
    assert told in capsys.readouterr().err
    assert dumps(estate) == after
    by_hand(estate.others[0], *lines)
    with plugin(estate, monkeypatch):
        ours.destroy()  # from the state that knows of the drift
    assert dumps(estate) == before


# --- half done ----------------------------------------------------------------------------------------------


def test_one_that_is_down_before_stops_all(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to the others either, neither at first contact nor by an update."""
    ours = stack("smtpRoutes")
    with plugin(estate, monkeypatch):
        ours.up()
    after = dumps(estate)
    down(estate.others[0])
    ours.inputs["smtpRoutes"] = {**ours.inputs["smtpRoutes"], "routes": {}}
    with (
        plugin(estate, monkeypatch),
        pytest.raises(NotAllReadError, match="nothing was changed on the other"),
    ):
        ours.up()
    assert dumps(estate) == after


def test_one_that_goes_down_meanwhile_is_half_done_and_the_next_run_completes(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ours = dumps(estate), stack("smtpRoutes", "recipientAccess")
    first, second = estate.gateways

    def commits(event: Event) -> bool:
        return event.channel == first.members[0].channel and event.kind == "commit"

    estate.journal.when(commits, lambda _event: down(second))
    with plugin(estate, monkeypatch), pytest.raises(HalfDoneError) as half:
        ours.up()
    assert str(half.value).startswith(f"{B}: half done: {B} missing, done on esa1.bce-demo.example: ")
    assert "Run it again: it goes on where this ended" in str(half.value)
    assert ours.state == {}
    assert second.dump() == before[1]
    second.refuse_connections = False
    with plugin(estate, monkeypatch):
        assert ours.up() == ["create smtpRoutes", "create recipientAccess"]
    assert first.dump() == second.dump() != before[0]
    estate.journal.when(commits, lambda _event: down(second))
    with plugin(estate, monkeypatch), pytest.raises(HalfDoneError):
        ours.destroy()
    second.refuse_connections = False
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert dumps(estate) == before


# --- members that come and go -------------------------------------------------------------------------------


def test_a_member_that_is_added_is_set_up_and_one_that_leaves_stays_as_it_is(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = estate.gateways
    by_hand(second, f"smtproutes new {DOMAIN} mx.before.example")
    before, ours = dumps(estate), stack("smtpRoutes", "senderGroup")
    with plugin(estate, monkeypatch, first.members[0].host):
        ours.up()
    assert "members" not in str(ours.state)
    with plugin(estate, monkeypatch), pytest.raises(AssertionError, match=f"{B}: SMTP route .* differs"):
        ours.check("smtpRoutes")
    ours.take_over = ("smtpRoutes",)
    with plugin(estate, monkeypatch):
        assert ours.up() == ["update smtpRoutes", "update senderGroup"]
    assert f"{B} is new among gateway.members" in capsys.readouterr().err
    assert first.dump() == second.dump()
    both = {key: dict(state) for key, state in ours.state.items()}
    with plugin(estate, monkeypatch, first.members[0].host):
        assert ours.up() == ["update smtpRoutes", "update senderGroup"]
        assert f"{B} is not among gateway.members any more" in capsys.readouterr().err
        ours.destroy()
    assert dumps(estate)[0] == before[0]
    assert second.dump() != before[1]
    ours.state = both
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert dumps(estate) == before


# --- the whole stack ----------------------------------------------------------------------------------------


def settings(estate: Estate) -> Settings:
    """The demo's stack with two gateways, before any mail goes out through them."""
    found = copy.deepcopy(sample("bce-demo-lab"))
    found["endpoints"] = {"caBundle": str(estate.ca_file.resolve())}
    found["outbound"] |= {"state": "none", "ciphers": "set"}
    members = [one.model_dump(mode="json", by_alias=True) for one in connection(estate).members]
    found["gateway"] |= {"cluster": False, "members": members}
    return Settings.from_config(found, estate.environment)


def test_a_whole_stack(estate: Estate) -> None:
    before, given = estate.dump(), settings(estate)

    def program() -> None:
        SecureEmailIntegration("mail-flow", given)

    with Nursery() as nursery:
        engine = NurseryEngine(nursery, program, estate.environment)
        engine.up()
        first, second = dumps(estate)
        assert first == second
        assert engine.preview().operations() == {}
        by_hand(estate.others[0], "filters delete office365_outbound")
        engine.refresh()
        run = engine.preview()
        assert run.operations() == {"outbound-filter": "update"}
        assert any(f"outbound filter «office365_outbound» is not there on {B}" in line for line in run.lines)
        assert not any(SECRET in line for line in run.lines)
        engine.up()
        assert dumps(estate) == [first, second]
        down(estate.others[0])
        with pytest.raises(Refused, match=B):
            engine.refresh()
        estate.others[0].refuse_connections = False
        engine.destroy()
    assert estate.dump() == before
