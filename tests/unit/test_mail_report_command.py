"""`python -m mail_check`: exit codes, lines, files; with a `pulumi` of our own on PATH and proofs made up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.stack_config import NAMESPACE
from dynamic_providers import connections
from dynamic_providers.errors import ManagedError
from dynamic_providers.mailflow.mailflow_settings import MailflowSettings
from dynamic_providers.mailflow.proof import CheckName, Proof
from mail_check import surroundings
from mail_check.command import Files, Order, Progress, check_stack
from tests import report_samples as samples
from tests.report_samples import hop, proof
from tests.unit.settings_samples import ENVIRONMENT, PROJECT, SECRET, spoiled

PULUMI = """#!{python}
import sys
from pathlib import Path
answers = Path({folder!r})
Path({folder!r}, "asked").open("a").write(" ".join(sys.argv[1:]) + "\\n")
word = "export" if "export" in sys.argv else "config"
print((answers / word).read_text())
"""
CHECKS = {"mailbox": "probe@contoso.example", "outside": "probe@probe.example"}


@dataclass
class Shell:
    """Where the command runs: what `pulumi` answers, and which checks were asked for."""

    folder: Path
    proofs: list[Proof]
    asked: tuple[CheckName, ...] = ()

    def config(self, values: dict[str, Any]) -> None:
        config = {
            f"{NAMESPACE}:{key}": {"value": json.dumps(value), "objectValue": value, "secret": False}
            if isinstance(value, (dict, list))
            else {"value": value, "secret": False}
            for key, value in values.items()
        }
        (self.folder / "config").write_text(json.dumps(config), encoding="utf-8")

    def check(
        self, settings: MailflowSettings, which: Sequence[CheckName], progress: Progress
    ) -> list[Proof]:
        self.asked = tuple(which)
        progress("waiting for Microsoft 365")
        assert settings.mailbox == CHECKS["mailbox"]
        return self.proofs

    def asked_for(self, *only: CheckName) -> tuple[CheckName, ...]:
        self.run(*only)
        return self.asked

    def run(self, *only: CheckName, **files: Path) -> int:
        return check_stack(Order("contoso-prod", only, Files(**files)), self.check)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder with a `pulumi` that answers from files, and nobody to ask for MX records."""
    made = Shell(tmp_path, [])
    command = tmp_path / "pulumi"
    command.write_text(PULUMI.format(python=sys.executable, folder=str(tmp_path)), encoding="utf-8")
    command.chmod(0o755)
    environment = {**os.environ, **ENVIRONMENT, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    monkeypatch.setattr("mail_check.stack.engine_environment", lambda: environment)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connections, "_arguments", {})
    monkeypatch.setattr(surroundings, "mx_views", lambda _settings: ())
    made.config({**spoiled({}), "checks": CHECKS})
    (tmp_path / "export").write_text(json.dumps({"version": 3, "deployment": None}), encoding="utf-8")
    return made


@pytest.mark.parametrize(
    ("proofs", "code"),
    [
        (samples.green().proofs, 0),
        (samples.red().proofs, 2),
        (samples.unproven().proofs, 3),
        ((*samples.unproven().proofs, *samples.red().proofs), 2),
        ((), 3),
    ],
)
def test_the_exit_code_says_what_the_worst_proof_says(
    shell: Shell, proofs: tuple[Proof, ...], code: int
) -> None:
    shell.proofs = list(proofs)
    assert shell.run() == code


def test_a_line_a_hop_on_stdout_and_all_else_on_stderr(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.proofs = [
        proof("direct", samples.CONNECTED, hop("gateway: accepted", "two\nlines \x1b[2J", "failed"))
    ]
    shell.run()
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "ok         | direct | contoso.example | probe → gateway | 250 2.0.0 ok: Message 330714 accepted",
        "failed     | direct | contoso.example | gateway: accepted | two lines [2J",
    ]
    assert "waiting for Microsoft 365" in said.err
    assert "The way in is broken." in said.err


def test_three_files_are_written_and_none_holds_the_secret(shell: Shell, tmp_path: Path) -> None:
    shell.proofs = list(samples.red().proofs)
    files = {name: tmp_path / f"report.{name}" for name in ("html", "markdown", "json")}
    shell.run(**files)
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    assert texts["html"].startswith("<!DOCTYPE html>")
    assert texts["markdown"].startswith("# ✘ failed")
    assert json.loads(texts["json"])["stack"] == "contoso-prod"
    for text in texts.values():
        assert SECRET not in text
        assert "Contoso AG" in text
        assert ENVIRONMENT["GATEWAY_PASSWORD"] not in text


def test_without_only_the_checks_run_that_the_settings_promise_something_about(shell: Shell) -> None:
    assert shell.asked_for() == ("direct", "outbound", "forged")
    assert shell.asked_for("direct", "sideEntrance") == ("direct", "sideEntrance")
    shell.config({**spoiled({("outbound", "state"): "none"}), "checks": CHECKS})
    assert shell.asked_for() == ("direct",)


def test_a_stack_that_only_looks_forges_nothing(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.config({**spoiled({("mode",): "observe"}), "checks": CHECKS})
    assert shell.asked_for() == ("direct", "outbound")
    assert shell.run("forged") == 1
    assert "transport rule into the tenant for a moment, and mode is observe" in capsys.readouterr().err


def test_secrets_are_asked_for_where_settings_are_read_and_nowhere_else(shell: Shell, tmp_path: Path) -> None:
    shell.run()
    config, export = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert config.startswith("config --show-secrets --json --stack contoso-prod")
    assert export.startswith("stack export --stack contoso-prod")
    assert "show-secrets" not in export


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({**spoiled({})}, "checks is missing"),
        ({**spoiled({}), "checks": {"mailbox": "nobody"}}, "checks.outside is missing"),
        ({**spoiled({}), "kind": "gateway"}, "check the stacks of its tenants"),
    ],
)
def test_settings_that_cannot_be_used_are_an_error_and_no_check_runs(
    shell: Shell, capsys: pytest.CaptureFixture[str], values: dict[str, Any], says: str
) -> None:
    shell.config(values)
    assert shell.run() == 1
    assert says.lower() in capsys.readouterr().err.lower()
    assert shell.asked == ()


def test_what_pulumi_says_when_it_fails_is_said_and_what_it_says_otherwise_is_not(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_text(f"no JSON, but {SECRET}x", encoding="utf-8")
    assert shell.run() == 1
    assert SECRET not in capsys.readouterr().err
    (tmp_path / "config").unlink()
    assert shell.run() == 1
    assert "`pulumi config` failed" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_said_before_anything_runs(
    shell: Shell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run(html=tmp_path / "no" / "folder" / "report.html") == 1
    assert "cannot be written" in capsys.readouterr().err
    assert shell.asked == ()


def test_an_error_of_the_checks_is_one_clean_line(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_settings: MailflowSettings, _which: Sequence[CheckName], _progress: object) -> list[Proof]:
        raise ManagedError("no token", where="tenant", fix="set AZURE_CLIENT_SECRET")

    assert check_stack(Order("contoso-prod"), fails) == 1
    assert "error: tenant: no token. Set AZURE_CLIENT_SECRET" in capsys.readouterr().err


def test_a_mistake_in_the_command_line_is_no_failed_check() -> None:
    run = [sys.executable, "-m", "mail_check"]
    wrong = subprocess.run([*run, "--only", "nonsense", "x"], cwd=PROJECT, capture_output=True, check=False)
    assert wrong.returncode == 1
    helped = subprocess.run([*run, "--help"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert helped.returncode == 0
    assert "Exit codes" in helped.stdout
