"""What every resource of a stack is given: settings, a provider process, and what was there before us."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import pulumi

from components import equivalents, safety
from components.contradictions import TABLES
from components.equivalents import Parts
from components.providers import GatewayProviders, Providers
from components.settings import Settings, StackSettings
from dynamic_providers.dns.snapshot import DnsSnapshot
from dynamic_providers.entries import Entries
from dynamic_providers.exchange import snapshot as tenant
from dynamic_providers.exchange.equivalents import ExchangeEquivalents
from dynamic_providers.exchange.snapshot import ExchangeSnapshot
from dynamic_providers.gateway.equivalents import GatewayEquivalents
from dynamic_providers.gateway.snapshot import PROVIDERS as GATEWAY_TABLES
from dynamic_providers.gateway.snapshot import GatewaySnapshot
from dynamic_providers.observation import ONLY_LOOKS
from dynamic_providers.observing import Observing

HEADER = "X-OUTBOUND-AUTH"
_KINDS = {
    "inboundConnector": tenant.INBOUND_CONNECTOR,
    "outboundConnector": tenant.OUTBOUND_CONNECTOR,
    "inboundRule": tenant.TRANSPORT_RULE,
    "outboundRule": tenant.TRANSPORT_RULE,
}


class GatewayContext:
    """The gateway's side, of a tenant's stack or of a shared gateway's own.

    `keys`: what will be managed there, by the key in the setting `takeOver` that a resource goes by.
    `beside`: what others' objects are looked for beside.
    """

    _guards: tuple[pulumi.Resource, ...] = ()  # what everything depends on but records and the way back

    def __init__(
        self,
        stack: StackSettings,
        providers: GatewayProviders,
        parent: pulumi.Resource,
        keys: Mapping[str, Sequence[str]],
        beside: Parts,
    ) -> None:
        self.stack = stack
        self.observing = stack.mode == "observe"
        if self.observing:
            pulumi.log.info(f"mode: observe: {ONLY_LOOKS}")
        self._gateway = providers
        self._beside = beside
        self._gateway_before = self._record_gateway(parent, keys)

    def gateway_inputs(self, key: str) -> dict[str, Any]:
        """Inputs of all resources of the gateway: where, what was there before, what may be taken over."""
        place = {"gateway": self.stack.gateway.name, **self.places[key]}
        return {
            **place,
            "before": self._gateway_before.before(GATEWAY_TABLES[key].kind(place)),
            "takeOver": self.stack.may_take_over(key) or None,
            "change": self.change or None,
        }

    def on_gateway(
        self, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
    ) -> pulumi.ResourceOptions:
        """Run in the gateway's process."""
        return self._options(parent, self._gateway.gateway, [*self._guards, *depends_on])

    def _options(
        self, parent: pulumi.Resource, provider: pulumi.ProviderResource, after: Sequence[pulumi.Resource]
    ) -> pulumi.ResourceOptions:
        """What is only looked at has no order."""
        if self.observing:
            return Observing(parent=parent, provider=provider)
        return pulumi.ResourceOptions(parent=parent, provider=provider, depends_on=after)

    @property
    def change(self) -> dict[str, str]:
        """Why we change something, for comments."""
        change: dict[str, str] = self.stack.change.model_dump(exclude_none=True, by_alias=True)
        return change

    @property
    def places(self) -> Mapping[str, Mapping[str, str]]:
        """Where on the gateway each of its resources lies."""
        gateway, names = self.stack.gateway, self.stack.names
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

    def _record_gateway(self, parent: pulumi.Resource, keys: Mapping[str, Sequence[str]]) -> GatewaySnapshot:
        place = {"gateway": self.stack.gateway.name}
        places = self.places
        kinds = {GATEWAY_TABLES[key].kind({**place, **places[key]}): names for key, names in keys.items()}
        looked = GatewayEquivalents(
            "gateway-equivalents",
            {**place, **self._beside, "leave": list(self.stack.leave)},
            self.on_gateway(parent),
        )
        on = self.on_gateway(parent, depends_on=[looked])
        kinds = {} if self.observing else kinds  # nothing is ours, so nothing was there before us
        return GatewaySnapshot("gateway-before", {**place, "keys": kinds}, on)


