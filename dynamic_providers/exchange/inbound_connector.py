"""The inbound connector (guide: «Conector de recebimento»): a partner known by address, TLS or nothing."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import pulumi
from pydantic import AfterValidator, Field

from dynamic_providers.entries import Entries
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.cmdlets import INBOUND_CONNECTOR, INBOUND_ON_PREMISES
from dynamic_providers.exchange.exchange_object import Attribute, ExchangeObjectProvider
from dynamic_providers.field_types import Domain, ExchangeName, Flag, InitialDomain, SenderAddress
from dynamic_providers.managed_resource import ManagedResource
from dynamic_providers.model import Model


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
    restrict_domains_to_ip_addresses: Flag = False
    enabled: Flag = True
    other: dict[str, str] = Field(default={}, max_length=0)


class InboundConnectorProvider(ExchangeObjectProvider):
    """CRUD of one inbound connector."""

    label: ClassVar[str] = "inbound connector"
    model: ClassVar[type[Model]] = InboundConnectorModel
    take_over_key: ClassVar[str] = "inboundConnector"

    kind = INBOUND_CONNECTOR
    comment = "Comment"
    on_premises = INBOUND_ON_PREMISES
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("connectorType", "ConnectorType", forms.word("Partner", "OnPremises")),
        Attribute("senderDomains", "SenderDomains", forms.sender_domains),
        Attribute("senderIpAddresses", "SenderIPAddresses", forms.addresses),
        Attribute("requireTls", "RequireTls", forms.flag),
        Attribute("restrictDomainsToIpAddresses", "RestrictDomainsToIPAddresses", forms.flag),
        Attribute("enabled", "Enabled", forms.flag),
    )


class InboundConnector(ManagedResource, module="exchange", name="InboundConnector"):
    """One inbound connector. `before` comes from the snapshot."""

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        name: str,
        before: pulumi.Input[Entries],
        sender_ip_addresses: Sequence[str],
        take_over: Sequence[str] = (),
        change: Mapping[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "tenant": tenant,
            "name": name,
            "before": before,
            "senderIpAddresses": list(sender_ip_addresses),
            "other": {},
            "takeOver": list(take_over) or None,
            "change": dict(change) if change else None,
        }
        super().__init__(InboundConnectorProvider(), resource_name, props, opts)
