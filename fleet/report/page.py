"""All stacks as one HTML page that loads nothing: style, signs and the filter's script are inside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from fleet.outcome import Outcome
from fleet.report.facts import Facts, Mx, day_of
from fleet.report.gathering import facts_of
from fleet.report.standing import Row, Standing, headline, ordered, row
from mail_check import page_parts
from mail_check.words import visible

_TEMPLATES = Path(__file__).parent / "templates"
_SIGNS = {
    Standing.STOPS: "failed",
    Standing.FAILED: "failed",
    Standing.UNREAD: "notProven",
    Standing.UNPROVEN: "notProven",
    Standing.UNFINISHED: "notProven",
    Standing.NEW: "notProven",
    Standing.RIGHT: "ok",
}
"""By shape, not by colour alone; what is not here is a difference."""
_MOST_DRIFT, _MOST_LINES, _MOST_DOMAINS = 8, 6, 40


def html(outcomes: Sequence[Outcome], when: datetime) -> str:
    """The page. Texts of others are escaped; no secret is in them: they were redacted when they came."""
    rows = ordered([row(one, facts_of(one)) for one in outcomes])
    style = page_parts.style(_TEMPLATES / "fleet.css")
    script = Markup((_TEMPLATES / "filter.js").read_text(encoding="utf-8").strip())  # noqa: S704 - our own
    worst = rows[0].standing if rows else Standing.RIGHT
    return (
        _environment()
        .get_template("fleet.html.j2")
        .render(
            headline=headline(rows),
            rows=rows,
            worst=worst,
            when=f"{when:%Y-%m-%dT%H:%M:%SZ}",
            style=style,
            script=script,
            policy=page_parts.policy(style, script),
            icon=page_parts.icon("ok" if worst is Standing.RIGHT else "failed"),
        )
    )


@cache
def _environment() -> Environment:
    made = page_parts.environment(_TEMPLATES, seen=visible)
    made.filters |= {"day": day_of, "brief": brief}
    made.filters |= {"led": led, "sign": _sign}
    made.globals |= {"RIGHT": Standing.RIGHT, "MOST_DRIFT": _MOST_DRIFT, "MOST_LINES": _MOST_LINES}
    return made


def _sign(standing: Standing) -> str:
    return _SIGNS.get(standing, "differs")


def brief(row: Row) -> str:
    """What is set, in one line: `2 of 3 MX at the gateway, outbound all, side entrance shut`."""
    facts = row.facts
    return ", ".join([*row.remarks, *_set(facts)])


def _set(facts: Facts) -> list[str]:
    if facts.mode == "observe":
        return ["only looked at"]
    if facts.kind == "gateway":
        return ["a gateway that several tenants share"]
    here = sum(one.points_at == "gateway" for one in facts.mx)
    parts = [f"{here} of {len(facts.mx)} MX at the gateway"] if facts.mx else []
    parts += [f"outbound {facts.outbound}"] if facts.outbound else []
    return [*parts, "side entrance shut" if facts.shut else "side entrance open"]


def led(mx: Sequence[Mx]) -> list[tuple[Mx, list[str], int]]:
    """The domains whose MX lead to the same place: one of them, the first of their names, how many more."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[Mx]] = {}
    for one in mx:
        wanted = "" if one.hosts else one.wanted
        alike.setdefault((one.points_at, wanted, one.hosts), []).append(one)
    return [
        (some[0], [one.domain for one in some[:_MOST_DOMAINS]], len(some[_MOST_DOMAINS:]))
        for some in alike.values()
    ]
