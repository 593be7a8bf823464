"""The tenant's tables, with what other servers still show after a write."""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.tenant.switches import Switches

Record = dict[str, Any]
Tables = dict[str, list[Record]]
RULES, INBOUND, OUTBOUND, DOMAINS, ORGANIZATION = "rules", "inbound", "outbound", "domains", "organization"
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
class Store:
    """All tables; whoever reads or writes holds `lock`."""

    switches: Switches
    tables: Tables = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _old: dict[str, list[_Old]] = field(default_factory=dict)
    _ticks: int = 0

    def rows(self, table: str) -> list[Record]:
        """The table as it is: change it in place, after `before_write`."""
        return self.tables[table]

    def before_write(self, table: str, *, lag: bool) -> None:
        """Keep the table as readers see it now; without `lag` the change shows at once."""
        if not lag:
            self._old.pop(table, None)
            return
        until = time.monotonic() + self.switches.lag_seconds
        self._old.setdefault(table, []).append(
            _Old(copy.deepcopy(self.tables[table]), self.switches.lag_reads, until)
        )

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


def find(rows: list[Record], identity: str) -> Record | None:
    """The row of that name, GUID or distinguished name, ignoring case."""
    wanted = identity.lower()
    for row in rows:
        if wanted in (str(row["Name"]).lower(), str(row["Guid"]).lower(), f"cn={row['Name']}".lower()):
            return row
    return None
