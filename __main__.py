"""One stack, one tenant or one shared gateway: the settings, what is built, what an operator wants to see."""

import pulumi

from components.secure_email_integration import SecureEmailIntegration
from components.settings import SharedGatewaySettings, of_this_stack
from components.shared_gateway import SharedGateway

settings = of_this_stack()
if isinstance(settings, SharedGatewaySettings):
    SharedGateway("shared-gateway", settings)
    pulumi.export("gateway", settings.gateway.name)
else:
    flow = SecureEmailIntegration("mail-flow", settings)
    pulumi.export("domains", sorted(settings.domains))
    pulumi.export("senderAddresses", list(settings.sender_addresses))
    pulumi.export("outboundMail", settings.outbound.state)
    pulumi.export("mxRecords", flow.mx_records)
