"""The comment on a request: readable, whole, and nothing in it is markup but ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from fleet.comment import LONGEST, NoResult, Result, code, headline, markdown, together


def row(name: str, state: str = "same", **other: Any) -> dict[str, Any]:
    return {
        "stack": name,
        "state": state,
        "says": "nothing to do",
        "steps": [],
        "lines": [],
        "seconds": 3.0,
    } | other


def run(command: str, *stacks: dict[str, Any], exit_code: int = 0, notes: tuple[str, ...] = ()) -> Result:
    return Result(command, exit_code, 4.0, stacks, notes)


CHANGED = row(
    "contoso-prod",
    "changes",
    says="1 to create, 1 to update",
    steps=[
        {"op": "create", "name": "smtp-routes", "type": "t", "attributes": []},
        {"op": "update", "name": "inbound-connector", "type": "t", "attributes": ["requireTls"]},
    ],
    lines=[{"severity": "warning", "text": "DANE is not enforced", "resource": "smtp-routes"}],
)


def test_what_changes_is_seen_at_a_glance_and_in_detail() -> None:
    said = markdown([run("preview", CHANGED, row("fabrikam-prod"), exit_code=2)])
    assert said.startswith("## preview: 1 changes, 1 same\n")
    assert "| contoso\\-prod" not in said  # names stay readable
    assert "| contoso-prod | ~ changes | 1 to create, 1 to update | 3 s |" in said
    assert "- `~` inbound-connector: requireTls" in said
    assert "- warning: DANE is not enforced" in said
    assert "<details><summary>1 stack without a remark</summary>\n\nfabrikam-prod\n" in said


def test_the_doctors_warnings_are_shown_though_the_stack_is_well() -> None:
    findings = [
        {"check": "host key", "level": "ok", "says": "as expected", "fix": ""},
        {"check": "certificate", "level": "warning", "says": "ends in 9 days", "fix": "renew it"},
    ]
    said = markdown([run("doctor", row("contoso-prod", "done", findings=findings))])
    assert "- warning: certificate: ends in 9 days. Renew it" in said
    assert "host key" not in said


def test_what_others_said_is_no_markup() -> None:
    evil = "<script>x</script> | @everyone [a](https://evil.example) `b` </details> ![i](x)"
    said = markdown([run("preview", row("a", "error", says=evil), exit_code=1)])
    page = MarkdownIt("commonmark").enable("table").render(said)
    assert "<script" not in page
    assert "<a " not in page
    assert "<img" not in page
    assert " @everyone" not in said
    assert page.count("<details>") == page.count("</details>") == 1


def test_it_fits_and_stays_whole_when_there_is_too_much() -> None:
    many = [CHANGED | {"stack": f"customer-{n}", "says": "x" * 300} for n in range(900)]
    said = markdown([run("preview", *many, exit_code=2)])
    assert len(said) < LONGEST + 100
    assert said.count("<details>") == said.count("</details>") > 10
    assert said.endswith("The job keeps all of it as JSON.\n")
    assert "and 800 more" in said


def test_parts_of_a_run_are_one() -> None:
    [one] = together([run("drift", row("a")), run("drift", row("b", "drift"), exit_code=2, notes=("look",))])
    assert (headline(one), one.code, one.notes) == ("drift: 1 drift, 1 same", 2, ["look"])
    assert "Note: look" in markdown([one])


@pytest.mark.parametrize(("codes", "whole"), [((0, 0), 0), ((0, 2), 2), ((2, 1), 1), ((), 0)])
def test_an_error_outweighs_changes(codes: tuple[int, ...], whole: int) -> None:
    assert code(run("up", exit_code=one) for one in codes) == whole


def test_a_run_that_did_not_begin_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "doctor.json").touch()
    empty, absent = Result.read(tmp_path / "doctor.json"), Result.read(tmp_path / "preview.json")
    assert code([empty, absent]) == 1
    assert headline(absent) == "preview: did not run; see the log"


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    for content in ("{", json.dumps({"stacks": []}), "[]"):
        (tmp_path / "x.json").write_text(content)
        with pytest.raises(NoResult, match="no result of"):
            Result.read(tmp_path / "x.json")


def test_nothing_is_chosen() -> None:
    assert markdown([run("preview")]) == "## preview: no stack is chosen\n"
