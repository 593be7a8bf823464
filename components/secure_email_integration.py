"""The whole integration of one tenant: both sides, in and out."""

import pulumi

from components.context import Context
from components.inbound_mail_flow import InboundMailFlow
from components.outbound_mail_flow import OutboundMailFlow
from components.settings import Settings


class SecureEmailIntegration(pulumi.ComponentResource):
    """Cisco Secure Email gateway and Microsoft 365 tenant, made to carry mail through each other."""

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("m365-secure-email:components:SecureEmailIntegration", name, {}, opts)
        context = Context(settings, self)
        InboundMailFlow(context, self)
        OutboundMailFlow(context, self)
        self.register_outputs({})
