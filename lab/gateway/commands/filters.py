"""`filters`: message filters, in the order in which they run."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lab.gateway.dialogue import Abandoned, Disliked
from lab.gateway.filter_check import parse
from lab.gateway.filter_language import Filter, FilterError, actions, names_gone
from lab.gateway.filter_text import Layout, render
from lab.gateway.menus import exporter, importer, require_sure, run_menu
from lab.gateway.state import Configuration, MessageFilter

if TYPE_CHECKING:
    from lab.gateway.session import Session

TABLE = "filters"


def canonical(one: Filter) -> str:
    """A filter's text as it is kept."""
    return "\n".join(render(one, Layout()))


def is_valid(entry: MessageFilter, tables: Configuration) -> bool:
    """False when the filter names a listener, an interface or a quarantine that is gone."""
    return not _gone(parse(entry.text)[0], tables)


def _gone(one: Filter, tables: Configuration) -> list[str]:
    names = [listener.name for listener in tables.listeners]
    return names_gone(one, names, tables.interfaces, tables.quarantines)


async def filters(session: Session, words: list[str]) -> None:
    """The command."""
    handlers = {
        "NEW": _new,
        "DELETE": _delete,
        "IMPORT": importer(TABLE, _replace),
        "EXPORT": exporter(TABLE, lambda session: session.tables.filters),
        "MOVE": _move,
        "SET": _set,
        "LIST": _list,
        "DETAIL": _detail,
    }
    await run_menu(
        session, TABLE, handlers, words, command=TABLE, filled=lambda: bool(session.tables.filters)
    )


def _replace(session: Session, entries: object) -> None:
    assert isinstance(entries, list)

    def mutate(tables: Configuration) -> None:
        tables.filters = copy.deepcopy(entries)

    session.write(TABLE, "*", "replaced", mutate)


def selected(session: Session, text: str) -> list[str]:
    """The filters that a number, a name, a range, a list of these or `all` means."""
    names = [entry.name for entry in session.tables.filters]
    if text.lower() == "all":
        return names
    chosen: list[str] = []
    for part in text.replace(",", " ").split():
        first, _, last = part.partition("-")
        if part in names:
            chosen.append(part)
        elif first.isdecimal() and 1 <= int(first) <= len(names) and (not last or last.isdecimal()):
            chosen += names[int(first) - 1 : int(last or first)]
        else:
            raise Disliked(session.profile.text("filter_missing", name=part))
    if not chosen:
        raise Abandoned
    return chosen


def _checked(session: Session, text: str) -> str:
    selected(session, text)
    return text


async def _new(session: Session, words: list[str]) -> None:  # noqa: ARG001 - a verb's signature
    answers = await session.ask("filters.new")
    script = answers["script"]
    if not script.strip():
        await session.console.tell("filters_added", count=0)
        return
    try:
        new = parse(script)
        _check_unique(session, new)
        _check_quarantines(session, new)
    except FilterError as wrong:
        await session.console.tell("filter_refused", reason=wrong)
        await session.console.tell("filters_added", count=0)
        return
    for one in new:
        _add(session, one)
    await session.console.tell("filters_added", count=len(new))


def _check_unique(session: Session, new: list[Filter]) -> None:
    names = {entry.name.lower() for entry in session.tables.filters}
    for one in new:
        if one.name.lower() in names:
            raise FilterError(f"there is a filter named '{one.name}' already")
        names.add(one.name.lower())


def _check_quarantines(session: Session, new: list[Filter]) -> None:
    if session.gateway.unknown_quarantine != "refused":
        return
    quarantines = [action for one in new for action in actions(one) if action.name.endswith("quarantine")]
    for action in quarantines:
        if action.arguments[0].text not in session.tables.quarantines:
            raise FilterError(f"there is no quarantine named '{action.arguments[0].text}'")


