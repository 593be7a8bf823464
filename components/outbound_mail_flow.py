"""Mail from Microsoft 365 through the gateway to the internet: rows h to n of the guide's steps."""

from collections.abc import Sequence
from typing import Any

import pulumi

from components import relay, rule_scopes
from components.context import HEADER, Context
from dynamic_providers.dns.sender_policy import SenderPolicy
from dynamic_providers.dns.snapshot import spf
from dynamic_providers.dns.spf_terms import SpfTerms
from dynamic_providers.exchange.connector_validation import ConnectorValidation
from dynamic_providers.exchange.outbound_connector import OutboundConnector
from dynamic_providers.exchange.secret_rotation import SecretRotation
from dynamic_providers.exchange.transport_rule import TransportRule
from dynamic_providers.gateway.made_elsewhere import MadeElsewhere
from dynamic_providers.gateway.outbound_filter import OutboundFilter
from dynamic_providers.mailflow.mailflow_settings import PROBE_RULE
from dynamic_providers.mailflow.outbound_check import OutboundCheck
from dynamic_providers.managed_resource import ManagedResource


class OutboundMailFlow(pulumi.ComponentResource):
    """Microsoft 365 stamps a secret and sends to the gateway, which relays what has it and drops the rest."""

    def __init__(self, context: Context, parent: pulumi.Resource) -> None:
        kind = "m365-secure-email:components:OutboundMailFlow"
        super().__init__(kind, "outbound", {}, pulumi.ResourceOptions(parent=parent))
        self._context = context
        self._settings = context.settings
        settings = self._settings
        if not settings.gateway.shared:
            relay.ciphers(context, self, settings.outbound.ciphers)
        if settings.outbound.smart_hosts:
            gateway = self._gateway()
            connector = self._connector(settings.outbound.smart_hosts)
            ready = [*gateway, connector, *self._validated(connector, gateway)]
            if settings.outbound.state != "none":
                rule = self._rule([*ready, self._sender_policy(self._kept_in_spf())])
                self._check([*gateway, connector, rule])
        self.register_outputs({})

    def _gateway(self) -> list[ManagedResource | MadeElsewhere]:
        """No order among these: one commit carries them, or a chain would cost a commit each."""
        context, outbound = self._context, self._settings.outbound
        shared = self._settings.gateway.shared
        mail = outbound.state != "none"
        parts = relay.require(context, self, mail=mail) if shared else relay.make(context, self)
        secrets = outbound.accepted_secrets()
        mismatch = {} if outbound.mismatch == "drop" else {"mismatch": outbound.mismatch}
        alternatives = dict.fromkeys(secrets, mismatch)
        outbound_filter = OutboundFilter(
            "outbound-filter",
            {
                **context.gateway_inputs("filter"),
                "alternatives": alternatives,
                "shared": shared or None,
            },
            context.on_gateway(self, depends_on=self._rotation(secrets)),
        )
        return [*parts, outbound_filter]

    def _rotation(self, secrets: tuple[str, ...]) -> list[SecretRotation]:
        """No secret leaves the filter while mail with it may still come."""
        settings = self._settings
        if self._context.observing:
            return []
        return [
            SecretRotation(
                "secret-rotation",
                tenant=settings.tenant.initial_domain,
                name=settings.names.outbound_rule,
                header=HEADER,
                accepted=secrets,
                settle=round(settings.settle.rule.total_seconds()),
                acknowledged=settings.acknowledged("rotation"),
                opts=self._context.on_exchange(self),
            )
        ]

    def _connector(self, smart_hosts: tuple[str, ...]) -> OutboundConnector:
        outbound = self._settings.outbound
        return OutboundConnector(
            "outbound-connector",
            **self._context.tenant_inputs("outboundConnector"),
            smart_hosts=smart_hosts,
            tls_settings=outbound.tls_settings,
            tls_domain=outbound.tls_domain,
            opts=self._context.on_exchange(self),
        )

    def _validated(
        self, connector: OutboundConnector, gateway: list[ManagedResource | MadeElsewhere]
    ) -> list[ConnectorValidation]:
        """As the guide does it; where a recipient is given."""
        settings = self._settings
        recipient = settings.outbound.validation_recipient
        if recipient is None or self._context.observing:
            return []
        return [
            ConnectorValidation(
                "connector-validation",
                tenant=settings.tenant.initial_domain,
                connector=settings.names.outbound_connector,
                recipients=[recipient],
                smart_hosts=settings.outbound.smart_hosts or (),
                watches=[connector.revision],
                opts=self._context.on_exchange(self, depends_on=[connector, *gateway]),
            )
        ]

    def _kept_in_spf(self) -> list[SpfTerms]:
        """The domains let the gateway send, and say so for as long as it does."""
        terms = self._settings.kept_in_spf
        if not terms or self._context.observing:
            return []
        before, settle = self._context.dns_before, self._settings.settle.mx
        waits = round(settle.total_seconds()) if settle else "ttl"
        inputs: dict[str, Any] = {"terms": {one: {} for one in terms}, "settle": waits}
        return [
            SpfTerms(
                f"spf-{domain}",
                {**inputs, "domain": domain, "before": before.before(spf(domain))},
                self._context.on_dns(self),
            )
            for domain in self._settings.domains
        ]

    def _sender_policy(self, kept: Sequence[SpfTerms]) -> SenderPolicy:
        """Receivers have to accept the gateway as a sender before it is one."""
        settings = self._settings
        inputs: dict[str, Any] = {
            "gateway": settings.gateway.name,
            "domains": sorted(settings.domains),
            "addresses": [one.data2 for one in settings.gateway.members],
            "acknowledged": [name for name in settings.domains if settings.acknowledged(f"spf {name}")],
        }
        inputs |= {"kept": list(settings.kept_in_spf)} if kept else {}
        return SenderPolicy("sender-policy", inputs, self._context.on_exchange(self, depends_on=kept))

    def _rule(self, ready: list[pulumi.Resource]) -> TransportRule:
        """It sends mail: what takes it must be there first, on both sides; and the rule must go first."""
        settings, outbound = self._settings, self._settings.outbound
        return TransportRule(
            "outbound-rule",
            **self._context.tenant_inputs("outboundRule"),
            placement={"top": True, "besides": [settings.names.inbound_rule, PROBE_RULE]},
            **rule_scopes.outbound(settings),
            route_message_outbound_connector=settings.names.outbound_connector,
            set_header_name=HEADER,
            set_header_value=outbound.accepted_secrets()[0],
            settle=round(settings.settle.rule.total_seconds()),
            opts=self._context.on_exchange(self, depends_on=ready),
        )

    def _check(self, watched: list[ManagedResource | MadeElsewhere]) -> None:
        settings = self._settings
        if settings.checks is None or self._context.observing:
            return
        OutboundCheck(
            "outbound-check",
            tenant=settings.tenant.initial_domain,
            watches=[one.revision for one in watched],
            forged=settings.checks.forged,
            opts=self._context.on_checks(self, depends_on=watched),
        )
