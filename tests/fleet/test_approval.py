"""`fleet preview --save` and `fleet up --approved`: exactly what was approved is done, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.fake_engine import said, step
from tests.fleet.fleet_kit import Fleet, write

KEY = "a-key-for-practice-only-0123456789abcdef"
SECRET = "theHeadersSecret42"
RULE: dict[str, Any] = {"tenant": "alpha.example", "mode": "Enforce"}


def secrets(fleet: Fleet, *, header: str = SECRET, key: str = KEY, stack: str = "alpha") -> None:
    """What the engine decrypts."""
    config = {
        "m365-secure-email:outbound": {"objectValue": {"secret": header}, "secret": True},
        "m365-secure-email:approvalKey": {"value": key, "secret": True},
    }
    fleet.engine.answer(stack, "config", json.dumps(config))


def plans(fleet: Fleet, *lines: str, stack: str = "alpha", **inputs: Any) -> None:
    """A preview with one step, and what it says."""
    one = step("create", "outbound-rule", planning=True, new={"inputs": {**RULE, **inputs}})
    fleet.engine.answer(stack, "preview", one, *lines)


def does(fleet: Fleet, stack: str = "alpha", **inputs: Any) -> None:
    fleet.engine.answer(stack, "up", step("create", "outbound-rule", new={"inputs": {**RULE, **inputs}}))


@pytest.fixture
def saved(fleet: Fleet) -> Path:
    """A plan, previewed and approved."""
    write(fleet.folder, "alpha", approvalKey={"secure": "v1:x"}, outbound={"secret": {"secure": "v1:y"}})
    secrets(fleet)
    plans(fleet)
    assert fleet.states("preview", "alpha", "--save", "plan.json") == {"alpha": "changes"}
    return fleet.folder / "plan.json"


def up(fleet: Fleet, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = fleet.json("up", *names, "--approved", "plan.json", "--yes")
    return found


def changed_by_up(fleet: Fleet) -> bool:
    return any(line.startswith("up ") for line in fleet.engine.asked())


def test_what_was_approved_is_done(fleet: Fleet, saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    text = saved.read_text(encoding="utf-8")
    assert all(secret not in text + fleet.out + fleet.err for secret in (SECRET, KEY))
    does(fleet)
    [alpha] = up(fleet)["stacks"]
    assert (alpha["state"], alpha["lines"]) == ("done", [])
    fleet.engine.answer("alpha", "preview", step("same", "outbound-rule", planning=True))
    [alpha] = up(fleet)["stacks"]
    assert alpha["state"] == "same"


@pytest.mark.parametrize(
    ("inputs", "lines", "says"),
    [
        ({"mode": "Audit"}, (), "outbound-rule, mode: Enforce → Audit"),
        ({"priority": 3}, (), "outbound-rule, priority: nothing → 3"),
        (
            {},
            (said("warning", "the sender group X is in the way"),),
            "new: warning: the sender group X is in",
        ),
        ({}, (said("info#err", "exists and is right: will be managed"),), "new: note: exists and is right"),
        ({}, (step("delete", "guard", planning=True),), "guard: delete would be done, too"),
    ],
)
def test_another_plan_is_refused_and_told(
    fleet: Fleet, saved: Path, inputs: dict[str, Any], lines: tuple[str, ...], says: str
) -> None:
    plans(fleet, *lines, **inputs)
    found = up(fleet)
    [alpha] = found["stacks"]
    assert (alpha["state"], found["exitCode"]) == ("refused", 1)
    assert alpha["says"].startswith("not what was approved, so nothing was changed: ")
    assert says in alpha["says"]
    assert not changed_by_up(fleet)


def test_another_secret_alone_is_refused_and_not_shown(fleet: Fleet, saved: Path) -> None:
    secrets(fleet, header="theNewSecret99")
    [alpha] = up(fleet)["stacks"]
    assert alpha["state"] == "refused"
    assert "the secret outbound.secret is another" in alpha["says"]
    assert "theNewSecret99" not in fleet.out + fleet.err
    assert not changed_by_up(fleet)


def test_with_another_key_nobody_can_tell(fleet: Fleet, saved: Path) -> None:
    secrets(fleet, key=KEY[::-1])
    [alpha] = up(fleet)["stacks"]
    assert "approvalKey is another one, so nobody can tell whether the secrets are the same" in alpha["says"]


def test_equal_secrets_are_sealed_apart(fleet: Fleet) -> None:
    outbound = {"secret": {"secure": "v1:y"}, "previousSecrets": [{"secure": "v1:z"}]}
    write(fleet.folder, "alpha", approvalKey={"secure": "v1:x"}, outbound=outbound)
    config = {
        "m365-secure-email:outbound": {"objectValue": {"secret": SECRET, "previousSecrets": [SECRET]}},
        "m365-secure-email:approvalKey": {"value": KEY},
    }
    fleet.engine.answer("alpha", "config", json.dumps(config))
    plans(fleet)
    fleet.run("preview", "alpha", "--save", "plan.json")
    seals = json.loads((fleet.folder / "plan.json").read_text(encoding="utf-8"))["stacks"]["alpha"]["seals"]
    assert {*seals} == {"approvalKey", "outbound.secret", "outbound.previousSecrets[0]"}
    assert len({*seals.values()}) == 3


def test_what_was_done_otherwise_is_an_error(fleet: Fleet, saved: Path) -> None:
    does(fleet, mode="Audit")
    found = up(fleet)
    [alpha] = found["stacks"]
    assert (alpha["state"], found["exitCode"]) == ("error", 1)
    assert alpha["says"] == "done, but not as it was approved: outbound-rule, mode: Enforce → Audit"
    [line] = alpha["lines"]
    assert (line["severity"], line["text"]) == (
        "error",
        "not as approved: outbound-rule, mode: Enforce → Audit",
    )


def test_a_stack_that_is_named_and_was_not_approved_is_refused(fleet: Fleet, saved: Path) -> None:
    found = {one["stack"]: one for one in up(fleet, "alpha", "beta")["stacks"]}
    assert found["beta"]["state"] == "refused"
    assert found["beta"]["says"].startswith("beta is not among what was approved")


def test_without_a_key_there_is_no_approval_but_the_command_for_one(fleet: Fleet) -> None:
    plans(fleet)
    [alpha] = fleet.json("preview", "alpha", "--save", "plan.json")["stacks"]
    assert alpha["state"] == "refused"
    command = "openssl rand -hex 32 | pulumi config set --secret m365-secure-email:approvalKey --stack alpha"
    assert command in alpha["says"]


def test_two_files_count_together_and_may_not_contradict(fleet: Fleet, saved: Path) -> None:
    write(fleet.folder, "beta", approvalKey={"secure": "v1:x"})
    secrets(fleet, stack="beta")
    plans(fleet, stack="beta")
    fleet.run("preview", "beta", "--save", "other.json")
    for name in ("alpha", "beta"):
        does(fleet, name)
    both = ("--approved", "plan.json", "--approved", "other.json", "--yes")
    assert fleet.states("up", *both) == {"alpha": "done", "beta": "done"}
    plans(fleet, mode="Audit")
    fleet.run("preview", "alpha", "--save", "other.json")
    assert fleet.run("up", *both) == 1
    assert "another plan of alpha is approved than in the file before" in fleet.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "it cannot be read: No such file"),
        ("{", "it is no approval"),
        ('{"format": "m365-secure-email approval 0", "stacks": {}}', "another version of fleet wrote it"),
        ("Audit", "the plan of alpha was changed by hand"),
    ],
)
def test_a_file_that_is_none(fleet: Fleet, saved: Path, text: str | None, says: str) -> None:
    if text is None:
        saved.unlink()
    elif text == "Audit":
        changed = saved.read_text(encoding="utf-8").replace("Enforce", text)
        saved.write_text(changed, encoding="utf-8")
    else:
        saved.write_text(text, encoding="utf-8")
    assert fleet.run("up", "--approved", "plan.json", "--yes") == 1
    assert says in fleet.err
    assert not changed_by_up(fleet)
