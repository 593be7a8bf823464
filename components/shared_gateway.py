"""The stack of a gateway that several tenants share: what of outbound mail is the gateway's own."""

import pulumi

from components import equivalents, relay
from components.context import GatewayContext, relay_keys
from components.providers import GatewayProviders
from components.settings import SharedGatewaySettings
from dynamic_providers.gateway.last_tenant import LastTenant


class SharedGateway(pulumi.ComponentResource):
    """Sender group, mail flow policy and ciphers. It goes only after the last tenant's stack is gone."""

    def __init__(
        self, name: str, settings: SharedGatewaySettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("m365-secure-email:components:SharedGateway", name, {}, opts)
        mode = settings.outbound.ciphers
        context = GatewayContext(
            settings,
            GatewayProviders(settings, self),
            self,
            relay_keys(settings, mode),
            equivalents.of_relay(settings),
        )
        parts = [*relay.make(context, self), relay.ciphers(context, self, mode)]
        if not context.observing:
            LastTenant(
                "last-tenant",
                {
                    "gateway": settings.gateway.name,
                    "listener": settings.gateway.outbound_listener,
                    **context.places["filter"],
                },
                context.on_gateway(self, depends_on=parts),
            )
        self.register_outputs({})
