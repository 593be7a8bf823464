"""Fleet on the real engine and the lab: one stack that is made, three that fail in three ways, and drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack_config import NAMESPACE
from lab.estate import Estate
from tests.engine.canaries import Watch, canary, files, leaks
from tests.engine.life import Life, living
from tests.fleet.fleet_kit import Fleet, fleet_in
from tests.hands.acts import type_in
from tests.shared_stacks import gateway_values
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)

WRONG = canary("wrong gateway password")


@pytest.fixture
def life(tmp_path: Path, warm: Mapping[str, str]) -> Iterator[Life]:
    """A small stack, that of a shared gateway, and three that cannot be made."""
    with Estate(tmp_path / ".lab") as estate:
        values = gateway_values(estate)
        environment = {**estate.environment, **warm}
        project = Project(tmp_path, "hub", environment, settings=stack_text(values))
        life = living(project, estate)
        spoiled = {
            "locked-out": values,
            "mistaken": {**values, "gateway": {**values["gateway"], "outboundListener": "IncomingMail"}},
            "unknown": values,
        }
        for name, given in spoiled.items():
            (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text(stack_text(given), encoding="utf-8")
        for name in ("locked-out", "mistaken"):
            project.pulumi("stack", "init", name)
        yield life


def stack_text(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump({"config": {f"{NAMESPACE}:{key}": value for key, value in values.items()}})


@pytest.fixture
def fleet(life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    begun = fleet_in(life.project.folder, life.project.environment, monkeypatch, capsys)
    monkeypatch.setenv("LOCKED_OUT__GATEWAY_PASSWORD", WRONG)
    return begun


def test_each_failure_has_its_line_and_drift_is_seen(fleet: Fleet, life: Life) -> None:
    watch = Watch(life.project.folder / "nothing", lambda _folder, _command: True)
    life.estate.journal.when(lambda event: event.kind == "login", watch.look)

    result = fleet.json("up", "*", "--yes")
    assert result["exitCode"] == 1
    stacks = {one["stack"]: one for one in result["stacks"]}
    assert {name: one["state"] for name, one in stacks.items()} == {
        "hub": "done",
        "locked-out": "error",
        "mistaken": "refused",
        "unknown": "error",
    }, fleet.out
    assert "user «admin» is refused" in stacks["locked-out"]["says"]
    assert "outboundListener" in stacks["mistaken"]["says"]
    assert "pulumi stack init unknown" in stacks["unknown"]["says"]
    places = {**watch.places(), "said": (fleet.out + fleet.err).encode(), **files(life.project.folder)}
    assert leaks(places, {"password": WRONG}) == []
    assert watch.looks

    assert fleet.states("drift", "hub") == {"hub": "same"}
    type_in("listenerconfig edit OutgoingMail hostaccess delete sendergroup RELAY_O365")(life.estate)
    [drifted] = fleet.json("drift", "hub")["stacks"]
    # A read never says «gone», so what is missing is a change.
    assert (drifted["state"], drifted["counts"]) == ("drift", {"update": 1})
    assert (drifted["severity"], drifted["drift"][0]["way"]) == ("stops mail", "missing")
    page = life.project.folder / "fleet.html"
    [reported] = fleet.json("report", "hub", "--html", str(page))["stacks"]
    assert reported["drift"] == drifted["drift"]
    assert (reported["facts"]["made"], reported["facts"]["lastUp"]["result"]) == (True, "succeeded")
    assert "0 of 1 as they should be; 1 drifted and stops mail" in page.read_text(encoding="utf-8")
    assert fleet.states("up", "hub", "--refresh", "--yes") == {"hub": "done"}
    assert fleet.states("up", "hub", "--yes") == {"hub": "same"}
