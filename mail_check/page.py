"""The report as one HTML page that loads nothing: style and drawings are inside, scripts there are none."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dynamic_providers.mailflow.proof import Verdict
from mail_check import words
from mail_check.path import drawn
from mail_check.report import CHECKS, POINTS_AT, SIDES, STATES, WORDS, MadeObject, MxView, Report, worst

_TEMPLATES = Path(__file__).parent / "templates"


def html(report: Report) -> str:
    """The page. Everything from outside is escaped by the template; the policy allows our own style only."""
    style = _style()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            lanes=drawn(report),
            style=Markup(style),  # noqa: S704 - our own file
            policy=policy(style),
            icon=_icon(report.verdict),
            checks=CHECKS,
            objects=_by_side(report.objects),
            domains=_by_domain(report),
        )
    )


def policy(style: str) -> str:
    """Content Security Policy: nothing but this very style sheet and the icon inside the page."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": words.moment,
        "counted": words.counted,
        "breakable": _breakable,
        "alike": _alike,
    }
    made.globals |= {"WORDS": WORDS, "STATES": STATES, "POINTS_AT": POINTS_AT, "SIDES": SIDES}
    return made


def _shown(value: object) -> object:
    """What every expression of the template passes through: text of others, with nothing unseen in it."""
    return words.seen(value) if type(value) is str else value


def _breakable(text: str) -> Markup:
    """Escaped, with places where a long host name or address may be broken into lines."""
    return Markup(_JOINT.sub(r"\1<wbr>", str(escape(words.seen(text)))))  # noqa: S704 - escaped just now


_JOINT = re.compile(r"([.@/_])(?=[^\W\d_])")


@cache
def _style() -> str:
    return (_TEMPLATES / "report.css").read_text(encoding="utf-8").strip()


def _by_side(objects: tuple[MadeObject, ...]) -> list[tuple[str, list[MadeObject]]]:
    """The objects in the order of the guide's steps, side by side."""
    order = list(SIDES)
    ordered = sorted(objects, key=lambda one: order.index(one.side))
    return [(SIDES[side], list(some)) for side, some in groupby(ordered, key=lambda one: one.side)]


def _by_domain(report: Report) -> list[tuple[str, Verdict, dict[str, Verdict]]]:
    """Each domain with its checks; where something is not ok, first."""
    rows = []
    for domain in report.domains:
        proofs = [proof for proof in report.proofs if proof.domain == domain]
        of_each = {check: [one.verdict for one in proofs if one.check == check] for check in CHECKS}
        verdicts = {check: worst(some) for check, some in of_each.items() if some}
        rows.append((domain, worst(verdicts.values()), verdicts))
    return sorted(rows, key=lambda row: ("failed", "notProven", "ok").index(row[1]))


def _alike(view: MxView) -> list[tuple[str, tuple[str, ...], str]]:
    """Who was asked, those who say the same as one; what they say; why they do not."""
    order = sorted(view.seen, key=lambda one: (one.error, one.hosts))
    groups = groupby(order, key=lambda one: (one.hosts, one.error))
    return [(", ".join(one.by for one in some), hosts, error) for (hosts, error), some in groups]


_ICONS: dict[Verdict, tuple[str, str]] = {
    "ok": ("%231a6b3c", "M9 16.5l5 5 9-11"),
    "failed": ("%23b3261e", "M10.5 10.5l11 11m0-11l-11 11"),
    "notProven": ("%235c6066", "M9 16h14"),
}


def _icon(verdict: Verdict) -> str:
    """The verdict as the browser's tab shows it; in the page, since a browser asks for one otherwise."""
    colour, stroke = _ICONS[verdict]
    return (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
        f"%3Ccircle cx='16' cy='16' r='15' fill='{colour}'/%3E%3Cpath d='{stroke}' fill='none' stroke='white'"
        " stroke-width='3' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E"
    )
