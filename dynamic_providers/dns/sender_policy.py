"""May the gateways send for the domains? Looked at before outbound mail goes through them, in the preview.

With the gateway sending, a record that ends `include:spf.protection.outlook.com -all` fails everywhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pydantic import Field

from dynamic_providers import connections, report
from dynamic_providers.clouds import CLOUDS
from dynamic_providers.dns.connection import dns_connection
from dynamic_providers.dns.dmarc import NO_DMARC, Dmarc, dkim_selectors, dmarc
from dynamic_providers.dns.resolver import Answer, Kind, RememberingResolver, Resolver
from dynamic_providers.dns.spf import SpfResult, check_host
from dynamic_providers.dns.spf_record import is_spf
from dynamic_providers.dns.spf_text import SpfTerm, added
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.entries import Props
from dynamic_providers.errors import ManagedError
from dynamic_providers.field_types import Domain, HostName, Label, SenderAddress
from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation, State
from dynamic_providers.observing import Observable

_AT_ONCE = 8


class SenderPolicyFails(ManagedError):
    """Receivers would refuse what the gateway sends."""


# --- model --------------------------------------------------------------------------------------------------


class SenderPolicyInputs(Model):
    """Which domains send through which gateway, and from which addresses it delivers.

    `acknowledged` domains are only warned of. `allocation`: of a cloud gateway, such as hc1234-56.iphmx.com,
    under which Cisco publishes its addresses. `kept`: terms that are put into the records before mail leaves;
    the preview judges by what the records are going to be.
    """

    gateway: Label
    domains: tuple[Domain, ...] = Field(min_length=1)
    addresses: tuple[SenderAddress, ...] = Field(min_length=1)
    acknowledged: tuple[Domain, ...] = ()
    allocation: HostName | None = None
    kept: tuple[SpfTerm, ...] | None = None


# --- looking ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Policy:
    """What receivers read for a domain: SPF for each address, DMARC, DKIM."""

    domain: str
    record: str = ""
    results: dict[str, SpfResult] = field(default_factory=dict)
    dmarc: Dmarc = NO_DMARC
    selectors: tuple[str, ...] = ()
    failed: str = ""  # why it could not be looked up

    def refused(self) -> dict[str, SpfResult]:
        """The addresses that do not pass, with what they get."""
        return {one: result for one, result in self.results.items() if result.verdict != "pass"}


def look(resolver: Resolver, domain: str, addresses: Iterable[str]) -> Policy:
    """Everything that receivers read for a domain; a failed look-up is told in the Policy."""
    try:
        results = {one: check_host(resolver, one, domain) for one in _each(addresses)}
        record = next((one.record for one in results.values() if one.record), "")
        return Policy(domain, record, results, dmarc(resolver, domain), dkim_selectors(resolver, domain))
    except LookUpFailed as error:
        return Policy(domain, failed=str(error))


def _each(addresses: Iterable[str]) -> Iterable[str]:
    """Every address, also of networks: each may be what the gateway delivers from."""
    for one in addresses:
        yield from (str(address) for address in ipaddress.ip_network(one))


# --- wording ------------------------------------------------------------------------------------------------


def refusal(policy: Policy, addresses: Iterable[str], allocation: str | None) -> str:
    """Why outbound mail of this domain must not go through the gateway yet; empty where it may."""
    if policy.failed:
        return f"{policy.domain}: whether the gateway may send for it (SPF) is unknown: {policy.failed}"
    refused = policy.refused()
    if not refused:
        return ""
    record = f"its record is «{policy.record}»" if policy.record else "it has no SPF record"
    return (
        f"{policy.domain}: receivers will refuse or distrust what the gateway sends for it: SPF gives "
        f"{_grouped(refused)}; {record}. {_advice(policy, addresses, allocation)}; or, if the receivers are "
        f"known not to mind, acknowledge «spf {policy.domain}»"
    )


def warnings(policy: Policy) -> Iterable[str]:
    """What is no reason to refuse, and worth knowing."""
    if policy.dmarc.is_strict and not policy.selectors:
        yield (
            f"{policy.domain}: DMARC says p={policy.dmarc.policy} (at _dmarc.{policy.dmarc.at}), and no DKIM "
            "key of Microsoft is published (selector1._domainkey, selector2._domainkey): mail then hangs on "
            "SPF alone, and forwarded mail is refused. Switch DKIM on for it in the Microsoft Defender portal"
        )
    if policy.record and not _may_include_microsoft(policy.record):
        yield (
            f"{policy.domain}: its SPF record does not include Microsoft ({microsoft_include()}): keep "
            "that, since auto-forwards, journals and some reports still leave Microsoft 365 directly"
        )
    if any(one.because == "«+all»" for one in policy.results.values() if one.verdict == "pass"):
        yield f"{policy.domain}: its SPF record ends in +all, so anybody may send for it"


def no_dmarc(policy: Policy) -> str:
    """What is worth knowing of a domain without DMARC, once; empty where it has a policy."""
    if policy.failed or policy.dmarc.policy:
        return ""
    return (
        f"{policy.domain}: has no DMARC policy (at _dmarc.{policy.domain}), so nobody tells receivers what "
        "to do with mail that is forged in its name: publish one, with p=none and an address for reports to "
        "begin with"
    )


def microsoft_include() -> str:
    """What SPF records include for Microsoft 365, in the cloud of this process's tenant."""
    given = connections.section("tenant")
    return CLOUDS[connections.tenant_connection().cloud if given else "worldwide"].spf


