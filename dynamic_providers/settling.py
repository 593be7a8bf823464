"""Waiting until nobody acts on what was removed any more: a rule, a lock-down, an MX. It has to say so.

A rule acts for up to an hour after it was removed (Microsoft Learn, mail flow rules), an MX for its time to
live. What it leads to stays that long; how long is a setting of the stack, or the record's own.
"""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from dynamic_providers import engine, report
from dynamic_providers.errors import ManagedError

SAY_EVERY: Final = 300.0  # seconds between two lines to whoever waits
LONGEST: Final = 86_400  # seconds: a longer wait would be a slip


class Interrupted(ManagedError):
    """The engine went away while we waited."""


_gone = threading.Event()  # set when the engine is gone: whoever waits stops at once
engine.on_death(_gone.set)


def wait_until(until: datetime, what: str, why: str) -> None:
    """Return when that moment has come; says at once, and every few minutes, what for and until when.

    Cut off, it leaves nothing half done. Interrupted when the engine is gone.
    """
    while (left := (until - datetime.now(UTC)).total_seconds()) > 0:
        report.info(f"{what}: waiting until {clock(until)}. {why}")
        pause(min(left, SAY_EVERY), what)


def pause(seconds: float, what: str) -> None:
    """Sleep, between two looks at what is waited for. Interrupted when the engine is gone."""
    if _gone.wait(seconds):
        raise Interrupted("the engine is gone, so the wait has ended", where=what)


def clock(at: datetime) -> str:
    """A moment as an operator reads it, never too early: seconds where it is near, the day if not today."""
    now = datetime.now(UTC)
    near = at - now < timedelta(minutes=5)
    step, form = (timedelta(seconds=1), "%H:%M:%S") if near else (timedelta(minutes=1), "%H:%M")
    up = at.astimezone(UTC) + step - timedelta(microseconds=1)
    day = "" if up.date() == now.date() else f"{up:%Y-%m-%d} "
    return f"{day}{up:{form}} UTC"
