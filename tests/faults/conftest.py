"""How much is tried: all with FAULTS=all (`make test-faults`), else a part that another day's is not."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.faults.operations import Operations
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import running
from tests.protocol.way_back_life import World

ALL = os.environ.get("FAULTS") == "all"
DAY = int(os.environ.get("FAULTS_DAY") or datetime.now(UTC).date().toordinal())
"""Which part of what there is comes when not all does: FAULTS_DAY chooses another."""
REPORTED = "cuts"
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each operation, of all processes."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    events: dict[str, int] = {}
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, told in report.user_properties:
            if name == REPORTED:
                found = json.loads(str(told))
                events[found["operation"]] = found.pop("events")
                sums[found.pop("operation")].update(found)
    if not sums:
        return
    part = "all of them" if ALL else f"the part of day {DAY} (FAULTS_DAY={DAY} again; all: make test-faults)"
    terminalreporter.section(f"cuts: {part}")
    terminalreporter.write_line(f"{'':22}events  cut at   cuts  outcomes  converged  restored")
    for operation, found in sorted(sums.items()):
        numbers = [
            events[operation],
            *(found[one] for one in ("at", "cuts", "outcomes", "converged", "restored")),
        ]
        row = "{:>6}{:>8}{:>7}{:>10}{:>11}{:>10}".format(*numbers)
        terminalreporter.write_line(f"{operation:22}{row}")
