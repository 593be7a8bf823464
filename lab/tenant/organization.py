"""The cmdlets round the mail flow: accepted domains, and the organization's own settings."""

from __future__ import annotations

import uuid

from lab.tenant.errors import not_found
from lab.tenant.practice import Organization
from lab.tenant.session import Bound, Session, selected
from lab.tenant.store import DOMAINS, ORGANIZATION, Record
from lab.tenant.values import Reader, anything, flag, text

GET_DOMAIN: dict[str, Reader] = {"Identity": text, "ResultSize": anything}
GET_CONFIG: dict[str, Reader] = {}
SET_CONFIG: dict[str, Reader] = {"RejectDirectSend": flag}


def domains(session: Session, bound: Bound) -> list[Record]:
    """Get-AcceptedDomain."""
    rows = selected(session.seen(DOMAINS), bound, unknown_is_all=False)
    if rows is None:
        raise not_found(str(bound["Identity"]), session.switches.not_found_status)
    return [dict(row) for row in rows]


def config(session: Session, _bound: Bound) -> list[Record]:
    """Get-OrganizationConfig."""
    return [dict(row) for row in session.seen(ORGANIZATION)]


def set_config(session: Session, bound: Bound) -> list[Record]:
    """Set-OrganizationConfig."""
    (row,) = session.changing(ORGANIZATION)
    row.update({name: bound[name] for name in SET_CONFIG if name in bound})
    row["WhenChanged"] = session.store.now()
    return []


def domain_row(name: str, organization: Organization) -> Record:
    """One accepted domain as it is read."""
    return {
        "DomainName": name,
        "CatchAllRecipientID": None,
        "DomainType": "Authoritative",
        "MatchSubDomains": False,
        "AddressBookEnabled": True,
        "Default": name == organization.accepted_domains[0],
        "EmailOnly": False,
        "ExternallyManaged": False,
        "AuthenticationType": "Managed",
        "LiveIdInstanceType": "Business",
        "PendingRemoval": False,
        "PendingCompletion": False,
        "OutboundOnly": False,
        "IsCoexistenceDomain": False,
        "SendingFromDomainDisabled": False,
        "SendingToDomainDisabled": False,
        "SmtpDaneStatus": None,
        "InitialDomain": name == organization.initial_domain,
        "AdminDisplayName": "",
        "ExchangeVersion": "0.0 (6.5.6500.0)",
        "Name": name,
        "DistinguishedName": f"CN={name},CN=Accepted Domains,CN=Transport Settings,CN=Configuration",
        "Identity": name,
        "Guid": uuid.uuid5(uuid.NAMESPACE_DNS, name),
        "IsValid": True,
        "ObjectState": "Unchanged",
    }


def config_row(organization: Organization) -> Record:
    """The organization as it is read, without the hundreds of settings that are none of our business."""
    return {
        "DisplayName": organization.initial_domain.split(".", 1)[0],
        "IsDehydrated": False,
        "RejectDirectSend": False,
        "SendFromAliasEnabled": False,
        "AuditDisabled": False,
        "SmtpActionableMessagesEnabled": True,
        "Name": organization.initial_domain,
        "Identity": organization.initial_domain,
        "Guid": uuid.UUID(organization.tenant_id),
        "WhenChanged": None,
        "IsValid": True,
        "ObjectState": "Unchanged",
    }
