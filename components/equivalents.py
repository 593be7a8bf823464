"""What is looked for beside ours: others' objects that were set up by hand before, under other names."""

from typing import Any

from components.settings import Settings, StackSettings
from dynamic_providers.mailflow.mailflow_settings import HEADER, PROBE_RULE

Parts = dict[str, dict[str, Any]]


def of_relay(stack: StackSettings) -> Parts:
    """The sender group, which a shared gateway's own stack makes, or a tenant's where it is not shared."""
    listener = stack.gateway.outbound_listener
    return {"senderGroup": {"listener": listener, "name": stack.names.sender_group}}


def of_gateway(settings: Settings) -> Parts:
    """What a tenant's stack sets up on the gateway, as far as others' objects may do the same."""
    parts: Parts = {"delivery": delivery(settings)}
    if not settings.outbound.smart_hosts:
        return parts
    names = settings.names
    parts["filter"] = {"name": names.filter, "group": names.sender_group, "header": HEADER}
    return parts if settings.gateway.shared else {**parts, **of_relay(settings)}


def of_tenant(settings: Settings) -> dict[str, Any]:
    """What a stack sets up in the tenant, likewise; outbound mail's rule too while it is switched off."""
    names, outbound = settings.names, settings.outbound
    sparing = settings.inbound.spam_bypass
    inbound = {
        "connector": names.inbound_connector,
        "rule": names.inbound_rule,
        "addresses": list(settings.sender_addresses),
        **({} if sparing == "sclRule" else {"filtered": True}),
    }
    ours = [names.inbound_rule] if sparing == "sclRule" else []
    beside = {
        "inbound": inbound,
        "domains": sorted(settings.domains),
        "rules": [*ours, names.outbound_rule, PROBE_RULE],
        "exceptDomains": list(outbound.exceptions.recipient_domains) if outbound.exceptions else [],
    }
    if not outbound.smart_hosts:
        return beside
    way_out = {"connector": names.outbound_connector, "rule": names.outbound_rule, "header": HEADER}
    return {**beside, "outbound": {**way_out, "smartHosts": list(outbound.smart_hosts)}}


def delivery(settings: Settings) -> dict[str, Any]:
    """The addresses of the members' interfaces, and those that Microsoft gets to know."""
    members = settings.gateway.members
    interfaces = {"data 1": [one.data1 for one in members], "data 2": [one.data2 for one in members]}
    return {"interfaces": interfaces, "addresses": list(settings.sender_addresses)}
