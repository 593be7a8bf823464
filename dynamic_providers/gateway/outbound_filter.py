"""The message filter that drops mail from Microsoft 365 without our secret header, and strips the header.

Row l. Guide: «Criar uma regra de fluxo de e-mails». Its text checks RELAYLIST, while its own group is
RELAY_O365, and asks the reader to review the name: copied literally it never fires. Each stack owns its own
*alternatives* of `^(a|b)$`, so rotation and shared gateways are the same thing; the filter comes with the
first and goes with the last. What lacks the header may be quarantined instead of dropped.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi.dynamic import ReadResult
from pydantic import Field

from dynamic_providers import report
from dynamic_providers.entries import ABSENT, MISSING, RAW, Difference, Entries, Entry, Place, Props, plain
from dynamic_providers.errors import clean_errors, register_secret
from dynamic_providers.field_types import FilterName, GroupName, HeaderName, HeaderValue, Label
from dynamic_providers.gateway import filter_text
from dynamic_providers.gateway.every_member import told_by_each
from dynamic_providers.gateway.question import quote
from dynamic_providers.gateway.script import Ask, Flag, Lines, Script, Step
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.ssh import GatewayError
from dynamic_providers.gateway.tables import FILTER, GatewayProvider, unreadable
from dynamic_providers.gateway.transaction import Gateway
from dynamic_providers.managed_resource import ManagedResource, TableProvider
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation

TABLE = "filters"


class FilterRefusedError(GatewayError):
    """The appliance does not take the filter."""


# --- model --------------------------------------------------------------------------------------------------


class Alternative(Model):
    """A header value that lets mail pass. Whatever in the filter is not as it should be is `other`.

    `mismatch`: what becomes of mail with another value, if it is not dropped; the same for all.
    """

    mismatch: Literal["quarantine"] | None = None
    other: dict[str, str] = Field(default_factory=dict)


class OutboundFilterInputs(Model):
    """The header values of one stack in one filter; `shared`: others' stacks have theirs in it."""

    gateway: Label
    name: FilterName
    group: GroupName
    header: HeaderName
    alternatives: dict[HeaderValue, Alternative] = Field(min_length=1)
    shared: bool | None = None


# --- parser -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filter:
    """A filter as listed."""

    number: int
    active: bool
    valid: bool
    name: str
    text: str


_ROW = re.compile(r"^\s*(\d+)\s+([YN]|yes|no)\s+([YN]|yes|no)\s+(\S+)\s*$", re.IGNORECASE)
_HEADER = re.compile(r"^\s*num\b.*\bname\b", re.IGNORECASE)
_ADDED = re.compile(r"\b([1-9]\d*) filters? added\b", re.IGNORECASE)


def parse(text: str, where: str) -> list[Filter]:
    """Take apart what DETAIL prints: a line of the list, then the filter's text, for each filter."""
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in text.split("\n"):
        row = _ROW.match(line)
        if row:
            found.append((row, []))
        elif _HEADER.match(line) or not line.strip() or re.fullmatch(r"\s*[-= ]+\s*", line):
            continue
        elif not found:
            raise unreadable(where, TABLE, line)
        else:
            found[-1][1].append(line)
    return [_filter(row, lines, where) for row, lines in found]


def _filter(row: re.Match[str], lines: list[str], where: str) -> Filter:
    number, active, valid, name = row.groups()
    text = "\n".join(lines).strip()
    if not re.match(rf"{re.escape(name)}\s*!?\s*:", text):
        raise unreadable(where, TABLE, f"{name}: its text does not follow")
    return Filter(int(number), active.upper().startswith("Y"), valid.upper().startswith("Y"), name, text)


_ABOVE = "filters above that end processing"


def faults(filters: list[Filter], place: Place) -> dict[str, str]:
    """What in the filter of this place is not as it should be, but for its alternatives."""
    mine = mine_of(filters, place)
    assert mine is not None
    shape = filter_text.recognise(mine.text)
    found: dict[str, str] = {}
    if shape is None:
        found["text"] = mine.text
    else:
        if shape.group != place["group"]:
            found["group test"] = shape.group
        if shape.header.lower() != str(place["header"]).lower():
            found["header test"] = shape.header
        if shape.patterns:
            patterns = (pattern or "nothing at all" for pattern in shape.patterns)
            found["alternatives that match more than themselves"] = ", ".join(patterns)
    if not mine.active:
        found["active"] = "no"
    if not mine.valid:
        found["valid"] = "no"
    return found | _ending(filters[: filters.index(mine)])


