"""`fleet onboard` with the real engine: the stack, its key and its secret, in a file that stays commented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.estate import Estate
from tests.fleet.onboard_kit import STACK, Desk, desk
from tests.protocol.estate_kit import running
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with running("new") as one:
        yield one


@pytest.fixture
def project(estate: Estate, tmp_path: Path) -> Project:
    """With the program in it, and no stack file yet."""
    made = Project(tmp_path, STACK, estate.environment, settings="")
    made.stack_file.unlink()
    return made


@pytest.fixture
def at_desk(
    estate: Estate,
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Desk]:
    with desk(estate, tmp_path / "fake", monkeypatch, capsys, ["OUTBOUND_SECRET"]) as one:
        environment = {key: value for key, value in project.environment.items() if key != "OUTBOUND_SECRET"}
        monkeypatch.setattr("fleet.onboard.steps.engine_environment", lambda: environment)
        monkeypatch.chdir(project.folder)
        one.folder = project.folder
        yield one


def test_the_key_and_the_secret_are_in_the_file_and_its_comments_stay(
    at_desk: Desk, project: Project
) -> None:
    assert at_desk.onboard() == 0, at_desk.err
    text = project.stack_file.read_text(encoding="utf-8")
    assert "encryptionsalt: v1:" in text
    assert at_desk.values["outbound"]["secret"]["secure"].startswith("v1:")
    for comment in ("# Written by `fleet onboard`.", "    # hostKey: compared by", "# What may come next"):
        assert comment in text
    said = json.loads(project.pulumi("config", "--show-secrets", "--json").output)
    secret = said["m365-secure-email:outbound"]["objectValue"]["secret"]
    assert len(secret) == 40
    assert secret not in text + at_desk.out + at_desk.err

    assert at_desk.onboard() == 0, at_desk.err
    assert "was initialised already" in at_desk.out
    assert project.stack_file.read_text(encoding="utf-8") == text
    assert at_desk.onboard("--set", "lockdown=report", "--force") == 0, at_desk.err
    said = json.loads(project.pulumi("config", "--show-secrets", "--json").output)
    assert said["m365-secure-email:outbound"]["objectValue"]["secret"] == secret
    assert said["m365-secure-email:lockdown"]["value"] == "report"


def test_what_the_engine_refuses_is_told_with_what_to_do(
    at_desk: Desk, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {key: value for key, value in project.environment.items() if "PASSPHRASE" not in key}
    monkeypatch.setattr("fleet.onboard.steps.engine_environment", lambda: without)
    assert at_desk.onboard() == 1
    assert "PULUMI_CONFIG_PASSPHRASE" in at_desk.err
