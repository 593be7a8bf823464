"""What the estate tests share: a stack that is up, to be broken, with its assertions explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.estate.broken_bed import Bed

pytest.register_assert_rewrite("tests.estate.broken_bed")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    from tests.estate.broken_bed import stack_is_up

    with stack_is_up(tmp_path_factory.mktemp("broken"), second_tenant=True) as made:
        yield made


@pytest.fixture
def bed(up: Bed) -> Bed:
    """The stack of this module, whole again."""
    up.set_right()
    return up
