"""An approval on the real engine: a secret that changed since is refused, what was approved is done, once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.estate import Estate
from lab.tenant.practice import OUTBOUND_SECRET
from tests.engine.life import Life, living
from tests.fleet.fleet_kit import Fleet, fleet_in
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)
STACK, KEY = "bce-demo-lab", "a-key-for-practice-only-0123456789abcdef"
SECRET = "m365-secure-email:outbound.secret"


@pytest.fixture
def life(tmp_path: Path, warm: Mapping[str, str]) -> Iterator[Life]:
    """The guide's stack, its secret and its key for approvals in its file."""
    with Estate(tmp_path / ".lab") as estate:
        environment = {**estate.environment, **warm}
        del environment["OUTBOUND_SECRET"]
        life = living(Project(tmp_path, STACK, environment), estate)
        life.project.pulumi("config", "set", "--secret", "m365-secure-email:approvalKey", KEY)
        keep_secret(life, OUTBOUND_SECRET)
        yield life


@pytest.fixture
def fleet(life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    return fleet_in(life.project.folder, life.project.environment, monkeypatch, capsys)


def keep_secret(life: Life, value: str) -> None:
    life.project.pulumi("config", "set", "--secret", "--path", SECRET, value)


def test_what_was_approved_is_done_once_and_nothing_else(fleet: Fleet, life: Life) -> None:
    assert fleet.states("preview", STACK, "--save", "plan.json") == {STACK: "changes"}
    text = (life.project.folder / "plan.json").read_text(encoding="utf-8")
    assert all(secret not in text + fleet.out + fleet.err for secret in (OUTBOUND_SECRET, KEY))
    up = ("up", "--approved", "plan.json", "--yes")

    keep_secret(life, "anotherSecret4711")
    [refused] = fleet.json(*up)["stacks"]
    assert refused["state"] == "refused"
    assert refused["says"].startswith(
        "not what was approved, so nothing was changed: the secret outbound.secret is another"
    )
    assert "anotherSecret4711" not in json.dumps(refused) + fleet.err
    assert life.estate.dump() == life.before

    keep_secret(life, OUTBOUND_SECRET)
    [done] = fleet.json(*up)["stacks"]
    assert done["state"] == "done", done
    assert life.estate.dump() != life.before
    assert fleet.states(*up) == {STACK: "same"}
