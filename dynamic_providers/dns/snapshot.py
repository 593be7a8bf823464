"""What MX the domains had before us. Read-only, and first, so that no crash can lose it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import pulumi

from dynamic_providers.dns import mx_set
from dynamic_providers.dns.connection import resolver
from dynamic_providers.dns.mx_records import MxRecordsProvider
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.entries import ABSENT, Entries, Entry, Place
from dynamic_providers.snapshot import Keys, Record, SnapshotProvider, SnapshotResource

MX_RECORDS = "mxRecords"  # of a zone that we update: as its primary says
MX_CHECK = "mxCheck"  # of a zone in a portal: as its own servers say


class DnsSnapshotProvider(SnapshotProvider):
    """Kinds: MX_RECORDS and MX_CHECK; keys: domains.

    It has no identity: a domain is the same one wherever its zone is held.
    """

    identity: ClassVar[tuple[str, ...]] = ()

    def record(self, place: Place, keys: Keys) -> Record:
        readers = {MX_RECORDS: _from_primary, MX_CHECK: _from_own_servers}
        return {kind: readers[kind](domains) for kind, domains in keys.items()}


def _from_primary(domains: Iterable[str]) -> Entries:
    found = MxRecordsProvider().live({}, domains)
    return {domain: found.get(domain, ABSENT) for domain in domains}


def _from_own_servers(domains: Iterable[str]) -> Entries:
    return {domain: own_mx(domain) or ABSENT for domain in domains}


def own_mx(domain: str) -> Entry | None:
    """A domain's MX set with its whole TTL, as its zone's own servers say; None where it has none."""
    servers = resolver().own_servers(domain).servers
    answer = Resolver(tuple(servers.values()), authoritative=True).mx(domain)
    return mx_set.entry(answer) if answer.records else None


class DnsSnapshot(SnapshotResource, module="dns", name="Snapshot"):
    """The MX sets before us. `before(MX_RECORDS)` and `before(MX_CHECK)` are what the others take."""

    def __init__(
        self,
        resource_name: str,
        *,
        mx_records: Sequence[str] = (),
        mx_check: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: Mapping[str, Sequence[str]] = {MX_RECORDS: mx_records, MX_CHECK: mx_check}
        keys = {kind: list(domains) for kind, domains in given.items() if domains}
        super().__init__(DnsSnapshotProvider(), resource_name, {"keys": keys}, opts)
