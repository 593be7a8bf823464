"""The mail path as it is drawn: lanes of stations, and at each station the hops that the checks went through.

A hop is put at the station that its name leads to: «gateway → Microsoft 365» is arriving at Microsoft 365,
«gateway: filter» is inside the gateway. One that fits nowhere stays at the station of the hop before it, so
nothing that a check found is ever left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dynamic_providers.mailflow.proof import Hop, Proof, Verdict
from mail_check.lanes import LANES, Lane, PathHop, Station, Trouble
from mail_check.report import POINTS_AT, Report, worst

MX_BY_SENDING = "MX"
"""A hop that *inbound* does not tell of: it sends only where the MX names the gateway; sending proves it."""


def drawn(report: Report) -> tuple[Lane, ...]:
    """The drawn path: in and out always, what must not pass where it was checked or is meant to be shut."""
    made = tuple(_lane(plan, report) for plan in LANES)
    side_matters = report.lock_down.wanted == "closed" or report.proofs_of("sideEntrance")
    return tuple(lane for lane in made if lane.key != "sideEntrance" or side_matters)


def _lane(plan: Lane, report: Report) -> Lane:
    proofs = report.proofs_of(*plan.checks)
    at: dict[str, dict[str, list[tuple[Proof, Hop]]]] = {station.key: {} for station in plan.stations}
    for proof in proofs:
        for key, hop in placed(plan, proof):
            at[key].setdefault(hop.name, []).append((proof, hop))
    stations: list[Station] = []
    for station in plan.stations:
        hops = tuple(_merged(name, found, proofs) for name, found in at[station.key].items())
        objects = report.places.get(f"{plan.key}.{station.key}", ())
        stations.append(_judged(replace(station, hops=hops, objects=objects), stations, proofs, report))
    return replace(
        plan,
        stations=tuple(stations),
        verdict=worst(station.verdict for station in stations if station.verdict),
        troubles=_troubles(plan, proofs),
        note="" if proofs else _not_run(plan, report),
    )


def placed(plan: Lane, proof: Proof) -> Iterator[tuple[str, Hop]]:
    """Each hop of a proof with the key of its station."""
    key = next(station.key for station in plan.stations if not station.begins)
    if proof.check == "inbound" and proof.hops:
        yield from _by_sending(plan, proof.hops[0])
    for hop in proof.hops:
        key = _station_of(plan, hop.name) or key
        yield key, hop


def _station_of(plan: Lane, name: str) -> str:
    """The station that a hop's name leads to; nothing where it names none."""
    for station in plan.stations:
        if station.whole and re.match(station.whole, name, re.IGNORECASE):
            return station.key
    place = name.rpartition("→")[2].strip()
    # From the end: what is told more narrowly, «Microsoft 365: inbox», stands further down the way.
    for station in reversed(plan.stations):
        if re.match(station.pattern, place, re.IGNORECASE):
            return station.key
    return ""


def _by_sending(plan: Lane, first: Hop) -> Iterator[tuple[str, Hop]]:
    """What a message by MX proves of the MX: that it was sent to a host of ours, however that answered."""
    host = first.evidence.get("host", "")
    if host and _station_of(plan, first.name) == "gateway":
        yield "mx", Hop(name=MX_BY_SENDING, verdict="ok", says=f"names {host}", evidence={})


def _judged(station: Station, before: Sequence[Station], proofs: Sequence[Proof], report: Report) -> Station:
    """A station with its verdict, and why where nothing was seen of it."""
    if station.hops:
        return replace(station, verdict=worst(hop.verdict for hop in station.hops))
    if station.begins:
        return replace(station, verdict=None)
    if not proofs:
        return replace(station, note="no check was run")
    if any(one.verdict == "failed" for one in before):
        return replace(station, note="not reached")
    if station.key == "mx" and all(proof.check == "direct" for proof in proofs):
        points = {POINTS_AT[view.points_at] for view in report.mx if view.domain == proofs[0].domain}
        return replace(
            station, note=", ".join(["the direct check goes past it", *map("it points {}".format, points)])
        )
    return replace(station, note="not seen")


def _merged(name: str, found: Sequence[tuple[Proof, Hop]], proofs: Sequence[Proof]) -> PathHop:
    """Hops of one name as one: ok for a domain when some check saw it ok at each door.

    A proof that failed before it got here leaves it unproven.
    """
    by_domain: dict[str, dict[str, list[Hop]]] = {}
    for proof, hop in found:
        by_domain.setdefault(proof.domain, {}).setdefault(proof.check, []).append(hop)
    verdicts = {domain: _of_checks(checks) for domain, checks in by_domain.items()}
    verdict = worst(verdicts.values())
    note = _counted_domains(sum(one == verdict for one in verdicts.values()), len(verdicts))
    shown = next((hop for _, hop in reversed(found) if hop.verdict == verdict), found[-1][1])
    stopped = _stopped_before(found, proofs)
    if stopped and verdict == "ok":
        return PathHop(name, "notProven", shown.says, f"{stopped} of {len(proofs)} messages did not get here")
    return PathHop(name, verdict, shown.says, note)


def _of_checks(checks: dict[str, list[Hop]]) -> Verdict:
    verdicts = {worst(hop.verdict for hop in hops) for hops in checks.values()}
    return "failed" if "failed" in verdicts else "ok" if "ok" in verdicts else "notProven"


def _stopped_before(found: Sequence[tuple[Proof, Hop]], proofs: Sequence[Proof]) -> int:
    """How many proofs of the same checks failed without a hop of this name."""
    checks, here = {proof.check for proof, _ in found}, {id(proof) for proof, _ in found}
    return sum(one.check in checks and id(one) not in here and one.verdict == "failed" for one in proofs)


def _counted_domains(some: int, of: int) -> str:
    if of == 1:
        return ""
    if some == of:
        return f"all {of} domains"
    return f"{some} of {of} domains"


def _troubles(plan: Lane, proofs: Iterable[Proof]) -> tuple[Trouble, ...]:
    """The hops that are not ok, equal ones of several messages as one, failures first."""
    found: dict[tuple[str, Verdict, str, str, str], dict[str, int]] = {}
    keys = [station.key for station in plan.stations]
    for proof in proofs:
        for key, hop in placed(plan, proof):
            if hop.verdict != "ok":
                same = (hop.name, hop.verdict, hop.says, hop.cause, hop.advice)
                found.setdefault(same, {})[proof.domain] = keys.index(key)
    made = (Trouble(*same, tuple(at), min(at.values())) for same, at in found.items())
    return tuple(sorted(made, key=lambda trouble: trouble.verdict != "failed"))


def _not_run(plan: Lane, report: Report) -> str:
    if plan.key in ("outbound", "forged") and report.outbound == "none":
        return "The setting «outbound: none» sends no mail this way."
    return plan.not_run
