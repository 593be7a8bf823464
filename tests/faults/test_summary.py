"""A run of the cuts that has missed an event fails, though all its tests have passed."""

from __future__ import annotations

import json

import pytest

from tests.faults.conftest import PARTS, gaps

pytest_plugins = ["pytester"]
HOOKS = "from tests.faults.conftest import pytest_sessionfinish, pytest_terminal_summary"
RUN = """
def test_cuts(record_property):
    record_property("cuts", {told!r})
"""


@pytest.mark.parametrize(("at", "code"), [(7, pytest.ExitCode.OK), (6, pytest.ExitCode.TESTS_FAILED)])
def test_an_event_that_was_never_reached(pytester: pytest.Pytester, at: int, code: pytest.ExitCode) -> None:
    told = json.dumps({"operation": "up", "events": 7, "due": 7, "at": at, "cuts": 9})
    pytester.makeconftest(HOOKS)
    pytester.makepyfile(RUN.format(told=told))
    run = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    run.assert_outcomes(passed=1)
    assert run.ret == code
    assert ("up: cut at 6 of 7 events" in run.stdout.str()) == bool(code)


def test_an_event_that_is_in_no_part() -> None:
    found = {"events": 7, "due": 6, "at": 6, "parts": PARTS}
    assert gaps({"up": found}, whole=True) == ["up: 6 of 7 events were due: the others are in no part"]
    assert gaps({"up": found}, whole=False) == []
    assert gaps({"up": {**found, "parts": PARTS - 1}}, whole=True) == []
