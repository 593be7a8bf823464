"""The cmdlets of the connection filter: which addresses are never spam, and which never get in."""

from __future__ import annotations

import ipaddress
import uuid

from lab.tenant.errors import bad_value, makes_no_sense, not_found
from lab.tenant.session import Bound, Session, mandatory, selected
from lab.tenant.store import CONNECTION_FILTER, Record, find
from lab.tenant.values import Reader, anything, flag, ip_range, merged, multi_valued, text

LISTS = ("IPAllowList", "IPBlockList")
MOST_ENTRIES = 1273
MOST_IN_RANGE = 256

GET: dict[str, Reader] = {"Identity": text, "ResultSize": anything}
SET: dict[str, Reader] = {
    "Identity": text,
    "AdminDisplayName": text,
    "EnableSafeList": flag,
    "MakeDefault": flag,
    "ConfigurationXmlRaw": text,
    **dict.fromkeys(LISTS, multi_valued),
}
FOREIGN: Record = {"IPAllowList": ["203.0.113.77"], "IPBlockList": ["203.0.113.250"]}
"""What somebody has put there before us."""


def get(session: Session, bound: Bound) -> list[Record]:
    """Get-HostedConnectionFilterPolicy: everybody has one, called Default."""
    rows = selected(session.seen(CONNECTION_FILTER), bound, unknown_is_all=False)
    if rows is None:
        raise not_found(str(bound["Identity"]), session.switches.not_found_status)
    return [dict(row) for row in rows]


def set_(session: Session, bound: Bound) -> list[Record]:
    """Set-HostedConnectionFilterPolicy: only what is given changes."""
    identity = str(mandatory(bound, "Identity"))
    row = find(session.store.rows(CONNECTION_FILTER), identity)
    if row is None:
        raise not_found(identity, session.switches.not_found_status)
    lists = {name: merged(row[name], bound[name]) for name in LISTS if name in bound}
    for name, entries in lists.items():
        _check(name, entries)
    session.changing(CONNECTION_FILTER)
    row.update(lists)
    row.update({name: bound[name] for name in ("AdminDisplayName", "EnableSafeList") if name in bound})
    row["WhenChanged"] = session.store.now()
    return []


def policy_row() -> Record:
    """The one policy as it is read."""
    return {
        "AdminDisplayName": "",
        "IsDefault": True,
        **{name: list(FOREIGN[name]) for name in LISTS},
        "EnableSafeList": False,
        "DirectoryBasedEdgeBlockMode": "Default",
        "Name": "Default",
        "DistinguishedName": "CN=Default,CN=Hosted Connection Filter,CN=Transport Settings,CN=Configuration",
        "Identity": "Default",
        "Guid": uuid.uuid5(uuid.NAMESPACE_DNS, "hosted connection filter"),
        "WhenChanged": None,
        "IsValid": True,
        "ObjectState": "Unchanged",
    }


def _check(name: str, entries: list[str]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise makes_no_sense(f"The {name} parameter can't hold more than {MOST_ENTRIES} entries.")
    for entry in entries:
        ip_range(name, entry)
        if _addresses(entry) > MOST_IN_RANGE:
            raise bad_value(
                name,
                entry,
                "Microsoft.Exchange.Data.IPRange",
                "Use a /24 to /32 block or at most 256 addresses.",
            )


def _addresses(entry: str) -> int:
    """How many addresses an entry covers."""
    first, dash, last = entry.partition("-")
    if dash:
        return int(ipaddress.ip_address(last.strip())) - int(ipaddress.ip_address(first.strip())) + 1
    return ipaddress.ip_network(entry, strict=False).num_addresses
