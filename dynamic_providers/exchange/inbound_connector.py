"""The inbound connector (guide: «Conector de recebimento»): a partner known by address, TLS or nothing."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

import pulumi
from pydantic import AfterValidator, Field

from dynamic_providers.entries import Entries, Entry, Place, Props
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import Rows
from dynamic_providers.exchange.cmdlets import INBOUND_CONNECTOR, INBOUND_ON_PREMISES
from dynamic_providers.exchange.exchange_object import Attribute, ExchangeObjectProvider
from dynamic_providers.field_types import Domain, ExchangeName, Flag, InitialDomain, SenderAddress
from dynamic_providers.managed_resource import ManagedResource
from dynamic_providers.model import Model

RESTRICTION: Final = "restrictDomainsToIpAddresses"
_PARAMETER: Final = "RestrictDomainsToIPAddresses"
_LOCKED: Final = "lockedDownByOthers"


class InboundConnectorModel(Model):
    """One inbound connector. What is not here must be as Exchange makes it; else it is `other`."""

    tenant: InitialDomain
    name: ExchangeName
    sender_ip_addresses: Annotated[
        tuple[SenderAddress, ...], Field(min_length=1), AfterValidator(forms.as_tuple(forms.addresses))
    ]
    connector_type: Literal["Partner"] = "Partner"
    sender_domains: Annotated[
        tuple[Literal["*"] | Domain, ...],
        Field(min_length=1),
        AfterValidator(forms.as_tuple(forms.sender_domains)),
    ] = ("*",)
    require_tls: Flag = True
    locked_down_by_others: Literal[True] | None = Field(
        None, description="The restriction is the LockDown's: neither compared here nor written."
    )
    restrict_domains_to_ip_addresses: Flag | None = Field(
        default_factory=lambda before: None if before.get("locked_down_by_others") else False
    )
    enabled: Flag = True
    other: dict[str, str] = Field(default={}, max_length=0)


class InboundConnectorProvider(ExchangeObjectProvider):
    """CRUD of one inbound connector."""

    label: ClassVar[str] = "inbound connector"
    model: ClassVar[type[Model]] = InboundConnectorModel
    take_over_key: ClassVar[str] = "inboundConnector"
    settings: ClassVar[frozenset[str]] = frozenset({_LOCKED})

    kind = INBOUND_CONNECTOR
    comment = "Comment"
    on_premises = INBOUND_ON_PREMISES
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("connectorType", "ConnectorType", forms.word("Partner", "OnPremises")),
        Attribute("senderDomains", "SenderDomains", forms.sender_domains),
        Attribute("senderIpAddresses", "SenderIPAddresses", forms.addresses),
        Attribute("requireTls", "RequireTls", forms.flag),
        Attribute(RESTRICTION, _PARAMETER, forms.flag),
        Attribute("enabled", "Enabled", forms.flag),
    )

    def equal(self, attribute: str, theirs: Any, ours: Any) -> bool:
        if attribute == RESTRICTION and None in (theirs, ours):
            return True  # on one side it is the LockDown's
        return super().equal(attribute, theirs, ours)

    def _place(self, props: Props) -> Place:
        place = super()._place(props)
        return {**place, _LOCKED: True} if props.get(_LOCKED) else place

    def _entry(self, row: Row, rows: Rows, place: Place) -> Entry:
        entry = super()._entry(row, rows, place)
        return {k: v for k, v in entry.items() if k != RESTRICTION} if place.get(_LOCKED) else entry

    def _changed(self, row: Row, target: Mapping[str, Any]) -> dict[str, Any]:
        changed = super()._changed(row, target)
        return changed if _PARAMETER in target else {k: v for k, v in changed.items() if k != _PARAMETER}


class InboundConnector(ManagedResource, module="exchange", name="InboundConnector"):
    """One inbound connector. `before` comes from the snapshot.

    `locked_down_by_others`: there is a LockDown, which owns the restriction to the connector's addresses.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        name: str,
        before: pulumi.Input[Entries],
        sender_ip_addresses: Sequence[str],
        locked_down_by_others: bool = False,
        take_over: Sequence[str] = (),
        change: Mapping[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "tenant": tenant,
            "name": name,
            "before": before,
            "senderIpAddresses": list(sender_ip_addresses),
            _LOCKED: locked_down_by_others or None,
            "other": {},
            "takeOver": list(take_over) or None,
            "change": dict(change) if change else None,
        }
        super().__init__(InboundConnectorProvider(), resource_name, props, opts)
