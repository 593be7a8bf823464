"""What stands before changes that would stop mail: the guard, and the sentinel that holds `destroy`."""

from collections.abc import Sequence
from typing import Any

import pulumi

from components import rule_scopes
from components.sections import distinct
from components.settings import Settings
from dynamic_providers.safety.guard import Guard
from dynamic_providers.safety.sentinel import Sentinel


def guard(settings: Settings, opts: pulumi.ResourceOptions) -> Guard:
    """Told everything of the settings that mail hangs on."""
    return Guard("guard", _facts(settings), opts)


def sentinel(settings: Settings, everything: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions) -> None:
    """Protected while mail flows. What depends on everything is freed last, and asked first by `destroy`.

    Measured: the engine looks at `protect` only when a resource's turn has come, so what it does not depend
    on may be gone by then.
    """
    last = pulumi.ResourceOptions(protect=mail_flows(settings), depends_on=list(everything))
    Sentinel(pulumi.ResourceOptions.merge(opts, last))


def mail_flows(settings: Settings) -> bool:
    """Whether the settings lead any mail over the gateway."""
    at_the_gateway = any(one.mx == "gateway" for one in settings.domains.values())
    return at_the_gateway or settings.outbound.state != "none"


def _facts(settings: Settings) -> dict[str, Any]:
    members = settings.gateway.members
    return {
        "tenant": settings.tenant.initial_domain,
        "domains": {
            name: {"mx": one.mx, "subdomains": one.subdomains} for name, one in settings.domains.items()
        },
        "mxHosts": [one.host for one in settings.inbound.mx_hosts or ()],
        "inboundAddresses": list(distinct(one.data1 for one in members)),
        "outboundAddresses": list(distinct(one.data2 for one in members)),
        "outbound": settings.outbound.state,
        "smartHosts": list(settings.outbound.smart_hosts or ()),
        "tls": settings.outbound.tls_settings,
        "tlsDomain": settings.outbound.tls_domain,
        "places": _places(settings),
        "scopes": rule_scopes.as_facts(settings),
        "acknowledged": [{"what": one.what, "until": one.until.isoformat()} for one in settings.acknowledge],
    }


def _places(settings: Settings) -> dict[str, str]:
    """What is taken away and made anew when it changes; a shared gateway's policy is its own stack's."""
    gateway, names = settings.gateway, settings.names
    places = {
        "tenant.initialDomain": settings.tenant.initial_domain,
        "gateway.name": gateway.name,
        "gateway.inboundListener": gateway.inbound_listener,
        "gateway.outboundListener": gateway.outbound_listener,
        "names.inboundConnector": names.inbound_connector,
        "names.outboundConnector": names.outbound_connector,
        "names.senderGroup": names.sender_group,
        "names.filter": names.filter,
        "names.outboundRule": names.outbound_rule,
    }
    return places if gateway.shared else {**places, "names.mailFlowPolicy": names.mail_flow_policy}
