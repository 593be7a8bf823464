"""What was on the gateway before us, per natural key. Read-only, and first, so that no crash can lose it."""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi.dynamic import DiffResult

from dynamic_providers.entries import ABSENT, Entries, Entry, Place, Props, plain
from dynamic_providers.errors import clean_errors
from dynamic_providers.gateway import transaction
from dynamic_providers.gateway.destination_controls import DestinationControlsProvider
from dynamic_providers.gateway.every_member import MEMBERS, joined_record, record_of, recorded_members
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

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """As for every snapshot; a gateway that is new among several is recorded, too."""
        found = super().diff(_id, _olds, _news)
        new = any(
            _unrecorded(record) for records in plain(_olds)["record"].values() for record in records.values()
        )
        return DiffResult(changes=found.changes or new, replaces=found.replaces)

    def _outs(self, props: Props, known: Record) -> Props:
        keys = {
            kind: [key for key, record in records.items() if _unrecorded(record)]
            for kind, records in known.items()
        }
        now = self.record(props, {kind: names for kind, names in keys.items() if names})
        return super()._outs(
            props, {kind: records | _added(records, now.get(kind, {})) for kind, records in known.items()}
        )


def _unrecorded(record: Entry) -> bool:
    """Whether one of several gateways was none of them when this was recorded."""
    return bool({*transaction.members()} - recorded_members({"": record}))


def _added(records: Entries, now: Entries) -> Entries:
    """What was recorded stays; of members that are new, what is there now."""
    return {
        key: {MEMBERS: {host: record_of(records[key], host) or one for host, one in record[MEMBERS].items()}}
        for key, record in now.items()
    }


def _recorded(kind: str, gateway: str, names: Iterable[str]) -> Entries:
    name, *rest = kind.split("/")
    provider = PROVIDERS[name]()
    place = dict(zip(provider.place_fields(), (gateway, *rest), strict=True))
    found = transaction.on_each(lambda: provider.recorded(place, names))
    return {key: joined_record({host: one.get(key, ABSENT) for host, one in found.items()}) for key in names}


class GatewaySnapshot(SnapshotResource, module="gateway", name="Snapshot"):
    """Inputs: gateway, keys (kind → natural keys; a filter's are secrets). Output: record, a secret."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {**props, "keys": pulumi.Output.secret(props["keys"])}
        super().__init__(GatewaySnapshotProvider(), name, given, opts)
