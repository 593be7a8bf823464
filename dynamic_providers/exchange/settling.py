"""Waiting until Microsoft 365 has forgotten a rule: what the rule leads to has to stay that long.

A rule that was removed acts for up to half an hour, sometimes an hour. Source: Microsoft Learn, mail flow
rules; the wait itself is a setting of the stack.
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
        if _gone.wait(min(left, SAY_EVERY)):
            raise Interrupted("the engine is gone, so the wait has ended", where=what)


def clock(at: datetime) -> str:
    """A moment as an operator reads it, never too early: seconds where it is near, the day if not today."""
    now = datetime.now(UTC)
    near = at - now < timedelta(minutes=5)
    step, form = (timedelta(seconds=1), "%H:%M:%S") if near else (timedelta(minutes=1), "%H:%M")
    up = at.astimezone(UTC) + step - timedelta(microseconds=1)
    day = "" if up.date() == now.date() else f"{up:%Y-%m-%d} "
    return f"{day}{up:{form}} UTC"
