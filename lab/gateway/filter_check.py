"""Message filters as the appliance takes them: read, and refused where they make no sense."""

from __future__ import annotations

import re
from functools import lru_cache

from lab.gateway.filter_language import Call, Comparison, Filter, FilterError, Value, actions, read, tests
from lab.gateway.filter_words import ACTIONS, PATTERN_RULES, RESERVED, RULES, Word


def parse(text: str) -> list[Filter]:
    """The filters of a script. FilterError says what is wrong, and where."""
    return list(_checked(text))


@lru_cache(maxsize=256)
def _checked(text: str) -> list[Filter]:
    """Kept, since the same few texts are read for each listing, dump and message."""
    filters = read(text)
    for one in filters:
        _check_name(one.name)
        for test in tests(one):
            _check_rule(test)
        for action in actions(one):
            _check_call(action, ACTIONS, "action")
    return filters


def _check_name(name: str) -> None:
    if name.lower() in RESERVED:
        raise FilterError(f"'{name}' is a reserved word")
    if len(name) > 100:
        raise FilterError("a filter's name has at most 100 characters")


def _check_rule(test: Comparison) -> None:
    word = _check_call(test.rule, RULES, "rule")
    name = test.rule.name
    if test.operator and word.compared == "never":
        raise FilterError(f"the rule '{name}' is not compared with anything")
    if not test.operator and word.compared == "always":
        raise FilterError(f"the rule '{name}' needs something to compare with")
    if name in PATTERN_RULES and test.operator:
        if test.operator not in {"==", "!="}:
            raise FilterError(f"the rule '{name}' is compared with == or !=")
        for value in test.values:
            _check_pattern(value)


def _check_call(call: Call, known: dict[str, Word], kind: str) -> Word:
    word = known.get(call.name)
    if word is None:
        raise FilterError(f"unknown {kind} '{call.name}'")
    if not word.least <= len(call.arguments) <= word.most:
        raise FilterError(f"the {kind} '{call.name}' takes {_count(word)}, not {len(call.arguments)}")
    if 0 <= word.regex < len(call.arguments):
        _check_pattern(call.arguments[word.regex])
    return word


def _count(word: Word) -> str:
    numbers = str(word.least) if word.least == word.most else f"{word.least} to {word.most}"
    return f"{numbers} argument{'' if numbers == '1' else 's'}"


def _check_pattern(value: Value) -> None:
    if not value.quoted:
        raise FilterError(f"{value.text} must stand in quotes")
    try:
        re.compile(value.text.replace('\\"', '"'))
    except re.error as wrong:
        raise FilterError(f'"{value.text}" is not a valid regular expression: {wrong}') from None
