"""What was on the gateway before us, per natural key. Read-only, and first, so that no crash can lose it."""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from dynamic_providers.entries import ABSENT, Entries, Place
from dynamic_providers.gateway.destination_controls import DestinationControlsProvider
from dynamic_providers.gateway.mail_flow_policy import MailFlowPolicyProvider
from dynamic_providers.gateway.outbound_filter import OutboundFilterProvider
from dynamic_providers.gateway.outbound_tls import OutboundTlsProvider
from dynamic_providers.gateway.recipient_access import RecipientAccessProvider
from dynamic_providers.gateway.sender_group import SenderGroupProvider
from dynamic_providers.gateway.smtp_routes import SmtpRoutesProvider
from dynamic_providers.gateway.tables import GatewayProvider
from dynamic_providers.snapshot import Keys, Record, SnapshotProvider, SnapshotResource

PROVIDERS: dict[str, type[GatewayProvider]] = {
    provider.take_over_key: provider
    for provider in (
        SmtpRoutesProvider,
        DestinationControlsProvider,
        RecipientAccessProvider,
        SenderGroupProvider,
        MailFlowPolicyProvider,
        OutboundFilterProvider,
        OutboundTlsProvider,
    )
}


class GatewaySnapshotProvider(SnapshotProvider):
    """A kind is a provider's `take_over_key`, then the rest of its place: `recipientAccess/IncomingMail`."""

    identity = ("gateway",)

    def record(self, place: Place, keys: Keys) -> Record:
        return {kind: _recorded(kind, str(place["gateway"]), names) for kind, names in keys.items()}


def _recorded(kind: str, gateway: str, names: Iterable[str]) -> Entries:
    name, *rest = kind.split("/")
    provider = PROVIDERS[name]()
    place = dict(zip(provider.place_fields(), (gateway, *rest), strict=True))
    found = provider.recorded(place, names)
    return {key: found.get(key, ABSENT) for key in names}


class GatewaySnapshot(SnapshotResource, module="gateway", name="Snapshot"):
    """Inputs: gateway, keys (kind → natural keys; a filter's are secrets). Output: record, a secret."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {**props, "keys": pulumi.Output.secret(props["keys"])}
        super().__init__(GatewaySnapshotProvider(), name, given, opts)
