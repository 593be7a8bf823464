"""How the gateway knows Microsoft 365 and relays for it: rows h, i and n of the guide's steps.

On a gateway that several tenants share they belong to its own stack, of kind gateway: a second tenant's group
for the same senders would never be reached, and its policy is the first one's too.
"""

from typing import Any

import pulumi

from components.context import GatewayContext
from dynamic_providers.gateway.made_elsewhere import MadeElsewhere
from dynamic_providers.gateway.mail_flow_policy import MailFlowPolicy
from dynamic_providers.gateway.outbound_tls import OutboundTls
from dynamic_providers.gateway.sender_group import SenderGroup
from dynamic_providers.managed_resource import ManagedResource

COMMENT = "From Microsoft 365 mail to Cisco Secure Email"


def ciphers(context: GatewayContext, parent: pulumi.Resource, mode: str) -> pulumi.Resource:
    """Outbound SMTP ciphers: compared with the guide's, or written."""
    inputs = {**context.gateway_inputs("ciphers"), "mode": mode}
    return OutboundTls("outbound-tls", inputs, context.on_gateway(parent))


def make(context: GatewayContext, parent: pulumi.Resource) -> list[ManagedResource]:
    """Sender group and policy. No order between them: one commit carries both."""
    on = context.on_gateway(parent)
    parts = _parts(context)
    return [
        SenderGroup("sender-group", {**context.gateway_inputs("senderGroup"), **parts["senderGroup"]}, on),
        MailFlowPolicy(
            "mail-flow-policy", {**context.gateway_inputs("mailFlowPolicy"), **parts["mailFlowPolicy"]}, on
        ),
    ]


def require(context: GatewayContext, parent: pulumi.Resource, *, mail: bool) -> list[MadeElsewhere]:
    """The same, made by the gateway's own stack: there and right before mail depends on it."""
    place = {"gateway": context.stack.gateway.name}
    parts = {key: {**place, **part} for key, part in _parts(context).items()}
    inputs = {**place, "mail": mail, "filter": context.stack.names.filter, **parts}
    return [MadeElsewhere("relay", inputs, context.on_gateway(parent))]


def _parts(context: GatewayContext) -> dict[str, dict[str, Any]]:
    places = context.places
    return {
        "senderGroup": {
            **places["senderGroup"],
            "policy": context.stack.names.mail_flow_policy,
            "comment": COMMENT,
            "senders": [{"host": context.stack.microsoft_senders, "comment": COMMENT}],
        },
        "mailFlowPolicy": {**places["mailFlowPolicy"], "tls": "Preferred"},
    }
