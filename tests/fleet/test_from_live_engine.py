"""An estate typed by hand under other names, on the real engine: taken in as it is, and given up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.estate import Estate
from tests.engine.life import Life
from tests.estate.test_the_guide import do_by_hand
from tests.fleet.fleet_kit import Fleet, fleet_in
from tests.fleet.onboard_kit import OTHER_NAMES, STACK, Desk, under_other_names
from tests.hands.names import DOMAIN, FILTER, GROUP, INBOUND, OUTBOUND
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)
WRITES = ("write", "commit", "effect")


@pytest.fixture
def life(tmp_path: Path, warm: Mapping[str, str]) -> Iterator[Life]:
    """The guide, typed by somebody who liked other names better; no stack yet."""
    with Estate(tmp_path / ".lab") as estate:
        for step in under_other_names():
            do_by_hand(estate, step)
        environment = {**estate.environment, **warm}
        del environment["OUTBOUND_SECRET"]
        project = Project(tmp_path, STACK, environment, settings="")
        project.stack_file.unlink()
        yield Life(project, estate, estate.dump())


@pytest.fixture
def fleet(life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    return fleet_in(life.project.folder, life.project.environment, monkeypatch, capsys)


def test_it_is_taken_in_as_it_is_and_given_up_as_it_was(
    fleet: Fleet, life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = life.estate
    at_desk = Desk(estate, life.project.folder, capsys)
    usual = at_desk.usual(gateway="esa1.bce-demo.example", accept_host_key=at_desk.host_key)
    settle = ("--set", "settle={rule: 1s, mx: 1s}")
    mark = estate.journal.mark()
    assert at_desk.run(*usual, "--from-live", *settle) == 0, at_desk.err
    assert "all of it is right already" in at_desk.out

    assert fleet.states("preview", STACK) == {STACK: "changes"}
    right = [line["text"] for line in fleet.json("preview", STACK)["stacks"][0]["lines"]]
    for name in (DOMAIN, *(OTHER_NAMES[one] for one in (INBOUND, OUTBOUND, GROUP, FILTER))):
        assert any(f"«{name}» exists and is right: will be managed" in text for text in right), name
    assert fleet.states("up", STACK, "--yes") == {STACK: "done"}
    assert [one for one in estate.journal.events(since=mark) if one.kind in WRITES] == []
    assert fleet.states("preview", STACK) == {STACK: "same"}

    assert fleet.states("offboard", STACK, "--yes") == {STACK: "done"}
    assert estate.dump() == life.before
