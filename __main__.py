"""One stack, one tenant: the settings, the integration, and what an operator wants to see of it."""

import pulumi

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings

settings = Settings.of_this_stack()
SecureEmailIntegration("mail-flow", settings)
pulumi.export("domains", sorted(settings.domains))
pulumi.export("senderAddresses", list(settings.sender_addresses))
pulumi.export("outboundMail", settings.outbound.state)
