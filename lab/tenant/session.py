"""Who runs a cmdlet, and on what: the same cmdlet code serves the API and tests that act by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.tenant.errors import CmdletFailure
from lab.tenant.store import Record, Store, find
from lab.tenant.switches import Switches

if TYPE_CHECKING:
    from lab.tenant.mail.plane import TenantMail

MISSING = "System.Management.Automation.ParameterBindingException"
Bound = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """One caller. What is done by hand shows at once, and by hand one sees the truth.

    `warnings` are what the cmdlet says beside its rows.
    """

    store: Store
    switches: Switches
    who: str
    by_hand: bool = False
    data_plane: TenantMail | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def mail(self) -> TenantMail:
        """The tenant's data plane."""
        assert self.data_plane is not None
        return self.data_plane

    def seen(self, table: str, *, counts: bool = True) -> list[Record]:
        """The table as this caller sees it."""
        return self.store.rows(table) if self.by_hand else self.store.seen(table, counts=counts)

    def changing(self, table: str) -> list[Record]:
        """The table, to be changed now; other readers may see the old one for a while."""
        self.store.before_write(table, lag=not self.by_hand)
        return self.store.rows(table)


def mandatory(bound: Bound, name: str) -> Any:
    """A parameter that the cmdlet cannot do without."""
    value = bound.get(name)
    if value in (None, "", []):
        text = f"Cannot process command because of one or more missing mandatory parameters: {name}."
        raise CmdletFailure(MISSING, text)
    return value


def selected(rows: list[Record], bound: Bound, *, unknown_is_all: bool) -> list[Record] | None:
    """The rows that Identity names; None: there is no such object. No Identity names all."""
    if "Identity" not in bound:
        return rows
    identity = str(bound["Identity"] or "")
    found = find(rows, identity) if identity else None
    if found is not None:
        return [found]
    return rows if unknown_is_all else None
