"""How long lists are cut: 1,000 rows unless ResultSize says otherwise, then a link to the next page."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.tenant.errors import bad_value

WARNING = (
    "There are more results available than are currently displayed. "
    "To view them, increase the value for the ResultSize parameter."
)
EXPIRED = {"error": {"code": "BadRequest", "message": "Expired or Invalid pagination request."}}
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Page:
    """The rows of one answer; `cut`: with the warning that there are more."""

    rows: Rows
    token: str | None = None
    cut: bool = False


class Pages:
    """Remembers where each next page begins."""

    def __init__(self) -> None:
        self._starts: dict[str, int] = {}
        self._lock = threading.Lock()

    def page(self, rows: Rows, *, limit: int | None, size: int | None, token: str | None) -> Page | None:
        """One page; `limit` is ResultSize's number, `size` rows go into an answer. None: not our token."""
        with self._lock:
            start = 0 if token is None else self._starts.get(token)
            if start is None:
                return None
            wanted = rows if limit is None else rows[:limit]
            end = len(wanted) if size is None else min(start + size, len(wanted))
            following = None
            if end < len(wanted):
                following = secrets.token_urlsafe(12)
                self._starts[following] = end
        more = len(wanted) < len(rows)
        return Page(wanted[start:end], following, cut=more or following is not None)


def result_size(parameters: Mapping[str, Any]) -> int | None:
    """ResultSize as a number of rows; None: unlimited, or not given."""
    given = _given(parameters)
    if given is None or str(given).lower() == "unlimited":
        return None
    if isinstance(given, bool) or not re.fullmatch(r"\d+", str(given)):
        raise bad_value(
            "ResultSize", given, "Microsoft.Exchange.Data.Unlimited`1[System.UInt32]", "Not a number."
        )
    return int(given)


def page_size(prefer: str, parameters: Mapping[str, Any], default: int) -> int | None:
    """Rows in one answer; None: all of them, since ResultSize was given and no page size is preferred."""
    preferred = re.search(r"odata\.maxpagesize=(\d+)", prefer)
    if preferred:
        return min(int(preferred[1]), default)
    return default if _given(parameters) is None else None


def _given(parameters: Mapping[str, Any]) -> Any:
    return next((value for name, value in parameters.items() if name.lower() == "resultsize"), None)
