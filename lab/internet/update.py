"""RFC 2136: conditions and changes of an UPDATE, applied to a zone as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable

import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.update

from lab.internet.wire import name_of, rdatas
from lab.internet.zones import Records, Zone, Zones

APEX_ONLY = (dns.rdatatype.SOA, dns.rdatatype.NS)


class Refused(Exception):
    """The update is not carried out; `code` says why."""

    def __init__(self, code: dns.rcode.Rcode) -> None:
        super().__init__(dns.rcode.to_text(code))
        self.code = code


def apply(zones: Zones, message: dns.update.UpdateMessage) -> list[str]:
    """Carry out an update; what it changed, a line each. Refused with a code otherwise."""
    if len(message.zone) != 1:
        raise Refused(dns.rcode.FORMERR)
    origin = name_of(message.zone[0].name)
    if zones.zone_of(origin) != origin:
        raise Refused(dns.rcode.NOTAUTH)
    with zones.change(origin) as zone:
        for rrset in (*message.prerequisite, *message.update):
            if not _inside(zone, name_of(rrset.name)):
                raise Refused(dns.rcode.NOTZONE)
        _check(zone, message.prerequisite)
        before = dict(zone.records)
        for rrset in message.update:
            _change(zone, rrset)
        return _differences(before, zone.records)


def _inside(zone: Zone, name: str) -> bool:
    return name == zone.origin or name.endswith(f".{zone.origin}")


def _check(zone: Zone, conditions: Iterable[dns.rrset.RRset]) -> None:
    """Section 3.2: the first condition that does not hold decides the code."""
    wanted: dict[tuple[str, str], set[object]] = {}
    for rrset in conditions:
        name, kind = name_of(rrset.name), dns.rdatatype.to_text(rrset.rdtype)
        anything = rrset.rdtype == dns.rdatatype.ANY
        there = zone.has_records(name) if anything else zone.get(name, kind) is not None
        if rrset.deleting == dns.rdataclass.ANY and not there:
            raise Refused(dns.rcode.NXDOMAIN if anything else dns.rcode.NXRRSET)
        if rrset.deleting == dns.rdataclass.NONE and there:
            raise Refused(dns.rcode.YXDOMAIN if anything else dns.rcode.YXRRSET)
        if rrset.deleting is None:
            wanted.setdefault((name, kind), set()).update(rrset)
    for key, values in wanted.items():
        if rdatas(zone.get(*key)) != values:
            raise Refused(dns.rcode.NXRRSET)


def _change(zone: Zone, rrset: dns.rrset.RRset) -> None:
    """Section 3.4.2: one record added, one taken away, or a whole set or name."""
    name, kind = name_of(rrset.name), dns.rdatatype.to_text(rrset.rdtype)
    if rrset.deleting == dns.rdataclass.ANY:
        _delete_sets(zone, name, rrset.rdtype)
    elif rrset.rdtype == dns.rdatatype.SOA:
        return  # serials are this server's own business here
    elif rrset.deleting == dns.rdataclass.NONE:
        _delete_record(zone, name, kind, rrset)
    elif not _clashes(zone, name, kind):
        there = zone.get(name, kind)
        fresh = [item.to_text() for item in rrset if item not in rdatas(there)]
        kept = there.values if there else ()
        zone.records[name, kind] = Records(name, kind, rrset.ttl, (*kept, *fresh))


def _clashes(zone: Zone, name: str, kind: str) -> bool:
    """An alias is alone at its name: what contradicts that is silently left out (3.4.2.2)."""
    others = {records.kind for records in zone.at(name)} - {kind}
    return bool(others) if kind == "CNAME" else "CNAME" in others


def _delete_sets(zone: Zone, name: str, rdtype: dns.rdatatype.RdataType) -> None:
    for records in zone.at(name):
        kind = dns.rdatatype.from_text(records.kind)
        if rdtype in (dns.rdatatype.ANY, kind) and not (name == zone.origin and kind in APEX_ONLY):
            del zone.records[name, records.kind]


def _delete_record(zone: Zone, name: str, kind: str, rrset: dns.rrset.RRset) -> None:
    there = zone.get(name, kind)
    if there is None:
        return
    gone = {item for item in rdatas(there) if item in rrset}
    left = tuple(item.to_text() for item in sorted(rdatas(there) - gone))
    if left:
        zone.records[name, kind] = Records(name, kind, there.ttl, left)
    elif not (name == zone.origin and kind == "NS"):
        del zone.records[name, kind]


def _differences(before: dict[tuple[str, str], Records], after: dict[tuple[str, str], Records]) -> list[str]:
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            values = after[key].values if key in after else ("nothing",)
            lines.append(f"{key[0]} {key[1]}: {', '.join(values)}")
    return lines
