"""The real engine on an emulated estate: one sandbox a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.estate import Estate
from tests.engine.life import Life, living
from tests.engine.warm_python import WarmPython
from tools.pulumi_cli import Project


@pytest.fixture(scope="session")
def warm() -> Iterator[Mapping[str, str]]:
    """What a sandbox's environment needs for a cheap engine: programs and plugins that start at once.

    And no garbage collected in an engine that lives for a second.
    """
    with WarmPython() as python:
        yield {"PULUMI_PYTHON_CMD": str(python.command), "GOGC": "off", "GOMEMLIMIT": "1GiB"}


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with Estate(tmp_path / ".lab") as running:
        yield running


@pytest.fixture
def life(tmp_path: Path, estate: Estate, warm: Mapping[str, str]) -> Life:
    """The guide's stack, made and not yet updated."""
    return living(Project(tmp_path, "bce-demo-lab", {**estate.environment, **warm}), estate)
