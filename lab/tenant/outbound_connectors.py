"""The cmdlets of outbound connectors."""

from __future__ import annotations

import ipaddress
import uuid
from datetime import datetime
from typing import Any

from lab.tenant import connector_rows as common
from lab.tenant.errors import IN_USE, CmdletFailure, bad_value, makes_no_sense
from lab.tenant.session import Bound, Session, mandatory
from lab.tenant.store import OUTBOUND, Record
from lab.tenant.transport_rules import rules_naming
from lab.tenant.values import HOST, Reader, anything, choice, flag, merged, multi_valued, text

LISTS = ("RecipientDomains", "SmartHosts", "ValidationRecipients")
ON_PREMISES_ONLY = (
    *(
        "SenderRewritingEnabled",
        "RouteAllMessagesViaOnPremises",
        "CloudServicesMailEnabled",
        "AllAcceptedDomains",
    ),
)
FLAGS = ("Enabled", "UseMXRecord", "IsTransportRuleScoped", "TestMode", *ON_PREMISES_ONLY)
TLS = choice(
    "Microsoft.Exchange.Data.TlsAuthLevel", "EncryptionOnly", "CertificateValidation", "DomainValidation"
)


def _date(parameter: str, value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise bad_value(
            parameter, value, "System.DateTime", "String was not recognized as a valid DateTime."
        ) from None


def _tls_domain(parameter: str, value: Any) -> str | None:
    """A domain, or `*.` and a domain."""
    name = text(parameter, value)
    if name and not HOST.match(name.removeprefix("*.")):
        kind = "Microsoft.Exchange.Data.SmtpDomainWithSubdomains"
        raise bad_value(parameter, value, kind, f"'{name}' isn't a valid SMTP domain.")
    return name


MAIN: dict[str, Reader] = {
    "Name": text,
    "ConnectorType": common.CONNECTOR_TYPE,
    "ConnectorSource": common.CONNECTOR_SOURCE,
    "Comment": text,
    "TlsSettings": TLS,
    "TlsDomain": _tls_domain,
    "MtaStsMode": choice("MtaStsMode", "Opportunistic", "None", optional=False),
    "SmtpDaneMode": choice("SmtpDaneMode", "Opportunistic", "Mandatory", "None", optional=False),
    **dict.fromkeys(("RecipientDomains", "SmartHosts"), multi_valued),
    **dict.fromkeys(FLAGS, flag),
}
GET: dict[str, Reader] = {
    "Identity": text,
    "ResultSize": anything,
    "IsTransportRuleScoped": flag,
    "IncludeTestModeConnectors": flag,
}
NEW = MAIN
SET: dict[str, Reader] = {
    "Identity": text,
    **MAIN,
    "IsValidated": flag,
    "LastValidationTimestamp": _date,
    "ValidationRecipients": multi_valued,
}
ONE: dict[str, Reader] = {"Identity": text}
DEFAULTS: Record = {
    "Enabled": True,
    "UseMXRecord": True,
    "ConnectorType": "Partner",
    "ConnectorSource": "Default",
    "Comment": "",
    "TlsDomain": None,
    "TlsSettings": None,
    "MtaStsMode": "Opportunistic",
    "SmtpDaneMode": "Opportunistic",
    "IsValidated": False,
    "LastValidationTimestamp": None,
    **{name: False for name in FLAGS if name not in ("Enabled", "UseMXRecord")},
}
READ_ORDER = (
    *(
        "Enabled",
        "UseMXRecord",
        "Comment",
        "ConnectorType",
        "ConnectorSource",
        "RecipientDomains",
        "SmartHosts",
    ),
    *("TlsDomain", "TlsSettings", "IsTransportRuleScoped", "RouteAllMessagesViaOnPremises"),
    *(
        "CloudServicesMailEnabled",
        "AllAcceptedDomains",
        "SenderRewritingEnabled",
        "MtaStsMode",
        "SmtpDaneMode",
    ),
    *("TestMode", "ValidationRecipients", "IsValidated", "LastValidationTimestamp"),
)


def get(session: Session, bound: Bound) -> list[Record]:
    """Get-OutboundConnector; connectors in test mode only when asked for."""
    rows = common.chosen(session, OUTBOUND, bound)
    if not bound.get("IncludeTestModeConnectors"):
        rows = [row for row in rows if not row["TestMode"]]
    if "IsTransportRuleScoped" in bound:
        rows = [row for row in rows if row["IsTransportRuleScoped"] == bound["IsTransportRuleScoped"]]
    return [as_read(row) for row in rows]


def new(session: Session, bound: Bound) -> list[Record]:
    """New-OutboundConnector; it has none of the validation parameters."""
    mandatory(bound, "Name")
    row: Record = {**DEFAULTS, **{name: [] for name in LISTS}, "Guid": uuid.uuid4()}
    _apply(row, bound)
    _check(session, row, bound, session.store.rows(OUTBOUND))
    session.changing(OUTBOUND).append(row)
    common.stamp(session, row)
    return [as_read(row)]


def set_(session: Session, bound: Bound) -> list[Record]:
    """Set-OutboundConnector: only what is given changes."""
    row = common.named(session, OUTBOUND, bound)
    changed = dict(row)
    _apply(changed, bound)
    others = [other for other in session.store.rows(OUTBOUND) if other is not row]
    _check(session, changed, bound, others)
    session.changing(OUTBOUND)
    row.clear()
    row.update(changed)
    common.stamp(session, row)
    return []


def remove(session: Session, bound: Bound) -> list[Record]:
    """Remove-OutboundConnector, unless a rule names it."""
    row = common.named(session, OUTBOUND, bound)
    users = rules_naming(session, row)
    if users and session.switches.connector_in_use == "refused":
        names = ", ".join(f"'{name}'" for name in users)
        said = (
            f"The connector '{row['Name']}' can't be removed because these mail flow rules use it: {names}."
        )
        raise CmdletFailure(IN_USE, said)
    session.changing(OUTBOUND).remove(row)
    return []


def as_read(row: Record) -> Record:
    """Every property that Get-OutboundConnector shows."""
    return {**{name: row[name] for name in READ_ORDER}, **common.edge(row, "Outbound")}


def _apply(row: Record, bound: Bound) -> None:
    for name, value in bound.items():
        if name == "SmartHosts":
            row[name] = [host.strip("[]") for host in merged(row[name], value)]
        elif name in LISTS:
            row[name] = merged(row[name], value)
        elif name == "Comment":
            row[name] = value or ""
        elif name in SET and name != "Identity":
            row[name] = value


def _check(session: Session, row: Record, bound: Bound, others: list[Record]) -> None:
    mandatory(row, "Name")
    common.check_name(row, others, "outbound connector")
    common.on_premises_only(bound, row, ON_PREMISES_ONLY, also_false=True)
    for value in row["RecipientDomains"]:
        common.domain("RecipientDomains", value)
    for value in row["SmartHosts"]:
        _smart_host(value)
    _check_scope(row)
    if row["UseMXRecord"] and row["SmartHosts"]:
        raise makes_no_sense("SmartHosts can't be specified when UseMXRecord is true.")
    if not row["UseMXRecord"] and not row["SmartHosts"]:
        raise makes_no_sense("SmartHosts must be specified when UseMXRecord is false.")
    paired = session.switches.tls_domain == "paired"
    if paired and (row["TlsSettings"] == "DomainValidation") != bool(row["TlsDomain"]):
        raise makes_no_sense(
            "TlsDomain must be specified when, and only when, TlsSettings is DomainValidation."
        )


def _check_scope(row: Record) -> None:
    by_domain = bool(row["RecipientDomains"]) or row["AllAcceptedDomains"]
    if row["IsTransportRuleScoped"] and by_domain:
        raise makes_no_sense(
            "RecipientDomains and AllAcceptedDomains can't be used when IsTransportRuleScoped is true."
        )
    if not row["IsTransportRuleScoped"] and not by_domain:
        raise makes_no_sense(
            "RecipientDomains must contain at least one domain unless IsTransportRuleScoped is true."
        )


def _smart_host(value: str) -> None:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        if ":" in value or value.replace(".", "").isdigit() or not HOST.match(value):
            raise makes_no_sense(
                f"The smart host '{value}' is invalid. Use an IPv4 address or a domain name."
            ) from None
