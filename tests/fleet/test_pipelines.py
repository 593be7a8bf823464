"""The pipelines' files: each what its vendor takes, without stored secrets, and of the same steps.

The steps themselves run here with a stand-in for `fleet`; with the real one, and the lab, in test_steps.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PIPELINES = Path(__file__).resolve().parent.parent.parent / "pipelines"
STEPS = PIPELINES / "steps"
LINTERS = {
    "github": ("github-workflows", ()),
    "azure-devops": ("azure-pipelines", ("--data-transform", "azure-pipelines")),
    "gitlab": ("gitlab-ci", ("--data-transform", "gitlab-ci")),
}
SLIPS = {
    "github": ("fleet-drift.yml", "    needs: drift", "    need: drift"),
    "azure-devops": ("fleet.yml", "dependsOn: test", "dependOn: test"),
    "gitlab": (".gitlab-ci.yml", "  parallel: 2", "  parallel: many"),
}
COMMANDS = {
    "review.sh": r'identity -- pipelines/steps/review\.sh "origin/\$\{?'
    r"(GITHUB_BASE_REF|SYSTEM_PULLREQUEST_TARGETBRANCH|CI_MERGE_REQUEST_TARGET_BRANCH_NAME)",
    "apply.sh": r'identity -- pipelines/steps/apply\.sh "\$(GITHUB_SHA|BUILD_SOURCEVERSION|CI_COMMIT_SHA)"',
    "drift.sh": r'identity -- pipelines/steps/drift\.sh "\$',
    "issue.sh": r"pipelines/steps/issue\.sh",
    "rotate.sh": r'pipelines/steps/rotate\.sh "\$(STACK|FLEET_STACK)" (begin|finish)',
    "offboard.sh": r'identity -- pipelines/steps/offboard\.sh "\$(STACK|FLEET_STACK)"',
}


def files(vendor: str) -> list[Path]:
    return sorted((PIPELINES / vendor).glob("*.yml")) + sorted((PIPELINES / vendor).glob(".*.yml"))


def lint(vendor: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Without a network: whatever it wanted to fetch, it would ask a proxy that nobody is."""
    schema, options = LINTERS[vendor]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *options]
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
    return subprocess.run(
        [*command, "--regex-variant", "nonunicode", *paths],
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("vendor", LINTERS)
def test_each_is_what_its_vendor_takes(vendor: str, tmp_path: Path) -> None:
    linted = lint(vendor, *files(vendor))
    assert linted.returncode == 0, linted.stdout
    name, right, wrong = SLIPS[vendor]
    text = (PIPELINES / vendor / name).read_text(encoding="utf-8")
    assert right in text
    (tmp_path / name).write_text(text.replace(right, wrong), encoding="utf-8")
    assert lint(vendor, tmp_path / name).returncode == 1


@pytest.mark.parametrize("vendor", LINTERS)
def test_each_takes_all_steps_and_keeps_no_secret(vendor: str) -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in files(vendor))
    text = text.replace("pipelines/steps/${{ parameters.run }}", "")  # Azure's template is given them
    for step in re.findall(r"run: (\w+\.sh)", text):
        text = text.replace(f"run: {step}", f"identity -- pipelines/steps/{step}")
    assert {path.name for path in STEPS.glob("*.sh")} == {*COMMANDS, "common.sh", "log_in.sh"}
    for step, command in COMMANDS.items():
        assert re.search(command, text), f"{vendor} takes no {step} as {command}"
    assert "pipelines/steps/log_in.sh" in text
    for stored in ("secrets.", "CLIENT_SECRET", "PASSPHRASE", "ACCESS_KEY", "logtostderr"):
        assert stored not in text


