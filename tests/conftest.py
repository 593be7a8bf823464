"""What all rings share: the order in which workers get the files, and a Python that starts at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

from tests.engine.warm_python import WarmPython

# A busy machine is no failure; why a case fails is seen without a trace of every line.
_PHASES = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain]
hypothesis.settings.register_profile("untimed", deadline=None, phases=_PHASES)
hypothesis.settings.load_profile("untimed")

TESTS = Path(__file__).parent
LONGEST_FIRST = (
    "protocol/test_drift.py",
    "protocol/test_way_back_settings.py",
    "protocol/test_way_back.py",
    "fleet/test_steps.py",
    "faults/test_every_cut.py",
    "estate/test_nothing_lost.py",
    "estate/test_nothing_lost_inbound.py",
    "estate/test_nothing_lost_shared.py",
    "engine/test_secrets.py",
    "estate/test_shared_gateway.py",
    "protocol/test_release_profiles.py",
    "protocol/test_gateway_by_hand.py",
    "estate/test_broken_estates.py",
    "estate/test_broken_estates_out.py",
    "engine/test_way_back.py",
    "protocol/test_release_habits.py",
    "engine/test_release_profiles.py",
    "protocol/test_way_back_at_random.py",
    "faults/test_planted_defects.py",
    "protocol/test_equivalents.py",
    "protocol/test_guard.py",
    "protocol/test_gateway_foreigners.py",
    "protocol/test_lock_down.py",
    "protocol/test_gateway_driver.py",
    "unit/test_hostile_settings.py",
    "engine/test_one_clear_line.py",
    "engine/test_killed_engine.py",
    "engine/test_drift_shown.py",
    "estate/test_tutorial.py",
    "estate/test_report_page.py",
    "engine/test_cost.py",
)
"""Files that take half a minute or more. Begun last, one of them would keep the other workers waiting."""


@pytest.fixture(scope="session")
def warm() -> Iterator[Mapping[str, str]]:
    """What a sandbox's environment needs for a cheap engine: programs and plugins that start at once.

    And no garbage collected in an engine that lives for a second.
    """
    with WarmPython() as python:
        yield {"PULUMI_PYTHON_CMD": str(python.command), "GOGC": "off", "GOMEMLIMIT": "1GiB"}


def pytest_configure(config: pytest.Config) -> None:
    """Files are handed out as they are collected; by itself pytest-xdist begins with those of most tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first, in workers only: one process alone begins with what fails soonest."""
    if hasattr(config, "workerinput"):
        items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    name = item.path.relative_to(TESTS).as_posix()
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)
