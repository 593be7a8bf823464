"""The change window of a stack: `fleet up` keeps to it, and starts nothing where it is shut."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fleet import window
from tests.fleet.fake_engine import step
from tests.fleet.fleet_kit import Fleet, write

SATURDAY = {"ticket": "CHG-1", "window": "Sat 20:00-24:00 Europe/Zurich"}
SHUT = "the change window is shut: Sat 20:00-24:00 Europe/Zurich; it opens in 3 d 4 h, Sat 28 Nov 20:00"


@pytest.fixture(autouse=True)
def on_wednesday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "now", lambda: datetime(2026, 11, 25, 15, tzinfo=UTC))


def asked(fleet: Fleet) -> bool:
    return (fleet.engine.folder / "asked").exists()


def test_outside_of_it_nothing_is_started_and_the_others_go_on(fleet: Fleet) -> None:
    write(fleet.folder, "beta", change=SATURDAY)
    found = fleet.json("up", "--yes", "*")
    states = {one["stack"]: one["state"] for one in found["stacks"]}
    assert states == {"alpha": "same", "beta": "refused", "gamma": "same"}
    assert found["exitCode"] == 1
    assert "beta" not in str(fleet.engine.asked())
    [beta] = [one for one in found["stacks"] if one["stack"] == "beta"]
    assert beta["says"] == f"{SHUT}. --outside-window goes on all the same"


def test_a_preview_needs_no_window(fleet: Fleet) -> None:
    write(fleet.folder, "beta", change=SATURDAY)
    assert fleet.states("preview", "beta") == {"beta": "same"}


def test_who_goes_on_all_the_same_is_told_so(fleet: Fleet) -> None:
    write(fleet.folder, "beta", change=SATURDAY)
    fleet.engine.answer("beta", "up", step("create", "outbound-rule"))
    found = fleet.json("up", "beta", "--yes", "--outside-window")
    [beta] = found["stacks"]
    assert (beta["state"], found["exitCode"]) == ("done", 0)
    [line] = beta["lines"]
    assert line == {**line, "severity": "warning", "text": f"{SHUT}; done all the same, by --outside-window"}


def test_inside_of_it_nothing_is_said(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "now", lambda: datetime(2026, 11, 28, 22, tzinfo=UTC))
    write(fleet.folder, "beta", change=SATURDAY)
    assert fleet.json("up", "beta", "--yes")["stacks"][0]["lines"] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"window": "at any time"}, "change.window is no change window: write Sat 20:00-24:00 Europe/Zurich"),
        ({"window": 20}, "change.window is no change window"),
        ("{broken", "change.window is no change window"),
        ('{"window": "Sat 20:00-24:00 Europe/Zurich"}', SHUT),
        ({"window": "2026-11-21 20:00-22:00 UTC"}, "it was over Sat 21 Nov 22:00, and does not come again"),
    ],
)
def test_what_is_shut_for_another_reason(fleet: Fleet, change: object, says: str) -> None:
    write(fleet.folder, "beta", change=change)
    [beta] = fleet.json("up", "beta", "--yes")["stacks"]
    assert beta["state"] == "refused"
    assert says in beta["says"]
    assert not asked(fleet)
