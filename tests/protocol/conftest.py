"""What the protocol tests share: assertions in their kits are explained as those in a test are."""

import pytest

pytest.register_assert_rewrite("tests.protocol.drift_bench", "tests.protocol.way_back_life")
