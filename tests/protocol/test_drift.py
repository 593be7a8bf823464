"""Drift: whatever is changed by hand is shown as exactly that, and repaired; nothing else is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.protocol.drift_bench")

from lab.estate import Estate
from tests.plugin_nursery import Nursery
from tests.protocol import drift_gateway
from tests.protocol.drift_bench import Bench, Case

CASES = [*drift_gateway.CASES]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Nursery() as nursery, Estate(tmp_path_factory.mktemp("drift")) as estate:
        yield Bench(estate, nursery)


@pytest.fixture
def bench(shared: Bench) -> Iterator[Bench]:
    yield shared
    shared.reset()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_shown_as_exactly_that_and_repaired(bench: Bench, case: Case) -> None:
    bench.prove(case)
