"""`change.window`: what it means on the clock on the wall, over midnight, over a change of the clock."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic_core import PydanticCustomError

from components.change_window import EXAMPLES, PATTERN, read

SATURDAY = "Sat 20:00-24:00 Europe/Zurich"
AT_NIGHT = "Mon-Fri 22:00-02:00 UTC"
ONCE = "2026-11-28 20:00-2026-11-29 02:00 Europe/Zurich"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("window", "moment", "is_open"),
    [
        (SATURDAY, "2026-11-28T18:59:59+00:00", False),
        (SATURDAY, "2026-11-28T19:00:00+00:00", True),
        (SATURDAY, "2026-11-28T22:59:59+00:00", True),
        (SATURDAY, "2026-11-28T23:00:00+00:00", False),
        (SATURDAY, "2026-07-25T18:00:00+00:00", True),  # in summer an hour earlier by UTC
        (SATURDAY, "2026-11-27T20:00:00+00:00", False),
        (AT_NIGHT, "2026-11-28T01:59:00+00:00", True),  # Friday's, on Saturday
        (AT_NIGHT, "2026-11-29T01:00:00+00:00", False),
        (AT_NIGHT, "2026-11-30T01:00:00+00:00", False),  # Sunday's is none
        (AT_NIGHT, "2026-11-30T22:00:00+00:00", True),
        ("00:00-24:00 UTC", "2026-11-28T12:00:00+00:00", True),
        (ONCE, "2026-11-29T00:59:00+00:00", True),
        (ONCE, "2026-11-29T01:00:00+00:00", False),
        (ONCE, "2026-12-05T20:30:00+00:00", False),
        ("Sun 02:30-03:30 Europe/Zurich", "2026-03-29T01:00:00+00:00", True),  # the hour that is left out
        ("Sun 02:30-03:30 Europe/Zurich", "2026-03-29T00:59:00+00:00", False),
        ("Sun 02:00-03:00 Europe/Zurich", "2026-10-25T01:30:00+00:00", True),  # the hour that comes twice
    ],
)
def test_when_it_is_open(window: str, moment: str, *, is_open: bool) -> None:
    assert read(window).is_open(at(moment)) == is_open


@pytest.mark.parametrize(
    ("window", "opens"),
    [
        (SATURDAY, "2026-11-28T20:00:00+01:00"),
        (AT_NIGHT, "2026-11-24T22:00:00+00:00"),
        (ONCE, "2026-11-28T20:00:00+01:00"),
        ("2026-11-01 20:00-22:00 UTC", None),
    ],
)
def test_when_it_opens_next(window: str, opens: str | None) -> None:
    found = read(window).next_opening(at("2026-11-24T12:00:00+00:00"))
    assert found == (at(opens) if opens else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "at any time",
        "Sat 20:00-24:00",
        "sat 20:00-24:00 UTC",
        "Sat 24:00-02:00 UTC",
        "Sat 20:00-25:00 UTC",
        "Sat 20:00-20:00 UTC",
        "2026-02-30 20:00-22:00 UTC",
        "2026-11-29 20:00-2026-11-28 22:00 UTC",
        "20:00-2026-11-28 22:00 UTC",
        "Sat 20:00-24:00 Europe/Nowhere",
        "Sat 20:00-24:00 Europe",
        "Sat 20:00-24:00 ../etc/passwd",
        "Sat 20:00-24:00 UTC\n",
    ],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(PydanticCustomError):
        read(text)


def test_the_examples_are_right() -> None:
    import re

    for text in (*EXAMPLES, SATURDAY, AT_NIGHT):
        read(text)
        assert re.search(PATTERN, text)
