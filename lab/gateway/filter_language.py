"""The message filter language: its grammar, and what a script means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF

GRAMMAR = r"""
    start: filter+
    filter: NAME INACTIVE? ":" if_
    if_: "if" test block else_?
    else_: "else" (block | if_)
    block: "{" (if_ ";"? | action ";")* "}"
    action: NAME "(" [value ("," value)*] ")"
    ?test: conjunction ("or" conjunction)*      -> any_of
    ?conjunction: negation ("and" negation)*    -> all_of
    ?negation: "not" negation                   -> negated
        | "(" test ")"
        | comparison
    comparison: call (OPERATOR (value | list))?
    list: "(" value ("," value)* ")"
    call: NAME ("(" [value ("," value)*] ")")?
    value: STRING | ADDRESS | NUMBER
    INACTIVE: "!"
    OPERATOR: "==" | "!=" | ">=" | "<=" | ">" | "<"
    STRING: /"(?:[^"\\\n]|\\.)*"/ | /'(?:[^'\\\n]|\\.)*'/
    ADDRESS.2: /\d{1,3}(\.\d{1,3}){3}(\/\d{1,2}|-\d{1,3}(\.\d{1,3}){0,3})?/
    NUMBER: /-?\d+(\.\d+)?[kKmMgG]?/
    NAME: /[A-Za-z_][A-Za-z0-9_-]*/
    COMMENT: /#[^\n]*/
    %ignore COMMENT
    %ignore /\s+/
"""


class FilterError(Exception):
    """Why the appliance does not take a filter."""


@dataclass(frozen=True)
class Value:
    """A literal; strings are kept as they stood between their quotes."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Call:
    """A rule or an action with its arguments."""

    name: str
    arguments: tuple[Value, ...] = ()
    brackets: bool = True


@dataclass(frozen=True)
class Comparison:
    """A rule by itself, or compared with something."""

    rule: Call
    operator: str = ""
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Combined:
    """`and`, `or` over several, `not` over one."""

    word: str
    parts: tuple[Test, ...]


@dataclass(frozen=True)
class If:
    """A test, what to do, and what else to do."""

    test: Test
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()
    chained: bool = False
    """`else if`: `otherwise` holds just that one."""


Test = Comparison | Combined
Statement = If | Call


@dataclass(frozen=True)
class Filter:
    """One message filter."""

    name: str
    active: bool
    body: If


@v_args(inline=True)
class _Build(Transformer[Token, list[Filter]]):
    def start(self, *filters: Filter) -> list[Filter]:
        return list(filters)

    def filter(self, name: Token, *rest: object) -> Filter:
        body = rest[-1]
        assert isinstance(body, If)
        return Filter(str(name), len(rest) == 1, body)

    def if_(self, test: Test, then: tuple[Statement, ...], other: object = None) -> If:
        if isinstance(other, If):
            return If(test, then, (other,), chained=True)
        return If(test, then, other if isinstance(other, tuple) else ())

    def else_(self, other: object) -> object:
        return other

    def block(self, *statements: Statement) -> tuple[Statement, ...]:
        return statements

    def action(self, name: Token, *arguments: Value | None) -> Call:
        return Call(str(name), tuple(value for value in arguments if value is not None))

    def any_of(self, *parts: Test) -> Test:
        return parts[0] if len(parts) == 1 else Combined("or", parts)

    def all_of(self, *parts: Test) -> Test:
        return parts[0] if len(parts) == 1 else Combined("and", parts)

    def negated(self, part: Test) -> Test:
        return Combined("not", (part,))

    def comparison(self, rule: Call, operator: Token | None = None, values: object = None) -> Comparison:
        if operator is None:
            return Comparison(rule)
        found = values if isinstance(values, tuple) else (values,)
        return Comparison(rule, str(operator), tuple(value for value in found if isinstance(value, Value)))

    def list(self, *values: Value) -> tuple[Value, ...]:
        return values

    def call(self, name: Token, *arguments: Value | None) -> Call:
        return Call(str(name), tuple(value for value in arguments if value is not None), bool(arguments))

    def value(self, token: Token) -> Value:
        quoted = token.type == "STRING"
        return Value(_requoted(token) if quoted else str(token), quoted)


def _requoted(token: Token) -> str:
    inner = str(token)[1:-1]
    if token[0] == "'":
        inner = inner.replace("\\'", "'").replace('"', '\\"')
    return inner


_PARSER = Lark(GRAMMAR, parser="lalr", maybe_placeholders=True)


def read(text: str) -> list[Filter]:
    """The filters of a script, not yet checked for sense. FilterError says what is wrong, and where."""
    try:
        return _Build().transform(_PARSER.parse(text))
    except UnexpectedEOF:
        raise FilterError("unexpected end of the filter") from None
    except UnexpectedCharacters as wrong:
        raise FilterError(f"line {wrong.line}, column {wrong.column}: unexpected '{wrong.char}'") from None
    except UnexpectedInput as wrong:
        raise FilterError(f"line {wrong.line}, column {wrong.column}: syntax error{_near(wrong)}") from None


def _near(wrong: UnexpectedInput) -> str:
    token = getattr(wrong, "token", None)
    return f" near '{token}'" if token else ""


def tests(one: Filter) -> Iterator[Comparison]:
    """All comparisons of a filter."""
    for statement in _statements(one.body):
        if isinstance(statement, If):
            yield from _comparisons(statement.test)


def actions(one: Filter) -> Iterator[Call]:
    """All actions of a filter."""
    yield from (statement for statement in _statements(one.body) if isinstance(statement, Call))


def _comparisons(test: Test) -> Iterator[Comparison]:
    if isinstance(test, Comparison):
        yield test
    else:
        for part in test.parts:
            yield from _comparisons(part)


def _statements(statement: Statement) -> Iterator[Statement]:
    yield statement
    if isinstance(statement, If):
        for inner in (*statement.then, *statement.otherwise):
            yield from _statements(inner)


def names_gone(one: Filter, listeners: list[str], interfaces: list[str], quarantines: list[str]) -> list[str]:
    """Listeners, interfaces and quarantines that it names and that are not there: it is not valid then."""
    gone = []
    for test in tests(one):
        known = {"recv-listener": listeners, "recv-int": interfaces}.get(test.rule.name)
        gone += [value.text for value in test.values if known is not None and value.text not in known]
    named = {
        "alt-src-host": interfaces,
        "quarantine": quarantines,
        "duplicate-quarantine": quarantines,
    }
    for action in actions(one):
        known = named.get(action.name)
        gone += [value.text for value in action.arguments if known is not None and value.text not in known]
    return gone
