"""What the protocol tests share: assertions in the drift bench are explained as those in a test are."""

import pytest

pytest.register_assert_rewrite("tests.protocol.drift_bench")
