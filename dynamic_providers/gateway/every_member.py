"""Several gateways that are not clustered: each resource is applied to all of them, one after the other.

With one gateway, or a cluster, nothing of this shows. With several, `before` keeps a record for each member,
`{key: {"members": {host: record}}}`: what was there before us may differ. An entry says what is so on all of
them; where one member is different, it also has `differing: {host: entry, or {absent: true}}`, so that a
drift names the member and the next run repairs it. A member is known by its host. A record without members
is from a time when there was one gateway: the first of the list now.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pulumi.dynamic import CheckFailure, DiffResult, ReadResult

from dynamic_providers import report
from dynamic_providers.comparing import REVISION
from dynamic_providers.entries import ABSENT, Entries, Entry, Place, Props, has_unknown, plain
from dynamic_providers.errors import ManagedError, clean_errors
from dynamic_providers.gateway import transaction
from dynamic_providers.gateway.commit import ConflictError, EngineGoneError
from dynamic_providers.gateway.ssh import GatewayError
from dynamic_providers.gateway.transaction import on_each
from dynamic_providers.managed_provider import ManagedProvider
from dynamic_providers.observation import Observation

MEMBERS = "members"  # in a record of before: host → what was there
DIFFERING = "differing"  # in an entry: host → what is there instead
AGAIN = 3  # so often is a change read and applied again when somebody else commits in between

T = TypeVar("T")


class HalfDoneError(GatewayError):
    """Some of several gateways are as wanted, others are not."""


class NotAllReadError(GatewayError):
    """One of several gateways cannot be read, so nothing is written to any."""


class BusyError(GatewayError):
    """Others commit all the time."""


# --- records and entries of several gateways ----------------------------------------------------------------


def joined_record(records: Mapping[str, Entry]) -> Entry:
    """The record of a key from those of the members; the only one's as it is."""
    return records[""] if "" in records else {MEMBERS: dict(records)}


def record_of(record: Entry, host: str) -> Entry | None:
    """What of a record is a member's; None where it was no member then."""
    if MEMBERS in record:
        found: Entry | None = record[MEMBERS].get(host or transaction.first_member())
        return found
    return record if not host or host == transaction.first_member() else None


def recorded_members(before: Entries) -> set[str]:
    """The members that these records are about."""
    hosts = {host for one in before.values() for host in one.get(MEMBERS, ())}
    alone = any(MEMBERS not in one for one in before.values())
    return {*hosts, transaction.first_member()} if alone else hosts


def joined_entry(found: Mapping[str, Entry | None], known: Entry | None) -> Entry | None:
    """What is so on all members, and where one is different; None where no member has it."""
    if all(one is None for one in found.values()):
        return None
    usual = known if known in found.values() else next(one for one in found.values() if one is not None)
    differing = {host: ABSENT if one is None else one for host, one in found.items() if one != usual}
    return {**(usual or {}), **({DIFFERING: differing} if differing else {})}


def entry_of(entry: Entry, host: str) -> Entry | None:
    """What of an entry is a member's; None where it has none."""
    usual = {name: value for name, value in entry.items() if name != DIFFERING}
    found: Entry = entry.get(DIFFERING, {}).get(host, usual)
    return None if found == ABSENT else found


def told_by_each(look: Callable[[], Iterable[str]]) -> list[str]:
    """Lines about each of several gateways, which then name it."""
    found = on_each(lambda: list(look()))
    return [f"{host}: {line}" if host else line for host, lines in found.items() for line in lines]


# --- CRUD on each of them -----------------------------------------------------------------------------------


