"""The report as Markdown, for tickets and the summaries of pipelines. Others' text is never markup in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dynamic_providers.mailflow.proof import Hop, Proof, Verdict
from mail_check.lanes import Lane, Trouble
from mail_check.path import drawn
from mail_check.report import CHECKS, POINTS_AT, SIDES, STATES, WORDS, Report
from mail_check.words import counted, moment, one_line, seen

_SIGNS: dict[Verdict, str] = {"ok": "✔", "failed": "✘", "notProven": "?"}
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#!|~&@$=^]|^[-+]|(?<=www)\.|(?<=^\d)\.|(?<=^\d\d)\.)", re.IGNORECASE)


def markdown(report: Report) -> str:
    """The whole report; a failure with its answer first, the evidence last."""
    lines = [
        f"# {_verdict(report.verdict)}: {text(report.headline)}",
        "",
        ", ".join(map(text, (report.customer, report.environment, report.stack, moment(report.when)))),
        "",
        *_checks(report),
        *(line for lane in drawn(report) for line in _lane(lane)),
        *_around(report),
        *_objects(report),
        *_evidence(report.proofs),
    ]
    return "\n".join(lines).rstrip() + "\n"


def text(value: str) -> str:
    """One line in which nothing is markup, neither of Markdown nor of HTML; addresses are no links."""
    return _MARKUP.sub(r"\\\1", one_line(value)).replace("://", ":&#8203;//")


def _verdict(verdict: Verdict) -> str:
    return f"{_SIGNS[verdict]} {WORDS[verdict]}"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    names = list(headings)
    body = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *body, ""]


def _checks(report: Report) -> list[str]:
    rows = [
        (CHECKS[proof.check], text(proof.domain), _verdict(proof.verdict), text(proof.summary))
        for proof in report.proofs
    ]
    untried = f"Not tried: {', '.join(map(text, report.untried))}." if report.untried else ""
    return [*_table(("Check", "Domain", "Verdict", "In short"), rows), *([untried, ""] if untried else [])]


def _lane(lane: Lane) -> Iterator[str]:
    yield from (f"## {lane.title}: {_verdict(lane.verdict)}", "", f"{lane.aim} {lane.note}".rstrip(), "")
    steps = []
    for station in lane.stations:
        sign = f"{_SIGNS[station.verdict]} " if station.verdict else ""
        word = (
            f" ({WORDS[station.verdict]}{f': {station.note}' if station.note else ''})"
            if station.verdict
            else ""
        )
        steps.append(f"{sign}{station.title}{word}")
    yield from (" → ".join(steps), "")
    for trouble in lane.troubles:
        yield from _trouble(trouble)


def _trouble(trouble: Trouble) -> Iterator[str]:
    yield from (f"### {text(trouble.hop)}: {_verdict(trouble.verdict)}", "")
    yield from (", ".join(map(text, trouble.domains)), "", *_verbatim(trouble.says), "")
    if trouble.cause:
        yield from (f"Usual cause: {text(trouble.cause)}", "")
    if trouble.advice:
        yield from (f"What to do: {text(trouble.advice)}", "")


def _verbatim(says: str) -> list[str]:
    """As it was said, between fences that it cannot close."""
    shown = seen(says)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *shown.splitlines(), fence]


def _around(report: Report) -> list[str]:
    lines = ["## Around it", ""]
    for view in report.mx:
        said = "; ".join(
            f"{text(one.by)}: {text(one.error or ', '.join(one.hosts) or 'no MX')}" for one in view.seen
        )
        points = (
            f"- MX of {text(view.domain)} points {POINTS_AT[view.points_at]}; the setting says {view.wanted}"
        )
        lines.append(f"{points} ({said})" if said else points)
    if report.secret_age:
        lines.append(f"- The header's secret: {report.secret_age.in_words}")
    lock = report.lock_down
    lines.append(f"- Lock-down: {lock.wanted}")
    for one in lock.passers or ():
        last = f", last {text(moment(one.last))}" if one.last else ""
        allowed = " (allowed)" if one.allowed else ""
        lines.append(
            f"- Past the gateway in {counted(lock.days, 'day')}: {text(one.sender)} from {text(one.address)},"
            f" {counted(one.messages, 'message')}{last}{allowed}"
        )
    return [*lines, ""]


def _objects(report: Report) -> list[str]:
    if not report.objects:
        return []
    rows = [
        (
            one.row,
            SIDES[one.side],
            text(one.place),
            f"{text(one.kind)} **{text(one.name)}**",
            "; ".join(f"{text(label)}: {text(value)}" for label, value in one.attributes.items()),
            f"{STATES[one.state]}{f' ({text(one.note)})' if one.note else ''}",
        )
        for one in report.objects
    ]
    return ["## What was made", "", *_table(("Row", "Side", "Where", "Object", "Settings", "State"), rows)]


def _evidence(proofs: Iterable[Proof]) -> list[str]:
    lines = ["## Evidence", ""]
    for proof in proofs:
        lines += [f"### {CHECKS[proof.check]}, {text(proof.domain)}: {_verdict(proof.verdict)}", ""]
        lines += [f"{text(moment(proof.started))} to {text(moment(proof.ended))}, {text(proof.token)}", ""]
        lines += [line for hop in proof.hops for line in _hop(hop)]
        lines.append("")
    return lines


def _hop(hop: Hop) -> list[str]:
    shown = [f"  - {text(label)}: {text(value)}" for label, value in hop.evidence.items()]
    return [f"- {_verdict(hop.verdict)}, {text(hop.name)}: {text(hop.says)}", *shown]
