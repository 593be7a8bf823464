"""The tenant's tables, with what other servers still show after a write, and what counts for mail yet."""

from __future__ import annotations

import copy
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.tenant.switches import Switches

Record = dict[str, Any]
Tables = dict[str, list[Record]]
RULES, INBOUND, OUTBOUND, DOMAINS, ORGANIZATION = "rules", "inbound", "outbound", "domains", "organization"
GROUPS = "groups"
CONNECTION_FILTER, DKIM = "connection filter", "dkim"
PAST_KEPT = 500
EPOCH = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass
class _Old:
    """A table as it was before a write, for as long as readers may still see it."""

    rows: list[Record]
    reads_left: int
    until: float

    def seen(self) -> bool:
        return self.reads_left > 0 or time.monotonic() < self.until


@dataclass
class _Past:
    """A table as it was before a change; `spread` (0…1) places that change's delay between its bounds."""

    rows: list[Record]
    until: float
    spread: float


@dataclass
class Store:
    """All tables; whoever reads or writes holds `lock`."""

    switches: Switches
    tables: Tables = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _old: dict[str, list[_Old]] = field(default_factory=dict)
    _past: dict[str, list[_Past]] = field(default_factory=dict)
    _present: Tables = field(default_factory=dict)
    _ticks: int = 0

    def rows(self, table: str) -> list[Record]:
        """The table as it is: change it in place, after `before_write`."""
        return self.tables[table]

    def before_write(self, table: str, *, lag: bool) -> None:
        """Keep the table as readers see it now; without `lag` the change shows at once."""
        before, now = self._copy(table), time.monotonic()
        past = self._past.setdefault(table, [])
        past.append(_Past(before, now, random.SystemRandom().random()))
        del past[:-PAST_KEPT]
        del self._present[table]
        if not lag:
            self._old.pop(table, None)
            return
        until = now + self.switches.lag_seconds
        self._old.setdefault(table, []).append(_Old(before, self.switches.lag_reads, until))

    def in_effect(self, table: str) -> list[Record]:
        """The table as it counts for mail now: what was changed `propagation_seconds` ago or earlier.

        A copy that later writes do not touch; not to be changed.
        """
        with self.lock:
            low, high = self.switches.propagation(table)
            now = time.monotonic()
            shown: list[Record] | None = None
            for past in reversed(self._past.get(table, [])):
                if now >= past.until + low + past.spread * (high - low):
                    break
                shown = past.rows
            return self._copy(table) if shown is None else shown

    def settle(self) -> None:
        """Everything counts for mail at once, whatever `propagation_seconds` says."""
        with self.lock:
            self._past.clear()

    def _copy(self, table: str) -> list[Record]:
        """A copy of the table as it is; the same one until the next write."""
        if table not in self._present:
            self._present[table] = copy.deepcopy(self.tables[table])
        return self._present[table]

    def seen(self, table: str, *, counts: bool = True) -> list[Record]:
        """The table as a reader sees it now; `counts` uses up one read of the lag."""
        pending = [old for old in self._old.get(table, []) if old.seen()]
        self._old[table] = pending
        shown = pending[0].rows if pending else self.tables[table]
        if counts:
            for old in pending:
                old.reads_left -= 1
        return shown

    def now(self) -> datetime:
        """A time of change: today's, and never the same twice."""
        self._ticks += 1
        return datetime.now(UTC).replace(microsecond=0) + timedelta(microseconds=self._ticks)

    def snapshot(self) -> Tables:
        """A copy of everything."""
        with self.lock:
            return copy.deepcopy(self.tables)

    def restore(self, tables: Tables) -> None:
        """Back to a snapshot; nothing older is shown any more."""
        with self.lock:
            self.tables = copy.deepcopy(tables)
            self._old.clear()
            self._past.clear()
            self._present.clear()


def find(rows: list[Record], identity: str) -> Record | None:
    """The row of that name, GUID or distinguished name, ignoring case."""
    wanted = identity.lower()
    for row in rows:
        if wanted in (str(row["Name"]).lower(), str(row["Guid"]).lower(), f"cn={row['Name']}".lower()):
            return row
    return None
