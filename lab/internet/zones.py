"""The world's DNS records: what every authoritative server of the lab would answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import Enum

NEGATIVE_TTL = 5
"""Seconds that a resolver may remember that there is nothing; short, as this is a lab."""
NAME_SERVER = "ns1.lab-dns.example"
CHAIN = 8


class Found(Enum):
    """What a look-up came to."""

    RECORDS = "records"
    NO_DATA = "no such type at that name"
    NO_NAME = "no such name"
    NOT_OURS = "in none of the zones"


@dataclass(frozen=True)
class Records:
    """The records of one name and type; `values` as in a zone file, names absolute with their last dot."""

    name: str
    kind: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """Records in the order of a CNAME chain, or why there are none. `zone` is the one that answered last."""

    found: Found
    records: tuple[Records, ...] = ()
    zone: str = ""


@dataclass
class Zone:
    """One zone; `records` by name and type, both in the form of `plain` and upper case."""

    origin: str
    serial: int = 1
    records: dict[tuple[str, str], Records] = field(default_factory=dict)

    @property
    def soa(self) -> Records:
        """The start of authority, with the serial of now."""
        times = f"3600 600 86400 {NEGATIVE_TTL}"
        value = f"{NAME_SERVER}. hostmaster.{NAME_SERVER}. {self.serial} {times}"
        return Records(self.origin, "SOA", 300, (value,))

    def has_name(self, name: str) -> bool:
        """Whether there is anything at this name or below it."""
        return name == self.origin or any(
            owner == name or owner.endswith(f".{name}") for owner, _ in self.records
        )

    def get(self, name: str, kind: str) -> Records | None:
        """The records of one name and type, NS and SOA of the zone itself included."""
        if name == self.origin and kind == "SOA":
            return self.soa
        return self.records.get((name, kind))

    def has_records(self, name: str) -> bool:
        """Whether there is anything at this very name."""
        return name == self.origin or bool(self.at(name))

    def at(self, name: str) -> list[Records]:
        """All records of a name, without the SOA."""
        return [records for (owner, _), records in self.records.items() if owner == name]


class Zones:
    """All zones, safe to use from several threads."""

    def __init__(self) -> None:
        self._zones: dict[str, Zone] = {}
        self._lock = threading.RLock()

    def add_zone(self, origin: str) -> None:
        """A new zone with its NS record; nothing if it is there."""
        origin = plain(origin)
        with self._lock:
            if origin not in self._zones:
                self._zones[origin] = Zone(origin)
                self._zones[origin].records[origin, "NS"] = Records(origin, "NS", 300, (f"{NAME_SERVER}.",))

    def set(self, name: str, kind: str, *values: str, ttl: int = 300) -> None:
        """Replace the records of a name and type; the zone's serial grows. LookupError without a zone.

        Names in values may lack their last dot.
        """
        name, kind = plain(name), kind.upper()
        with self.change(name) as zone:
            zone.records[name, kind] = Records(
                name, kind, ttl, tuple(_absolute(kind, value) for value in values)
            )

    def add(self, name: str, kind: str, *values: str, ttl: int = 300) -> None:
        """As `set`, but what is there stays."""
        there = self.get(name, kind)
        self.set(name, kind, *(there.values if there else ()), *values, ttl=ttl)

    def remove(self, name: str, kind: str) -> None:
        """Remove the records of a name and type, if there are any."""
        name = plain(name)
        with self.change(name) as zone:
            zone.records.pop((name, kind.upper()), None)

    def get(self, name: str, kind: str) -> Records | None:
        """The records of a name and type, CNAMEs not followed."""
        name = plain(name)
        with self._lock:
            zone = self._zone_of(name)
            return zone.get(name, kind.upper()) if zone else None

    def serial(self, origin: str) -> int:
        """A zone's serial. KeyError without such a zone."""
        with self._lock:
            return self._zones[plain(origin)].serial

    def zone_of(self, name: str) -> str:
        """The origin of the zone that a name is in; "" if there is none."""
        with self._lock:
            zone = self._zone_of(plain(name))
            return zone.origin if zone else ""

    @contextmanager
    def change(self, name: str) -> Iterator[Zone]:
        """The zone of a name, locked: its serial grows if it was changed; an error undoes the change."""
        with self._lock:
            zone = self._zone_of(plain(name))
            if zone is None:
                raise LookupError(f"the lab has no zone for {name}")
            before = dict(zone.records)
            try:
                yield zone
            except BaseException:
                zone.records = before
                raise
            if zone.records != before:
                zone.serial += 1

    def lookup(self, name: str, kind: str) -> Answer:
        """What is there for a name and type; CNAMEs are followed."""
        name, kind = plain(name), kind.upper()
        chain: list[Records] = []
        with self._lock:
            for _ in range(CHAIN):
                zone = self._zone_of(name)
                if zone is None:
                    return Answer(Found.NOT_OURS, tuple(chain))
                records = zone.get(name, kind)
                if records is not None:
                    return Answer(Found.RECORDS, (*chain, records), zone.origin)
                alias = zone.records.get((name, "CNAME"))
                if alias is None:
                    found = Found.NO_DATA if zone.has_name(name) else Found.NO_NAME
                    return Answer(found, tuple(chain), zone.origin)
                chain.append(alias)
                name = plain(alias.values[0])
        return Answer(Found.NO_DATA, tuple(chain))

    def snapshot(self) -> dict[str, Zone]:
        """A copy of everything, for `restore`."""
        with self._lock:
            return deepcopy(self._zones)

    def restore(self, snapshot: dict[str, Zone]) -> None:
        """Go back to a snapshot; serials go on growing, as resolvers expect."""
        with self._lock:
            newest = max((zone.serial for zone in self._zones.values()), default=0)
            self._zones = deepcopy(snapshot)
            for zone in self._zones.values():
                zone.serial = max(zone.serial, newest + 1)

    def dump(self) -> str:
        """All records as stable text, without serials."""
        with self._lock:
            return "\n".join(_lines(zone for _, zone in sorted(self._zones.items())))

    def _zone_of(self, name: str) -> Zone | None:
        labels = name.split(".")
        for start in range(len(labels)):
            zone = self._zones.get(".".join(labels[start:]))
            if zone is not None:
                return zone
        return None


def plain(name: str) -> str:
    """A name in lower case without its last dot."""
    return name.lower().removesuffix(".")


def aged(records: Records, seconds: float) -> Records:
    """The same records with a time to live that is shorter by that many seconds."""
    return replace(records, ttl=max(0, records.ttl - int(seconds)))


def _absolute(kind: str, value: str) -> str:
    """Names end in a dot, texts stand in quotes."""
    if kind in ("MX", "NS", "PTR", "CNAME") and not value.endswith("."):
        return f"{value}."
    if kind == "TXT" and not value.startswith('"'):
        return " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
    return value


def _lines(zones: Iterable[Zone]) -> Iterator[str]:
    for zone in zones:
        for (name, kind), records in sorted(zone.records.items()):
            for value in sorted(records.values):
                yield f"{name} {records.ttl} {kind} {value}"
