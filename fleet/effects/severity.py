"""How bad a difference is, by what it does to mail, and the shape of the table that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Severity(StrEnum):
    """By what it does to mail; the worst first."""

    STOPS = "stops mail"
    PAST = "lets mail past"
    TREATMENT = "changes treatment"
    COSMETIC = "cosmetic"


RANK = {severity: at for at, severity in enumerate(Severity)}
"""0 is the worst."""


def rank(told: Mapping[str, object]) -> int:
    """Where a stack's row stands among those of its state; `told`: what its outcome tells beyond it."""
    return next((at for severity, at in RANK.items() if severity.value == told.get("severity")), len(RANK))


Way = Literal["missing", "changed", "extra"]
"""missing: gone altogether; changed: another value, or not all of ours; extra: there is more than ours."""


@dataclass(frozen=True)
class Effect:
    """What one difference does to mail. `because`: a whole clause, for an operator."""

    severity: Severity
    because: str


@dataclass(frozen=True)
class Effects:
    """What an attribute does in each way of being wrong.

    `values`: what is there instead → its effect, where that is another than of any other value.
    """

    missing: Effect
    changed: Effect
    extra: Effect
    values: Mapping[str, Effect] = field(default_factory=dict)

    def of(self, way: Way, value: str = "") -> Effect:
        """The effect of one difference; `value`: what is there instead."""
        return self.values.get(value) or {"missing": self.missing, "changed": self.changed}.get(
            way, self.extra
        )


@dataclass(frozen=True)
class Thing:
    """A type of resource: what it does to mail that it, or an entry of it, is gone or too many; attributes.

    `parts`: of an attribute that holds all that we do not model (`other`): the part's name → its effect.
    """

    itself: Effects
    attributes: Mapping[str, Effects] = field(default_factory=dict)
    parts: Mapping[str, Effect] = field(default_factory=dict)


def stops(because: str) -> Effect:
    """Mail is refused, dropped, bounced, or goes where nobody waits for it."""
    return Effect(Severity.STOPS, because)


def past(because: str) -> Effect:
    """Mail goes around the gateway or its filters, or strangers' mail is taken for ours."""
    return Effect(Severity.PAST, because)


def treatment(because: str) -> Effect:
    """Mail flows, and is handled in another way."""
    return Effect(Severity.TREATMENT, because)


def cosmetic(because: str) -> Effect:
    """Mail is not concerned."""
    return Effect(Severity.COSMETIC, because)


def whatever(
    effect: Effect,
    *,
    missing: Effect | None = None,
    changed: Effect | None = None,
    extra: Effect | None = None,
    values: Mapping[str, Effect] | None = None,
) -> Effects:
    """The same in each way, but for those that are named."""
    return Effects(missing or effect, changed or effect, extra or effect, values or {})
