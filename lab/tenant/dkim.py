"""The cmdlets of DKIM signing: one configuration a domain, its keys published by aliases of the tenant's."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from lab.tenant.errors import not_found
from lab.tenant.practice import Organization
from lab.tenant.session import Bound, Session, mandatory, selected
from lab.tenant.store import DKIM, EPOCH, Record, find
from lab.tenant.values import Reader, anything, flag, text

GET: dict[str, Reader] = {"Identity": text, "ResultSize": anything}
SET: dict[str, Reader] = {"Identity": text, "Enabled": flag, "AdminDisplayName": text}


def get(session: Session, bound: Bound) -> list[Record]:
    """Get-DkimSigningConfig."""
    rows = selected(session.seen(DKIM), bound, unknown_is_all=False)
    if rows is None:
        raise not_found(str(bound["Identity"]), session.switches.not_found_status)
    return [dict(row) for row in rows]


def set_(session: Session, bound: Bound) -> list[Record]:
    """Set-DkimSigningConfig: signing on or off."""
    identity = str(mandatory(bound, "Identity"))
    row = find(session.store.rows(DKIM), identity)
    if row is None:
        raise not_found(identity, session.switches.not_found_status)
    session.changing(DKIM)
    row.update({name: bound[name] for name in ("Enabled", "AdminDisplayName") if name in bound})
    row["LastChecked"] = session.store.now()
    return []


def signing_row(domain: str, organization: Organization) -> Record:
    """One domain's configuration as it is read: on, with its aliases in DNS (see `lab/internet/world.py`)."""
    initial = organization.initial_domain
    aliases = [f"selector{number}-{domain.replace('.', '-')}._domainkey.{initial}" for number in (1, 2)]
    return {
        "Domain": domain,
        "AdminDisplayName": "",
        "Selector1KeySize": 2048,
        "Selector1CNAME": aliases[0],
        "Selector1PublicKey": "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
        "Selector2KeySize": 2048,
        "Selector2CNAME": aliases[1],
        "Selector2PublicKey": "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
        "Enabled": True,
        "IsDefault": domain == initial,
        "HeaderCanonicalization": "Relaxed",
        "BodyCanonicalization": "Relaxed",
        "Algorithm": "RsaSHA256",
        "NumberOfBytesToSign": "All",
        "IncludeSignatureCreationTime": True,
        "IncludeKeyExpiration": False,
        "KeyCreationTime": EPOCH,
        "LastChecked": datetime.now(UTC).replace(microsecond=0),
        "RotateOnDate": EPOCH,
        "SelectorBeforeRotateOnDate": "selector2",
        "SelectorAfterRotateOnDate": "selector1",
        "Status": "Valid",
        "Name": domain,
        "DistinguishedName": f"CN={domain},CN=Domain Keys,CN=Transport Settings,CN=Configuration",
        "Identity": domain,
        "Guid": uuid.uuid5(uuid.NAMESPACE_DNS, f"dkim {domain}"),
        "IsValid": True,
        "ObjectState": "Unchanged",
    }
