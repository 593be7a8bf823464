"""Waiting for what takes minutes: looks that grow rarer, a deadline, and a line now and then that says so."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

Progress = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How often we look; seconds. Microsoft's trace takes 100 requests in five minutes."""

    first: float = 0.25
    growth: float = 1.6
    longest: float = 30.0
    say_first: float = 10.0  # nothing is said of what comes at once
    say_every: float = 120.0
    grace: float = 600.0  # for gateway or trace to show what the other one has shown
    resend_first: float = 2.0  # before a message is sent again, since Microsoft's side may act late
    resend_longest: float = 120.0

    @classmethod
    def within(cls, seconds: float) -> "Patience":
        """One that fits a deadline: the shorter that is, the more often we look."""
        usual = cls()
        return cls(
            first=min(usual.first, seconds / 100),
            longest=min(usual.longest, max(0.1, seconds / 20)),
            grace=min(usual.grace, seconds / 4),
            resend_first=min(usual.resend_first, seconds / 50),
        )


class Deadline:
    """Until when; by the monotonic clock, shown by the wall's."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.at = datetime.now(UTC) + timedelta(seconds=seconds)

    @property
    def left(self) -> float:
        """Seconds that are left, never below nothing."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return self.left <= 0

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} UTC"


@dataclass
class Waiting:
    """Polls, and tells the operator what for."""

    patience: Patience
    progress: Progress

    def until(self, look: Callable[[], T | None], what: str, deadline: Deadline) -> T | None:
        """What `look` gives when it gives something; None when the deadline passes first.

        It looks once more at the deadline itself. What `look` raises is the caller's.
        """
        wait, begun = self.patience.first, time.monotonic()
        say_next = begun + self.patience.say_first
        while True:
            last = deadline.passed
            found = look()
            if found is not None or last:
                return found
            if time.monotonic() >= say_next:
                self.progress(f"waiting for {what}; until {deadline} at the latest")
                say_next = time.monotonic() + self.patience.say_every
            time.sleep(min(wait, deadline.left))
            wait = min(wait * self.patience.growth, self.patience.longest)

    def before_resend(self, attempt: int, why: str, deadline: Deadline) -> bool:
        """Wait before a message is sent again; false when the deadline would pass meanwhile."""
        wait = min(self.patience.resend_first * 2.0 ** (attempt - 1), self.patience.resend_longest)
        if wait >= deadline.left:
            return False
        self.progress(
            f"not yet: {why}. What is set in Microsoft 365 can take an hour to act: trying until {deadline}"
        )
        time.sleep(wait)
        return True
