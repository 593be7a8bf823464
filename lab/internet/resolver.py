"""A caching resolver: what somebody who asked earlier still believes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from lab.internet.zones import NEGATIVE_TTL, Answer, Found, Zones, aged, plain

Clock = Callable[[], float]


class Resolver:
    """Asks `zones` and remembers each answer, nothing included, for its time to live."""

    def __init__(self, zones: Zones, clock: Clock = time.monotonic) -> None:
        self._zones = zones
        self._clock = clock
        self._cache: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._lock = threading.Lock()

    def lookup(self, name: str, kind: str) -> Answer:
        """An answer, from the cache while it may be used; its records' times are what is left of them."""
        key = plain(name), kind.upper()
        now = self._clock()
        with self._lock:
            asked, answer = self._cache.get(key, (0.0, None))
            if answer is None or now - asked >= _keep(answer):
                asked, answer = now, self._zones.lookup(*key)
                self._cache[key] = asked, answer
        return replace(answer, records=tuple(aged(records, now - asked) for records in answer.records))

    def addresses(self, name: str) -> list[str]:
        """The IPv4 addresses of a name; [] when there are none."""
        return addresses(self.lookup(name, "A"))

    def mail_hosts(self, domain: str) -> list[tuple[int, str]]:
        """Preference and host of a domain's MX records, the best first; [] when there are none."""
        return mail_hosts(self.lookup(domain, "MX"))

    def forget(self) -> None:
        """Empty the cache."""
        with self._lock:
            self._cache.clear()


def mail_hosts(answer: Answer) -> list[tuple[int, str]]:
    """The MX records in an answer, the best first."""
    found = (value.split() for value in _values(answer, "MX"))
    return sorted((int(preference), plain(host)) for preference, host in found)


def addresses(answer: Answer) -> list[str]:
    """The IPv4 addresses in an answer."""
    return list(_values(answer, "A"))


def _values(answer: Answer, kind: str) -> tuple[str, ...]:
    return tuple(value for records in answer.records if records.kind == kind for value in records.values)


def _keep(answer: Answer) -> float:
    """How long an answer may be remembered, in seconds."""
    if answer.found is Found.RECORDS:
        return min(records.ttl for records in answer.records)
    return NEGATIVE_TTL
