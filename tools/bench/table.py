"""What was measured, size by size, and how it grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

MIB = 1024 * 1024


@dataclass
class Pass:
    """One `fleet` command over all stacks."""

    outcomes: list[dict[str, Any]]
    seconds: float
    cpu: float
    peak: int
    processes: int

    @property
    def states(self) -> Counter[str]:
        return Counter(one["state"] for one in self.outcomes)


@dataclass
class Size:
    """What was measured over so many customers."""

    customers: int
    gateways: int
    stacks: int = 0
    lab_bytes: int = 0
    passes: dict[str, Pass] = field(default_factory=dict)


COLUMNS: tuple[tuple[str, Callable[[Size], float]], ...] = (
    ("up, s", lambda one: one.passes["up"].seconds),
    ("check, s", lambda one: one.passes["check"].seconds),
    ("up again, s", lambda one: one.passes["up again"].seconds),
    ("drift, s", lambda one: one.passes["drift"].seconds),
    ("up, s a stack", lambda one: one.passes["up"].seconds / one.stacks),
    ("its processor, s", lambda one: one.passes["up"].cpu / one.stacks),
    ("again, s a stack", lambda one: one.passes["up again"].seconds / one.stacks),
    ("peak, MiB", lambda one: max(ran.peak for ran in one.passes.values()) / MIB),
    ("processes", lambda one: max(ran.processes for ran in one.passes.values())),
    ("lab, MiB", lambda one: one.lab_bytes / MIB),
)
"""What the table has of each size; a stack is a customer's or a shared gateway's."""


def table(sizes: Sequence[Size]) -> list[str]:
    """As Markdown. In brackets: how many times what stands above it."""
    heads = ("customers", "gateways", "stacks", *(head for head, _ in COLUMNS))
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    above: Size | None = None
    for one in sizes:
        cells = [str(one.customers), str(one.gateways), str(one.stacks)]
        cells += [_cell(value(one), value(above) if above else 0.0) for _, value in COLUMNS]
        lines.append(f"| {' | '.join(cells)} |")
        above = one
    return lines


def _cell(value: float, above: float) -> str:
    grown = f" ({value / above:.1f} x)" if above else ""
    return f"{value:.{0 if value >= 100 else 1}f}{grown}"
