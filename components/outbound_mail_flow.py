"""Mail from Microsoft 365 through the gateway to the internet: rows h to l and n of the guide's steps."""

import pulumi

from components.context import HEADER, Context
from dynamic_providers.exchange.outbound_connector import OutboundConnector
from dynamic_providers.exchange.transport_rule import TransportRule
from dynamic_providers.gateway.mail_flow_policy import MailFlowPolicy
from dynamic_providers.gateway.outbound_filter import OutboundFilter
from dynamic_providers.gateway.outbound_tls import OutboundTls
from dynamic_providers.gateway.sender_group import SenderGroup

COMMENT = "From Microsoft 365 mail to Cisco Secure Email"
MICROSOFT_SENDERS = ".protection.outlook.com"  # without the dot it would be the one host of that name


class OutboundMailFlow(pulumi.ComponentResource):
    """Microsoft 365 stamps a secret and sends to the gateway, which relays what has it and drops the rest."""

    def __init__(self, context: Context, parent: pulumi.Resource) -> None:
        kind = "m365-secure-email:components:OutboundMailFlow"
        super().__init__(kind, "outbound", {}, pulumi.ResourceOptions(parent=parent))
        settings = context.settings
        OutboundTls(
            "outbound-tls",
            {**context.gateway_inputs("ciphers"), "mode": settings.outbound.ciphers},
            context.on_gateway(self),
        )
        if settings.outbound.smart_hosts:
            self._tenant(context, settings.outbound.smart_hosts, self._gateway(context))
        self.register_outputs({})

    def _gateway(self, context: Context) -> list[pulumi.Resource]:
        """No order among these three: one commit carries them, or a chain would cost a commit each."""
        on = context.on_gateway(self)
        group = SenderGroup(
            "sender-group",
            {
                **context.gateway_inputs("senderGroup"),
                "policy": context.settings.names.mail_flow_policy,
                "comment": COMMENT,
                "senders": [{"host": MICROSOFT_SENDERS, "comment": COMMENT}],
            },
            on,
        )
        policy = MailFlowPolicy(
            "mail-flow-policy", {**context.gateway_inputs("mailFlowPolicy"), "tls": "Preferred"}, on
        )
        secrets = context.settings.outbound.accepted_secrets()
        alternatives: dict[str, dict[str, str]] = {secret: {} for secret in secrets}
        outbound_filter = OutboundFilter(
            "outbound-filter", {**context.gateway_inputs("filter"), "alternatives": alternatives}, on
        )
        return [group, policy, outbound_filter]

    def _tenant(self, context: Context, smart_hosts: tuple[str, ...], ready: list[pulumi.Resource]) -> None:
        connector = OutboundConnector(
            "outbound-connector",
            **context.tenant_inputs("outboundConnector"),
            smart_hosts=smart_hosts,
            opts=context.on_exchange(self),
        )
        if context.settings.outbound.state == "none":
            return
        # The rule sends mail: what takes it must be there first, on both sides; and the rule must go first.
        TransportRule(
            "outbound-rule",
            **context.tenant_inputs("outboundRule"),
            placement={"top": True, "besides": [context.settings.names.inbound_rule]},
            from_scope="InOrganization",
            sent_to_scope="NotInOrganization",
            route_message_outbound_connector=context.settings.names.outbound_connector,
            set_header_name=HEADER,
            set_header_value=context.settings.outbound.accepted_secrets()[0],
            opts=context.on_exchange(self, depends_on=[connector, *ready]),
        )
