"""All types of resources there are, with what each does to mail where it drifts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynamic_providers.comparing import ComparingProvider
from dynamic_providers.dns.mx_records import MxRecordsProvider
from dynamic_providers.dns.spf_terms import SpfTermsProvider
from dynamic_providers.exchange.connection_filter import ConnectionFilterProvider
from dynamic_providers.exchange.inbound_connector import InboundConnectorProvider
from dynamic_providers.exchange.lock_down import LockDownProvider
from dynamic_providers.exchange.outbound_connector import OutboundConnectorProvider
from dynamic_providers.exchange.transport_rule import TransportRuleProvider
from dynamic_providers.gateway.snapshot import PROVIDERS as GATEWAY_TABLES
from fleet.effects import gateway, tenant, world
from fleet.effects.severity import Thing, treatment, whatever

RULE = "exchange:TransportRule"
THINGS: Mapping[str, Thing] = {**gateway.THINGS, **tenant.THINGS, **world.THINGS}
RULES = (tenant.INBOUND_RULE, tenant.OUTBOUND_RULE)
_NO_THING = Thing(itself=whatever(treatment("it is not known what this does to mail")))


def kind_of(provider: type) -> str:
    """The type of the resource that a provider makes, such as `gateway:SmtpRoutes`."""
    room = provider.__module__.split(".")[1]
    return f"{room}:{provider.__name__.removesuffix('Provider')}"


_COMPARED: tuple[type[ComparingProvider], ...] = (
    *GATEWAY_TABLES.values(),
    TransportRuleProvider,
    InboundConnectorProvider,
    OutboundConnectorProvider,
    LockDownProvider,
    ConnectionFilterProvider,
    MxRecordsProvider,
    SpfTermsProvider,
)
COMPARED: Mapping[str, type[ComparingProvider]] = {kind_of(one): one for one in _COMPARED}
"""What is compared attribute by attribute, and by what."""


def thing(kind: str, inputs: Mapping[str, Any]) -> Thing:
    """What a resource does to mail. A rule is known by what it is to do: lead mail to a connector, or not."""
    if kind == RULE:
        return RULES["routeMessageOutboundConnector" in inputs]
    return THINGS.get(kind, _NO_THING)
