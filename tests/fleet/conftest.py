"""The commands of fleet over three stacks, with an engine that says what a test has written down."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dynamic_providers import errors
from tests.fleet.fake_engine import FakeEngine
from tests.fleet.fleet_kit import Fleet, project, write


@pytest.fixture(autouse=True)
def no_secret_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test of this process gave away as a secret is an ordinary word here."""
    monkeypatch.setattr(errors, "_secrets", set())


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    engine = FakeEngine.begun(tmp_path / "bin")
    folder = project(tmp_path / "project")
    for name in ("alpha", "beta", "gamma"):
        write(folder, name)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["fleet"])
    monkeypatch.setattr("fleet.carrying_out.engine_environment", lambda: {**os.environ, **engine.environment})
    return Fleet(folder, engine, capsys)
