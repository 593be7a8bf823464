"""Fixtures for tests of the gateway driver: one estate a module and release, as it was for each test.

A module takes them by name: `running, estate = kit.running, kit.estate`; those that are about one release:
`new, clustered, estate, cluster = kit.new, kit.clustered, kit.new_estate, kit.cluster`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.estate import Estate
from tests.protocol import estate_kit
from tests.protocol.gateway_life import Stack, wanted

RELEASES = ("new", "old", "cluster")
DOMAIN = "contoso.example"


@pytest.fixture(scope="module", params=RELEASES)
def running(request: pytest.FixtureRequest) -> Iterator[Estate]:
    with estate_kit.running(request.param) as estate:
        yield estate


@pytest.fixture
def estate(running: Estate) -> Iterator[Estate]:
    """As it was at the start, before each test."""
    with estate_kit.put_back(running) as estate:
        yield estate


@pytest.fixture(scope="module")
def new() -> Iterator[Estate]:
    with estate_kit.running("new") as estate:
        yield estate


@pytest.fixture(scope="module")
def clustered() -> Iterator[Estate]:
    with estate_kit.running("cluster") as estate:
        yield estate


@pytest.fixture
def new_estate(new: Estate) -> Iterator[Estate]:
    with estate_kit.put_back(new) as estate:
        yield estate


@pytest.fixture
def cluster(clustered: Estate) -> Iterator[Estate]:
    with estate_kit.put_back(clustered) as estate:
        yield estate


def stack(*keys: str, **changes: Any) -> Stack:
    """A stack with some resources, or all of them.

    On old releases the policy RELAYED says TLS off by itself.
    """
    resources = {key: props for key, props in wanted().items() if not keys or key in keys}
    return Stack({**resources, **changes}, take_over=("mailFlowPolicy",))


def count(estate: Estate, kind: str, since: int = 0) -> int:
    return estate.journal.count("gateway", kind, since=since)
