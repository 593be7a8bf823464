"""The inbound connector (guide: «Conector de recebimento»): a partner known by address, TLS or nothing.

Instead of addresses it may know the gateways by their certificate, and it may carry Enhanced Filtering: what
of a message's way is skipped, so that Microsoft judges who really sent it. Source: Microsoft Learn,
Set-InboundConnector, and «Enhanced Filtering for Connectors».
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult
from pydantic import AfterValidator, Field, model_validator

from dynamic_providers.entries import Entries, Entry, Place, Props, plain
from dynamic_providers.errors import clean, clean_errors
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import Rows
from dynamic_providers.exchange.cmdlets import INBOUND_CONNECTOR, INBOUND_ON_PREMISES
from dynamic_providers.exchange.exchange_object import Attribute, ExchangeObjectProvider
from dynamic_providers.field_types import (
    CertificateName,
    Domain,
    ExchangeName,
    Flag,
    InitialDomain,
    SenderAddress,
)
from dynamic_providers.managed_resource import ManagedResource
from dynamic_providers.model import Model
from dynamic_providers.refusal import refuse

TO_ADDRESSES: Final = "restrictDomainsToIpAddresses"
TO_CERTIFICATE: Final = "restrictDomainsToCertificate"
RESTRICTIONS: Final = {
    TO_ADDRESSES: "RestrictDomainsToIPAddresses",
    TO_CERTIFICATE: "RestrictDomainsToCertificate",
}
"""The inputs by which mail from elsewhere is refused, and their parameters. One goes with each way of knowing
the gateways; the other stays off."""

_CERTIFICATE: Final = "tlsSenderCertificateName"
_LOCKED: Final = "lockedDownByOthers"
_Addresses = Annotated[
    tuple[SenderAddress, ...], Field(min_length=1), AfterValidator(forms.as_tuple(forms.addresses))
]


def restriction(certificate: str | None) -> str:
    """The restriction that goes with how the gateways are known."""
    return TO_CERTIFICATE if certificate else TO_ADDRESSES


class InboundConnectorModel(Model):
    """One inbound connector. What is not here must be as Exchange makes it; else it is `other`.

    What is off is not set, so that a state from before these inputs were known is no difference.
    """

    tenant: InitialDomain
    name: ExchangeName
    sender_ip_addresses: _Addresses | None = None
    tls_sender_certificate_name: CertificateName | None = None
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
        default_factory=lambda before: None if _the_lock_downs(before) == TO_ADDRESSES else False
    )
    restrict_domains_to_certificate: Flag | None = Field(
        default_factory=lambda before: None if _the_lock_downs(before) == TO_CERTIFICATE else False
    )
    ef_skip_last_ip: Literal[True] | None = None
    ef_skip_ips: _Addresses | None = None
    enabled: Flag = True
    other: dict[str, str] = Field(default={}, max_length=0)

    @model_validator(mode="after")
    def _known_in_one_way(self) -> Self:
        if (self.sender_ip_addresses is None) is (self.tls_sender_certificate_name is None):
            refuse("knows the gateways by addresses or by a certificate: give one of the two")
        return self


def _the_lock_downs(given: Mapping[str, Any]) -> str:
    """The restriction that the LockDown owns, if there is one."""
    return restriction(given.get("tls_sender_certificate_name")) if given.get("locked_down_by_others") else ""


def _on(value: Any) -> Literal[True] | None:
    """A switch that is told only while it is on."""
    return True if value is True else None


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
        Attribute(_CERTIFICATE, "TlsSenderCertificateName", forms.text),
        Attribute("requireTls", "RequireTls", forms.flag),
        Attribute(TO_ADDRESSES, RESTRICTIONS[TO_ADDRESSES], forms.flag),
        Attribute(TO_CERTIFICATE, RESTRICTIONS[TO_CERTIFICATE], forms.flag),
        Attribute("efSkipLastIp", "EFSkipLastIP", _on),
        Attribute("efSkipIps", "EFSkipIPs", forms.addresses),
        Attribute("enabled", "Enabled", forms.flag),
    )

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        """While only mail with the certificate is taken, another one must not be asked for."""
        checked = super().check(_olds, news)
        shut = [one.get(_CERTIFICATE) for one in (plain(_olds), checked.inputs) if one.get(_LOCKED)]
        if checked.failures or len(shut) < 2 or None in shut or shut[0] == shut[1]:
            return checked
        line = (
            f"{news['tenant']}: inbound.identifiedBy.certificate changes from {shut[0]} to {shut[1]} while "
            "lockdown is closed: what the gateways deliver with the old one would be refused (550 5.7.51). "
            "Set lockdown to open and run `pulumi up`, change it then, and close it afterwards"
        )
        return CheckResult(checked.inputs, [CheckFailure(_CERTIFICATE, clean(line))])

    def equal(self, attribute: str, theirs: Any, ours: Any) -> bool:
        if attribute in RESTRICTIONS and None in (theirs, ours):
            return True  # on one side it is the LockDown's
        if attribute == _CERTIFICATE:
            return str(theirs or "").casefold() == str(ours or "").casefold()
        return super().equal(attribute, theirs, ours)

    def _place(self, props: Props) -> Place:
        place = super()._place(props)
        return {**place, _LOCKED: restriction(props.get(_CERTIFICATE))} if props.get(_LOCKED) else place

    def _entry(self, row: Row, rows: Rows, place: Place) -> Entry:
        entry = super()._entry(row, rows, place)
        return {k: v for k, v in entry.items() if k != place.get(_LOCKED)}

    def _changed(self, row: Row, target: Mapping[str, Any]) -> dict[str, Any]:
        """A restriction that the target does not say is the LockDown's, and stays."""
        others = {*RESTRICTIONS.values()} - {*target}
        return {k: v for k, v in super()._changed(row, target).items() if k not in others}


class InboundConnector(ManagedResource, module="exchange", name="InboundConnector"):
    """One inbound connector. `before` comes from the snapshot.

    `locked_down_by_others`: there is a LockDown, which owns the restriction to the connector's addresses, or
    to its certificate. `ef_skip_ips`: what Enhanced Filtering skips, instead of the last hop.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        name: str,
        before: pulumi.Input[Entries],
        sender_ip_addresses: Sequence[str] | None = None,
        tls_sender_certificate_name: str | None = None,
        ef_skip_last_ip: bool = False,
        ef_skip_ips: Sequence[str] | None = None,
        locked_down_by_others: bool = False,
        take_over: Sequence[str] = (),
        change: Mapping[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "tenant": tenant,
            "name": name,
            "before": before,
            "senderIpAddresses": sender_ip_addresses,
            _CERTIFICATE: tls_sender_certificate_name,
            "efSkipLastIp": ef_skip_last_ip or None,
            "efSkipIps": ef_skip_ips,
            _LOCKED: locked_down_by_others or None,
            "other": {},
            "takeOver": list(take_over) or None,
            "change": dict(change) if change else None,
        }
        super().__init__(InboundConnectorProvider(), resource_name, props, opts)
