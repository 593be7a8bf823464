"""What our rules and connectors have in common: attributes, the rest as `other`, and the way back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from dynamic_providers import connections
from dynamic_providers.change_note import note
from dynamic_providers.entries import ABSENT, RAW, Entries, Entry, Place, Props
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient, Rows, Step, exchange, named
from dynamic_providers.exchange.cmdlets import Kind
from dynamic_providers.exchange.forms import Form, anything
from dynamic_providers.managed_resource import ObjectProvider

OURS: Final = "m365-secure-email"  # how a comment of ours begins
_LONGEST_COMMENT: Final = 1024
_UNSET: Final[tuple[Any, ...]] = (None, "", [])


@dataclass(frozen=True)
class Attribute:
    """One input and the parameter that it is; `form` brings a value to its normal form, read or wanted."""

    name: str
    parameter: str
    form: Form


@dataclass(frozen=True)
class Wanted:
    """One object as it is to be, and what goes with that."""

    key: str
    entry: Entry
    place: Place
    context: Props

    @property
    def raw(self) -> dict[str, Any] | None:
        """What only the way back has: everything that the object did before us."""
        return self.entry.get(RAW)


class ExchangeObjectProvider(ObjectProvider):
    """One object of the tenant, found by its name. `tenant` is the tenant's initial domain."""

    identity: ClassVar[tuple[str, ...]] = ("tenant", "name")
    secret: ClassVar[frozenset[str]] = frozenset({"other"})

    kind: ClassVar[Kind]
    attributes: ClassVar[tuple[Attribute, ...]]
    comment: ClassVar[str]  # the parameter of the comment: written with other things, never compared
    defaults: ClassVar[Mapping[str, str]] = {}  # of parameters that are not ours and never empty
    together: ClassVar[tuple[frozenset[str], ...]] = ()  # parameters of which all are written, or none
    unseen: ClassVar[frozenset[str]] = frozenset()  # writable parameters that are not compared
    on_premises: ClassVar[frozenset[str]] = frozenset()  # parameters that only an OnPremises connector takes

    # --- the hooks ------------------------------------------------------------------------------------------

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        rows = exchange().rows(self.kind)
        found = {key: named(rows, key) for key in keys}
        return {key: self._entry(row, rows, place) for key, row in found.items() if row is not None}

    def apply(
        self, place: Place, changes: Mapping[str, Entry | None], _live: Entries, context: Props
    ) -> None:
        client = exchange()
        for key, entry in changes.items():
            with client.alone(self.kind):
                row = client.find(self.kind, key)
                if entry is not None:
                    self._write_one(client, Wanted(key, entry, place, context), row)
                elif row is not None:
                    self._remove(client, key, row)

    def fitted(self, place: Place, key: str, record: Entry) -> Entry:
        """A record may be from before an attribute of ours was one: it then lies among the rest."""
        known = {one.parameter: one for one in self.attributes}
        other = record["other"]
        now = {known[name].name: known[name].form(json.loads(other[name])) for name in other if name in known}
        return {**record, **now, "other": {k: v for k, v in other.items() if k not in known}}

    def recorded(self, client: ExchangeClient, name: str, siblings: Sequence[str] = ()) -> Entry:
        """What is there under a name, with all that the way back needs. Holds others' secrets.

        `siblings` are the names of all objects of this kind that the stack has.
        """
        rows = client.rows(self.kind)
        row = named(rows, name)
        if row is None:
            return ABSENT
        raw = {**self._raw(row, rows), "siblings": list(siblings)}
        return {**self._entry(row, rows, {}), RAW: raw}

    # --- reading --------------------------------------------------------------------------------------------

    def _entry(self, row: Row, rows: Rows, place: Place) -> Entry:
        normal = {one.name: one.form(row.get(one.parameter)) for one in self.attributes}
        return {**{k: v for k, v in normal.items() if v is not None}, "other": self._other(row)}

    def _other(self, row: Row) -> dict[str, str]:
        """What the object does that no attribute of ours says: parameter → its value as JSON."""
        ours = {one.parameter for one in self.attributes}
        values = {name: self._form(name, row.get(name)) for name in self._compared - ours}
        return {name: json.dumps(value) for name, value in sorted(values.items()) if value is not None}

    def _raw(self, row: Row, rows: Rows) -> dict[str, Any]:
        """Every writable parameter that is set, ready to be written again."""
        ours = {one.parameter for one in self.attributes}
        values = {name: self._form(name, row.get(name)) for name in self._compared}
        kept = {k: v if k in ours else row[k] for k, v in sorted(values.items()) if v not in _UNSET}
        return {"parameters": kept, "comment": str(row.get(self.comment) or "")}

    def _form(self, parameter: str, value: Any) -> Any:
        one = self._attribute(parameter)
        if one is not None:
            return one.form(value)
        normal = anything(value)
        return None if normal == self.defaults.get(parameter) else normal

    def _attribute(self, parameter: str) -> Attribute | None:
        return next((one for one in self.attributes if one.parameter == parameter), None)

    @property
    def _compared(self) -> frozenset[str]:
        return self.kind.set - self.unseen - {self.comment}

    # --- comparing ------------------------------------------------------------------------------------------

    def _same(self, key: str, theirs: Entry | None, ours: Entry | None) -> bool:
        """Against a record of ours everything counts: the comment that we wrote, a rule's place."""
        if not super()._same(key, theirs, ours):
            return False
        raw = (ours or {}).get(RAW)
        if raw is None or theirs is None:
            return True
        rows = exchange().rows(self.kind)
        row = named(rows, key)
        return row is None or self._restored(row, rows, raw)

    def _restored(self, row: Row, rows: Rows, raw: Mapping[str, Any]) -> bool:
        comment = str(row.get(self.comment) or "")
        as_it_was = comment == raw["comment"] or not comment.startswith(OURS)
        return as_it_was and not self._changed(row, raw["parameters"])

    def _changed(self, row: Row, target: Mapping[str, Any]) -> dict[str, Any]:
        """What Set- is given so that the row becomes the target, which names all that is set."""
        changed = {
            name: target[name] if target.get(name) not in _UNSET else self._cleared(name, row.get(name))
            for name in self._compared
            if not self._equal(name, row.get(name), target.get(name))
        }
        for group in self.together:
            if group & changed.keys():
                changed |= {name: target[name] for name in group if target.get(name) not in _UNSET}
        return changed

    def _cleared(self, name: str, value: Any) -> Any:
        empty: Any = False if isinstance(value, bool) else [] if isinstance(value, list) else None
        return self.defaults.get(name, empty)

    def _equal(self, parameter: str, theirs: Any, ours: Any) -> bool:
        one = self._attribute(parameter)
        return self.equal(one.name if one else "", self._form(parameter, theirs), self._form(parameter, ours))

    # --- writing --------------------------------------------------------------------------------------------

    def _write_one(self, client: ExchangeClient, wanted: Wanted, row: Row | None) -> None:
        rows = client.rows(self.kind)
        steps = self._new_steps(wanted, rows) if row is None else self._set_steps(wanted, row, rows)
        batch: list[Step] = []
        for step in steps:
            batch.append(step)
            if step is steps[-1]:
                client.write(self.kind, batch, partial(self._missing, wanted))
            elif step.verb == "Set":  # not taken, it could not be made good once the type is another
                client.write(self.kind, batch, partial(self._not_taken, wanted.key, step))
                batch = []

    def _new_steps(self, wanted: Wanted, _rows: Rows) -> list[Step]:
        given = {**self._target(wanted.entry), **self._comment(wanted, None)}
        return [Step("New", {"Name": wanted.key, **{k: v for k, v in given.items() if v not in _UNSET}})]

    def _set_steps(self, wanted: Wanted, row: Row, _rows: Rows) -> list[Step]:
        phases = self._phases(row, self._changed(row, self._target(wanted.entry)))
        if phases or wanted.raw is not None:
            phases = [*phases[:-1], {**(phases[-1] if phases else {}), **self._comment(wanted, row)}]
        return [Step("Set", {"Identity": row["Identity"], **phase}) for phase in phases if phase]

    def _phases(self, row: Row, changed: dict[str, Any]) -> list[dict[str, Any]]:
        """One Set-, or two where the type changes: what only one type takes is written while it is that."""
        special = {name: value for name, value in changed.items() if name in self.on_premises}
        with_them = {name for group in self.together if group & special.keys() for name in group}
        special |= {name: value for name, value in changed.items() if name in with_them}
        rest = {name: value for name, value in changed.items() if name not in special}
        if not special or "ConnectorType" not in rest:
            return [changed] if changed else []
        return [special, rest] if row.get("ConnectorType") == "OnPremises" else [rest, special]

    def _target(self, entry: Entry) -> dict[str, Any]:
        if RAW in entry:
            return dict(entry[RAW]["parameters"])
        return {one.parameter: entry[one.name] for one in self.attributes if one.name in entry}

    def _comment(self, wanted: Wanted, row: Row | None) -> dict[str, Any]:
        """The comment that goes with a write: ours, or the one before us; another's only with a ticket."""
        now = str((row or {}).get(self.comment) or "")
        anothers = now != "" and not now.startswith(OURS)
        if wanted.raw is not None:
            then = wanted.raw["comment"]
            return {} if anothers or now == then else {self.comment: then or None}
        change = wanted.context.get("change") or {}
        why, stack = note(change), connections.stack_name()
        if anothers and not change.get("ticket"):
            return {}
        parts = (OURS, f"stack {stack}" if stack else "", f"change {why}" if why else "")
        text = ", ".join(part for part in parts if part)[:_LONGEST_COMMENT]
        return {} if now == text else {self.comment: text}

    def _not_taken(self, key: str, step: Step, rows: Rows) -> str:
        row = named(rows, key)
        if row is None:
            return f"«{key}» is not there"
        written = {name: value for name, value in step.parameters.items() if name in self._compared}
        return ", ".join(
            name for name, value in written.items() if not self._equal(name, row.get(name), value)
        )

    def _missing(self, wanted: Wanted, rows: Rows) -> str:
        row = named(rows, wanted.key)
        if row is None:
            return f"«{wanted.key}» is not there"
        return ", ".join(sorted(self._changed(row, self._target(wanted.entry))))

    def _remove(self, client: ExchangeClient, key: str, row: Row) -> None:
        def missing(rows: Sequence[Row]) -> str:
            return f"«{key}» is still there" if named(rows, key) else ""

        client.write(self.kind, [Step("Remove", {"Identity": row["Identity"]})], missing)

    # --- properties -----------------------------------------------------------------------------------------

    def _where(self, place: Place) -> str:
        return str(place["tenant"])