def _ending(above: list[Filter]) -> dict[str, str]:
    """The fault that filters above end the processing, if some do."""
    ending = [one.name for one in above if one.active and filter_text.ends_processing(one.text)]
    return {_ABOVE: ", ".join(ending)} if ending else {}


def _is_another(wrong: Mapping[str, str]) -> bool:
    """Whether a filter with these faults is another one than ours, not only one that stands wrong."""
    return bool(wrong.keys() - {_ABOVE})


def _to_put_back(changes: Mapping[str, Entry | None], mine: Filter | None) -> dict[str, str] | None:
    """The whole filter that was there before us, where these changes are the way back to it."""
    if not _is_way_back(changes):
        return None
    records = [entry for entry in changes.values() if entry is not None]
    whole = (one[RAW] for one in records if mine is None or _is_another(one["other"]))
    return next(whole, None)


def _otherwise(changes: Mapping[str, Entry | None]) -> str:
    """What becomes of mail with another value, as these changes want it; «» where they do not say it."""
    wanted = [entry for entry in changes.values() if entry is not None]
    wanted.sort(key=lambda entry: RAW in entry)  # what is wanted now goes before what was there before us
    return str(wanted[0].get("mismatch") or filter_text.DROP) if wanted else ""


def _is_way_back(changes: Mapping[str, Entry | None]) -> bool:
    return all(entry is None or RAW in entry for entry in changes.values())


def right_position(filters: list[Filter], mine: Filter | None) -> int:
    """Where to move the filter after it was made anew, which puts it last; 0: it may stay there.

    It keeps its place; a new one goes last, as in the guide: others' filters run as before. Only above one
    that ends the processing does it have to stand.
    """
    others = [one for one in filters if one is not mine]
    place = filters.index(mine) if mine else len(others)
    ending = (at for at, one in enumerate(others) if one.active and filter_text.ends_processing(one.text))
    at = min(place, next(ending, place))
    return 0 if at == len(others) else at + 1


def mine_of(filters: list[Filter], place: Place) -> Filter | None:
    """The filter of this place."""
    return next((one for one in filters if one.name.lower() == str(place["name"]).lower()), None)


def _to_write_back(found: Filter) -> str:
    """The text that makes the filter again: not every release prints an inactive one's mark."""
    text = filter_text.mended(found.text)
    return text if found.active else re.sub(rf"^({re.escape(found.name)})\s*!?\s*:", r"\1!:", text)


def mismatch_of(filters: list[Filter], place: Place) -> str:
    """What becomes of mail with another value."""
    mine = mine_of(filters, place)
    shape = filter_text.recognise(mine.text) if mine else None
    return shape.otherwise if shape else filter_text.DROP


def values_of(filters: list[Filter], place: Place) -> tuple[str, ...]:
    """The header values that it lets pass."""
    mine = mine_of(filters, place)
    shape = filter_text.recognise(mine.text) if mine else None
    return shape.values if shape else ()


# --- dialogue -----------------------------------------------------------------------------------------------

_WHICH = r"\bfilters?\b.*(?:name|number|range)|(?:name|number|range).*\bfilters?\b"
READ = Script(
    TABLE, (Step("DETAIL", (Ask(_WHICH, "all"),), optional=True),), what="reading the message filters"
)
_PAGE = "enter the filter by hand with `filters`, and report the release (`version`)"


def _delete(name: str) -> Step:
    return Step("DELETE", (Ask(r"\bsure\b|confirm", Flag(wanted=True)), Ask(_WHICH, name, must=_PAGE)))


def _new(lines: tuple[str, ...]) -> Step:
    return Step("NEW", (Ask(r"filter", Lines(lines), must=_PAGE),))


def _move(name: str, position: int) -> Step:
    return Step(
        "MOVE",
        (
            Ask(r"\bposition\b|\btarget\b|\bbefore\b|\bwhere\b", str(position), must=_PAGE),
            Ask(r"\bmove\b|name|number", name, must=_PAGE),
        ),
    )


