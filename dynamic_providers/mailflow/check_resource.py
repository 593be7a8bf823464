"""What the two check resources share: create and update run the checks, the evidence is an output.

A check is no object: it has no identity but its direction, nothing to adopt, and nothing to remove.
"""

from abc import ABC
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, Resource

from dynamic_providers import connections, report
from dynamic_providers.entries import Props, has_unknown
from dynamic_providers.errors import clean_errors
from dynamic_providers.looking import LookingProvider
from dynamic_providers.mailflow.errors import CheckFailed
from dynamic_providers.mailflow.mailflow_settings import MailflowSettings
from dynamic_providers.mailflow.proof import CheckName, Proof
from dynamic_providers.mailflow.run import first_wrong, run_checks

EVIDENCE = "evidence"


class CheckProvider(LookingProvider, ABC):
    """Inputs: `tenant`, `checks`, `watches` (revisions of what the checks rely on). Output: `evidence`."""

    identity: ClassVar[tuple[str, ...]] = ("tenant",)
    outputs: ClassVar[tuple[str, ...]] = (EVIDENCE,)
    label: ClassVar[str]
    known: ClassVar[tuple[CheckName, ...]]

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        wanted = news.get("checks")
        unknown = [] if has_unknown(wanted) else [one for one in wanted or [] if one not in self.known]
        failures = [CheckFailure("checks", f"{one} is no check of {self.label}") for one in unknown]
        return CheckResult(news, failures)

    def look(self, inputs: Props, olds: Props) -> Props:
        """Run the checks; what one of them found wrong is raised, with where, cause and advice."""
        settings = MailflowSettings.model_validate_json(connections.argument("mailflow"))
        proofs = run_checks(settings, inputs["checks"], report.info)
        for one in proofs:
            say = report.info if one.verdict == "ok" else report.warning
            say(f"{one.check} {one.domain}: {one.verdict}: {one.summary}")
        wrong = [one for one in proofs if first_wrong(one) is not None]
        if wrong:
            raise _failed(wrong)
        return {EVIDENCE: [one.model_dump(mode="json", by_alias=True) for one in proofs]}


def _failed(wrong: Sequence[Proof]) -> CheckFailed:
    """One error for all of them; the first gives cause and advice."""
    lines = []
    for one in wrong:
        hop = first_wrong(one)
        assert hop is not None
        cause = f" (usual cause: {hop.cause})" if hop.cause else ""
        lines.append(f"{one.check}, {hop.name}: {hop.says}{cause}")
    first = first_wrong(wrong[0])
    return CheckFailed(
        "; ".join(lines),
        where=f"mail flow of {wrong[0].domain}",
        fix=first.advice if first is not None else "",
    )


class CheckResource(Resource):
    """Base of the two. `evidence`: the proofs, as JSON; never a secret, so nothing secret is in them."""

    evidence: pulumi.Output[list[dict[str, Any]]]

    def __init__(
        self,
        provider: CheckProvider,
        name: str,
        props: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(provider, name, {**props, EVIDENCE: None}, opts)
