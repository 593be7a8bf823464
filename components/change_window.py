"""When a change may be done: the setting `change.window`, read, and asked whether it is open.

Times are those of the clock on the wall in its time zone, also on a day on which that is put forward or back.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dynamic_providers.refusal import refuse

EXAMPLES: Final = (
    "Sat 20:00-24:00 Europe/Zurich",
    "Mon-Fri 22:00-02:00 UTC",
    "2026-11-28 20:00-2026-11-29 02:00 Europe/Zurich",
)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY, _TIME, _DATE = f"(?:{'|'.join(_DAYS)})", "[0-2][0-9]:[0-5][0-9]", "2[0-9]{3}-[0-9]{2}-[0-9]{2}"
_DAY_SPAN = f"{_DAY}(?:-{_DAY})?"
_ZONE = "[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*"
_FORM = re.compile(
    f"(?:(?P<days>{_DAY_SPAN}(?:,{_DAY_SPAN})*) |(?P<date>{_DATE}) )?"
    f"(?P<opens>{_TIME})-(?:(?P<until>{_DATE}) )?(?P<shuts>{_TIME}) (?P<zone>{_ZONE})"
)
PATTERN: Final = f"^{re.sub(r'[?]P<[a-z]+>', '', _FORM.pattern)}$"
"""Its form, for editors."""

_FULL_DAY: Final = 24 * 60


@dataclass(frozen=True)
class ChangeWindow:
    """A span of time that comes again every week, or once.

    `opens` and `shuts` are minutes after the midnight that begins the day on which it opens.
    """

    zone: ZoneInfo | timezone
    opens: int
    shuts: int
    days: frozenset[int] = frozenset(range(7))
    once: date | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether it is open at a moment."""
        return any(begins <= now < ends for begins, ends in self._spans(now))

    def next_opening(self, now: datetime) -> datetime | None:
        """When it opens next, by its own clock; None where it never does again."""
        later = (begins for begins, _ in self._spans(now) if begins > now)
        return next((one.astimezone(self.zone) for one in later), None)

    def last_end(self) -> datetime | None:
        """When one that comes once is over, by its own clock."""
        return self._moment(self.once, self.shuts).astimezone(self.zone) if self.once else None

    def _spans(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """From the one that began yesterday on; more than a week, since a day may lack its hour."""
        today = now.astimezone(self.zone).date()
        around = (today + timedelta(days=offset) for offset in range(-1, 15))
        for day in [self.once] if self.once else [one for one in around if one.weekday() in self.days]:
            begins, ends = self._moment(day, self.opens), self._moment(day, self.shuts)
            if begins < ends:
                yield begins, ends

    def _moment(self, day: date, minutes: int) -> datetime:
        """A time of the clock on the wall: the first of two; one that it jumps over is when it jumps."""
        clock = time(minutes % _FULL_DAY // 60, minutes % 60)
        local = datetime.combine(day + timedelta(days=minutes // _FULL_DAY), clock, self.zone)
        before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
        assert before is not None
        assert after is not None
        if after <= before:
            return local.astimezone(UTC)
        moment = local.replace(fold=1).astimezone(UTC)
        while moment.astimezone(self.zone).utcoffset() == before:
            moment += timedelta(minutes=1)
        return moment


def read(text: str) -> ChangeWindow:
    """The window that a text means. Refuses, with examples, what it cannot mean for certain."""
    found = _FORM.fullmatch(text)
    if found is None:
        refuse(f"is no change window: write {', '.join(EXAMPLES[:-1])} or {EXAMPLES[-1]}")
    opens, shuts = _minutes(found["opens"]), _minutes(found["shuts"])
    if opens == _FULL_DAY:
        refuse("opens at 24:00: write 00:00 and the next day")
    once = _date(found["date"]) if found["date"] else None
    if found["until"]:
        if once is None:
            refuse(f"ends on a date and begins on none: write both, {EXAMPLES[-1]}")
        shuts += (_date(found["until"]) - once).days * _FULL_DAY
    elif shuts < opens:
        shuts += _FULL_DAY
    if shuts <= opens:
        refuse("ends before it begins, or at once")
    days = _weekdays(found["days"]) if found["days"] else frozenset(range(7))
    return ChangeWindow(_zone(found["zone"]), opens, shuts, days, once)


def checked(text: str) -> str:
    """The text itself, where it means a window."""
    read(text)
    return text


def _minutes(text: str) -> int:
    minutes = int(text[:2]) * 60 + int(text[3:])
    if minutes > _FULL_DAY:
        refuse("names a time that no clock shows: a day ends at 24:00")
    return minutes


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        refuse("names a day that is in no calendar")


def _weekdays(text: str) -> frozenset[int]:
    found: set[int] = set()
    for span in text.split(","):
        first, last = (_DAYS.index(one) for one in (span[:3], span[-3:]))
        found |= {(first + more) % 7 for more in range((last - first) % 7 + 1)}
    return frozenset(found)


def _zone(name: str) -> ZoneInfo | timezone:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # an OSError: the name of a folder of zones
        refuse(
            "names a time zone that this machine does not know: write one such as Europe/Zurich, or UTC;"
            " where it knows none, install the system's tzdata"
        )
