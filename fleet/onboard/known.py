"""What only people know about a new stack: from the command line, the letter, or whoever is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.raw_values import normal
from dynamic_providers import addresses, wording
from dynamic_providers.refusal import refuse
from fleet.onboard import given as given_options
from fleet.onboard.answers import Answers
from fleet.onboard.given import GatewayGiven, Given, Setting
from fleet.onboard.letter import Letter, is_cloud
from fleet.onboard.letter_gateways import LetterGateway

CLOUDS = {".partner.onmschina.cn": ("china",), ".onmicrosoft.us": ("gccHigh", "dod")}
"""Of tenants whose first domain ends so; all others are in the worldwide one, of which GCC is a part."""
_WORLDWIDE = ("worldwide",)


@dataclass(frozen=True)
class Known:
    """All of it, checked one by one; `settings` are those that were given by their paths."""

    customer: str
    environment: str
    stack: str
    tenant: str
    client_id: str
    cloud: str
    domains: tuple[str, ...]
    gateways: tuple[GatewayGiven, ...]
    gateway_name: str
    cluster: bool
    jump_host: str
    mx_hosts: tuple[str, ...]
    microsoft_mx: dict[str, str]
    host_keys: tuple[tuple[str, str], ...]
    settings: tuple[Setting, ...]


def known(given: Given, letter: Letter, answers: Answers, client_id: str) -> Known:
    """Everything that nobody can be asked but people. Raises Incomplete with all that is missing.

    `client_id`: of the environment. With `from_live` the domains, and the addresses of a single gateway, are
    read where they are.
    """
    customer = answers.value(given.customer, "--customer", "the customer's name", wording.plain_text)
    environment = answers.value(
        given.environment,
        "--environment",
        "which of the customer's environments, such as prod",
        wording.label,
    )
    tenant = answers.value(
        given.tenant,
        "--tenant",
        "the tenant's first domain, such as contoso.onmicrosoft.com",
        addresses.initial_domain,
    )
    client = answers.value(
        given.client_id or client_id,
        "--client-id",
        "the app registration's id in that tenant (application, client)",
        wording.guid,
    )
    domains = _domains(given, letter, answers)
    gateways = _gateways(given, letter, answers)
    stack = _stack(given, customer, environment, answers)
    cloud = _cloud(given, tenant or "", answers)
    options = _options(given, answers)
    answers.require()
    assert customer and environment and tenant and client and stack  # noqa: PT018 - what `require` has seen to
    clouds = [one for one in gateways if is_cloud(one.host)]
    return Known(
        customer=customer,
        environment=environment,
        stack=stack,
        tenant=tenant,
        client_id=client,
        cloud=cloud,
        domains=domains,
        gateways=gateways,
        gateway_name=given.gateway_name or _gateway_name(gateways[0].host, stack),
        cluster=bool(clouds) if given.cluster is None else given.cluster,
        jump_host=given.jump_host or (letter.jump_host if clouds else ""),
        mx_hosts=letter.mx_hosts,
        **options,
    )


def _stack(given: Given, customer: str | None, environment: str | None, answers: Answers) -> str | None:
    """The one that was given, else of both names; None where one of those is missing, and says so itself."""
    if not given.stack and not (customer and environment):
        return None
    parts = [given_options.slug(name or "") for name in (customer, environment)]
    made = "-".join(parts) if all(parts) else ""  # of a name in another script nothing is left
    question = "the stack's name, letters and digits such as contoso-prod"
    return answers.value(given.stack or made, "--stack", question, given_options.stack_name)


def _cloud(given: Given, tenant: str, answers: Answers) -> str:
    fitting = next((clouds for ending, clouds in CLOUDS.items() if tenant.endswith(ending)), _WORLDWIDE)

    def check(text: str) -> str:
        if text not in fitting:
            refuse(f"is not where such a tenant is: write {' or '.join(fitting)}")
        return text

    only = fitting[0] if len(fitting) == 1 else ""
    return answers.value(given.cloud or only, "--cloud", " or ".join(fitting), check) or ""


def _domains(given: Given, letter: Letter, answers: Answers) -> tuple[str, ...]:
    if given.from_live and not given.domains:
        return ()
    wanted = given.domains or letter.domains
    return tuple(
        dict.fromkeys(answers.values(wanted, "--domain", "a mail domain of the tenant", addresses.domain))
    )


def _gateway_name(host: str, stack: str) -> str:
    """A short name that stays when addresses change: Cisco's for the allocation, or a domain's."""
    labels = host.split(".")
    named = len(labels) > 2 and not labels[-1].isdigit()
    return labels[1] if named and normal(wording.label, labels[1]) else stack


def _options(given: Given, answers: Answers) -> dict[str, Any]:
    mx = [answers.checked(one, "--microsoft-mx", _mx_pair) for one in given.microsoft_mx]
    keys = [answers.checked(one, "--accept-host-key", given_options.host_key) for one in given.host_keys]
    settings = [answers.checked(one, "--set", given_options.setting) for one in given.settings]
    return {
        "microsoft_mx": dict(one for one in mx if one),
        "host_keys": tuple(one for one in keys if one),
        "settings": tuple(one for one in settings if one),
    }


def _mx_pair(text: str) -> tuple[str, str]:
    domain, host = given_options.pair(text)
    return addresses.domain(domain), addresses.microsoft_mx(host)


# --- gateways -----------------------------------------------------------------------------------------------


def _gateways(given: Given, letter: Letter, answers: Answers) -> tuple[GatewayGiven, ...]:
    """Those of the command line, with what the letter says of them; else those of the letter."""
    if given.gateways or not letter.gateways:
        question = "a gateway's host name, as SSH reaches it"
        named = answers.values(given.gateways, "--gateway", question, given_options.gateway)
        found = [_with_letter(one, at, named, letter) for at, one in enumerate(named)]
    else:
        found = [_of_letter(one, answers) for one in letter.gateways]
    alone = given.from_live and len(found) == 1
    return tuple(_with_addresses(one, answers, optional=alone) for one in found)


def _of_letter(one: LetterGateway, answers: Answers) -> GatewayGiven:
    what = f"the host name of the gateway with the addresses {one.data1 or '?'}, {one.data2 or '?'}"
    host = one.host or answers.value("", "--gateway", what, addresses.host) or ""
    return GatewayGiven(host, 22, one.data1, one.data2)


def _with_letter(one: GatewayGiven, at: int, named: tuple[GatewayGiven, ...], letter: Letter) -> GatewayGiven:
    """The letter's addresses: of the same host; where it names no hosts, of the same place in the list."""
    by_host = [each for each in letter.gateways if each.host == one.host]
    if not any(each.host for each in letter.gateways) and len(letter.gateways) == len(named):
        by_host = [letter.gateways[at]]
    said = by_host[0] if by_host else LetterGateway()
    return GatewayGiven(one.host, one.port, one.data1 or said.data1, one.data2 or said.data2)


def _with_addresses(one: GatewayGiven, answers: Answers, *, optional: bool) -> GatewayGiven:
    host = answers.checked(one.host, "--gateway", addresses.host) if one.host else ""
    if optional and not (one.data1 or one.data2):
        return GatewayGiven(host or "", one.port)
    if not answers.can_ask and not (one.data1 and one.data2):
        lacking = " and ".join(name for name in ("data1", "data2") if not getattr(one, name))
        answers.missing(f"--gateway {one.host}=DATA1,DATA2", f"{_ADDRESSES} ({lacking} is not in the letter)")
        return one
    data1, data2 = (
        answers.value(
            address,
            f"--gateway {one.host}",
            f"{one.host}: the address of its interface Data {number}",
            addresses.sender_address,
        )
        for number, address in ((1, one.data1), (2, one.data2))
    )
    return GatewayGiven(host or "", one.port, data1 or "", data2 or "")


_ADDRESSES = "the addresses of its interfaces Data 1 and Data 2, as the internet sees them"
