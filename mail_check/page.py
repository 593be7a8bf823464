"""The report as one HTML page that loads nothing: style and drawings are inside, scripts there are none."""

from __future__ import annotations

from functools import cache
from itertools import groupby

from jinja2 import Environment

from dynamic_providers.mailflow.proof import Verdict
from mail_check import page_parts
from mail_check.path import drawn
from mail_check.report import CHECKS, SIDES, MadeObject, MxView, Report, worst


def html(report: Report) -> str:
    """The page. Everything from outside is escaped by the template; the policy allows our own style only."""
    style = page_parts.style()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            lanes=drawn(report),
            style=style,
            policy=page_parts.policy(style),
            icon=page_parts.icon(report.verdict),
            checks=CHECKS,
            objects=_by_side(report.objects),
            domains=_by_domain(report),
        )
    )


@cache
def _environment() -> Environment:
    made = page_parts.environment()
    made.filters["alike"] = _alike
    return made


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
