"""`fleet rotate` and `fleet offboard` with the real engine, and mail that flows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack_config import NAMESPACE
from fleet.record import made_by_us
from lab.estate import Estate
from lab.tenant.practice import OUTBOUND_SECRET
from tests.engine.life import Life, living
from tests.fleet.fleet_kit import Fleet, fleet_in
from tests.mail_stack import DOMAIN, values
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)
STACK = "bce-demo-lab"


@pytest.fixture
def life(tmp_path: Path, warm: Mapping[str, str]) -> Iterator[Life]:
    """MX at the gateway, outbound mail through it, all proven; the header's secret is in the stack file."""
    with Estate(tmp_path / ".lab") as estate:
        environment = {**estate.environment, **warm}
        del environment["OUTBOUND_SECRET"]
        given = {f"{NAMESPACE}:{key}": value for key, value in values(estate).items()}
        text = f"# Bella's\n{yaml.safe_dump({'config': given}, sort_keys=False)}"
        life = living(Project(tmp_path, STACK, environment, settings=text), estate)
        place = "m365-secure-email:outbound.secret"
        life.project.pulumi("config", "set", "--secret", "--path", place, OUTBOUND_SECRET)
        yield life


@pytest.fixture
def fleet(life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    return fleet_in(life.project.folder, life.project.environment, monkeypatch, capsys)


def outbound(life: Life) -> dict[str, Any]:
    """The section as the engine decrypts it."""
    said = json.loads(life.project.pulumi("config", "--show-secrets", "--json").output)
    found: dict[str, Any] = said[f"{NAMESPACE}:outbound"]["objectValue"]
    return found


def test_a_customer_leaves_and_all_is_as_it_was_or_stays_as_it_is(life: Life, fleet: Fleet) -> None:
    estate, zones = life.estate, life.estate.network.zones.dump()
    life.project.up()
    made, led_here = estate.dump(), estate.network.zones.dump()
    assert made != life.before
    assert led_here != zones
    exported = json.loads(life.project.pulumi("stack", "export", "--show-secrets").output)
    assert [made_by_us(exported, name) for name in (DOMAIN, "other.example")] == [True, False]
    there = life.saved()

    # Another secret, so that the way out has one from before, too.
    assert fleet.run("rotate", "begin", STACK) == 0, fleet.err
    found = outbound(life)
    assert found["previousSecrets"] == [OUTBOUND_SECRET]
    assert len(found["secret"]) == 40
    assert found["secret"] not in fleet.out + fleet.err + there.stack_file
    text = life.project.stack_file.read_text(encoding="utf-8")
    assert "# Bella's\n" in text

    # Cut in the middle, and run again.
    estate.tenant.faults.add("Remove-OutboundConnector", "bad-value")
    [cut] = fleet.json("offboard", STACK, "--yes")["stacks"]
    assert cut["state"] == "error", cut
    assert estate.network.zones.dump() == zones
    assert estate.dump() not in (life.before, made)
    [left] = fleet.json("offboard", STACK, "--yes")["stacks"]
    assert left["state"] == "done", left
    assert "outbound-rule" not in [step["name"] for step in left["steps"]]
    assert (estate.dump(), estate.network.zones.dump()) == (life.before, zones)
    assert not life.state_file.exists()
    assert life.project.stack_file.read_text(encoding="utf-8") == text
    assert fleet.states("offboard", STACK, "--yes") == {STACK: "same"}

    life.restore(there)
    assert fleet.states("offboard", STACK, "--yes", "--leave") == {STACK: "done"}
    assert (estate.dump(), estate.network.zones.dump()) == (made, led_here)
    assert not life.state_file.exists()
    assert life.project.stack_file.read_text(encoding="utf-8") == there.stack_file
