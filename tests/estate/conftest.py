"""What the estate tests share: assertions in the bed of broken estates are explained as in a test."""

import pytest

pytest.register_assert_rewrite("tests.estate.broken_bed")
