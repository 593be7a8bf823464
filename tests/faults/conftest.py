"""How much is tried: all with FAULTS=all (`make test-faults`), else a part that another day's is not."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from tests.faults.operations import Operations
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import running
from tests.protocol.way_back_life import World

ALL = os.environ.get("FAULTS") == "all"
DAY = int(os.environ.get("FAULTS_DAY") or datetime.now(UTC).date().toordinal())
"""Which part of what there is comes when not all does: FAULTS_DAY chooses another."""
PARTS = 8 if ALL else 1
REPORTED = "cuts"
COLUMNS = ("events", "due", "at", "cuts", "outcomes", "converged", "restored")
PATIENCE = {"first_wait": 0.1, "read_back": 3.0}


@pytest.fixture(scope="session")
def operations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operations]:
    """Of this process; its plugins wait long enough for each other to share their commits."""
    base = tmp_path_factory.getbasetemp()
    known = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "outcomes"
    known.mkdir(exist_ok=True)
    with Nursery(quiet=0.3, patience=PATIENCE) as nursery, running("new") as estate:
        yield Operations(World(estate, nursery), known)


def pytest_configure() -> None:
    """In a run at once, all workers try the same day's part."""
    os.environ["FAULTS_DAY"] = str(DAY)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that has not cut where it was to cut has failed, whatever its tests say."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and gaps(told(reporter)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each operation, of all processes."""
    sums = told(terminalreporter)
    if not sums:
        return
    part = "all of them" if ALL else f"the part of day {DAY} (FAULTS_DAY={DAY} again; all: make test-faults)"
    terminalreporter.section(f"cuts: {part}")
    terminalreporter.write_line(f"{'':22}events     due  cut at   cuts  outcomes  converged  restored")
    for operation, found in sorted(sums.items()):
        numbers = (found[one] for one in COLUMNS)
        row = "{:>6}{:>8}{:>8}{:>7}{:>10}{:>11}{:>10}".format(*numbers)
        terminalreporter.write_line(f"{operation:22}{row}")
    for gap in gaps(sums):
        terminalreporter.write_line(gap, red=True)


def told(reporter: pytest.TerminalReporter) -> dict[str, Counter[str]]:
    """By operation, what the tests have told; all parts added up."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for report in reporter.getreports("passed") + reporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == REPORTED:
                found = json.loads(str(value))
                operation, events = found.pop("operation"), found.pop("events")
                sums[operation].update(found, parts=1)
                sums[operation]["events"] = events
    return sums


def gaps(sums: Mapping[str, Mapping[str, int]], *, whole: bool = ALL) -> list[str]:
    """Where it was not cut though it was to be: at events of a part, or, in a whole run, at any."""
    lines = []
    for operation, found in sorted(sums.items()):
        events, due, at = (found[one] for one in COLUMNS[:3])
        if at != due:
            lines.append(f"{operation}: cut at {at} of {due} events due: the others were never reached")
        if whole and found["parts"] == PARTS and due != events:
            lines.append(f"{operation}: {due} of {events} events were due: the others are in no part")
    return lines
