"""Message filters written out, in the layout of a release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.gateway.filter_language import Call, Combined, Comparison, Filter, Statement, Test, Value

Literal = Callable[[Comparison, Value], str]


@dataclass(frozen=True)
class Layout:
    """How a release writes filters."""

    indent: int = 4
    aligned: bool = False
    """Further lines begin under the `if`, not at the margin."""
    brackets: bool = True
    """Round the rule after `if`."""
    quote: str = '"'
    else_on_new_line: bool = False
    inactive_mark: bool = False
    """Write `name!:` for an inactive filter."""


def render(one: Filter, layout: Layout, literal: Literal | None = None) -> list[str]:
    """The lines of a filter. `literal` may write the right side of a comparison in another way."""
    writer = _Writer(layout, literal)
    mark = "!" if layout.inactive_mark and not one.active else ""
    head = f"{one.name}{mark}: "
    margin = " " * len(head) if layout.aligned else ""
    lines = writer.statement(one.body, 0)
    return [head + lines[0], *(margin + line for line in lines[1:])]


class _Writer:
    def __init__(self, layout: Layout, literal: Literal | None) -> None:
        self.layout = layout
        self.literal = literal

    def statement(self, one: Statement, depth: int) -> list[str]:
        pad = " " * (self.layout.indent * depth)
        if isinstance(one, Call):
            return [f"{pad}{self.call(one)};"]
        lines = [f"{pad}if {self._bracketed(one.test)} {{"]
        lines += [line for inner in one.then for line in self.statement(inner, depth + 1)]
        if not one.otherwise:
            return [*lines, f"{pad}}}"]
        if one.chained:
            below = self.statement(one.otherwise[0], depth)
            other = [f"else {below[0].strip()}", *below[1:]]
        else:
            inside = [line for inner in one.otherwise for line in self.statement(inner, depth + 1)]
            other = ["else {", *inside, f"{pad}}}"]
        if self.layout.else_on_new_line:
            return [*lines, f"{pad}}}", pad + other[0], *other[1:]]
        return [*lines, f"{pad}}} {other[0]}", *other[1:]]

    def _bracketed(self, test: Test) -> str:
        text = self.test(test)
        return f"({text})" if self.layout.brackets else text

    def test(self, test: Test, within: str = "") -> str:
        if isinstance(test, Comparison):
            return self._comparison(test)
        return self._combined(test, within)

    def _combined(self, test: Combined, within: str) -> str:
        if test.word == "not":
            return "not " + self.test(test.parts[0], "not")
        text = f" {test.word} ".join(self.test(part, test.word) for part in test.parts)
        return f"({text})" if within else text

    def _comparison(self, test: Comparison) -> str:
        text = self.call(test.rule)
        if not test.operator:
            return text
        values = [self.literal(test, value) if self.literal else self.value(value) for value in test.values]
        right = values[0] if len(values) == 1 else f"({', '.join(values)})"
        return f"{text} {test.operator} {right}"

    def call(self, call: Call) -> str:
        if not call.brackets:
            return call.name
        return f"{call.name}({', '.join(self.value(value) for value in call.arguments)})"

    def value(self, value: Value) -> str:
        if not value.quoted:
            return value.text
        if self.layout.quote == "'":
            return "'" + value.text.replace('\\"', '"').replace("'", "\\'") + "'"
        return f'"{value.text}"'
