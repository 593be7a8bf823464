"""The change window of a stack: whether it may be changed now, by its file, before anything is started."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic_core import PydanticCustomError

from components import change_window
from fleet.stacks import StackFile
from fleet.words import elapsed

_DAY = 24 * 3600


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


def shut(stack: StackFile) -> str:
    """Why it may not be changed now; empty where the window is open, or there is none."""
    text = _window(stack)
    if text is None:
        return ""
    try:
        window = change_window.read(text if isinstance(text, str) else "")
    except PydanticCustomError as error:
        return f"change.window {error.message()}"
    moment = now()
    if window.is_open(moment):
        return ""
    opening, ended = window.next_opening(moment), window.last_end()
    if opening is not None:
        when = f"it opens in {_away((opening - moment).total_seconds())}, {_day_and_time(opening)}"
    else:
        assert ended is not None  # one that comes every week always opens again
        when = f"it was over {_day_and_time(ended)}, and does not come again: agree on another"
    return f"the change window is shut: {text}; {when}"


def _window(stack: StackFile) -> object:
    """What the file says, unchecked. The engine takes a section as JSON text, too."""
    change = stack.values.get("change")
    if isinstance(change, str):
        try:
            change = json.loads(change)
        except ValueError:
            return change  # which is refused, as the program will
    return change.get("window") if isinstance(change, Mapping) else change


def _away(seconds: float) -> str:
    days, rest = divmod(int(seconds), _DAY)
    return f"{days} d {rest // 3600} h" if days else elapsed(seconds)


def _day_and_time(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b} {at:%H:%M}"
