"""What a pipeline's job tells its forge, and asks of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fleet import federated
from fleet.command import main
from fleet.forge.forges import KNOWN_BY
from tests.fleet.forge_server import (
    HEAD,
    MERGED,
    TOKEN,
    AzureDevOpsServer,
    Forge,
    GitHubServer,
    GitLabServer,
    Listening,
    TokenServer,
)


@pytest.fixture(params=[GitHubServer, GitLabServer, AzureDevOpsServer], ids=["github", "gitlab", "azure"])
def forge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    with Listening(request.param()) as listening:
        job_of(listening, monkeypatch)
        yield listening


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    with Listening(GitHubServer()) as listening:
        job_of(listening, monkeypatch)
        yield listening


def job_of(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KNOWN_BY, "ACTIONS_ID_TOKEN_REQUEST_URL", "SYSTEM_OIDCREQUESTURI", "FLEET_ID_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in forge.environment().items():
        monkeypatch.setenv(name, value)


def fleet(*words: str) -> int:
    sys.argv = ["fleet", *words]
    return main()


def result(folder: Path, command: str, states: Mapping[str, str]) -> str:
    code = 1 if "error" in states.values() else 2 if {"changes", "drift"} & {*states.values()} else 0
    stacks: list[dict[str, Any]] = [
        {"stack": name, "state": state, "says": "1 to update", "steps": [], "lines": [], "seconds": 1.0}
        for name, state in states.items()
    ]
    file = folder / f"{command}-{len(list(folder.iterdir()))}.json"
    said = {"command": command, "exitCode": code, "seconds": 1.0, "stacks": stacks}
    file.write_text(json.dumps(said), encoding="utf-8")
    return str(file)


def test_one_comment_on_a_request_however_often_it_is_reviewed(forge: Forge, tmp_path: Path) -> None:
    forge.add("another robot's")
    assert fleet("pipeline", "comment", result(tmp_path, "preview", {"a-prod": "changes"})) == 0
    assert fleet("pipeline", "comment", result(tmp_path, "preview", {"b-prod": "error"})) == 0
    assert len(forge.comments) == 2
    assert "b-prod" in forge.comments[2]
    assert "a-prod" not in forge.comments[2]


def test_one_issue_which_is_closed_when_nothing_drifts_any_more(
    forge: Forge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = result(tmp_path, "drift", {"a-prod": "same"})
    assert fleet("pipeline", "issue", right) == 0
    assert forge.issues == {}
    for stack in ("a-prod", "b-prod"):
        assert fleet("pipeline", "issue", result(tmp_path, "drift", {stack: "drift"}), right) == 0
    [issue] = forge.issues.values()
    assert "b-prod" in str(issue)
    assert "a-prod</summary>" not in str(issue)
    assert fleet("pipeline", "issue", right) == 0
    assert {issue["state"], issue.get("System.State")} & {"closed", "Done"}
    assert fleet("pipeline", "issue", right) == 0
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .endswith("item is open" if "System.Tags" in issue else "issue is open")
    )


def test_the_plan_that_a_request_was_approved_with(forge: Forge, tmp_path: Path) -> None:
    forge.artifacts = [artifact(1, HEAD)]
    file = tmp_path / "out" / "approved.json"
    assert fleet("pipeline", "approved", "--commit", MERGED, str(file)) == 0
    assert file.read_bytes() in (forge.plan, b"1")


def test_nothing_is_approved_that_came_by_no_request(
    forge: Forge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "approved.json"
    assert fleet("pipeline", "approved", "--commit", HEAD, str(file)) == 1
    assert "request. Nothing is approved; open one" in capsys.readouterr().err
    assert not file.exists()


def artifact(number: int, sha: str, **other: Any) -> dict[str, Any]:
    run = {"head_sha": sha}
    made = {
        "id": number,
        "holds": str(number),
        "name": f"approved-{HEAD}",
        "expired": False,
        "created_at": f"2026-11-0{number}",
    }
    return {**made, "workflow_run": run, **other}


def test_the_newest_plan_of_the_very_commit_counts(github: Forge, tmp_path: Path) -> None:
    """Any run may call an artifact whatever it likes."""
    github.artifacts = [
        artifact(1, HEAD),
        artifact(2, HEAD),
        artifact(3, HEAD, expired=True),
        artifact(4, "d" * 40),
    ]
    file = tmp_path / "approved.json"
    assert fleet("pipeline", "approved", "--commit", MERGED, str(file)) == 0
    assert file.read_bytes() == b"2"


def test_a_plan_that_is_not_there_any_more(
    github: Forge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.artifacts = [artifact(4, "d" * 40)]
    assert fleet("pipeline", "approved", "--commit", MERGED, str(tmp_path / "approved.json")) == 1
    assert "pull request 12 left no plan for its commit aaaaaaaaaaaa" in capsys.readouterr().err


def test_what_the_forge_refuses_is_one_line_without_the_token(
    forge: Forge, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_TOKEN", "GITLAB_TOKEN", "SYSTEM_ACCESSTOKEN"):
        monkeypatch.setenv(name, "wrong-token-of-practice")
    assert fleet("pipeline", "comment", result(tmp_path, "preview", {"a-prod": "same"})) == 1
    said = capsys.readouterr().err
    assert "refuses GET" in said
    assert "(401)" in said
    assert "wrong-token" not in said
    assert len(said.splitlines()) == 1


def test_outside_of_a_pipeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KNOWN_BY:
        monkeypatch.delenv(name, raising=False)
    assert fleet("pipeline", "comment", result(tmp_path, "preview", {})) == 1
    assert "this is no job of" in capsys.readouterr().err


# --- identity -----------------------------------------------------------------------------------------------

SHOW = "import os,sys; print(open(os.environ['AZURE_FEDERATED_TOKEN_FILE']).read()); sys.exit(3)"


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    server = TokenServer()
    with Listening(server):
        job_of(server, monkeypatch)
        yield server


def identity(capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = fleet("pipeline", "identity", "--", sys.executable, "-c", SHOW)
    said = capfd.readouterr()
    return code, said.out.strip() or said.err.strip()


def test_the_identity_of_a_job_of_each_vendor(
    tokens: TokenServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert identity(capfd) == (3, "header.github1.signature")
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL")
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", f"{tokens.url}/azure")
    monkeypatch.setenv("SYSTEM_ACCESSTOKEN", TOKEN)
    monkeypatch.setenv("SERVICE_CONNECTION_ID", "c0ffee")
    assert identity(capfd) == (3, "header.azure.signature")
    monkeypatch.delenv("SYSTEM_OIDCREQUESTURI")
    monkeypatch.setenv("FLEET_ID_TOKEN", "header.gitlab.signature")
    assert identity(capfd) == (3, "header.gitlab.signature")


def test_no_identity_and_the_command_is_not_run(
    tokens: TokenServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "not-this-one")
    assert identity(capfd) == (
        1,
        "error: the pipeline's token is refused (401). Check the job's permissions",
    )
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL")
    code, said = identity(capfd)
    assert code == 1
    assert "id-token: write" in said


def test_the_token_is_kept_fresh_for_this_user_only() -> None:
    given = iter(range(100))
    with federated.token_file(lambda: f"h.{next(given)}.s", every=0.001) as file:
        assert file.stat().st_mode & 0o777 == 0o600
        while file.read_text() == "h.0.s":
            pass
    assert not file.exists()
