"""Collects the hops of one attempt, and makes a Proof of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dynamic_providers.errors import clean
from dynamic_providers.mailflow.causes import Cause
from dynamic_providers.mailflow.proof import CheckName, Hop, Proof, Verdict
from dynamic_providers.mailflow.waiting import Deadline, Waiting

Evidence = Mapping[str, str]


@dataclass
class Hops:
    """The hops of one attempt, in order. Everything said or shown is cleaned of secrets."""

    hops: list[Hop] = field(default_factory=list)
    may_pass: bool = True

    @property
    def failed_hop(self) -> Hop | None:
        """The first hop that failed."""
        return next((one for one in self.hops if one.verdict == "failed"), None)

    def ok(self, name: str, says: str, evidence: Evidence | None = None) -> None:
        """It happened as it should."""
        self.hops.append(_hop(name, "ok", says, evidence))

    def failed(
        self,
        name: str,
        says: str,
        cause: Cause | None,
        evidence: Evidence | None = None,
        *,
        found: Sequence[str] = (),
    ) -> None:
        """It went wrong. `found`: what we saw in the settings of Microsoft 365, which then is the cause."""
        hop = _hop(name, "failed", says, evidence, cause=cause)
        self.hops.append(hop.model_copy(update={"cause": clean("; ".join(found))}) if found else hop)
        self.may_pass = self.may_pass and cause is not None and cause.may_pass and not found

    def unproven(
        self, name: str, says: str, cause: Cause | None = None, evidence: Evidence | None = None
    ) -> None:
        """It may have happened: we cannot look."""
        self.hops.append(_hop(name, "notProven", says, evidence, cause=cause))


def _hop(
    name: str, verdict: Verdict, says: str, evidence: Evidence | None, *, cause: Cause | None = None
) -> Hop:
    return Hop(
        name=name,
        verdict=verdict,
        says=clean(says),
        evidence={label: clean(text) for label, text in (evidence or {}).items() if text},
        cause=clean(cause.cause) if cause else "",
        advice=clean(cause.advice) if cause else "",
    )


def proof(check: CheckName, domain: str, started: datetime, token: str, hops: Hops) -> Proof:
    """What one check found; the worst hop decides."""
    verdict: Verdict = "ok"
    if any(one.verdict == "notProven" for one in hops.hops):
        verdict = "notProven"
    if hops.failed_hop is not None:
        verdict = "failed"
    return Proof(
        check=check,
        verdict=verdict,
        domain=domain,
        started=_iso(started),
        ended=_iso(datetime.now(UTC)),
        token=token,
        hops=tuple(hops.hops),
        summary=_summary(verdict, hops),
    )


def until_it_works(waiting: Waiting, deadline: Deadline, attempt: Callable[[int], Hops]) -> Hops:
    """Try until it works, fails for a reason that does not pass by itself, or the deadline is near.

    What is set in Microsoft 365 acts late, everywhere after an hour: a first failure proves little.
    """
    number, furthest = 1, Hops()
    while True:
        hops = attempt(number)
        wrong = hops.failed_hop
        cut = deadline.passed and any(one.verdict != "ok" for one in hops.hops)
        if cut and len(furthest.hops) >= len(hops.hops):
            return furthest  # one before it has more to say
        if wrong is None or not hops.may_pass:
            return hops
        furthest = hops
        if not waiting.before_resend(number, f"{wrong.name}: {wrong.says}", deadline):
            return hops
        number += 1


def _summary(verdict: Verdict, hops: Hops) -> str:
    if verdict == "ok":
        return f"all {len(hops.hops)} hops ok"
    wrong = [one for one in hops.hops if one.verdict == verdict]
    first = next((one for one in wrong if one.cause), wrong[0])
    return f"{first.name}: {first.says}"


def _iso(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
