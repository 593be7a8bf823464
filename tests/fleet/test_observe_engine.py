"""`mode: observe` and `fleet compare` on the real engine: what it decrypts, and the switch it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.estate import Estate
from lab.tenant.practice import OUTBOUND_SECRET
from tests.engine.life import Life, living
from tests.fleet.fleet_kit import Fleet, fleet_in
from tests.fleet.test_observe import is_read
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)
STACK = "bce-demo-lab"
MODE = "  m365-secure-email:mode: observe\n"


@pytest.fixture
def life(tmp_path: Path, warm: Mapping[str, str]) -> Iterator[Life]:
    """The guide's stack; its header's secret is in its file, encrypted, and not in the environment."""
    with Estate(tmp_path / ".lab") as estate:
        environment = {**estate.environment, **warm}
        del environment["OUTBOUND_SECRET"]
        life = living(Project(tmp_path, STACK, environment), estate)
        place = "m365-secure-email:outbound.secret"
        life.project.pulumi("config", "set", "--secret", "--path", place, OUTBOUND_SECRET)
        yield life


@pytest.fixture
def fleet(life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    return fleet_in(life.project.folder, life.project.environment, monkeypatch, capsys)


def test_only_looking_then_managing_and_no_way_back(life: Life, fleet: Fleet) -> None:
    project, file = life.project, life.project.stack_file
    given, state = file.read_text(encoding="utf-8"), life.state_file.read_bytes()
    mark = life.estate.journal.mark()
    [told] = fleet.json("compare", STACK)["stacks"]
    assert told["state"] == "changes", told
    assert {one["state"] for one in told["observations"]} == {"absent", "noted"}, told["observations"]
    assert life.state_file.read_bytes() == state

    file.write_text(given.replace("config:\n", f"config:\n{MODE}", 1), encoding="utf-8")
    said = project.up().output
    assert "mode: observe: nothing is changed, on neither side." in said
    assert "bce-demo: SMTP route «bce-demo.com» is not there" in said
    assert [event for event in life.estate.journal.events(since=mark) if not is_read(event)] == []
    assert life.estate.dump() == life.before
    assert OUTBOUND_SECRET not in life.state_file.read_text(encoding="utf-8")

    file.write_text(given, encoding="utf-8")
    project.up()
    made = life.estate.dump()
    assert made != life.before
    file.write_text(given.replace("config:\n", f"config:\n{MODE}", 1), encoding="utf-8")
    refused = project.preview(check=False)
    assert not refused.ok
    assert "this stack manages what is there, so mode: observe would take all of that away" in refused.output
    project.up("--continue-on-error", check=False)
    assert life.estate.dump() == made
