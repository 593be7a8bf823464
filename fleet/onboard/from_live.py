"""`--from-live`: an estate that was set up by hand, read into settings whose first `up` changes nothing.

What is found keeps its name. What no setting can express stays as it is, too: the first preview shows it, and
writes over it only where `takeOver` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from components.raw_values import normal
from components.sections import NameSettings
from dynamic_providers import addresses, connections, wording
from dynamic_providers.connections import Member
from dynamic_providers.entries import Props
from dynamic_providers.errors import ManagedError, register_secret
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import exchange
from dynamic_providers.exchange.rule_order import state_of
from fleet.onboard import compose, live_gateway, live_tenant
from fleet.onboard.found import STAND_IN, Found
from fleet.onboard.known import Known
from fleet.onboard.live_gateway import LiveGateway
from fleet.onboard.live_tenant import LiveTenant
from fleet.words import many


class NothingThere(ManagedError):
    """There is not enough to read a stack file from."""


@dataclass(frozen=True)
class Live:
    """What is there. `notes`: what of it somebody should look at."""

    gateway: LiveGateway
    tenant: LiveTenant
    found: Found
    domains: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    notes: tuple[str, ...] = field(default=())


def look(known: Known, found: Found) -> Live:
    """Read both sides. Raises the drivers' errors, and NothingThere."""
    parts = {"gateway": found.gateway, "tenant": found.tenant, "endpoints": found.endpoints}
    texts = {name: one.model_dump_json(by_alias=True, exclude_none=True) for name, one in parts.items()}
    connections.set_arguments({**texts, "stack": known.stack})
    said = [
        one for member in found.gateway.members for one in (member.data1, member.data2) if one != STAND_IN
    ]
    tenant = live_tenant.read(exchange(), said)
    listeners = (found.inbound_listener, found.outbound_listener)
    gateway = live_gateway.read(found.gateway.name, *listeners, {*tenant.domains, *known.domains})
    domains, left_out = _domains(known, gateway, tenant)
    names, unnamed = _names(gateway, tenant)
    secret, about_it = _secret(gateway, tenant)
    members = tuple(_with_addresses(one, tenant) for one in found.gateway.members)
    found = replace(found, gateway=found.gateway.model_copy(update={"members": members}))
    return Live(gateway, tenant, found, domains, names, secret, (*left_out, *unnamed, *about_it))


def composed(known: Known, live: Live, mx: Mapping[str, str]) -> Props:
    """The settings that say what is there. `mx`: the Microsoft MX of domains without a route to it."""
    found = live.found
    values: Props = {
        **compose.common(known, found.tenant, found.gateway, found.inbound_listener, found.outbound_listener),
        "domains": {name: _domain(live.gateway, name, mx) for name in live.domains},
        "inbound": _inbound(known, live),
        "outbound": _outbound(live),
    }
    if live.names:
        values["names"] = dict(live.names)
    if _is_shut(live.tenant) and known.mx_hosts:
        values["lockdown"] = "closed"
    return compose.with_settings(values, known)


# --- what is there ------------------------------------------------------------------------------------------


def _domains(known: Known, gateway: LiveGateway, tenant: LiveTenant) -> tuple[tuple[str, ...], list[str]]:
    """Those that were named; else all of the tenant's that run through the gateway."""
    if known.domains:
        return known.domains, []
    through = [one for one in tenant.domains if gateway.takes(one) and gateway.leads_to_microsoft(one)]
    half = [
        one for one in tenant.domains if (gateway.takes(one) or one in gateway.routes) and one not in through
    ]
    if not through:
        raise NothingThere(
            "no domain of the tenant is in the gateway's recipient access table and has a route to Microsoft",
            where=known.gateway_name,
            fix="name the domains with --domain, or leave --from-live out to set them up",
        )
    notes = [
        f"{one} has a recipient access entry or a route, not both leading to Microsoft 365: left out; to"
        f" have it in the stack, add --domain {one}"
        for one in half
    ]
    return tuple(through), notes


def _secret(gateway: LiveGateway, tenant: LiveTenant) -> tuple[str, list[str]]:
    """The header's value that the rule sets; without a rule, the only one that the filter takes."""
    stamped = str((tenant.outbound_rule or {}).get("SetHeaderValue") or "")
    alone = gateway.secrets[0] if len(gateway.secrets) == 1 else ""
    secret = stamped or alone
    register_secret(secret)
    if secret and normal(wording.header_value, secret) is None:
        return "", [_UNUSABLE]
    others = len([one for one in gateway.secrets if one != secret])
    if others:
        return secret, [f"the filter «{gateway.filter}» takes {many(others, 'other header value')}{_OTHERS}"]
    return secret, []


