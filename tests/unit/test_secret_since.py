"""Since when the header's secret is sent, as far as we saw: renewed with it, never made up, no difference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from dynamic_providers.entries import Props
from dynamic_providers.exchange import secret_rotation
from dynamic_providers.exchange.secret_rotation import SecretRotationProvider

OLD, NEW = "oldSecretKey1", "newSecretKey2"
FIRST, SECOND = "2026-11-24T06:00:00Z", "2026-11-25T06:00:00Z"


@pytest.fixture(autouse=True)
def days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the time finds it a day later than the last one."""
    start, passed = datetime(2026, 11, 24, 6, 0, tzinfo=UTC), count()
    monkeypatch.setattr(secret_rotation, "_now", lambda: start + timedelta(days=next(passed)))


def inputs(*accepted: str, settle: int = 3600) -> Props:
    given = {"tenant": "contoso.onmicrosoft.com", "name": "Out", "header": "X-A", "accepted": [*accepted]}
    return {**given, "settle": settle, "acknowledged": False}


def made(*accepted: str) -> Props:
    outs = SecretRotationProvider().create(inputs(*accepted)).outs
    assert outs is not None
    return outs


def updated(olds: Props, news: Props) -> Props:
    outs = SecretRotationProvider().update("id", olds, news).outs
    assert outs is not None
    return outs


def test_it_begins_with_the_first_run_and_stays_while_other_things_change() -> None:
    assert made(OLD)["since"] == FIRST
    assert updated(made(NEW), inputs(NEW, OLD))["since"] == SECOND  # made a day later
    assert updated({**inputs(OLD), "since": FIRST}, inputs(OLD, settle=7))["since"] == FIRST


def test_another_secret_to_send_renews_it_also_one_that_was_accepted_before() -> None:
    assert updated(made(OLD), inputs(NEW, OLD))["since"] == SECOND
    assert updated({**inputs(NEW, OLD), "since": FIRST}, inputs(OLD, NEW))["since"] != FIRST


def test_a_state_from_before_it_was_kept_gets_none_until_the_secret_changes() -> None:
    assert "since" not in updated(inputs(OLD), inputs(OLD, NEW))
    assert updated(inputs(OLD), inputs(NEW, OLD))["since"] == FIRST


@pytest.mark.parametrize("known", [{}, {"since": FIRST}])
def test_it_is_no_difference_no_drift_and_no_input(known: Props) -> None:
    provider, state = SecretRotationProvider(), {**inputs(OLD), **known}
    assert not provider.diff("id", state, inputs(OLD)).changes
    read = provider.read("id", state)
    assert (read.outs, read.inputs) == (state, inputs(OLD))
    assert provider.check(state, inputs(OLD)).failures == []
    assert not provider.diff("id", read.outs or {}, read.inputs or {}).changes
