"""What MX the domains had before us. Read-only, and first, so that no crash can lose it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import pulumi

from dynamic_providers.dns import mx_set
from dynamic_providers.dns.connection import resolver
from dynamic_providers.dns.mx_records import MxRecordsProvider
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.dns.spf_terms import SpfTermsProvider
from dynamic_providers.entries import ABSENT, Entries, Entry, Place
from dynamic_providers.snapshot import Keys, Record, SnapshotProvider, SnapshotResource

MX_RECORDS = "mxRecords"  # of a zone that we update: as its primary says
_SPF = "spf "
MX_CHECK = "mxCheck"  # of a zone in a portal: as its own servers say


class DnsSnapshotProvider(SnapshotProvider):
    """Kinds: MX_RECORDS and MX_CHECK, keys: domains; `spf(domain)`, keys: terms.

    It has no identity: a domain is the same one wherever its zone is held.
    """

    identity: ClassVar[tuple[str, ...]] = ()

    def record(self, place: Place, keys: Keys) -> Record:
        readers = {MX_RECORDS: _from_primary, MX_CHECK: _from_own_servers}
        return {
            kind: _terms(kind.removeprefix(_SPF), names) if kind.startswith(_SPF) else readers[kind](names)
            for kind, names in keys.items()
        }


def _from_primary(domains: Iterable[str]) -> Entries:
    found = MxRecordsProvider().live({}, domains)
    return {domain: found.get(domain, ABSENT) for domain in domains}


def _terms(domain: str, terms: Iterable[str]) -> Entries:
    found = SpfTermsProvider().live({"domain": domain}, terms)
    return {term: found.get(term, ABSENT) for term in terms}


def spf(domain: str) -> str:
    """The kind of the terms in a domain's SPF record."""
    return f"{_SPF}{domain}"


def _from_own_servers(domains: Iterable[str]) -> Entries:
    return {domain: own_mx(domain) or ABSENT for domain in domains}


def own_mx(domain: str) -> Entry | None:
    """A domain's MX set with its whole TTL, as its zone's own servers say; None where it has none."""
    servers = resolver().own_servers(domain).servers
    answer = Resolver(tuple(servers.values()), authoritative=True).mx(domain)
    return mx_set.entry(answer) if answer.records else None


class DnsSnapshot(SnapshotResource, module="dns", name="Snapshot"):
    """The MX sets before us, and which terms SPF records had.

    `before(MX_RECORDS)`, `before(MX_CHECK)` and `before(spf(domain))` are what the others take.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        mx_records: Sequence[str] = (),
        mx_check: Sequence[str] = (),
        spf_terms: Mapping[str, Sequence[str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        kept = {spf(domain): terms for domain, terms in (spf_terms or {}).items()}
        given: Mapping[str, Sequence[str]] = {MX_RECORDS: mx_records, MX_CHECK: mx_check, **kept}
        keys = {kind: list(domains) for kind, domains in given.items() if domains}
        super().__init__(DnsSnapshotProvider(), resource_name, {"keys": keys}, opts)
