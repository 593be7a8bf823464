"""The words by which an operator lets the guard's refusals pass, each once and until a day.

An acknowledgement is known by its words and its day. It allows one run; the guard remembers it in its inputs
until that day has passed. The same words with another day are another acknowledgement.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic_core import PydanticCustomError

from dynamic_providers import addresses
from dynamic_providers.safety.replaced import REPLACED

Rows = Sequence[Mapping[str, Any]]  # {what, until}, and of those used up: on, the day it was

RULES = ("inboundRule", "outboundRule")
REMOVE_CONNECTOR = "remove outbound connector"
_COUNTED = re.compile(r"change [0-9]+ of [0-9]+ domains")


def remove(entry: str) -> str:
    """A domain, or `.domain` for its subdomains, leaves the gateway's tables."""
    return f"remove {entry}"


def replace(setting: str) -> str:
    """What a setting names is made anew."""
    return f"replace {setting}"


def clear(rule: str) -> str:
    """A transport rule loses a condition or an exception."""
    return f"clear {rule}"


def change_many(count: int, domains: int) -> str:
    """Many domains at once."""
    return f"change {count} of {domains} domains"


def smart_host(host: str) -> str:
    """A smart host that refuses."""
    return f"smart host {host}"


def fixed() -> list[str]:
    """Those that name neither a domain, nor a host, nor a number."""
    return [REMOVE_CONNECTOR, *map(replace, REPLACED), *map(clear, RULES)]


def is_known(what: str) -> bool:
    """Whether the guard may ever ask for it. Domains and hosts need not be in the settings: they may go."""
    words = what.lower()
    if words in {one.lower() for one in fixed()} or _COUNTED.fullmatch(words):
        return True
    if words.startswith(smart_host("")):
        return _passes(addresses.smart_host, words.removeprefix(smart_host("")))
    entry = words.removeprefix(remove(""))
    return entry != words and _passes(addresses.domain, entry.removeprefix("."))


def _passes(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except PydanticCustomError:
        return False
    return True


class Ledger:
    """What was acknowledged, and what of it is used up."""

    def __init__(self, given: Rows, used: Rows, today: date | None = None) -> None:
        self._today = today or datetime.now(UTC).date()
        self._given = sorted((_key(one) for one in given), key=lambda one: one[1])
        self._used = {_key(one): dict(one) for one in used}

    def allowing(self, what: str) -> tuple[str, str] | None:
        """The acknowledgement that lets it pass, if there is one: the one that ends soonest."""
        valid = (one for one in self._given if one[0] == what.lower() and self._counts(one))
        return next((one for one in valid if one not in self._used), None)

    def why_not(self, what: str) -> str:
        """What is the matter with one that is there and does not count; empty where there is none."""
        spent = [one for one in self._given if one[0] == what.lower()]
        if not spent:
            return ""
        last = spent[-1]
        if last in self._used:
            return f"your acknowledgement until {last[1]} was used up on {self._used[last]['on']}"
        return f"your acknowledgement ended on {last[1]}"

    def after(self, whats: Iterable[str]) -> list[dict[str, str]]:
        """What is used up once these have been done; without those that have ended, which allow nothing."""
        used = {key: one for key, one in self._used.items() if self._counts(key)}
        for what in whats:
            one = self.allowing(what)
            if one is not None:
                used[one] = {"what": one[0], "until": one[1], "on": self._today.isoformat()}
        return [used[key] for key in sorted(used)]

    def line(self, whats: Collection[str]) -> str:
        """What to put into the stack file to let these pass: those that still count stay in it."""
        kept = [one for one in self._given if self._counts(one) and one not in self._used]
        rows = [*kept, *((what, self._free_day(what)) for what in whats)]
        shown = ", ".join(f'{{what: {what}, until: "{until}"}}' for what, until in rows)
        return f"m365-secure-email:acknowledge: [{shown}]"

    def _free_day(self, what: str) -> str:
        """Tomorrow, since a night's work may pass midnight UTC; later where that one is used up."""
        day = self._today + timedelta(days=1)
        while (what.lower(), day.isoformat()) in self._used:
            day += timedelta(days=1)
        return day.isoformat()

    def _counts(self, one: tuple[str, str]) -> bool:
        return self._today <= date.fromisoformat(one[1])


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["what"]).lower(), str(row["until"])