class EveryMemberProvider(ManagedProvider):
    """The CRUD shape for one gateway or a cluster, or for each of several; others may commit meanwhile."""

    def recorded(self, place: Place, keys: Iterable[str]) -> Entries:
        """What a Snapshot records: what is there, and whatever only the way back needs."""
        return self.live(place, keys)

    def _make_one(self, news: Props, olds: Props) -> Props:
        """Make it so on the gateway that this thread works on."""
        return super()._make(news, olds)

    def _make(self, news: Props, olds: Props) -> Props:
        self._read_all(news, {*self.entries(news), *self._before(olds)})
        done = _on_all(lambda: self._make_here(self._seen(news), self._seen(olds, old=True)))
        return self._joined(news, done)

    def _make_here(self, news: Props, olds: Props) -> Props:
        """Again when somebody else commits in between; what they made then under a key of ours is theirs."""
        place, keys = self._place(news), sorted(self.entries(news))
        free = sorted({*keys} - {*self.live(place, keys)})

        def work() -> Props:
            theirs = self.recorded(place, free)  # none, but after a conflict
            return self._make_one({**news, "before": {**self._before(news), **theirs}}, olds)

        return _persevere(work)

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        """As for every resource."""
        props, remove = plain(_props), super().delete
        self._read_all(props, self._before(props))
        _on_all(lambda: _persevere(lambda: remove(_id, self._seen(props))))

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """As for every resource; compares the members."""
        props, read = plain(props), super().read
        found = on_each(lambda: plain(read(id_, self._seen(props)).outs))
        actual = self._joined(props, found)
        return ReadResult(id_, actual, {k: v for k, v in actual.items() if k != REVISION})

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """As for every resource; and says which members are different, new, or gone from the settings."""
        found = super().diff(_id, _olds, _news)
        olds = plain(_olds)
        moved = [] if found.replaces else list(self._moved(olds))
        for line in (*self._different(olds), *moved):
            report.info(f"{self._where(self._place(olds))}: {line}")
        changes = found.changes or bool(moved)
        return DiffResult(changes=changes, replaces=found.replaces, delete_before_replace=True)

    def seen(self, inputs: Props) -> Iterable[Observation]:
        """As for every resource; on each of several gateways."""
        look = super().seen
        return [one for found in on_each(lambda: look(inputs)).values() for one in found]

    def _first_contact(self, news: Props, olds: Props) -> list[CheckFailure]:
        contact = super()._first_contact
        found = on_each(lambda: contact(self._seen(news), self._seen(olds, old=True)))
        return [failure for failures in found.values() for failure in failures]

    def _where(self, place: Place) -> str:
        where, host = super()._where(place), transaction.member()
        return f"{where}, {host}" if host else where

    # --- several --------------------------------------------------------------------------------------------

    def _read_all(self, props: Props, keys: Iterable[str]) -> None:
        """Before anything is written, make sure that each of several gateways can be read."""
        if not transaction.members():
            return
        try:
            on_each(lambda: self.live(self._place(props), sorted(keys)))
        except ManagedError as error:
            what = f"{error.what} (so nothing was changed on the other gateways either)"
            raise NotAllReadError(what, where=error.where, fix=error.fix) from None

    def _seen(self, props: Props, *, old: bool = False) -> Props:
        """Properties as the gateway worked on sees them; in `old` ones a new member is not."""
        host, before = transaction.member(), props.get("before")
        if not isinstance(before, Mapping) or has_unknown(before):
            return props
        if not host and not any(MEMBERS in record for record in before.values()):
            return props
        records = {key: record_of(record, host) for key, record in before.items()}
        entries = {key: entry_of(entry, host) for key, entry in self.entries(props).items()}
        if old:
            entries = {key: entry for key, entry in entries.items() if records.get(key) is not None}
        seen = self.with_entries(props, {k: entry for k, entry in entries.items() if entry is not None})
        return {**seen, "before": {key: record for key, record in records.items() if record is not None}}

    def _joined(self, props: Props, found: Mapping[str, Props]) -> Props:
        """The properties of the resource from those that the members have."""
        if "" in found:
            return found[""]
        each = {host: self.entries(outs) for host, outs in found.items()}
        known = {key: entry_of(entry, "") for key, entry in self.entries(props).items()}
        keys = dict.fromkeys(key for entries in each.values() for key in entries)
        entries = {
            key: joined_entry({host: one.get(key) for host, one in each.items()}, known.get(key))
            for key in keys
        }
        owned = dict.fromkeys(key for outs in found.values() for key in self._before(outs))
        before = {
            key: joined_record(
                {host: self._before(outs)[key] for host, outs in found.items() if key in self._before(outs)}
            )
            for key in owned
        }
        frame = {**props, "before": before, REVISION: max(outs[REVISION] for outs in found.values())}
        return self.with_entries(frame, {key: entry for key, entry in entries.items() if entry is not None})

    def _different(self, olds: Props) -> Iterable[str]:
        for key, entry in sorted(self.entries(olds).items()):
            for host, found in sorted(entry.get(DIFFERING, {}).items()):
                what = "is not there" if found == ABSENT else "is different"
                yield f"{self.label} {self.named(self._place(olds), key)} {what} on {host}"

    def _moved(self, olds: Props) -> Iterable[str]:
        """Members that came into the settings or went out of them since."""
        before = self._before(olds)
        if not before or has_unknown(before):
            return
        then, now = recorded_members(before), set(transaction.members() or [transaction.first_member()])
        for host in sorted(now - then):
            yield f"{self.label}: {host} is new among gateway.members, and will be set up"
        for host in sorted(then - now):
            yield f"{self.label}: {host} is not among gateway.members any more; what is set up there stays"


def _persevere(work: Callable[[], T]) -> T:
    """Read and apply again when somebody else has committed in between: at most three times."""
    for _ in range(AGAIN):
        try:
            return work()
        except ConflictError as error:
            report.info(f"{error.where}: {error.what}. It is read and applied again")
    try:
        return work()
    except ConflictError as error:
        raise BusyError(
            f"others commit there all the time: given up after {AGAIN + 1} tries ({error.what})",
            where=error.where,
            fix="agree with them (`who` shows who is logged in) on a time, then run it again",
        ) from None


def _on_all(work: Callable[[], T]) -> dict[str, T]:
    """Work on each gateway. One of several that fails does not stop the others; what is missing is told."""
    failed: dict[str, ManagedError] = {}

    def tried() -> T | None:
        try:
            return work()
        except EngineGoneError:
            raise
        except ManagedError as error:
            if not transaction.member():
                raise
            failed[transaction.member()] = error
            return None

    found: dict[str, Any] = on_each(tried)
    if failed:
        done = [host for host in found if host not in failed]
        host, error = next(iter(failed.items()))
        if not done:
            raise error
        raise HalfDoneError(
            f"half done: {', '.join(failed)} missing, done on {', '.join(done)}: {error.what}",
            where=error.where or host,
            fix="run it again: it goes on where this ended" + (f". {error.fix}" if error.fix else ""),
        )
    return found
