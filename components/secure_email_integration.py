"""The whole integration of one tenant: both sides, in and out."""

from typing import Any

import pulumi

from components import safety
from components.context import Context
from components.inbound_mail_flow import InboundMailFlow
from components.outbound_mail_flow import OutboundMailFlow
from components.settings import Settings


class SecureEmailIntegration(pulumi.ComponentResource):
    """Cisco Secure Email gateway and Microsoft 365 tenant, made to carry mail through each other.

    `mx_records`: domain → {ttl, hosts: [{host, preference}]}, the MX that leads to the gateway, for zones
    that are kept elsewhere. See docs/dns.md.
    """

    mx_records: dict[str, dict[str, Any]]

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("m365-secure-email:components:SecureEmailIntegration", name, {}, opts)
        context = Context(settings, self)
        flows = [InboundMailFlow(context, self), OutboundMailFlow(context, self)]
        if not context.observing:
            safety.sentinel(settings, flows, context.on_exchange(self))
        hosts = [one.model_dump() for one in settings.inbound.mx_hosts or ()]
        record = {"ttl": settings.dns.ttl, "hosts": hosts}
        self.mx_records = dict.fromkeys(settings.domains, record) if hosts else {}
        self.register_outputs({"mxRecords": self.mx_records})
