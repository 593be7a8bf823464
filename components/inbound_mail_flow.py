"""Mail from the internet through the gateway to Microsoft 365: rows a to e of the guide's steps."""

from typing import Any

import pulumi

from components import rule_scopes
from components.context import Context
from components.cut_over import CutOver
from components.settings import Settings
from dynamic_providers.exchange.connection_filter import ConnectionFilter
from dynamic_providers.exchange.inbound_connector import InboundConnector
from dynamic_providers.exchange.snapshot import ALLOWED
from dynamic_providers.exchange.transport_rule import TransportRule
from dynamic_providers.gateway.destination_controls import DestinationControls
from dynamic_providers.gateway.recipient_access import RecipientAccess
from dynamic_providers.gateway.smtp_routes import SmtpRoutes
from dynamic_providers.managed_resource import ManagedResource


class InboundMailFlow(pulumi.ComponentResource):
    """The gateway takes the domains' mail and delivers it to Microsoft 365, which takes it from there."""

    def __init__(self, context: Context, parent: pulumi.Resource) -> None:
        kind = "m365-secure-email:components:InboundMailFlow"
        super().__init__(kind, "inbound", {}, pulumi.ResourceOptions(parent=parent))
        gateway = self._gateway(context)
        tenant = self._tenant(context, gateway[-1])
        CutOver(context, self, [*gateway, *tenant])
        self.register_outputs({})

    def _gateway(self, context: Context) -> list[ManagedResource]:
        entries, on = context.settings.table_entries, context.on_gateway(self)
        control = self._control(context)
        recipients = {domain: {"action": "Accept"} for domain in entries}
        routes = {domain: {"hosts": [{"host": one.microsoft_mx}]} for domain, one in entries.items()}
        return [
            RecipientAccess(
                "recipient-access",
                {**context.gateway_inputs("recipientAccess"), "recipients": recipients},
                on,
            ),
            SmtpRoutes("smtp-routes", {**context.gateway_inputs("smtpRoutes"), "routes": routes}, on),
            DestinationControls(
                "destination-controls",
                {
                    **context.gateway_inputs("destinationControls"),
                    "controls": dict.fromkeys(entries, control),
                },
                on,
            ),
        ]

    def _control(self, context: Context) -> dict[str, Any]:
        throttle = context.settings.inbound.throttle
        if throttle is None:
            return {"tls": "Preferred"}
        return {
            "connections": throttle.connections,
            "messagesPerConnection": throttle.messages_per_connection,
            "tls": "Preferred",
        }

    def _tenant(self, context: Context, controls: pulumi.Resource) -> list[ManagedResource]:
        settings, inbound = context.settings, context.settings.inbound
        # A gateway that does not use TLS yet would be refused by the connector: the controls come first.
        connector = InboundConnector(
            "inbound-connector",
            **context.tenant_inputs("inboundConnector"),
            **self._known_by(settings),
            ef_skip_last_ip=inbound.spam_bypass == "enhancedFiltering" and not settings.skipped_hops,
            ef_skip_ips=settings.skipped_hops or None,
            locked_down_by_others=settings.lockdown == "closed",
            opts=context.on_exchange(self, depends_on=[controls]),
        )
        rule = self._rule(context) if inbound.spam_bypass == "sclRule" else []
        return [connector, *rule, *self._allowed(context)]

    def _allowed(self, context: Context) -> list[ManagedResource]:
        if not context.settings.allowed_addresses:
            return []
        return [
            ConnectionFilter(
                "connection-filter",
                tenant=context.settings.tenant.initial_domain,
                before=context.tenant_before(ALLOWED),
                allowed=context.settings.allowed_addresses,
                opts=context.on_exchange(self),
            )
        ]

    def _known_by(self, settings: Settings) -> dict[str, Any]:
        if settings.certificate:
            return {"tls_sender_certificate_name": settings.certificate}
        return {"sender_ip_addresses": [*settings.sender_addresses, *settings.inbound.allowed_senders]}

    def _rule(self, context: Context) -> list[ManagedResource]:
        settings = context.settings
        return [
            TransportRule(
                "inbound-rule",
                **context.tenant_inputs("inboundRule"),
                placement={"below": settings.names.outbound_rule},
                **rule_scopes.inbound(settings),
                set_scl=-1,
                opts=context.on_exchange(self),
            )
        ]
