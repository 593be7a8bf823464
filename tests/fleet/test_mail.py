"""`fleet check`: what the checks of each stack say, in one line and a code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.mail import MailCheck
from mail_check.report import Report
from tests import report_samples as samples
from tests.fleet.fleet_kit import Fleet, write

CHECK = """#!/bin/sh
[ -e {folder}/$1.json ] && cp {folder}/$1.json "$3"
echo "ok | direct | contoso.example"
cat {folder}/$1.errors >&2
exit $(cat {folder}/$1.code)
"""


class Checks:
    """A mail_check that finds what a test has written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = folder / "mail-check"
        self.command.write_text(CHECK.format(folder=folder), encoding="utf-8")
        self.command.chmod(0o755)

    def finds(self, stack: str, report: Report | None, code: int, errors: str = "") -> None:
        if report:
            (self.folder / f"{stack}.json").write_text(json.dumps(report.as_json()), encoding="utf-8")
        (self.folder / f"{stack}.errors").write_text(errors, encoding="utf-8")
        (self.folder / f"{stack}.code").write_text(str(code), encoding="utf-8")


@pytest.fixture
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checks:
    made = Checks(tmp_path)

    monkeypatch.setattr("fleet.command.MailCheck", lambda engine: MailCheck(engine, (made.command,)))
    return made


def test_each_verdict_has_its_state_and_the_worst_decides(fleet: Fleet, checks: Checks) -> None:
    checks.finds("alpha", samples.green(), 0)
    checks.finds("beta", samples.red(), 2)
    checks.finds("gamma", samples.unproven(), 3)
    write(fleet.folder, "hub", kind="gateway")
    result = fleet.json("check")
    assert {one["stack"]: one["state"] for one in result["stacks"]} == {
        "alpha": "done",
        "beta": "error",
        "gamma": "unproven",
        "hub": "same",
    }
    assert result["exitCode"] == 1
    alpha, beta, gamma, _ = result["stacks"]
    assert alpha["says"] == samples.green().headline
    assert beta["says"].startswith(f"{samples.red().headline} {samples.DOMAIN}: ")
    assert gamma["says"].startswith(samples.unproven().headline)
    assert beta["report"]["verdict"] == "failed"
    assert fleet.run("check", "alpha", "hub") == 0


def test_checks_that_could_not_be_run_say_why(fleet: Fleet, checks: Checks) -> None:
    checks.finds("alpha", None, 1, "running: Direct\nerror: stack alpha: checks is missing. Add it\n")
    (alpha,) = fleet.json("check", "alpha")["stacks"]
    assert (alpha["state"], alpha["says"]) == ("error", "stack alpha: checks is missing. Add it")
