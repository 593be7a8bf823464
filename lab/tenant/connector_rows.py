"""What inbound and outbound connectors have in common: identity, checks, the properties round the edge."""

from __future__ import annotations

import uuid

from lab.tenant.errors import DATA_VALIDATION, CmdletFailure, already_exists, makes_no_sense, not_found
from lab.tenant.session import Bound, Session, mandatory, selected
from lab.tenant.store import Record, find
from lab.tenant.values import HOST, choice

NAME_LENGTH = 64
CONNECTOR_TYPE = choice(
    "Microsoft.Exchange.Data.TenantConnectorType", "OnPremises", "Partner", optional=False
)
CONNECTOR_SOURCE = choice(
    "Microsoft.Exchange.Data.TenantConnectorSource",
    "Default",
    "Migrated",
    "HybridWizard",
    "AdminUI",
    optional=False,
)


def chosen(session: Session, table: str, bound: Bound) -> list[Record]:
    """The connectors that a Get- shows."""
    rows = selected(session.seen(table), bound, unknown_is_all=session.switches.unknown_connector_returns_all)
    if rows is None:
        raise not_found(str(bound["Identity"]), session.switches.not_found_status)
    return rows


def named(session: Session, table: str, bound: Bound) -> Record:
    """The connector that a Set- or Remove- is about."""
    identity = str(mandatory(bound, "Identity"))
    row = find(session.store.rows(table), identity)
    if row is None:
        raise not_found(identity, session.switches.not_found_status)
    return row


def check_name(row: Record, others: list[Record], what: str) -> None:
    """A connector's name is at most 64 long and unique among its kind."""
    if len(row["Name"]) > NAME_LENGTH:
        said = f"The property value is too long. The maximum length is {NAME_LENGTH}."
        raise CmdletFailure(DATA_VALIDATION, said)
    if any(other["Name"].lower() == row["Name"].lower() for other in others):
        raise already_exists(what, row["Name"])


def on_premises_only(bound: Bound, row: Record, names: tuple[str, ...], *, also_false: bool) -> None:
    """Refuse parameters of hybrid connectors on a partner's."""
    if row["ConnectorType"] == "OnPremises":
        return
    for name in names:
        if name in bound and (bound[name] or also_false):
            raise makes_no_sense(f"The {name} parameter can only be specified for Connector type OnPremises.")


def partner_only(bound: Bound, row: Record, names: tuple[str, ...]) -> None:
    """Refuse parameters of partner connectors on a hybrid one."""
    if row["ConnectorType"] == "Partner":
        return
    for name in names:
        if bound.get(name):
            raise makes_no_sense(f"The {name} parameter can only be specified for Connector type Partner.")


def domain(parameter: str, value: str) -> str:
    """`*`, `example.com` or `*.example.com`."""
    if value != "*" and not HOST.match(value.removeprefix("*.")):
        raise makes_no_sense(f"The {parameter} value '{value}' isn't a valid SMTP domain.")
    return value


def stamp(session: Session, row: Record) -> None:
    """Times of creation and change."""
    row["WhenChanged"] = session.store.now()
    row.setdefault("WhenCreated", row["WhenChanged"])


def edge(row: Record, kind: str) -> Record:
    """What follows the settings of every connector."""
    name = row["Name"]
    path = f"CN={name},CN=Transport Settings,CN=Configuration"
    return {
        "NameHashGuid": uuid.uuid5(uuid.NAMESPACE_DNS, name),
        "OrganizationalUnitRootInternal": None,
        "AdminDisplayName": "",
        "ExchangeVersion": "0.1 (8.0.535.0)",
        "DirectoryObjectVersion": None,
        "Name": name,
        "DistinguishedName": path,
        "Identity": name,
        "ObjectCategory": f"EURPR01A002.PROD.OUTLOOK.COM/Configuration/Schema/ms-Exch-{kind}-Connector",
        "ObjectClass": ["top", f"msExchTenant{kind}Connector"],
        "WhenChanged": row["WhenChanged"],
        "WhenCreated": row["WhenCreated"],
        "WhenChangedUTC": row["WhenChanged"],
        "WhenCreatedUTC": row["WhenCreated"],
        "ExchangeObjectId": row["Guid"],
        "OrganizationalUnitRoot": "",
        "OrganizationId": "",
        "Id": name,
        "Guid": row["Guid"],
        "OriginatingServer": "DB9PR01A002.EURPR01A002.PROD.OUTLOOK.COM",
        "IsValid": True,
        "ObjectState": "Unchanged",
    }