def relay_keys(stack: StackSettings, ciphers: str) -> dict[str, list[str]]:
    """What a shared gateway's own stack manages there, and a tenant's where it is not shared."""
    return {
        "senderGroup": [stack.names.sender_group],
        "mailFlowPolicy": [stack.names.mail_flow_policy],
        "ciphers": [stack.gateway.name] if ciphers == "set" else [],
    }


class Context(GatewayContext):
    """Both sides of a tenant's stack, shared by its inbound and its outbound part."""

    def __init__(self, settings: Settings, parent: pulumi.Resource) -> None:
        self.settings = settings
        self._parent = parent
        keys: dict[str, Sequence[str]] = {
            **{key: list(settings.table_entries) for key in TABLES},
            "filter": list(settings.outbound.accepted_secrets()),
        }
        relay = {} if settings.gateway.shared else relay_keys(settings, settings.outbound.ciphers)
        self.providers = Providers(settings, parent)
        super().__init__(settings, self.providers, parent, keys | relay, equivalents.of_gateway(settings))
        self._tenant_before = self._record_tenant(parent)
        if not self.observing:
            self._guards = (safety.guard(settings, self.on_exchange(parent)),)

    def tenant_inputs(self, key: str) -> dict[str, Any]:
        """Arguments that all objects of the tenant have, likewise."""
        arguments = {
            "tenant": self.settings.tenant.initial_domain,
            "name": self._tenant_names[key],
            "before": self._tenant_before.before(_KINDS[key]),
            "take_over": self.settings.may_take_over(key),
            "change": self.change,
        }
        return {**arguments, "take_over_key": key} if _KINDS[key] == tenant.TRANSPORT_RULE else arguments

    def on_exchange(
        self,
        parent: pulumi.Resource,
        depends_on: Sequence[pulumi.Resource] = (),
        *,
        way_back: bool = False,
    ) -> pulumi.ResourceOptions:
        """Run in Exchange's process. The way back waits for no guard."""
        guards = () if way_back else self._guards
        return self._options(parent, self.providers.exchange, [*guards, *depends_on])

    def tenant_before(self, kind: str) -> pulumi.Output[Entries]:
        """What was in the tenant before us, of one kind."""
        return self._tenant_before.before(kind)

    def on_dns(
        self,
        parent: pulumi.Resource,
        depends_on: Sequence[pulumi.Resource] = (),
        *,
        way_back: bool = False,
    ) -> pulumi.ResourceOptions:
        """Run in the process of MX records. The way back waits for no guard."""
        guards = () if way_back else self._guards
        return self._options(parent, self.providers.dns, [*guards, *depends_on])

    def on_checks(
        self, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = ()
    ) -> pulumi.ResourceOptions:
        """Run in the process of the checks."""
        return self._options(parent, self.providers.checks, [*self._guards, *depends_on])

    @cached_property
    def dns_before(self) -> DnsSnapshot:
        """What MX the domains had before us; asked for by what manages one."""
        settings = self.settings
        ours = sorted(name for name, domain in settings.domains.items() if domain.mx != "leave")
        terms = {name: settings.kept_in_spf for name in sorted(settings.domains) if settings.kept_in_spf}
        return DnsSnapshot(
            "dns-before",
            mx_records=ours if settings.dns.server else (),
            mx_check=() if settings.dns.server else ours,
            spf_terms=terms,
            opts=self.on_dns(self._parent, way_back=True),
        )

    @property
    def _tenant_names(self) -> Mapping[str, str]:
        names = self.settings.names
        return {key: str(getattr(names, _snake(key))) for key in _KINDS}

    def _record_tenant(self, parent: pulumi.Resource) -> ExchangeSnapshot:
        settings, names = self.settings, self.settings.names
        initial_domain = settings.tenant.initial_domain
        looked = ExchangeEquivalents(
            "tenant-equivalents",
            {"tenant": initial_domain, **equivalents.of_tenant(settings), "leave": list(settings.leave)},
            self.on_exchange(parent),
        )
        on = self.on_exchange(parent, depends_on=[looked])
        if self.observing:
            return ExchangeSnapshot("tenant-before", tenant=initial_domain, opts=on)
        return ExchangeSnapshot(
            "tenant-before",
            tenant=initial_domain,
            inbound_connectors=[names.inbound_connector],
            outbound_connectors=[names.outbound_connector],
            transport_rules=[names.inbound_rule, names.outbound_rule],
            lock_down=True,
            certificate=settings.certificate,
            allowed=settings.allowed_addresses,
            domains=sorted(settings.domains),
            opts=on,
        )


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
