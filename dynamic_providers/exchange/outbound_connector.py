"""The outbound connector (guide: «Configurar e-mail do Microsoft 365 para o CES»): Office 365 → the gateway.

Used only where a rule says so; TLS always, with any certificate, a public one, or one with a certain name.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import pulumi
from pydantic import AfterValidator, Field, model_validator

from dynamic_providers.entries import Entries
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient, Rows, Step, named
from dynamic_providers.exchange.cmdlets import (
    OUTBOUND_CONNECTOR,
    OUTBOUND_ON_PREMISES,
    TRANSPORT_RULE,
    VALIDATION,
)
from dynamic_providers.exchange.errors import ConnectorInUse
from dynamic_providers.exchange.exchange_object import Attribute, ExchangeObjectProvider, Wanted
from dynamic_providers.field_types import CertificateName, ExchangeName, Flag, InitialDomain, SmartHost
from dynamic_providers.managed_resource import ManagedResource
from dynamic_providers.model import Model
from dynamic_providers.refusal import refuse

TLS: Final = ("EncryptionOnly", "CertificateValidation", "DomainValidation")
_VALIDATED: Final = "validated"  # in a record: how it was validated before us


class OutboundConnectorModel(Model):
    """One outbound connector. What is not here must be as Exchange makes it; else it is `other`."""

    tenant: InitialDomain
    name: ExchangeName
    smart_hosts: Annotated[
        tuple[SmartHost, ...], Field(min_length=1), AfterValidator(forms.as_tuple(forms.hosts))
    ]
    connector_type: Literal["Partner"] = "Partner"
    is_transport_rule_scoped: Flag = True
    use_mx_record: Flag = False
    tls_settings: Literal["EncryptionOnly", "CertificateValidation", "DomainValidation"] = "EncryptionOnly"
    tls_domain: CertificateName | None = None
    enabled: Flag = True
    other: dict[str, str] = Field(default={}, max_length=0)

    @model_validator(mode="after")
    def _named_where_a_name_counts(self) -> Self:
        if (self.tls_settings == "DomainValidation") is not (self.tls_domain is not None):
            refuse("has a tlsDomain with DomainValidation, and only then")
        return self


class OutboundConnectorProvider(ExchangeObjectProvider):
    """CRUD of one outbound connector. Whether it is validated is not compared, but put back as it was."""

    label: ClassVar[str] = "outbound connector"
    model: ClassVar[type[Model]] = OutboundConnectorModel
    take_over_key: ClassVar[str] = "outboundConnector"
    new_before_old: ClassVar[bool] = True  # the rule names it: it cannot go before that has another

    kind = OUTBOUND_CONNECTOR
    comment = "Comment"
    on_premises = OUTBOUND_ON_PREMISES
    unseen = VALIDATION
    defaults: ClassVar[Mapping[str, str]] = {"MtaStsMode": "Opportunistic", "SmtpDaneMode": "Opportunistic"}
    together = (
        frozenset({"UseMXRecord", "SmartHosts"}),
        frozenset({"TlsSettings", "TlsDomain"}),
        frozenset({"IsTransportRuleScoped", "RecipientDomains", "AllAcceptedDomains"}),
    )
    attributes: ClassVar[tuple[Attribute, ...]] = (
        Attribute("connectorType", "ConnectorType", forms.word("Partner", "OnPremises")),
        Attribute("isTransportRuleScoped", "IsTransportRuleScoped", forms.flag),
        Attribute("useMxRecord", "UseMXRecord", forms.flag),
        Attribute("smartHosts", "SmartHosts", forms.hosts),
        Attribute("tlsSettings", "TlsSettings", forms.word(*TLS)),
        Attribute("tlsDomain", "TlsDomain", forms.text),
        Attribute("enabled", "Enabled", forms.flag),
    )

    def equal(self, attribute: str, theirs: Any, ours: Any) -> bool:
        if attribute == "tlsDomain":
            return str(theirs or "").casefold() == str(ours or "").casefold()
        return super().equal(attribute, theirs, ours)

    def _raw(self, row: Row, rows: Rows) -> dict[str, Any]:
        return {**super()._raw(row, rows), _VALIDATED: _validation(row)}

    def _restored(self, row: Row, rows: Rows, raw: Mapping[str, Any]) -> bool:
        return super()._restored(row, rows, raw) and not _unvalidated(row, raw)

    def _set_steps(self, wanted: Wanted, row: Row, rows: Rows) -> list[Step]:
        steps = super()._set_steps(wanted, row, rows)
        changed = _unvalidated(row, wanted.raw or {})
        return [*steps, Step("Set", {"Identity": row["Identity"], **changed})] if changed else steps

    def _missing(self, wanted: Wanted, rows: Rows) -> str:
        row = named(rows, wanted.key)
        changed = {} if row is None else _unvalidated(row, wanted.raw or {})
        return ", ".join(part for part in (super()._missing(wanted, rows), *changed) if part)

    def _remove(self, client: ExchangeClient, key: str, row: Row) -> None:
        """Exchange's own answer for a connector in use is not known; mail of those rules would stop."""
        users = [
            str(rule["Name"])
            for rule in client.rows(TRANSPORT_RULE)
            if str(rule.get("RouteMessageOutboundConnector") or "").casefold() == key.casefold()
        ]
        if users:
            raise ConnectorInUse(
                f"the outbound connector «{key}» cannot go: "
                f"{', '.join(f'«{name}»' for name in users)} routes mail through it",
                where=client.name,
                fix="remove that transport rule, or its action, first",
            )
        super()._remove(client, key, row)


def _validation(row: Row) -> dict[str, Any]:
    """Whether it is validated, and how; what is not set is empty."""
    return {
        "IsValidated": row.get("IsValidated") is True,
        "ValidationRecipients": list(row.get("ValidationRecipients") or []),
        "LastValidationTimestamp": str(row.get("LastValidationTimestamp") or ""),
    }


def _unvalidated(row: Row, raw: Mapping[str, Any]) -> dict[str, Any]:
    """What Set- is given so that its validation is as before us. A time can be set, but not taken away."""
    then, now = raw.get(_VALIDATED) or {}, _validation(row)
    return {name: value for name, value in then.items() if now[name] != value and value != ""}


class OutboundConnector(ManagedResource, module="exchange", name="OutboundConnector"):
    """One outbound connector. `before` comes from the snapshot."""

    def __init__(
        self,
        resource_name: str,
        *,
        tenant: str,
        name: str,
        before: pulumi.Input[Entries],
        smart_hosts: Sequence[str],
        tls_settings: str | None = None,
        tls_domain: str | None = None,
        take_over: Sequence[str] = (),
        change: Mapping[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "tenant": tenant,
            "name": name,
            "before": before,
            "smartHosts": list(smart_hosts),
            "tlsSettings": tls_settings,
            "tlsDomain": tls_domain,
            "other": {},
            "takeOver": list(take_over) or None,
            "change": dict(change) if change else None,
        }
        super().__init__(OutboundConnectorProvider(), resource_name, props, opts)
