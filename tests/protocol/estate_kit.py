"""Whole estates for tests of what is done, not of how long it takes: started once, put back each time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.estate import Estate
from tests.plugin_nursery import Nursery
from tests.profile_stacks import Stacks

AT_ONCE: Mapping[str, Any] = {
    "token_latency": (0.0, 0.0),
    "read_latency": (0.0, 0.0),
    "write_latency": (0.0, 0.0),
    "lag_seconds": 0.0,
    "commit_seconds": 0.0,
}
"""Switches by which both sides answer as fast as they can."""


@contextmanager
def running(profile: str, **switches: Any) -> Iterator[Estate]:
    """A new estate that answers at once, but for what is said."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Estate(Path(folder), profile, **{**AT_ONCE, **switches}) as estate,
    ):
        yield estate


@contextmanager
def put_back(estate: Estate) -> Iterator[Estate]:
    """State and switches afterwards as they were."""
    at_first = estate.snapshot()
    yield estate
    estate.reset()
    estate.restore(at_first)


@pytest.fixture(scope="module")
def stacks() -> Iterator[Stacks]:
    """Makes whole stacks under the small engine."""
    with Nursery() as nursery:
        yield Stacks(nursery)
