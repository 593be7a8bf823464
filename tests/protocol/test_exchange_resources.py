"""Rows a, b, j and k of the guide on the practice tenant: made, adopted, recorded, gone again."""

from dataclasses import replace

import pytest

from dynamic_providers import connections
from dynamic_providers.entries import ABSENT
from dynamic_providers.exchange.snapshot import ExchangeSnapshotProvider
from tests.protocol.exchange_life import (
    GOLDEN,
    KINDS,
    OUTBOUND,
    ROWS,
    TENANT,
    Life,
    life,
    shown,
    writes,
)
from tests.protocol.exchange_practice import Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]


@pytest.mark.parametrize("row", ROWS)
def test_made_as_the_guide_wants_it_and_gone_again(practice: Practice, row: str) -> None:
    one = life(practice, row)
    before = practice.lab.dump()
    assert one.inputs["before"] == {one.inputs["name"]: ABSENT}
    assert one.up()
    assert shown(practice, row) == GOLDEN[row]
    assert not one.up()
    assert one.drift() == {}
    one.destroy()
    assert practice.lab.dump() == before


@pytest.mark.parametrize("row", ROWS)
def test_one_write_one_token_no_list_twice(practice: Practice, row: str) -> None:
    one = life(practice, row)
    noun = KINDS[row].noun
    practice.since = practice.lab.journal.mark()
    one.up()
    assert practice.calls() == [f"Get-{noun}", f"New-{noun}", f"Get-{noun}"]
    assert practice.tokens() == 1
    practice.since = practice.lab.journal.mark()
    one.up()
    assert writes(practice) == []


@pytest.mark.parametrize("row", ROWS)
def test_there_already_and_right_is_adopted_untouched(
    practice: Practice, row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    life(practice, row).up()
    before = practice.lab.dump()
    one = Life(practice, row)
    practice.since = practice.lab.journal.mark()
    one.up()
    assert writes(practice) == []
    assert "exists and is right: will be managed" in capsys.readouterr().err
    one.destroy()
    assert practice.lab.dump() == before
    assert writes(practice) == []


@pytest.mark.parametrize("row", ROWS)
def test_made_by_a_run_that_was_cut_is_ours_without_asking(practice: Practice, row: str) -> None:
    cut = life(practice, row)
    before = practice.lab.dump()
    cut.up()
    cut.outs, cut.checked = {}, {}  # the engine died before it wrote its state
    cut.up()
    assert shown(practice, row) == GOLDEN[row]
    cut.destroy()
    assert practice.lab.dump() == before


@pytest.mark.parametrize("row", ROWS)
def test_deleted_by_hand_is_made_again_or_left_gone(practice: Practice, row: str) -> None:
    one = life(practice, row)
    before = practice.lab.dump()
    one.up()
    practice.lab.invoke_by_hand(KINDS[row].cmdlet("Remove"), Identity=one.inputs["name"])
    assert one.drift()
    assert one.up()
    assert shown(practice, row) == GOLDEN[row]
    practice.lab.invoke_by_hand(KINDS[row].cmdlet("Remove"), Identity=one.inputs["name"])
    one.refresh()
    one.destroy()
    assert practice.lab.dump() == before


def test_the_snapshot_records_and_warns_of_domains(
    practice: Practice, capsys: pytest.CaptureFixture[str]
) -> None:
    connections._live["exchange"] = practice.client()
    provider = ExchangeSnapshotProvider()
    keys = {
        "transportRule": ["Archive copies", OUTBOUND],
        "inboundConnector": ["From payroll service"],
        "outboundConnector": [],
    }
    props = {"tenant": TENANT, "keys": keys, "domains": ["bce-demo.com", "elsewhere.example"]}
    checked = provider.check({}, dict(props))
    said = capsys.readouterr().err
    assert "elsewhere.example is no accepted domain of this tenant" in said
    assert "bce-demo.com is no" not in said
    outs = provider.create(checked.inputs).outs or {}
    record = outs["record"]
    assert record["transportRule"][OUTBOUND] == ABSENT
    raw = record["transportRule"]["Archive copies"]["raw"]
    assert raw["parameters"]["FromMemberOf"] == ["legal@bce-demo.com"]
    assert raw["parameters"]["SetHeaderValue"] == "others-header-secret-7c1f"
    assert raw["above"] == ["External mail warning", "Old disclaimer"]
    assert not provider.diff("", outs, checked.inputs).changes
    assert provider.check(checked.inputs, dict(props)).failures == []
    assert capsys.readouterr().err == ""


def test_a_lagging_tenant_is_waited_for(practice: Practice) -> None:
    practice.lab.switches.lag_reads = 3
    practice.lab.switches = replace(practice.lab.switches)
    for row in ("outbound", "rule"):
        one = Life(practice, row)
        one.up()
        assert shown(practice, row) == GOLDEN[row]
        one.refresh()
        assert not one.up()
