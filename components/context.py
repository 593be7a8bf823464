"""What every resource of a stack is given: settings, a provider process, and what was there before us."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.providers import Providers
from components.settings import Settings
from dynamic_providers.exchange import snapshot as tenant
from dynamic_providers.exchange.snapshot import ExchangeSnapshot
from dynamic_providers.gateway.snapshot import PROVIDERS as GATEWAY_TABLES
from dynamic_providers.gateway.snapshot import GatewaySnapshot

HEADER = "X-OUTBOUND-AUTH"
_KINDS = {
    "inboundConnector": tenant.INBOUND_CONNECTOR,
    "outboundConnector": tenant.OUTBOUND_CONNECTOR,
    "inboundRule": tenant.TRANSPORT_RULE,
    "outboundRule": tenant.TRANSPORT_RULE,
}


class Context:
    """Shared by the inbound and the outbound part. A resource goes by its key in the setting `takeOver`."""

    def __init__(self, settings: Settings, parent: pulumi.Resource) -> None:
        self.settings = settings
        self._providers = Providers.of(settings, parent)
        self._gateway_before = self._record_gateway(parent)
        self._tenant_before = self._record_tenant(parent)

    def gateway_inputs(self, key: str) -> dict[str, Any]:
        """Inputs of all resources of the gateway: where, what was there before, what may be taken over."""
        place = {"gateway": self.settings.gateway.name, **self._places[key]}
        return {
            **place,
            "before": self._gateway_before.before(GATEWAY_TABLES[key].kind(place)),
            "takeOver": self.settings.may_take_over(key) or None,
            "change": self._change or None,
        }

    def tenant_inputs(self, key: str) -> dict[str, Any]:
        """Arguments that all objects of the tenant have, likewise."""
        arguments = {
            "tenant": self.settings.tenant.initial_domain,
            "name": self._tenant_names[key],
            "before": self._tenant_before.before(_KINDS[key]),
            "take_over": self.settings.may_take_over(key),
            "change": self._change,
        }
        return {**arguments, "take_over_key": key} if _KINDS[key] == tenant.TRANSPORT_RULE else arguments

    def on_gateway(self, parent: pulumi.Resource) -> pulumi.ResourceOptions:
        """Run in the gateway's process."""
        return pulumi.ResourceOptions(parent=parent, provider=self._providers.gateway)

    def on_exchange(
        self, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
    ) -> pulumi.ResourceOptions:
        """Run in Exchange's process."""
        return pulumi.ResourceOptions(
            parent=parent, provider=self._providers.exchange, depends_on=list(depends_on)
        )

    @property
    def _change(self) -> dict[str, str]:
        change: dict[str, str] = self.settings.change.model_dump(exclude_none=True, by_alias=True)
        return change

    @property
    def _places(self) -> Mapping[str, Mapping[str, str]]:
        """Where on the gateway each of its resources lies."""
        gateway, names = self.settings.gateway, self.settings.names
        outbound = {"listener": gateway.outbound_listener}
        return {
            "destinationControls": {},
            "recipientAccess": {"listener": gateway.inbound_listener},
            "smtpRoutes": {},
            "senderGroup": {**outbound, "name": names.sender_group},
            "mailFlowPolicy": {**outbound, "name": names.mail_flow_policy},
            "filter": {"name": names.filter, "group": names.sender_group, "header": HEADER},
            "ciphers": {},
        }

    @property
    def _tenant_names(self) -> Mapping[str, str]:
        names = self.settings.names
        return {key: str(getattr(names, _snake(key))) for key in _KINDS}

    def _record_gateway(self, parent: pulumi.Resource) -> GatewaySnapshot:
        settings, domains = self.settings, list(self.settings.table_entries)
        keys = {
            **dict.fromkeys(("destinationControls", "recipientAccess", "smtpRoutes"), domains),
            "senderGroup": [settings.names.sender_group],
            "mailFlowPolicy": [settings.names.mail_flow_policy],
            "filter": list(settings.outbound.accepted_secrets()),
            "ciphers": [settings.gateway.name] if settings.outbound.ciphers == "set" else [],
        }
        place = {"gateway": settings.gateway.name}
        places = self._places
        kinds = {GATEWAY_TABLES[key].kind({**place, **places[key]}): names for key, names in keys.items()}
        return GatewaySnapshot("gateway-before", {**place, "keys": kinds}, self.on_gateway(parent))

    def _record_tenant(self, parent: pulumi.Resource) -> ExchangeSnapshot:
        names = self.settings.names
        return ExchangeSnapshot(
            "tenant-before",
            tenant=self.settings.tenant.initial_domain,
            inbound_connectors=[names.inbound_connector],
            outbound_connectors=[names.outbound_connector],
            transport_rules=[names.inbound_rule, names.outbound_rule],
            domains=sorted(self.settings.domains),
            opts=self.on_exchange(parent),
        )


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
