"""What an operator and a pipeline are told: exit codes, lines, the table, JSON; no secret in any of them."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import pytest

from tests.fleet.fake_engine import said, step
from tests.fleet.fleet_kit import Fleet, write

REFUSED = (
    "pulumi-python:dynamic/exchange:TransportRule resource 'outbound-rule': property name value {x} has a"
    " problem: contoso.example: transport rule «Outbound to Cisco CES» exists and differs: priority: theirs"
    " 3, ours 0. To let this stack take it over, add outboundRule to the setting takeOver"
)


CHANGES = (
    step("create", "new-rule", planning=True),
    step("update", "outbound-rule", planning=True, diffs=["priority"]),
    step("same", "route", planning=True),
)

LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or"
    " delete the lock file with `pulumi cancel`.\n"
    "  file:///state/locks/x.json: created by ops@runner-7 (pid 4711) at 2026-11-21T20:01:02Z\n"
)


class TestExitCodes:
    def test_nothing_to_do(self, fleet: Fleet) -> None:
        assert fleet.run("preview") == 0
        assert "3 stacks in" in fleet.out
        assert "3 the same" in fleet.out

    def test_changes_and_drift_are_two(self, fleet: Fleet) -> None:
        fleet.engine.answer("beta", "preview", *CHANGES)
        assert fleet.run("preview") == 2
        assert "~ outbound-rule: priority" in fleet.out
        assert "+ new-rule" in fleet.out
        assert "route" not in fleet.out
        found = step("update", "outbound-rule", kind="resOutputsEvent", diffs=["priority"])
        fleet.engine.answer("gamma", "refresh", step("refresh", "outbound-rule"), found)
        assert fleet.states("drift") == {"alpha": "same", "beta": "same", "gamma": "drift"}

    def test_what_was_done_is_success(self, fleet: Fleet) -> None:
        done = (step("create", "new-rule"), step("update", "outbound-rule"), step("same", "route"))
        fleet.engine.answer("beta", "up", *CHANGES, *done)
        result = fleet.json("up", "*", "--yes")
        assert result["exitCode"] == 0
        assert result["stacks"][1]["says"] == "1 created, 1 updated"

    def test_an_error_outweighs_changes(self, fleet: Fleet) -> None:
        fleet.engine.answer("alpha", "preview", *CHANGES)
        fleet.engine.answer("beta", "preview", said("error", "m365-secure-email: esa1: gone"), code=255)
        assert fleet.states("preview") == {"alpha": "changes", "beta": "error", "gamma": "same"}
        assert fleet.json("preview")["exitCode"] == 1

    @pytest.mark.parametrize(
        "words",
        [
            ("upp",),
            ("up",),
            ("up", "alpha"),
            ("preview", "delta"),
            ("list", "--shard", "2"),
            ("up", "--parallel", "0"),
        ],
    )
    def test_a_mistake_in_the_command_line_is_one_and_nothing_runs(
        self, fleet: Fleet, words: Sequence[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        assert fleet.run(*words) == 1
        assert "rror" in fleet.err
        assert not (fleet.engine.folder / "asked").exists()

    def test_no_stack_changed_is_nothing_to_do(self, fleet: Fleet) -> None:
        assert fleet.run("preview", "--shard", "4/4") == 0
        assert "no stack is chosen: nothing to do" in fleet.err


class TestWhatIsTold:
    def test_a_refusal_says_which_stack_what_and_what_to_do(self, fleet: Fleet) -> None:
        lines = (said("error", REFUSED, "outbound-rule"), said("error", "preview failed"))
        fleet.engine.answer("beta", "up", *CHANGES, *lines, code=255)
        result = fleet.json("up", "*", "--yes")
        (beta,) = [one for one in result["stacks"] if one["stack"] == "beta"]
        assert beta["state"] == "refused"
        assert beta["says"] == REFUSED.partition("problem: ")[2]
        assert beta["steps"] == []
        assert fleet.run("up", "*", "--yes") == 1
        assert "Those again: fleet up beta\n" in fleet.out
        assert "3 stacks in" in fleet.out
        assert "1 refused, 2 the same" in fleet.out

    def test_the_worst_comes_last_and_many_that_are_the_same_are_one_row(self, fleet: Fleet) -> None:
        for number in range(12):
            write(fleet.folder, f"s{number:02}")
        fleet.engine.answer("alpha", "preview", *CHANGES)
        fleet.engine.answer("beta", "preview", said("error", "m365-secure-email: esa1: gone"), code=255)
        fleet.run("preview")
        rows = [line.split()[0] for line in fleet.out.splitlines() if line.strip()][-5:]
        assert rows == ["13", "alpha", "beta", "15", "Those"], fleet.out
        assert "s07" not in fleet.out

    def test_a_log_gets_a_line_where_a_stack_begins_and_where_it_ends(self, fleet: Fleet) -> None:
        fleet.run("preview", "alpha")
        begins, ends = fleet.err.splitlines()
        assert begins.endswith(" alpha: begins")
        assert " alpha: same, 0 s: nothing to do" in ends

    def test_what_several_resources_say_of_one_commit_is_told_once(self, fleet: Fleet) -> None:
        refused = [said("error", "esa1: the commit was refused", name) for name in ("route", "recipients")]
        own = said("error", "an unhandled error occurred: program exited with non-zero exit code: 1")
        fleet.engine.answer("alpha", "up", step("update", "route"), *refused, own, code=255)
        assert fleet.json("up", "alpha", "--yes")["stacks"][0]["says"] == "esa1: the commit was refused"

    def test_warnings_are_told_once(self, fleet: Fleet) -> None:
        twice = [said("warning", "DANE is not enforced with routes", "route")] * 2
        fleet.engine.answer("alpha", "up", *twice, step("update", "route"))
        assert fleet.json("up", "alpha", "--yes")["stacks"][0]["lines"] == [
            {"severity": "warning", "text": "DANE is not enforced with routes", "resource": "route"}
        ]

    @pytest.mark.parametrize(
        ("errors", "says"),
        [
            ("error: no stack named 'alpha' found\n", "`pulumi stack init alpha`"),
            (
                LOCKED,
                "(ops@runner-7 (pid 4711) at 2026-11-21T20:01:02Z). Wait for it; if it is dead: `pulumi ca",
            ),
            (
                "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or\n",
                "ALPHA__PULUMI_CONFIG_PASSPHRASE",
            ),
            ("error: getting stack: incorrect passphrase\n", "is not the one of this stack"),
            ("error: the disk is full\n", "the disk is full"),
            ("", "`pulumi` ended with 255, and did not say why"),
        ],
    )
    def test_what_the_engine_says_itself(self, fleet: Fleet, errors: str, says: str) -> None:
        fleet.engine.answer("alpha", "preview", code=255, errors=errors)
        (alpha,) = fleet.json("preview", "alpha")["stacks"]
        assert says in alpha["says"]
        assert alpha["state"] == "error"

    def test_no_engine_at_all(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fleet.carrying_out.engine_environment", lambda: {"PATH": "/nowhere"})
        (alpha,) = fleet.json("preview", "alpha")["stacks"]
        assert alpha["says"] == "there is no `pulumi` on PATH. Run `make setup`"

    def test_a_broken_file_is_its_own_stacks_error(self, fleet: Fleet) -> None:
        (fleet.folder / "stacks" / "Pulumi.beta.yaml").write_text("config: {", encoding="utf-8")
        assert fleet.states("preview") == {"alpha": "same", "beta": "error", "gamma": "same"}
        assert fleet.run("list") == 1
        assert "is no YAML" in fleet.out

    def test_no_secret_is_told_nor_given_as_an_argument(
        self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        canary = "canary7secret"
        monkeypatch.setenv("ALPHA__OUTBOUND_SECRET", canary)
        lines = [said(kind, f"echo of {canary}", "rule") for kind in ("info", "warning", "error")]
        leaky = step("update", "rule", planning=True, diffs=["x"], new={"inputs": {"x": canary}})
        fleet.engine.answer(
            "alpha", "preview", *lines, leaky, f"no JSON: {canary}", code=255, errors=f"error: {canary}\n"
        )
        for words in (("preview", "alpha"), ("preview", "alpha", "--json")):
            assert fleet.run(*words) == 1
            assert "echo of [secret]" in fleet.out
            assert canary not in fleet.out + fleet.err
        assert canary not in "".join(fleet.engine.asked())
        assert fleet.engine.environment_of("alpha")["OUTBOUND_SECRET"] == canary
