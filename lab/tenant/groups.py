"""The cmdlets of distribution groups, as far as rules look at them: who is a member."""

from __future__ import annotations

import uuid

from lab.tenant.errors import already_exists, not_found
from lab.tenant.practice import Organization
from lab.tenant.session import Bound, Session, mandatory, selected
from lab.tenant.store import GROUPS, Record, find
from lab.tenant.values import Reader, anything, text, words

GET: dict[str, Reader] = {"Identity": text, "ResultSize": anything}
NEW: dict[str, Reader] = {"Name": text, "PrimarySmtpAddress": text, "Members": words}
ONE: dict[str, Reader] = {"Identity": text}
MEMBERS: dict[str, Reader] = {"Identity": text, "ResultSize": anything}
MEMBER: dict[str, Reader] = {"Identity": text, "Member": text}


def get(session: Session, bound: Bound) -> list[Record]:
    """Get-DistributionGroup: by name, GUID or address."""
    rows = session.seen(GROUPS)
    found = _by_address(rows, str(bound.get("Identity") or ""))
    chosen = [found] if found is not None else selected(rows, bound, unknown_is_all=False)
    if chosen is None:
        raise not_found(str(bound["Identity"]), session.switches.not_found_status)
    return [{name: value for name, value in row.items() if name != "Members"} for row in chosen]


def new(session: Session, bound: Bound) -> list[Record]:
    """New-DistributionGroup."""
    row = group_row(
        mandatory(bound, "Name"), mandatory(bound, "PrimarySmtpAddress"), bound.get("Members", [])
    )
    if any(_by_address([other], row["PrimarySmtpAddress"]) for other in session.store.rows(GROUPS)):
        raise already_exists("group", row["Name"])
    session.changing(GROUPS).append(row)
    return [{name: value for name, value in row.items() if name != "Members"}]


def remove(session: Session, bound: Bound) -> list[Record]:
    """Remove-DistributionGroup."""
    row = _named(session, bound, session.store.rows(GROUPS))
    session.changing(GROUPS).remove(row)
    return []


def members(session: Session, bound: Bound) -> list[Record]:
    """Get-DistributionGroupMember."""
    row = _named(session, bound, session.seen(GROUPS))
    return [_member(address) for address in row["Members"]]


def add_member(session: Session, bound: Bound) -> list[Record]:
    """Add-DistributionGroupMember."""
    row, address = _named(session, bound, session.store.rows(GROUPS)), str(mandatory(bound, "Member"))
    if address.lower() in (item.lower() for item in row["Members"]):
        raise already_exists("member", address)
    session.changing(GROUPS)
    row["Members"] = [*row["Members"], address]
    return []


def remove_member(session: Session, bound: Bound) -> list[Record]:
    """Remove-DistributionGroupMember."""
    row, address = _named(session, bound, session.store.rows(GROUPS)), str(mandatory(bound, "Member"))
    kept = [item for item in row["Members"] if item.lower() != address.lower()]
    if len(kept) == len(row["Members"]):
        raise not_found(address, session.switches.not_found_status)
    session.changing(GROUPS)
    row["Members"] = kept
    return []


def group_row(name: str, address: str, people: list[str]) -> Record:
    """One group as it is kept."""
    return {
        "Name": name,
        "DisplayName": name,
        "Alias": address.split("@", 1)[0],
        "PrimarySmtpAddress": address,
        "EmailAddresses": [f"SMTP:{address}"],
        "GroupType": "Universal",
        "RecipientType": "MailUniversalDistributionGroup",
        "RecipientTypeDetails": "MailUniversalDistributionGroup",
        "Identity": name,
        "Guid": uuid.uuid4(),
        "IsValid": True,
        "ObjectState": "Unchanged",
        "Members": list(people),
    }


def first_groups(organization: Organization) -> list[Record]:
    """What is there before us: a group to pilot with, and the one that a foreign rule names."""
    domain = organization.accepted_domains[0]
    return [
        group_row("Mail pilot", f"mail-pilot@{domain}", [f"pilot@{domain}"]),
        group_row("Legal", f"legal@{domain}", [f"counsel@{domain}"]),
    ]


def _named(session: Session, bound: Bound, rows: list[Record]) -> Record:
    identity = str(mandatory(bound, "Identity"))
    row = _by_address(rows, identity) or find(rows, identity)
    if row is None:
        raise not_found(identity, session.switches.not_found_status)
    return row


def _by_address(rows: list[Record], address: str) -> Record | None:
    return next((row for row in rows if row["PrimarySmtpAddress"].lower() == address.lower()), None)


def _member(address: str) -> Record:
    name = address.split("@", 1)[0]
    return {
        "Name": name,
        "DisplayName": name,
        "PrimarySmtpAddress": address,
        "RecipientType": "UserMailbox",
        "RecipientTypeDetails": "UserMailbox",
        "Identity": name,
        "Guid": uuid.uuid5(uuid.NAMESPACE_DNS, address.lower()),
        "IsValid": True,
        "ObjectState": "Unchanged",
    }
