"""How a stack stands, in one word and one line; and how all of them do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fleet.effects.severity import Severity
from fleet.outcome import Outcome, State
from fleet.report.facts import Facts


class Standing(StrEnum):
    """The worst that can be said of a stack; the worst first."""

    STOPS = "stops mail"
    UNREAD = "could not be read"
    FAILED = "mail check failed"
    PAST = "lets mail past"
    TREATMENT = "changes treatment"
    UNFINISHED = "left unfinished"
    UNPROVEN = "mail not proven"
    COSMETIC = "cosmetic"
    NEW = "not set up yet"
    RIGHT = "as it should be"


ORDER = {standing: at for at, standing in enumerate(Standing)}
_DRIFTED = {severity: Standing(severity.value) for severity in Severity}


@dataclass(frozen=True)
class Row:
    """One stack of the page."""

    outcome: Outcome
    facts: Facts
    standing: Standing
    says: str

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is worth knowing, though nothing is wrong with it."""
        old = "the header's secret is old" if self.facts.secret_is_old else ""
        begun = "a rotation is begun, and not finished" if self.facts.rotation else ""
        return tuple(filter(None, (old, begun)))

    @property
    def drifted(self) -> bool:
        return self.outcome.state is State.DRIFT


def row(outcome: Outcome, facts: Facts) -> Row:
    """How a stack stands. Drift comes before whatever else is wrong, but for mail that was seen to fail."""
    standing, says = _stands(outcome, facts)
    return Row(outcome, facts, standing, says)


def _stands(outcome: Outcome, facts: Facts) -> tuple[Standing, str]:
    if outcome.state is State.DRIFT:
        severity = Severity(outcome.more["severity"])
        return _DRIFTED[severity], outcome.says.removeprefix(f"{severity}: ")
    if outcome.state is not State.SAME:
        return Standing.UNREAD, outcome.says
    if not facts.made:
        return Standing.NEW, "nothing is on record: no up was made yet"
    worst = min(_wrong(facts), key=lambda one: ORDER[one[0]], default=None)
    return worst or (Standing.RIGHT, "")


def _wrong(facts: Facts) -> Iterator[tuple[Standing, str]]:
    """What is not as it should be by what was recorded before now."""
    if facts.mail and facts.mail.verdict == "failed":
        yield Standing.FAILED, facts.mail.says
    if facts.mail and facts.mail.verdict == "notProven":
        yield Standing.UNPROVEN, facts.mail.says
    if facts.pending:
        names = ", ".join(facts.pending)
        yield Standing.UNFINISHED, f"a run was killed while it was at work on {names}: run `fleet up`"
    elif facts.last_up and facts.last_up.failed:
        yield Standing.UNFINISHED, f"the last up ended as «{facts.last_up.result}»: run it again"


def ordered(rows: Sequence[Row]) -> list[Row]:
    """The worst first, then those with a remark, then by name."""
    return sorted(rows, key=lambda one: (ORDER[one.standing], not one.remarks, one.outcome.stack))


def headline(rows: Sequence[Row]) -> str:
    """`97 of 100 as they should be; 2 drifted, one of them stops mail; 1 could not be read`."""
    counts = Counter(one.standing for one in rows)
    right, drifted = counts[Standing.RIGHT], sum(one.drifted for one in rows)
    if not rows:
        return "No stack is chosen"
    if right == len(rows):
        return f"All {right} as they should be" if right > 1 else "It is as it should be"
    stopping = counts[Standing.STOPS]
    of_them = " and" if stopping == drifted else ", one of them" if stopping == 1 else f", {stopping} of them"
    worse = f"{of_them} {'stops' if stopping == 1 else 'stop'} mail" if stopping else ""
    others = (
        (Standing.UNREAD, "could not be read"),
        (Standing.FAILED, "whose mail check failed"),
        (Standing.UNFINISHED, "left unfinished by a run"),
        (Standing.UNPROVEN, "whose mail is not proven"),
        (Standing.NEW, "not set up yet"),
    )
    told = [f"{right} of {len(rows)} as they should be"]
    told += [f"{drifted} drifted{worse}"] if drifted else []
    return "; ".join([*told, *(f"{counts[one]} {says}" for one, says in others if counts[one])])
