"""The guard: refuses, in the preview already, a plan that would stop mail, unless it is acknowledged.

Everything depends on it but the way back (`mx: microsoft`, `outbound: none`, `lockdown: open`), which it
never refuses. It compares the facts of this run with those of the last one, and looks where these do not say
whether mail flows. An acknowledgement allows one run: the guard remembers it, in its inputs, until its day
has passed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pulumi
from pulumi.dynamic import CheckResult, Resource
from pydantic import Field

from dynamic_providers import report
from dynamic_providers.entries import Props, plain
from dynamic_providers.errors import clean_errors
from dynamic_providers.field_types import (
    CertificateName,
    Domain,
    Flag,
    HostName,
    InitialDomain,
    PlainText,
    SenderAddress,
    SmartHost,
)
from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model
from dynamic_providers.safety.acknowledgements import Ledger
from dynamic_providers.safety.dangers import dangers

USED = "used"  # an input that the provider itself adds: {what, until, on} of each that was used up

# --- model --------------------------------------------------------------------------------------------------


class DomainFact(Model):
    """What the settings say of a domain."""

    mx: Literal["leave", "microsoft", "gateway"]
    subdomains: Flag = False


class Acknowledged(Model):
    """What was acknowledged, and the last day on which that counts, 2026-10-01."""

    what: PlainText
    until: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")


class GuardInputs(Model):
    """The plan's facts: what the settings say that mail hangs on. `tls`: what is asked of certificates.

    `places`: setting → value, of what is taken away and made anew when it changes; `scopes`: rule → condition
    → values. The addresses are those of the gateways, for mail from and to the internet.
    """

    tenant: InitialDomain
    domains: dict[Domain, DomainFact]
    mx_hosts: tuple[HostName, ...] = ()
    inbound_addresses: tuple[SenderAddress, ...] = ()
    outbound_addresses: tuple[SenderAddress, ...] = ()
    outbound: Literal["none", "pilot", "all"] = "none"
    smart_hosts: tuple[SmartHost, ...] = ()
    tls: Literal["CertificateValidation", "DomainValidation"] | None = None
    tls_domain: CertificateName | None = None
    places: dict[str, PlainText] = Field(default_factory=dict)
    scopes: dict[str, dict[str, tuple[PlainText, ...]]] = Field(default_factory=dict)
    acknowledged: tuple[Acknowledged, ...] = ()


# --- provider -----------------------------------------------------------------------------------------------


class GuardProvider(LookingProvider):
    """Never replaced, whatever changes: all that depends on it would have to go first."""

    model = GuardInputs
    identity = ()
    free = frozenset({"acknowledged", USED})

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """As for all that look; what this run is allowed to do is used up by it."""
        found = super().check(_olds, news)
        if found.failures:
            return found
        inputs, olds = found.inputs, plain(_olds)
        used = _ledger(inputs, olds).after(danger.what for danger in dangers(olds, inputs))
        return CheckResult({**inputs, USED: used}, [])

    def refusals(self, inputs: Props, olds: Props) -> Iterable[str]:
        ledger = _ledger(inputs, olds)
        refused: dict[str, str] = {}
        for danger in dangers(olds, inputs):
            reason = danger.reason()
            if not reason:
                continue
            if ledger.allowing(danger.what):
                report.warning(f"acknowledged, this once: {reason}")
            else:
                refused[danger.what] = _with_reason(reason, ledger.why_not(danger.what))
        if not refused:
            return []
        allow = f"If you want that all the same, this once, put into the stack file: {ledger.line(refused)}"
        return [*refused.values(), allow]


def _ledger(inputs: Props, olds: Props) -> Ledger:
    return Ledger(inputs["acknowledged"], olds.get(USED, []))


def _with_reason(reason: str, why_not: str) -> str:
    return f"{reason}. Note that {why_not}" if why_not else reason


# --- resource -----------------------------------------------------------------------------------------------


class Guard(Resource, module="safety", name="Guard"):
    """Stands before everything but the way back; its inputs are GuardInputs."""

    def __init__(
        self, name: str, facts: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(GuardProvider(), name, dict(facts), opts)