def write_scripts(name: str, lines: tuple[str, ...], *, there: bool, position: int) -> list[Script]:
    """The dialogues that make the filter so; no lines: it goes. `position` 0: no move.

    The move is one of its own: whether the new filter was taken has to be looked at first.
    """
    steps = ([_delete(name)] if there else []) + ([_new(lines)] if lines else [])
    moves = [_move(name, position)] if lines and position else []
    what = f"writing the message filter {name}"
    return [Script(TABLE, tuple(one), what=what) for one in (steps, moves) if one]


# --- provider -----------------------------------------------------------------------------------------------


def _read(session: Session) -> list[Filter]:
    return parse(session.run(READ)[1], session.name)


def _run(session: Session, script: Script, name: str) -> None:
    printed = session.run(script)
    for step, text in zip(script.steps, printed[1:], strict=True):
        if step.verb == "NEW" and not _ADDED.search(text):
            raise FilterRefusedError(
                f"the filter «{name}» is refused: «{quote(text)}»",
                where=session.name,
                fix="please report this with the release (`version`)",
            )


def read_all(gateway: Gateway) -> list[Filter]:
    """All message filters, read once; their secrets can be shown no more."""
    return _remembered(gateway.read(TABLE, _read))


def _remembered(filters: list[Filter]) -> list[Filter]:
    """From now on none of their secrets can be shown."""
    for one in filters:
        shape = filter_text.recognise(one.text)
        for value in shape.values if shape else ():
            register_secret(value)
    return filters


