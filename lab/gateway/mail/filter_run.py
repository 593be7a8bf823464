"""Message filters at work: in their order, those that are active and valid, until a final action."""

from __future__ import annotations

from functools import lru_cache

from lab.gateway.filter_check import parse
from lab.gateway.filter_language import Call, Filter, If, Statement, names_gone
from lab.gateway.mail.filter_actions import Passage, act
from lab.gateway.mail.filter_rules import Circumstances, NotEmulated, holds
from lab.gateway.state import Configuration, MessageFilter
from lab.mail.envelope import Envelope


def run_filters(tables: Configuration, mail: Envelope, how: Circumstances) -> Passage:
    """Send a message through the committed filters.

    A filter that the lab cannot run whole is left where that shows, and says so in `errors`.
    """
    passage = Passage(mail, how)
    for entry in tables.filters:
        one = _runnable(entry, tables)
        if one is None:
            continue
        try:
            _run(one.body, passage)
        except NotEmulated as missing:
            passage.errors.append(f"filter '{one.name}' {missing}")
        if passage.quarantine and not passage.held_by:
            passage.held_by = one.name
        if passage.ended:
            passage.by = one.name
            break
    return passage


@lru_cache(maxsize=512)
def _parsed(text: str) -> Filter:
    return parse(text)[0]


def _runnable(entry: MessageFilter, tables: Configuration) -> Filter | None:
    if not entry.active:
        return None
    one = _parsed(entry.text)
    listeners = [listener.name for listener in tables.listeners]
    gone = names_gone(one, listeners, tables.interfaces, tables.quarantines)
    return None if gone else one


def _run(statement: Statement, passage: Passage) -> None:
    if isinstance(statement, Call):
        act(statement, passage)
        return
    assert isinstance(statement, If)
    branch = statement.then if holds(statement.test, passage.mail, passage.how) else statement.otherwise
    for inner in branch:
        if passage.ended:
            return
        _run(inner, passage)
