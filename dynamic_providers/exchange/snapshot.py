"""What was in the tenant before us, under the names that we use."""

from collections.abc import Sequence
from typing import ClassVar

import pulumi
from pulumi.dynamic import CheckResult, DiffResult

from dynamic_providers import report
from dynamic_providers.entries import Place, Props, plain
from dynamic_providers.errors import clean_errors
from dynamic_providers.exchange.accepted_domains import not_accepted
from dynamic_providers.exchange.client import exchange
from dynamic_providers.exchange.connection_filter import ConnectionFilterProvider
from dynamic_providers.exchange.exchange_object import ExchangeObjectProvider
from dynamic_providers.exchange.inbound_connector import InboundConnectorProvider, restriction
from dynamic_providers.exchange.lock_down import DIRECT_SEND, LockDownProvider
from dynamic_providers.exchange.outbound_connector import OutboundConnectorProvider
from dynamic_providers.exchange.transport_rule import TransportRuleProvider
from dynamic_providers.snapshot import Keys, Record, SnapshotProvider, SnapshotResource

INBOUND_CONNECTOR = "inboundConnector"
OUTBOUND_CONNECTOR = "outboundConnector"
TRANSPORT_RULE = "transportRule"
LOCK_DOWN = "lockDown"
ALLOWED = "allowed"


class ExchangeSnapshotProvider(SnapshotProvider):
    """Records rules and connectors by name, and warns of `domains` that the tenant does not accept."""

    identity: ClassVar[tuple[str, ...]] = ("tenant",)

    def record(self, place: Place, keys: Keys) -> Record:
        client = exchange()
        kinds: dict[str, ExchangeObjectProvider | LockDownProvider | ConnectionFilterProvider] = {
            INBOUND_CONNECTOR: InboundConnectorProvider(),
            OUTBOUND_CONNECTOR: OutboundConnectorProvider(),
            TRANSPORT_RULE: TransportRuleProvider(),
            LOCK_DOWN: LockDownProvider(),
            ALLOWED: ConnectionFilterProvider(),
        }
        return {
            kind: {name: kinds[kind].recorded(client, name, names) for name in names}
            for kind, names in keys.items()
        }

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        domains = [one for one in news.get("domains", []) if isinstance(one, str)]
        if domains and plain(_olds).get("domains") != domains:
            client = exchange()
            for domain in not_accepted(client, domains):
                report.warning(
                    f"{client.name}: {domain} is no accepted domain of this tenant, so Exchange refuses mail "
                    "for it: add and verify it in the Microsoft 365 admin center"
                )
        return super().check(_olds, news)

    @clean_errors
    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        found = super().diff(_id, _olds, _news)
        found.changes = found.changes or plain(_olds).get("domains") != plain(_news).get("domains")
        return found


class ExchangeSnapshot(SnapshotResource, module="exchange", name="Snapshot"):
    """The tenant before us. `before(TRANSPORT_RULE)` and so on are what the managed resources take.

    `lock_down`: there is a LockDown, by `certificate` if that is given. It is recorded when it comes, so what
    is put back is what was then. `allowed`: addresses that a ConnectionFilter allows.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        inbound_connectors: Sequence[str] = (),
        outbound_connectors: Sequence[str] = (),
        transport_rules: Sequence[str] = (),
        lock_down: bool = False,
        certificate: str | None = None,
        allowed: Sequence[str] = (),
        domains: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        keys = {
            INBOUND_CONNECTOR: list(inbound_connectors),
            OUTBOUND_CONNECTOR: list(outbound_connectors),
            TRANSPORT_RULE: list(transport_rules),
            **({LOCK_DOWN: [restriction(certificate), DIRECT_SEND]} if lock_down else {}),
            **({ALLOWED: list(allowed)} if allowed else {}),
        }
        props = {"tenant": tenant, "keys": keys, "domains": list(domains)}
        super().__init__(ExchangeSnapshotProvider(), resource_name, props, opts)