def _add(session: Session, one: Filter) -> None:
    def mutate(tables: Configuration) -> None:
        if any(entry.name == one.name for entry in tables.filters):
            raise LookupError(f"There is a filter named {one.name} already.")
        tables.filters.append(MessageFilter(one.name, canonical(one), one.active))

    session.write(TABLE, one.name, "added", mutate)


async def _which(session: Session, dialogue: str, words: list[str], *ids: str) -> dict[str, str]:
    given = dict(zip(ids, words, strict=False))
    if "what" in given:
        _checked(session, given["what"])
    return await session.ask(dialogue, checks={"what": lambda text: _checked(session, text)}, given=given)


async def _delete(session: Session, words: list[str]) -> None:
    answers = await _which(session, "filters.delete", [*words[:1], "yes"] if words else [], "what", "sure")
    require_sure(answers)
    names = selected(session, answers["what"])
    for name in names:

        def mutate(tables: Configuration, name: str = name) -> None:
            tables.filters = [entry for entry in tables.filters if entry.name != name]

        session.write(TABLE, name, "removed", mutate)
    await session.console.tell("filters_deleted", count=len(names))


async def _set(session: Session, words: list[str]) -> None:
    answers = await _which(session, "filters.set", words, "what", "attribute")
    attribute = answers["attribute"].lower()
    if attribute not in {"active", "inactive"}:
        raise Disliked(session.profile.text("filter_attribute"))
    names = selected(session, answers["what"])
    for name in names:

        def mutate(tables: Configuration, name: str = name) -> None:
            tables.filter(name).active = attribute == "active"

        session.write(TABLE, name, f"set {attribute}", mutate)
    await session.console.tell("filters_updated", count=len(names))


async def _move(session: Session, words: list[str]) -> None:
    answers = await _which(session, "filters.move", words, "what", "before")
    names = selected(session, answers["what"])
    target = answers["before"]
    if target.lower() not in {"first", "last"}:
        target = selected(session, target)[0]

    def mutate(tables: Configuration) -> None:
        moving = [entry for entry in tables.filters if entry.name in names]
        staying = [entry for entry in tables.filters if entry.name not in names]
        index = {"first": 0, "last": len(staying)}.get(target.lower())
        if index is None:
            old = [entry.name for entry in tables.filters]
            index = sum(1 for name in old[: old.index(target)] if name not in names)
        tables.filters = staying[:index] + moving + staying[index:]

    for name in names:
        session.write(TABLE, name, "moved", mutate if name == names[0] else lambda _: None)
    await session.console.tell("filters_moved", count=len(names))


def _row(session: Session, name: str) -> str:
    form = session.profile.setting("formats.filters")
    entry = session.tables.filter(name)
    number = [other.name for other in session.tables.filters].index(name) + 1
    yes, no = form["yes"], form["no"]
    line: str = form["line"].format(
        number=number,
        active=yes if entry.active else no,
        valid=yes if is_valid(entry, session.tables) else no,
        name=name,
    )
    return line


async def _list(session: Session, words: list[str]) -> None:
    session.read(TABLE)
    names = selected(session, words[0] if words else "all") if session.tables.filters else []
    form = session.profile.setting("formats.filters")
    await session.console.say("\n" + "\n".join([form["heading"], *(_row(session, name) for name in names)]))


async def _detail(session: Session, words: list[str]) -> None:
    if not session.tables.filters:
        session.read(TABLE)
        await session.console.tell("filters_none")
        return
    answers = await _which(session, "filters.detail", words, "what")
    session.read(TABLE)
    form = session.profile.setting("formats.filters")
    layout = Layout(**form["layout"])
    lines: list[str] = []
    for name in selected(session, answers["what"]):
        entry = session.tables.filter(name)
        one = parse(entry.text)[0]
        text = render(Filter(one.name, entry.active, one.body), layout)
        lines += ["", form["heading"], _row(session, name), *text]
    await session.console.say("\n".join(lines))