def _grouped(refused: Mapping[str, SpfResult]) -> str:
    groups: dict[tuple[str, str], list[str]] = {}
    for address, result in refused.items():
        groups.setdefault((result.verdict, result.because), []).append(address)
    return "; ".join(
        f"{verdict} for {', '.join(found[:3])}{f' and {len(found) - 3} more' if len(found) > 3 else ''}"
        f" ({because})"
        for (verdict, because), found in groups.items()
    )


def _advice(policy: Policy, addresses: Iterable[str], allocation: str | None) -> str:
    failing = policy.refused()
    if allocation:
        terms = f"exists:%{{i}}.spf.{allocation}"
    else:
        terms = " ".join(f"ip4:{one}" for one in addresses if failing.keys() & set(_each([one])))
    if not policy.record:
        return f"Publish a TXT record «v=spf1 include:{microsoft_include()} {terms} -all»"
    if any(one.verdict == "permerror" for one in failing.values()):
        return f"Repair the record, and add «{terms}» before its «all» (ip4 costs no look-up)"
    where = "before its «redirect»" if "redirect=" in policy.record.lower() else "before its «all»"
    return f"Add «{terms}» {where}, and keep Microsoft's include"


def _may_include_microsoft(record: str) -> bool:
    """Whether Microsoft is named, or others are who may name it."""
    terms = record.lower().split()
    return any(term.lstrip("+?~-").startswith(("include:", "redirect=")) for term in terms)


# --- provider -----------------------------------------------------------------------------------------------


class SenderPolicyProvider(LookingProvider):
    """Refuses new domains and addresses that would fail; what fails later, is warned of."""

    model = SenderPolicyInputs
    identity = ("gateway",)
    outputs = ("results",)
    free = frozenset({"allocation"})

    def refusals(self, inputs: Props, olds: Props) -> list[str]:
        policies = _look_at(inputs, inputs.get("kept") or ())
        _warn(policies)
        for line in () if olds else filter(None, map(no_dmarc, policies)):
            report.warning(line)
        lines = _refusals(inputs, policies)
        known = olds and self.asked(olds) == self.asked(inputs)
        # What is in force already would not get better by refusing every other change of this stack.
        mild = {domain for domain in lines if known or domain in inputs["acknowledged"]}
        for domain in sorted(mild):
            report.warning(lines[domain])
        return [line for domain, line in lines.items() if domain not in mild]

    def seen(self, inputs: Props) -> Iterable[Observation]:
        where, acknowledged = str(inputs["gateway"]), inputs["acknowledged"]
        for domain, line in _refusals(inputs, _look_at(inputs, inputs.get("kept") or ())).items():
            state: State = "noted" if domain in acknowledged else "in the way"
            yield Observation(where, f"SPF of {domain}", "", state, line.removeprefix(f"{domain}: "))

    def look(self, inputs: Props, olds: Props) -> Props:
        policies = _look_at(inputs)
        lines = _refusals(inputs, policies)
        refused = [line for domain, line in lines.items() if domain not in inputs["acknowledged"]]
        if refused:
            raise SenderPolicyFails("; ".join(refused), where="sender policy")
        return {"results": _results(policies)}

    def again(self, state: Props) -> Props:
        policies = _look_at(state)
        for line in _refusals(state, policies).values():
            report.warning(line)
        return {**state, "results": _results(policies)}


class _WithTerms(Resolver):
    """The world as it is going to be: with terms in the SPF records of some domains."""

    def __init__(self, world: Resolver, domains: Collection[str], terms: Sequence[str]) -> None:
        super().__init__(world.servers)
        self._world, self._domains, self._terms = world, {*domains}, terms

    def ask(self, name: str, kind: Kind) -> Answer:
        return self._world.ask(name, kind)

    def texts(self, name: str) -> tuple[str, ...]:
        found = self._world.texts(name)
        if name not in self._domains:
            return found
        return tuple("".join(added((one,), self._terms)) if is_spf(one) else one for one in found)


def _look_at(props: Props, kept: Sequence[str] = ()) -> list[Policy]:
    """What receivers read, once `kept` are in the records."""
    world = RememberingResolver(dns_connection().resolvers)
    resolver = _WithTerms(world, props["domains"], kept) if kept else world
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda domain: look(resolver, domain, props["addresses"]), props["domains"]))


def _refusals(props: Props, policies: Iterable[Policy]) -> dict[str, str]:
    lines = {one.domain: refusal(one, props["addresses"], props.get("allocation")) for one in policies}
    return {domain: line for domain, line in lines.items() if line}


def _warn(policies: Iterable[Policy]) -> None:
    for policy in policies:
        for line in warnings(policy):
            report.warning(line)


def _results(policies: Iterable[Policy]) -> dict[str, dict[str, Any]]:
    return {
        one.domain: {
            "spf": one.failed or _grouped(one.refused()) or "pass",
            "record": one.record,
            "dmarc": one.dmarc.policy or "none",
            "dkim": list(one.selectors),
        }
        for one in policies
    }


# --- resource -----------------------------------------------------------------------------------------------


class SenderPolicy(Observable, module="dns", name="SenderPolicy"):
    """SPF, DMARC and DKIM of the sending domains. Output: `results`, by domain."""

    results: pulumi.Output[dict[str, dict[str, Any]]]

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {key: value for key, value in props.items() if value is not None}
        super().__init__(SenderPolicyProvider(), name, {**given, "results": None}, opts)
