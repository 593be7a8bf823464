"""The one CRUD shape of everything that we manage: check, diff, create, read, update, delete from four hooks.

A managed resource is a set of *entries* (natural key → normal form) at a *place* (the identity fields, which
say where). A single object is a set of one. What was there before us is recorded per key by a Snapshot and
comes in as `before`: so a crash at any moment loses nothing, and `delete` puts back exactly that.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import ClassVar

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    UpdateResult,
)

from dynamic_providers import connections, report
from dynamic_providers.comparing import BARE, CONTEXT, REVISION, ComparingProvider
from dynamic_providers.entries import (
    ABSENT,
    MISSING,
    Difference,
    Entries,
    Entry,
    Place,
    Props,
    has_unknown,
    plain,
    quoted,
)
from dynamic_providers.errors import ManagedError, clean, clean_errors


class Refused(ManagedError):
    """Something is there already, it differs, and nobody said that it may be taken over."""


class NotAsWritten(ManagedError):
    """A write was accepted, and does not read back."""


class ChangedSince(ManagedError):
    """Someone changed what we made: putting back what was there before us would overwrite that unseen."""


class NoRecord(ManagedError):
    """There is no record of what was there before us."""


class OnlyLooking(ManagedError):
    """Something would be written, or taken away, by a stack that only looks."""


class SameProcess(ManagedError):
    """A key would be removed that this very run has made, or keeps, under another logical name."""


class ManagedProvider(ComparingProvider):
    """CRUD for one kind of object or table. A subclass gives data, `live`, `apply`, and a shape."""

    serialize_as_secret_always = False  # a provider has no state: its pickle is its module and class name

    new_before_old: ClassVar[bool] = False  # when it replaces; others still name the old one till then
    take_over_key: ClassVar[str]  # the key of the setting `takeOver`
    outputs: ClassVar[tuple[str, ...]] = ()  # what is no input, beside the revision
    relative: ClassVar[frozenset[str]] = frozenset()  # attributes that also change when a neighbour does

    # --- the hooks ------------------------------------------------------------------------------------------

    @abstractmethod
    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        """Make these entries so (None: remove); return when it is in force. `context` holds `change`."""

    def notes(self, props: Props) -> Iterable[str]:
        """What an operator should be told about these inputs at first contact, as warnings."""
        return ()

    def is_left(self, place: Place, key: str, entry: Entry) -> bool:
        """Whether what is read under a key that had to go is it, and not only what stands in its place."""
        return True

    def fitted(self, place: Place, key: str, record: Entry) -> Entry:
        """A record of what was there before us, fitted to what is around it now."""
        return record

    def setting(self, news: Props, key: str) -> str:
        """What to write into the setting `takeOver` for an entry."""
        setting = str(news.get("takeOverKey", self.take_over_key))  # two rules are two settings
        return setting if len(self.entries(news)) == 1 else f"{setting}.{key}"

    # --- the engine's calls ---------------------------------------------------------------------------------

    def configure(self, req: ConfigureRequest) -> None:
        connections.configure(req.config)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        inputs, wrong = self.validated(news)
        if wrong or has_unknown({k: v for k, v in inputs.items() if k not in CONTEXT}):
            return CheckResult(inputs, wrong)
        return CheckResult(inputs, self._first_contact(inputs, plain(_olds)))

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        olds, news = plain(_olds), plain(_news)
        self._register_secrets(olds, news)
        replaces = [name for name in self.identity if olds.get(name) != news.get(name)]
        if replaces or has_unknown({k: v for k, v in news.items() if k not in CONTEXT}):
            old_first = not self.new_before_old
            return DiffResult(changes=True, replaces=replaces, delete_before_replace=old_first)
        _kept.update((self._id(news), key) for key in self.entries(news))
        found = self._differences(self.entries(olds), self.entries(news))
        self._name_what_no_line_shows(found, self._before(olds))
        settings = self._settings(olds) != self._settings(news)
        return DiffResult(changes=bool(found) or settings, replaces=[], delete_before_replace=True)

    @clean_errors
    def create(self, props: Props) -> CreateResult:
        props = plain(props)
        outs = self._make(props, {})
        return CreateResult(self._id(props), outs)

    @clean_errors
    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult(self._make(plain(_news), plain(_olds)))

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        props = plain(props)
        self._register_secrets(props)
        live = self.live(self._place(props), sorted(self._before(props)))
        known = self.entries(props)
        actual = self.with_entries(
            props, {key: self._as_known(entry, known.get(key)) for key, entry in live.items()}
        )
        inputs = {k: v for k, v in actual.items() if k != REVISION}
        return ReadResult(id_, actual, inputs)

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        props = plain(_props)
        self._register_secrets(props)
        place, before = self._place(props), self._before(props)
        self._require_manage(place)
        if self._id(props) in _elsewhere:
            names = ", ".join(self.named(place, key) for key in before)
            report.info(f"{self._where(place)}: {self.label} {names} belongs to another stack now: stays")
            return
        kept = [self.named(place, key) for key in before if (self._id(props), key) in _kept]
        if kept:
            raise SameProcess(
                f"{self.label} {_once(kept)} was set up or found in this same run under another logical "
                "name, so it is not removed",
                where=self._where(place),
                fix="give the renamed resource `aliases`, "
                "or remove the old one from the state with `pulumi state delete`",
            )
        live = self.live(place, sorted(before))
        changes = self._way_back(place, before, self.entries(props), live)
        if changes:
            self._write(place, changes, live, props)

    def belongs_elsewhere(self, props: Props) -> None:
        """What these identity fields name is another stack's now: a `delete` in this run leaves it there."""
        _elsewhere.add(self._id(props))

    # --- making it so ---------------------------------------------------------------------------------------

    def _make(self, news: Props, olds: Props) -> Props:
        self._register_secrets(news, olds)
        place, wanted = self._place(news), self.entries(news)
        owned = self._before(olds)
        # What we own already was recorded when we took it: that record stays.
        before = {**self._before(news), **owned}
        unrecorded = sorted(set(wanted) - set(before))
        if unrecorded:
            raise NoRecord(
                f"no record of what was there before for {self.label} {quoted(unrecorded)}",
                where=self._where(place),
                fix="run it under the component, which takes a Snapshot first",
            )
        gone = {key: value for key, value in owned.items() if key not in wanted}
        live = self.live(place, sorted({*wanted, *gone}))
        refused = self._refused(news, {k: v for k, v in wanted.items() if k not in owned}, live, before)
        if refused:
            raise Refused(_once(refused), where=self._where(place))
        changes = self._way_back(place, gone, self.entries(olds), live)
        changes |= {
            key: entry for key, entry in wanted.items() if self._differences_of(key, live.get(key), entry)
        }
        if changes:
            self._write(place, changes, live, news)
        _kept.update((self._id(news), key) for key in wanted)
        revision = olds.get(REVISION) if not changes else None
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {**news, "before": {key: before[key] for key in wanted}, REVISION: revision or now}

    def _write(self, place: Place, changes: dict[str, Entry | None], live: Entries, props: Props) -> None:
        self._require_manage(place)
        self.apply(place, changes, live, {"change": props.get("change", {})})
        now = self.live(place, sorted(changes))
        wrong = [
            f"{self.named(place, key)} {one}"
            for key, entry in sorted(changes.items())
            for one in (self._differences_of(key, now.get(key), entry) if entry is not None else [])
        ]
        wrong += [
            f"{self.named(place, key)} is still there"
            for key, entry in sorted(changes.items())
            if entry is None and key in now and self.is_left(place, key, now[key])
        ]
        if wrong:
            raise NotAsWritten(
                f"{self.label}: written, but it does not read back so: {_once(wrong)}",
                where=self._where(place),
                fix="look for someone else at work there, then run it again",
            )

    def _require_manage(self, place: Place) -> None:
        """Whatever the engine asks for: where the settings say `mode: observe`, nothing is touched."""
        if connections.is_observing():
            raise OnlyLooking(
                f"this stack has mode: observe, so the {self.label} that it once made stays as it is",
                where=self._where(place),
                fix="set mode: manage and run `pulumi up`",
            )

    def _way_back(
        self, place: Place, before: Entries, ours: Entries, live: Entries
    ) -> dict[str, Entry | None]:
        """What puts back the state before us: only over what is still as we left it."""
        changes: dict[str, Entry | None] = {}
        touched: list[str] = []
        for key, record in before.items():
            then = None if record == ABSENT else self.fitted(place, key, record)
            now, mine = live.get(key), ours.get(key)
            if self._same(key, now, then):
                continue
            differs = [d for d in self._differences_of(key, now, mine) if d.attribute not in self.relative]
            since = [one for one in differs if not self._put_back(one, then)]
            if since:
                touched.append(f"{self.named(place, key)} ({'; '.join(str(one) for one in since)})")
            changes[key] = then
        if touched:
            raise ChangedSince(
                f"{self.label} changed since the last run, so what was there before us is not put back: "
                f"{_once(touched)}",
                where=self._where(place),
                fix="`pulumi refresh` takes note of the change; "
                "then run this again to put back what was there before us",
            )
        return changes

    def _put_back(self, one: Difference, then: Entry | None) -> bool:
        """Whether what is there is what was there before us: a way back in steps, which was cut."""
        if then is None or one.attribute == MISSING:
            return False
        record, now, mine = then.get(one.attribute), one.theirs, one.ours
        if isinstance(record, Mapping) and isinstance(now, Mapping) and isinstance(mine, Mapping):
            return all(now.get(part) in (record.get(part), mine.get(part)) for part in {*record, *now, *mine})
        return self.equal(one.attribute, now, record)

    # --- first contact --------------------------------------------------------------------------------------

    def _first_contact(self, news: Props, olds: Props) -> list[CheckFailure]:
        wanted = self.entries(news)
        known = {**self.entries(olds), **(self._before(olds) if not has_unknown(olds) else {})}
        if olds and any(olds.get(name) != news.get(name) for name in self.identity):
            known = {}
        fresh = {key: entry for key, entry in wanted.items() if key not in known}
        if not fresh:
            return []
        place = self._place(news)
        live = self.live(place, sorted(fresh))
        before = news.get("before", {})
        record = {} if has_unknown(before) else before
        refused = self._refused(news, fresh, live, record)
        for note in self.notes(news):
            report.warning(f"{self._where(place)}: {note}")
        for key in sorted(fresh):
            if record.get(key) != ABSENT and key in live and self._same(key, live[key], fresh[key]):
                report.info(
                    f"{self._where(place)}: {self.label} {self.named(place, key)} exists and is right: "
                    "will be managed"
                )
        return [
            CheckFailure(self.identity[0], clean(f"{self._where(place)}: {reason}"))
            for reason in dict.fromkeys(refused)
        ]

    def _refused(self, news: Props, fresh: Entries, live: Entries, before: Entries) -> list[str]:
        allowed = set(news.get("takeOver", []))
        lines = []
        for key in sorted(fresh):
            found = self._differences_of(key, live.get(key), fresh[key]) if key in live else []
            if not found or before.get(key) == ABSENT or {"*", key} & allowed:
                continue
            lines.append(
                f"{self.label} {self.named(self._place(news), key)} exists and differs: "
                f"{'; '.join(str(one) for one in found)}. "
                f"To let this stack take it over, add {self.setting(news, key)} to the setting takeOver"
            )
        return lines

    # --- comparing ------------------------------------------------------------------------------------------

    def _name_what_no_line_shows(self, found: list[Difference], owned: Entries) -> None:
        """Say what the engine does not: a change inside a secret; and that an object is gone, not new."""
        for one in found:
            if one.secret:
                report.info(f"{self.label} «{one.key}»: {one}")
            elif one.attribute == MISSING and one.key in owned:
                report.info(f"{self.label} «{one.key}»: is gone")

    # --- properties -----------------------------------------------------------------------------------------

    def _id(self, props: Props) -> str:
        return "/".join([type(self).__name__, *(str(props[name]) for name in self.identity)])

    def _before(self, props: Props) -> Entries:
        record: Entries = props.get("before", {})
        return record

    def _settings(self, props: Props) -> Props:
        """Inputs that are neither identity, entries nor context: how a resource behaves."""
        bare = self.with_entries(props, {})
        return {
            k: v
            for k, v in bare.items()
            if k not in (*BARE, *self.identity) and not k.startswith("__") and v not in ({}, [])
        }


def _once(lines: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(lines))


_kept: set[tuple[str, str]] = set()  # (id, key) that this run has made, or found to stay
_elsewhere: set[str] = set()  # ids of what another stack makes now
