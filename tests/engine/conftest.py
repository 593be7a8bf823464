"""The real engine on an emulated estate: one sandbox a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.estate import Estate
from tests.engine.life import Life, living
from tools.pulumi_cli import Project


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with Estate(tmp_path / ".lab") as running:
        yield running


@pytest.fixture
def life(tmp_path: Path, estate: Estate, warm: Mapping[str, str]) -> Life:
    """The guide's stack, made and not yet updated."""
    return living(Project(tmp_path, "bce-demo-lab", {**estate.environment, **warm}), estate)
