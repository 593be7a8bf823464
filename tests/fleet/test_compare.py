"""`fleet compare` on an estate: without a state, without an engine, and without a trace on either side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack_config import NAMESPACE
from dynamic_providers import errors
from dynamic_providers.observation import Observation
from fleet.compare import outcome
from fleet.outcome import State
from lab.estate import Estate
from tests.estate.test_the_guide import do_by_hand, hand_transcript
from tests.fleet.fake_engine import FakeEngine
from tests.fleet.fleet_kit import Fleet, project
from tests.fleet.test_observe import is_read
from tests.hands.acts import call
from tests.hands.names import DOMAIN, OUTBOUND
from tests.hands.things import THINGS
from tests.protocol.estate_kit import running
from tests.shared_stacks import gateway_values
from tests.unit.settings_samples import sample

STACK = "bce-demo-lab"


@pytest.fixture(scope="module")
def by_hand() -> Iterator[Estate]:
    """The guide, typed."""
    with running("new") as estate:
        for step in hand_transcript():
            do_by_hand(estate, step)
        yield estate


@pytest.fixture
def fleet(
    by_hand: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Fleet:
    """The stack of the guide, and that of its gateway; an engine that nobody asks for anything."""
    folder = project(tmp_path)
    ca = {"caBundle": str(by_hand.ca_file.resolve())}
    write(folder, STACK, {**sample(STACK), "endpoints": ca})
    write(folder, "hub", {**gateway_values(by_hand), "endpoints": ca})
    for name in list(os.environ):
        if name.startswith(("AZURE_", "GATEWAY_", "PULUMI_")):
            monkeypatch.delenv(name)
    for name, value in by_hand.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.chdir(folder)
    return Fleet(folder, FakeEngine.begun(tmp_path / "bin"), capsys)


def write(folder: Path, name: str, values: dict[str, Any]) -> None:
    config = {f"{NAMESPACE}:{key}": value for key, value in values.items()}
    path = folder / "stacks" / f"Pulumi.{name}.yaml"
    path.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")


def test_the_guide_typed_by_hand_is_right_and_what_is_changed_then_is_told(
    fleet: Fleet, by_hand: Estate
) -> None:
    mark, dump, files = by_hand.journal.mark(), by_hand.dump(), {*fleet.folder.rglob("*")}
    assert fleet.run("compare", "--all") == 0, fleet.out + fleet.err
    assert f"{STACK}: " in fleet.out
    assert "It only looked: nothing is changed, on neither side." in fleet.out
    assert "not there" not in fleet.out
    assert [event for event in by_hand.journal.events(since=mark) if not is_read(event)] == []
    assert by_hand.dump() == dump
    assert {*fleet.folder.rglob("*")} == files

    secret = "another7Secret"
    THINGS["route"].change(by_hand)
    THINGS["sender group"].change(by_hand)
    call("Set-TransportRule", Identity=OUTBOUND, SetHeaderName="X-OUTBOUND-AUTH", SetHeaderValue=secret)(
        by_hand
    )
    told = fleet.json("compare")
    assert told["exitCode"] == 2
    by_name = {one["stack"]: one for one in told["stacks"]}
    assert {name: one["state"] for name, one in by_name.items()} == {STACK: "changes", "hub": "changes"}
    wrong = {
        (one["what"], one["attribute"]): (one["theirs"], one["ours"])
        for one in by_name[STACK]["observations"]
        if one["state"] not in ("right", "noted")
    }
    assert wrong[f"SMTP route «{DOMAIN}»", "hosts"] == (
        "[{host: «by-hand.example», port: 25, priority: 0}]",
        "[{host: «bce-demo-com.mail.protection.outlook.com», port: 25, priority: 0}]",
    )
    assert wrong[f"transport rule «{OUTBOUND}»", "setHeaderValue"] == ("differs", "")
    assert secret not in fleet.out
    hub = {one["what"] for one in by_name["hub"]["observations"] if one["state"] == "differs"}
    assert hub == {"sender group «RELAY_O365»"}


def test_what_cannot_be_read_is_an_error_and_the_rest_is_compared(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_PASSWORD", "wrongPassword9")
    monkeypatch.setenv("MISTAKEN__OUTBOUND_SECRET", "anotherSecret7")
    write(fleet.folder, "mistaken", {**sample(STACK), "domains": {}})
    (fleet.folder / "stacks" / "Pulumi.hub.yaml").unlink()
    told = fleet.json("compare")
    assert told["exitCode"] == 1
    by_name = {one["stack"]: one for one in told["stacks"]}
    assert {one["state"] for one in by_name.values()} == {"error"}
    assert "esa1.bce-demo.example" in by_name[STACK]["says"]
    assert any(one["what"].startswith("transport rule") for one in by_name[STACK]["observations"])
    assert "domains" in by_name["mistaken"]["lines"][0]["text"]
    assert "wrongPassword9" not in fleet.out + fleet.err


def test_an_outcome_says_how_many_things_are_how() -> None:
    where, what = "hc1", "SMTP route «a.example»"
    right = Observation(where, what, "hosts", "right", "x", "x")
    noted = Observation(where, "filter «f»", "", "noted", "lets other secrets pass, too")
    absent = Observation(where, "SMTP route «b.example»", "", "absent", "is not there")
    assert outcome("s", [right, right], []).state is State.SAME
    assert outcome("s", [noted, right], []).says == "1 worth knowing, 1 right"
    assert outcome("s", [], []).says == "nothing to compare"
    found = outcome("s", [absent, right], [], ["a line"])
    assert (found.state, found.says) == (State.CHANGES, "1 not there, 1 right")
    failed = outcome("s", [right], ["no way in", "no way in"])
    assert (failed.state, failed.says) == (State.ERROR, "no way in; 1 right")
    assert [line.text for line in failed.lines] == ["no way in"]