_UNUSABLE = (
    "the header's value is none that a stack can hold (8 to 128 letters and digits): outbound mail is left"
    " out. Give rule and filter another value first, then run this again"
)
_OTHERS = (
    ", which will stay: of another tenant (then set gateway.shared), or old ones (then list them in"
    " outbound.previousSecrets)"
)


def _with_addresses(member: Member, tenant: LiveTenant) -> Member:
    """A single gateway's addresses where nobody said them: what it delivers from, and the smart host."""
    if STAND_IN not in (member.data1, member.data2):
        return member
    out = [one for one in tenant.smart_hosts if normal(addresses.sender_address, one)]
    into = [one for one in tenant.spared if one not in out]
    if len(out) != 1 or len(into) > 1:
        raise NothingThere(
            "which addresses the gateway has is not to be seen in the tenant",
            where=member.host,
            fix=f"give them: --gateway {member.host}=DATA1,DATA2",
        )
    return member.model_copy(update={"data1": (into or out)[0], "data2": out[0]})


# --- sections -----------------------------------------------------------------------------------------------


def _domain(gateway: LiveGateway, name: str, mx: Mapping[str, str]) -> Props:
    below = {"subdomains": True} if gateway.covers_subdomains(name) else {}
    return {"microsoftMx": gateway.leads_to_microsoft(name) or mx[name], "mx": "leave", **below}


def _inbound(known: Known, live: Live) -> Props:
    tenant = live.tenant
    interfaces = [one for member in live.found.gateway.members for one in (member.data1, member.data2)]
    spared = _usable(tenant.spared)
    more = [one for one in _usable(tenant.let_in) if one not in spared]
    own = {} if not spared or forms.addresses(interfaces) == spared else {"senderAddresses": spared}
    hosts = [{"host": host, "preference": 10} for host in known.mx_hosts]
    throttle = live.gateway.throttle(live.domains) or {"connections": 10, "messagesPerConnection": 20}
    return {
        **({"mxHosts": hosts} if hosts else {}),
        "throttle": throttle,
        **own,
        **({"allowedSenders": more} if more and tenant.inbound_rule else {}),
    }


def _outbound(live: Live) -> Props:
    """Outbound mail as far as it goes through the gateway; switched off where no rule leads there."""
    rule, hosts = live.tenant.outbound_rule, _smart_hosts(live.tenant)
    if not live.secret or not hosts:
        return {"state": "none", "ciphers": "check"}
    section: Props = {"state": "none", "smartHosts": hosts, "ciphers": "check"}
    if rule is None or state_of(rule) != "Enabled":
        return section
    groups = forms.words(rule.get("FromMemberOf")) or []
    kept = [
        one
        for one in forms.words(rule.get("ExceptIfRecipientDomainIs")) or []
        if normal(addresses.domain, one)
    ]
    pilot = {"pilotGroup": groups[0]} if len(groups) == 1 else {}
    return {
        **section,
        "state": "pilot" if pilot else "all",
        **pilot,
        **({"except": {"recipientDomains": kept}} if kept else {}),
    }


def _names(gateway: LiveGateway, tenant: LiveTenant) -> tuple[dict[str, str], list[str]]:
    """Names that are not the guide's; what has one that no setting can hold is noted, and is not ours."""
    found = {
        "inboundConnector": _name(tenant.inbound_connector),
        "outboundConnector": _name(tenant.outbound_connector),
        "inboundRule": _name(tenant.inbound_rule),
        "outboundRule": _name(tenant.outbound_rule),
        "senderGroup": gateway.group,
        "mailFlowPolicy": gateway.policy,
        "filter": gateway.filter,
    }
    usual = NameSettings().model_dump(by_alias=True)
    others = {key: name for key, name in found.items() if name and name != usual[key]}
    right = {
        key: name for key, name in others.items() if normal(_CHECKS.get(key, wording.exchange_name), name)
    }
    wrong = [f"«{name}» has a name that no stack can hold (names.{key})" for key, name in others.items()]
    return right, [note for note, key in zip(wrong, others, strict=True) if key not in right]


_CHECKS = {
    "senderGroup": wording.group_name,
    "mailFlowPolicy": wording.policy_name,
    "filter": wording.filter_name,
}


def _is_shut(tenant: LiveTenant) -> bool:
    connector = tenant.inbound_connector or {}
    return connector.get("RestrictDomainsToIPAddresses") is True and tenant.rejects_direct_send


def _smart_hosts(tenant: LiveTenant) -> list[str]:
    return [one for one in tenant.smart_hosts if normal(addresses.smart_host, one)]


def _usable(found: Sequence[str]) -> list[str]:
    return [one for one in found if normal(addresses.sender_address, one)]


def _name(row: Row | None) -> str:
    value: Any = (row or {}).get("Name")
    return str(value or "")