class OutboundFilterProvider(GatewayProvider, TableProvider):
    """Owns alternatives of one filter. Keys are secrets: masked wherever they would be shown."""

    label = "outbound filter"
    model = OutboundFilterInputs
    identity = ("gateway", "name")
    looked_for = ("group", "header")
    take_over_key = "filter"
    table_field = "alternatives"
    table_order = FILTER
    secret = frozenset({"alternatives", "other"})
    missing = "is not there, or lets no mail with a secret of ours pass"

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        filters = read_all(self._gateway(place))
        if mine_of(filters, place) is None:
            return {}
        wrong = faults(filters, place)
        values, mismatch = values_of(filters, place), mismatch_of(filters, place)
        entry = {} if mismatch == filter_text.DROP else {"mismatch": mismatch}
        return {key: {**entry, "other": dict(wrong)} for key in keys if _is_another(wrong) or key in values}

    def recorded(self, place: Place, keys: Iterable[str]) -> Entries:
        """With the whole text and its place in the list, which only the way back needs."""
        found = self.live(place, keys)
        filters = read_all(self._gateway(place))
        mine = mine_of(filters, place)
        if mine is not None:
            for entry in found.values():
                entry[RAW] = {"text": _to_write_back(mine), "position": str(filters.index(mine) + 1)}
        return found

    def fitted(self, place: Place, key: str, record: Entry) -> Entry:
        """What stands above it may have changed since, and is not its own."""
        filters = read_all(self._gateway(place))
        mine = mine_of(filters, place)
        wrong = {name: text for name, text in record["other"].items() if name != _ABOVE}
        others = [one for one in filters if one is not mine]
        stays = mine is not None and not _is_another(wrong)
        at = filters.index(mine) if mine and stays else int(record[RAW]["position"]) - 1
        return {**record, "other": wrong | _ending(others[:at])}

    def _make_one(self, news: Props, olds: Props) -> Props:
        """Make it so. The filter that was there before ours is put back with the last of our alternatives."""
        owned, wanted = self._before(olds), self.entries(news)
        another = next((one for one in owned.values() if _is_another(one.get("other", {}))), None)
        if another is not None and wanted:
            owned = dict.fromkeys(owned, ABSENT) | dict.fromkeys(wanted, another)
        return super()._make_one(news, {**olds, "before": owned})

    def _write(self, place: Place, changes: dict[str, Entry | None], live: Entries, props: Props) -> None:
        super()._write({**place, "shared": props.get("shared")}, changes, live, props)

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        filters = read_all(self._gateway(place))

        def stage(session: Session) -> None:
            """If others write it, too, from the filter as it is now: they may have since we read it."""
            now = _remembered(_read(session)) if place.get("shared") else filters
            for script in self._scripts(place, changes, now):
                _run(session, script, str(place["name"]))

        self._change(place, TABLE, stage, changes, context, named=f"message filter {place['name']}")

    def _scripts(
        self, place: Place, changes: Mapping[str, Entry | None], filters: list[Filter]
    ) -> list[Script]:
        name = str(place["name"])
        mine = mine_of(filters, place)
        back = _to_put_back(changes, mine)
        if back is not None:
            lines = tuple(back["text"].split("\n"))
            return write_scripts(name, lines, there=mine is not None, position=int(back["position"]))
        values = [value for value in values_of(filters, place) if value not in changes]
        values += sorted(key for key, entry in changes.items() if entry is not None)
        group, header = str(place["group"]), str(place["header"])
        otherwise = _otherwise(changes) or mismatch_of(filters, place)
        lines = filter_text.render(name, group, header, tuple(values), otherwise) if values else ()
        position = right_position(filters, mine)
        if mine is not None and _is_way_back(changes):  # what is not ours any more stays where it is
            position = filters.index(mine) + 1 if mine is not filters[-1] else 0
        return write_scripts(name, lines, there=mine is not None, position=position)

    def notes(self, props: Props) -> Iterable[str]:
        """And whose secrets are in it already, where nobody says that the gateway is shared."""
        yield from self._anchors(props)
        others = set(values_of(read_all(self._gateway(props)), props)) - set(props[self.table_field])
        if others and not props.get("shared"):
            yield (
                f"the filter «{props['name']}» lets other secrets pass, too ({len(others)}): if another "
                "tenant's stack put them there, set gateway.shared in both (docs/shared-gateway.md), or the "
                "first that is destroyed takes the other's sender group with it"
            )

    def _anchors(self, props: Props) -> Iterable[str]:
        """A filter that only lacks ^…$ around the group counts as right until it must be written."""
        filters = read_all(self._gateway(props))
        mine = mine_of(filters, props)
        shape = filter_text.recognise(mine.text) if mine else None
        if shape and shape.group == props["group"] and not shape.anchored:
            yield (
                f"the filter «{props['name']}» matches the group without ^ and $, so also longer "
                "names that hold it"
            )

    @clean_errors
    def read(self, id_: str, props: Props) -> ReadResult:
        """As for every resource; a filter that counts as right with a warning is warned of each time."""
        found = super().read(id_, props)
        for note in told_by_each(lambda: self._anchors(plain(props))):
            report.warning(f"{self._where(plain(props))}: {note}")
        return found

    def _observed(self, inputs: Props) -> Iterator[Observation]:
        """As for every resource; and what counts as right and is worth knowing."""
        yield from super()._observed(inputs)
        place = self._place(inputs)
        for note in self.notes(inputs):
            yield Observation(self._where(place), self._called(place, ""), "", "noted", note)

    def is_left(self, place: Place, key: str, entry: Entry) -> bool:
        """Another filter of this name, back in its place, is none of our alternatives."""
        text = entry["other"].get("text")
        return text is None or key in text

    def named(self, place: Place, key: str) -> str:
        return f"«{place['name']}»"

    def setting(self, news: Props, key: str) -> str:
        return self.take_over_key

    def _where(self, place: Place) -> str:
        return super()._where({"gateway": place["gateway"]})

    # --- secrets that are keys ------------------------------------------------------------------------------

    def _register_secrets(self, *given: Props) -> None:
        tables = (props.get(name) for props in given for name in (self.table_field, "before"))
        for table in tables:
            for key in table if isinstance(table, Mapping) else ():
                register_secret(str(key))

    def _name_what_no_line_shows(self, found: list[Difference], owned: Entries) -> None:
        """What changes inside the secret is named, not shown."""
        for attribute, what in ((MISSING, "missing"), ("there", "too many")):
            count = sum(one.attribute == attribute for one in found)
            if count:
                report.info(f"{self.label}: {count} alternative{'s' if count > 1 else ''} {what}")
        inside = {str(one) for one in found if one.secret or one.attribute == "mismatch"}
        for line in sorted(inside):
            report.info(f"{self.label}: {line}")


# --- resource -----------------------------------------------------------------------------------------------


class OutboundFilter(ManagedResource, module="gateway", name="OutboundFilter"):
    """Header values of this stack in the outbound filter: name, group, header, alternatives {value: {}}.

    A value's `mismatch: quarantine`: what lacks all of them is not dropped, but put into quarantine.
    """

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(OutboundFilterProvider(), name, props, opts)
