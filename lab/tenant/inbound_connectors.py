"""The cmdlets of inbound connectors."""

from __future__ import annotations

import uuid
from typing import Any

from lab.tenant import connector_rows as common
from lab.tenant.errors import bad_value, makes_no_sense
from lab.tenant.session import Bound, Session, mandatory
from lab.tenant.store import INBOUND, Record
from lab.tenant.values import HOST, Reader, anything, flag, ip_range, merged, multi_valued, sender_ip, text

LISTS = (
    *("SenderIPAddresses", "SenderDomains", "TrustedOrganizations", "ClientHostNames"),
    *("AssociatedAcceptedDomains", "ScanAndDropRecipients", "EFSkipIPs", "EFSkipMailGateway", "EFUsers"),
)
FLAGS = (
    *("Enabled", "RequireTls", "RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate"),
    *("CloudServicesMailEnabled", "TreatMessagesAsInternal", "EFTestMode", "EFSkipLastIP"),
)
ON_PREMISES_ONLY = ("CloudServicesMailEnabled", "TreatMessagesAsInternal")
WIDEST_BLOCK = 24


def _certificate(parameter: str, value: Any) -> str | None:
    """A domain, `*.` and a domain, or issuer and subject as the hybrid wizard writes them."""
    name = text(parameter, value)
    if name and not name.startswith("<I>") and not HOST.match(name.removeprefix("*.")):
        raise bad_value(
            parameter, value, "Microsoft.Exchange.Data.TlsCertificate", f"'{name}' isn't a valid SMTP domain."
        )
    return name


MAIN: dict[str, Reader] = {
    "Name": text,
    "ConnectorType": common.CONNECTOR_TYPE,
    "ConnectorSource": common.CONNECTOR_SOURCE,
    "Comment": text,
    "TlsSenderCertificateName": _certificate,
    **dict.fromkeys(LISTS, multi_valued),
    **dict.fromkeys(FLAGS, flag),
}
GET: dict[str, Reader] = {"Identity": text, "ResultSize": anything}
NEW = MAIN
SET: dict[str, Reader] = {"Identity": text, **MAIN}
ONE: dict[str, Reader] = {"Identity": text}
DEFAULTS: Record = {
    "Enabled": True,
    "ConnectorType": "Partner",
    "ConnectorSource": "Default",
    "Comment": "",
    "TlsSenderCertificateName": None,
    **{name: False for name in FLAGS if name != "Enabled"},
}
READ_ORDER = (
    *("Enabled", "ConnectorType", "ConnectorSource", "Comment", "SenderIPAddresses", "SenderDomains"),
    *("TrustedOrganizations", "ClientHostNames", "AssociatedAcceptedDomains", "RequireTls"),
    *("RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate", "CloudServicesMailEnabled"),
    *("TreatMessagesAsInternal", "TlsSenderCertificateName", "EFTestMode", "ScanAndDropRecipients"),
    *("EFSkipLastIP", "EFSkipIPs", "EFSkipMailGateway", "EFUsers"),
)


def get(session: Session, bound: Bound) -> list[Record]:
    """Get-InboundConnector."""
    return [as_read(row) for row in common.chosen(session, INBOUND, bound)]


def new(session: Session, bound: Bound) -> list[Record]:
    """New-InboundConnector; SenderDomains must be given."""
    mandatory(bound, "Name")
    mandatory(bound, "SenderDomains")
    row: Record = {**DEFAULTS, **{name: [] for name in LISTS}, "Guid": uuid.uuid4()}
    _apply(row, bound)
    _check(session, row, bound, session.store.rows(INBOUND))
    session.changing(INBOUND).append(row)
    common.stamp(session, row)
    return [as_read(row)]


def set_(session: Session, bound: Bound) -> list[Record]:
    """Set-InboundConnector: only what is given changes."""
    row = common.named(session, INBOUND, bound)
    changed = dict(row)
    _apply(changed, bound)
    others = [other for other in session.store.rows(INBOUND) if other is not row]
    _check(session, changed, bound, others)
    session.changing(INBOUND)
    row.clear()
    row.update(changed)
    common.stamp(session, row)
    return []


def remove(session: Session, bound: Bound) -> list[Record]:
    """Remove-InboundConnector."""
    row = common.named(session, INBOUND, bound)
    session.changing(INBOUND).remove(row)
    return []


def as_read(row: Record) -> Record:
    """Every property that Get-InboundConnector shows."""
    return {**{name: row[name] for name in READ_ORDER}, **common.edge(row, "Inbound")}


def _apply(row: Record, bound: Bound) -> None:
    for name, value in bound.items():
        if name == "SenderDomains":
            row[name] = _sender_domains(merged(row[name], _with_cost(value)))
        elif name in LISTS:
            row[name] = merged(row[name], value)
        elif name == "Comment":
            row[name] = value or ""
        elif name in MAIN:
            row[name] = value


def _check(session: Session, row: Record, bound: Bound, others: list[Record]) -> None:
    mandatory(row, "Name")
    common.check_name(row, others, "inbound connector")
    common.on_premises_only(bound, row, ON_PREMISES_ONLY, also_false=session.switches.inbound_false_refused)
    common.partner_only(bound, row, ("RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate"))
    if not row["SenderDomains"]:
        raise makes_no_sense("The SenderDomains parameter must contain at least one domain.")
    for value in row["SenderIPAddresses"]:
        sender_ip("SenderIPAddresses", value, widest=WIDEST_BLOCK)
    for value in row["EFSkipIPs"]:
        ip_range("EFSkipIPs", value)
    if row["RestrictDomainsToIPAddresses"] and row["RestrictDomainsToCertificate"]:
        both = "RestrictDomainsToIPAddresses and RestrictDomainsToCertificate"
        raise makes_no_sense(f"The {both} parameters can't both be set to true.")
    if row["RestrictDomainsToIPAddresses"] and not row["SenderIPAddresses"]:
        raise makes_no_sense("RestrictDomainsToIPAddresses needs at least one address in SenderIPAddresses.")
    if row["RestrictDomainsToCertificate"] and not row["TlsSenderCertificateName"]:
        raise makes_no_sense("RestrictDomainsToCertificate needs TlsSenderCertificateName.")
    without_tls = row["RestrictDomainsToCertificate"] and not row["RequireTls"]
    if without_tls and session.switches.certificate_without_tls == "refused":
        raise makes_no_sense("RestrictDomainsToCertificate can only be true when RequireTls is true.")


def _sender_domains(values: list[str]) -> list[str]:
    for value in values:
        common.domain("SenderDomains", value.removeprefix("smtp:").rsplit(";", 1)[0])
    return values


def _with_cost(value: Any) -> Any:
    """`*` is kept as `smtp:*;1`: address space with its type and cost."""
    if isinstance(value, list):
        return list(dict.fromkeys(_address_space(item) for item in value))
    return type(value)(
        [_address_space(item) for item in value.add], [_address_space(item) for item in value.remove]
    )


def _address_space(item: str) -> str:
    bare = item[5:] if item.lower().startswith("smtp:") else item
    return f"smtp:{bare if ';' in bare else bare + ';1'}"
