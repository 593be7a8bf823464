"""The gateway driver against the lab: a whole life of every table, on every release that we know."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab.estate import Estate
from tests.protocol import gateway_kit as kit
from tests.protocol.gateway_kit import DOMAIN, count, stack
from tests.protocol.gateway_life import NAME, REAL_QUIET, Stack, plugin, wanted

running, estate = kit.running, kit.estate


def repeated_reads(estate: Estate, since: int) -> list[str]:
    """Tables that were read twice without a write in between, and not to make sure before a write."""
    seen: set[str] = set()
    again: list[str] = []
    for event in estate.journal.events("gateway", since=since):
        table = str(event.detail.get("table"))
        if event.kind == "write":
            seen.discard(table)
            again = [one for one in again if one != table]
        elif event.kind == "read":
            again += [table] if table in seen else []
            seen.add(table)
    return again


def test_a_whole_life(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before, ours, start = estate.gateway.dump(), stack(), estate.journal.mark()
    with plugin(estate, monkeypatch, quiet=REAL_QUIET):
        assert sorted(ours.up()) == sorted(f"create {key}" for key in ours.inputs)
    assert count(estate, "connect", start) == 1
    assert count(estate, "commit", start) <= 2
    assert count(estate, "commit-started", start) == count(estate, "commit", start)
    assert repeated_reads(estate, start) == []
    after = estate.gateway.dump()

    start = estate.journal.mark()
    with plugin(estate, monkeypatch):
        assert ours.up() == []
    with plugin(estate, monkeypatch):
        ours.refresh()
        assert ours.drift() == {}
    assert count(estate, "write", start) == count(estate, "commit", start) == 0
    assert estate.gateway.dump() == after

    with plugin(estate, monkeypatch):
        ours.destroy()
    assert estate.gateway.dump() == before


def test_what_the_guide_wants_is_there(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with plugin(estate, monkeypatch):
        stack().up()
    dump = estate.gateway.dump()
    route = "route contoso.example\n  hosts: contoso-example.mail.protection.outlook.com\n"
    assert route in dump
    control = dump[dump.index("destination contoso.example") :].split("\ndestination")[0]
    for line in (
        "max_host_concurrency: 10",
        "max_messages_per_connection: 20",
        "table_tls: preferred",
        "dane: default",
    ):
        assert f"  {line}\n" in control
    group = dump[dump.index("sender group RELAY_O365") :].split("\nsender group")[0]
    for line in ("order: 1", "behaviour: $RELAYED", "comment: From Microsoft 365 mail to Cisco Secure Email"):
        assert f"  {line}\n" in group
    assert "  sender .protection.outlook.com" in group
    assert '| office365_outbound: if (sendergroup == "^RELAY_O365$") {' in dump


def test_group_policy_and_filter_take_one_commit(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    start = estate.journal.mark()
    with plugin(estate, monkeypatch, quiet=REAL_QUIET):
        stack("senderGroup", "mailFlowPolicy", "filter").up()
    assert count(estate, "commit", start) == 1
    (commit,) = estate.journal.events("gateway", "commit", since=start)
    for word in ("bce-demo-lab", "CHG0041872", "RELAY_O365", "RELAYED", "office365_outbound"):
        assert word in commit.detail["comment"]
    assert "mysecretkey" not in commit.detail["comment"]


def test_a_hundred_domains_take_one_commit(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    host = {"host": "mx.contoso.example", "priority": 0, "port": 25}
    routes = {f"d{n}.contoso.example": {"hosts": [host]} for n in range(100)}
    before, start, ours = (
        estate.gateway.dump(),
        estate.journal.mark(),
        Stack({"smtpRoutes": {"routes": routes}}),
    )
    with plugin(estate, monkeypatch):
        ours.up()
    assert count(estate, "commit", start) == 1
    assert estate.gateway.dump().count("hosts: mx.contoso.example") == 100
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert count(estate, "commit", start) == 2
    assert estate.gateway.dump() == before


def test_a_domain_added_later_and_removed(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = stack("smtpRoutes", "destinationControls", "recipientAccess")
    with plugin(estate, monkeypatch):
        ours.up()
    first = estate.gateway.dump()
    more = wanted(domain="shop.contoso.example")
    fields = {"smtpRoutes": "routes", "destinationControls": "controls", "recipientAccess": "recipients"}
    for key, field in fields.items():
        ours.inputs[key] = {**ours.inputs[key], field: {**ours.inputs[key][field], **more[key][field]}}
    start = estate.journal.mark()
    with plugin(estate, monkeypatch, quiet=REAL_QUIET):
        assert len(ours.up()) == 3
    assert count(estate, "commit", start) == 1
    assert "route shop.contoso.example" in estate.gateway.dump()
    for key, field in fields.items():
        ours.inputs[key] = {**ours.inputs[key], field: {DOMAIN: ours.inputs[key][field][DOMAIN]}}
    with plugin(estate, monkeypatch):
        assert len(ours.up()) == 3
    assert estate.gateway.dump() == first


def test_ciphers_are_compared_or_set(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, start = estate.gateway.dump(), estate.journal.mark()
    compared = Stack({"ciphers": {"mode": "check"}})
    with plugin(estate, monkeypatch):
        compared.up()
        compared.refresh()
        assert compared.drift() == {}
    assert "outbound SMTP ciphers are «" in capsys.readouterr().err
    with plugin(estate, monkeypatch):
        compared.destroy()
    assert count(estate, "commit", start) == 0
    written = Stack({"ciphers": {"mode": "set"}})
    with plugin(estate, monkeypatch):
        written.up()
    changed = [line for line in estate.gateway.dump().splitlines() if line not in before.splitlines()]
    assert any("!SSLv3" in line for line in changed)
    with plugin(estate, monkeypatch):
        assert written.up() == []
        written.destroy()
    assert estate.gateway.dump() == before


def test_delivery_settings_can_be_read(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    from dynamic_providers.gateway import delivery_config

    with plugin(estate, monkeypatch) as gateway:
        assert (
            gateway.read(delivery_config.TABLE, delivery_config.read)["default interface to deliver mail"]
            == "Auto"
        )
    assert gateway.name == NAME


RENDERINGS: list[tuple[str, dict[str, Any]]] = [
    ("new", {"asks_again": False}),
    ("new", {"echo": False}),
    ("new", {"newline": "\r\r\n"}),
    ("new", {"columns": 80, "wrap": "hard"}),
    ("new", {"columns": 80, "wrap": "word"}),
    ("new", {"pager_lines": 1}),
    ("new", {"print_priority_zero": True}),
    ("new", {"new_group_lands": "first"}),
    ("new", {"rollback_question": False}),
    ("new", {"latency": {"*": 0.01}}),
    ("old", {"columns": 80, "wrap": "hard", "pager_lines": 7}),
    ("cluster", {"notice": "command"}),
    ("cluster", {"notice": "verb"}),
    ("cluster", {"notice_switch_lasts": False}),
]


@pytest.mark.parametrize(("running", "switches"), RENDERINGS, indirect=["running"], ids=str)
def test_whatever_the_rendering(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, switches: dict[str, Any]
) -> None:
    for name, value in switches.items():
        assert hasattr(estate.gateway, name)
        setattr(estate.gateway, name, value)
    before, ours = estate.gateway.dump(), stack()
    with plugin(estate, monkeypatch):
        ours.up()
    with plugin(estate, monkeypatch):
        assert ours.up() == []
        ours.refresh()
        assert ours.drift() == {}
        ours.destroy()
    assert estate.gateway.dump() == before


def test_many_threads_share_commits(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve changes of one table at once: all of them are there, in far fewer commits."""
    provider, start = Stack.provider("smtpRoutes"), estate.journal.mark()

    def add(number: int) -> None:
        entry = {"hosts": [{"host": f"mx{number}.example", "priority": 0, "port": 25}]}
        provider.live({"gateway": NAME}, ["contoso.example"])
        provider.apply({"gateway": NAME}, {f"d{number}.example": entry}, {}, {})

    with plugin(estate, monkeypatch, quiet=REAL_QUIET), ThreadPoolExecutor(max_workers=12) as threads:
        list(threads.map(add, range(12)))
    assert all(f"route d{number}.example" in estate.gateway.dump() for number in range(12))
    assert count(estate, "commit", start) <= 4
    assert count(estate, "connect", start) == 1