def test_what_somebody_types_is_never_part_of_a_commands_text() -> None:
    """An input that is pasted into a script is a program of whoever may start the job."""
    for file in (PIPELINES / "github").glob("*.yml"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if re.match(r"\s*(- )?run:|\s*\w+ .*pipelines/steps", line):
                assert "${{" not in line, line


# --- the steps ----------------------------------------------------------------------------------------------

STAND_IN = """#!{python}
import json, os, sys
words = sys.argv[3:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(" ".join(words) + "\\n")
if "--json" in words:
    print(json.dumps(dict(command=words[0])))
codes = json.loads(os.environ["CODES"])
sys.exit(codes.get(words[0], 0))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "python").write_text(STAND_IN.format(python=sys.executable))
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def step(
    folder: Path, name: str, *words: str, codes: Mapping[str, int] | None = None
) -> tuple[int, list[str]]:
    calls = folder / "calls"
    calls.write_text("")
    environment = {
        **os.environ,
        "PYTHON": str(folder / "python"),
        "CALLS": str(calls),
        "CODES": str(dict(codes or {})).replace("'", '"'),
    }
    done = subprocess.run(
        [STEPS / name, *words], cwd=folder, env=environment, check=False, capture_output=True
    )
    return done.returncode, calls.read_text().splitlines()


@pytest.mark.parametrize(
    ("codes", "ends"),
    [
        ({}, 0),
        ({"preview": 2}, 0),
        ({"doctor": 1}, 1),
        ({"preview": 1}, 1),
        ({"doctor": 1, "preview": 2}, 1),
        ({"pipeline": 1}, 1),
    ],
)
def test_a_review_comments_whatever_it_finds(folder: Path, codes: Mapping[str, int], ends: int) -> None:
    code, calls = step(folder, "review.sh", "origin/main", codes=codes)
    assert code == ends
    assert calls == [
        "doctor --changed-since origin/main --json",
        "preview --changed-since origin/main --save out/approved.json --json",
        "pipeline comment out/doctor.json out/preview.json",
    ]


@pytest.mark.parametrize("ends", [0, 1])
def test_what_is_applied_is_what_was_approved(folder: Path, ends: int) -> None:
    code, calls = step(folder, "apply.sh", "c0ffee", "environment!=test", codes={"up": ends})
    assert code == ends
    assert calls == [
        "pipeline approved --commit c0ffee out/approved.json",
        "up --approved out/approved.json --label=environment!=test --yes --parallel 4 --json",
        "pipeline comment --print out/up.json",
    ]


def test_nothing_is_applied_that_nobody_approved(folder: Path) -> None:
    code, calls = step(folder, "apply.sh", "c0ffee", codes={"pipeline": 1})
    assert code == 1
    assert [call.split()[0] for call in calls] == ["pipeline"]


@pytest.mark.parametrize("found", [0, 1, 2])
def test_drift_becomes_an_issue_and_never_a_red_job(folder: Path, found: int) -> None:
    assert step(folder, "drift.sh", "2/3", codes={"drift": found}) == (
        0,
        ["drift --shard 2/3 --parallel 4 --json"],
    )
    assert step(folder, "issue.sh") == (0, ["pipeline issue out/drift-2.json"])


def test_a_customer_leaves(folder: Path) -> None:
    code, calls = step(folder, "offboard.sh", "contoso-prod", codes={"offboard": 1})
    assert code == 1
    assert calls == ["offboard contoso-prod --yes --json", "pipeline comment --print out/offboard.json"]


def test_a_rotation_ends_as_a_branch_with_the_stack_file_alone(folder: Path, tmp_path: Path) -> None:
    origin, here = tmp_path / "origin.git", tmp_path / "clone"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x.example", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "--quiet", "--bare", origin], check=True)
    subprocess.run([*git, "clone", "--quiet", origin, here], check=True, capture_output=True)
    (here / "stacks").mkdir()
    stack = here / "stacks" / "Pulumi.contoso-prod.yaml"
    stack.write_text("config: {}\n")
    subprocess.run([*git, "add", "."], cwd=here, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "first"], cwd=here, check=True)
    stack.write_text("config: {changed: true}\n")
    (here / "other").write_text("not for anybody")
    (here / "python").symlink_to(folder / "python")
    code, calls = step(here, "rotate.sh", "contoso-prod", "begin")
    assert (code, calls) == (0, ["rotate begin contoso-prod"])
    shown = subprocess.run(
        ["git", "show", "--stat", "--format=%s", "rotate-contoso-prod-begin"],
        cwd=origin,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert shown.startswith("contoso-prod: outbound secret, begin the change\n")
    assert "1 file changed" in shown


@pytest.mark.parametrize("vault", ["", "provider-vault"])
def test_the_gateways_key_is_for_this_job_only(folder: Path, vault: str) -> None:
    az, key = folder / "az", folder / "gateway-key"
    az.write_text(f'#!/bin/sh\necho "$@" >"{folder}/asked"\necho KEY >"{key}"\n')
    az.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "FLEET_VAULT": vault,
        "GATEWAY_KEY_FILE": str(key),
    }
    subprocess.run([STEPS / "log_in.sh"], env=environment, check=True)
    if vault:
        assert "--vault-name provider-vault --name gateway-key" in (folder / "asked").read_text()
        assert key.stat().st_mode & 0o777 == 0o600
    else:
        assert not key.exists()
