"""What the gateways need in a domain's SPF record, kept there by RFC 2136; the rest of the record is others'.

One resource for each domain, as with its MX: an update is for one zone. Who publishes no record gets none
from us: what it says of all other senders is not ours to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

import dns.name
import pulumi
from pulumi.dynamic import CheckFailure, CheckResult
from pydantic import Field

from dynamic_providers import report, settling
from dynamic_providers.dns import spf_text
from dynamic_providers.dns.connection import dns_connection, resolver
from dynamic_providers.dns.primary import ChangedMeanwhile, Texts, primary
from dynamic_providers.dns.settling import Settle, now
from dynamic_providers.dns.spf import judge
from dynamic_providers.dns.spf_record import is_spf
from dynamic_providers.dns.spf_text import SpfTerm, Strings
from dynamic_providers.dns.wire import LookUpFailed, named
from dynamic_providers.entries import Entries, Entry, Place, Props, has_unknown, plain
from dynamic_providers.errors import ManagedError, clean, clean_errors
from dynamic_providers.field_types import Domain
from dynamic_providers.managed_resource import ManagedResource, TableProvider
from dynamic_providers.model import Model

LONGEST_ANSWER: Final = 512  # bytes that every receiver gets by UDP (RFC 7208, 3.4)
_NOBODY: Final = "240.0.0.1"  # an address that nothing names: every term of the record is looked at
_ATTEMPTS: Final = 3
_ONCE_RIGHT: Final = "onceRight"  # an input that the provider itself adds: terms that could be put in once
_WHY: Final = (
    "Until then receivers may judge by the record before, so no mail leaves by the gateway. Safe to "
    "interrupt: the record is looked at before any does"
)


class CannotKeep(ManagedError):
    """Terms cannot be put into a domain's SPF record, or it would be worth nothing with them."""


# --- model --------------------------------------------------------------------------------------------------


class Kept(Model):
    """A term of ours: it is in the record, or it is not."""


class SpfTermsInputs(Model):
    """Terms that stand in one domain's record.

    `settle`: how long receivers may hold the record before, «ttl» (its own) or seconds: that is waited.
    """

    domain: Domain
    terms: Annotated[dict[SpfTerm, Kept], Field(min_length=1)]
    settle: Settle = "ttl"


# --- provider -----------------------------------------------------------------------------------------------


class SpfTermsProvider(TableProvider):
    """Owns terms of the one SPF record, and nothing else of it."""

    label = "SPF term"
    model = SpfTermsInputs
    identity = ("domain",)
    take_over_key = "spf"
    table_field = "terms"

    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        found = spf_records(primary().texts(str(place["domain"])))
        return {key: {} for key in keys if len(found) == 1 and spf_text.has(found[0], key)}

    def apply(
        self, place: Place, changes: Mapping[str, Entry | None], _live: Entries, _context: Props
    ) -> None:
        domain, come = str(place["domain"]), [key for key, entry in changes.items() if entry is not None]
        reasons = list(_reasons(domain, come)) if come else []
        if reasons:
            raise CannotKeep("; ".join(reasons), where=self._where(place))
        held = _write(domain, changes)
        if come:
            seconds = held if place["settle"] == "ttl" else int(place["settle"])
            what = f"{domain}: until nobody holds its SPF record from before"
            settling.wait_until(now() + timedelta(seconds=seconds), what, _WHY)

    @clean_errors
    def check(self, _olds: Props, news: Props) -> CheckResult:
        found = super().check(_olds, news)
        inputs = {k: v for k, v in plain(found.inputs).items() if k != "before"}
        if found.failures or has_unknown(inputs):
            return found
        lines = [clean(one) for one in _reasons(str(inputs["domain"]), list(inputs["terms"]))]
        if not inputs["terms"].keys() <= {*plain(_olds).get(_ONCE_RIGHT, [])}:
            failures = [CheckFailure("domain", one) for one in lines]
        else:  # nothing else has to wait until it is mended
            failures = []
            for line in lines:
                report.warning(line)
        return CheckResult({**found.inputs, _ONCE_RIGHT: sorted(inputs["terms"])}, failures)

    def _place(self, props: Props) -> Place:
        return {**super()._place(props), "settle": props.get("settle", "ttl")}

    def _where(self, place: Place) -> str:
        connection = dns_connection()
        return named(str(connection.server), connection.port)

    def named(self, place: Place, key: str) -> str:
        return f"«{key}» of {place['domain']}"


def spf_records(texts: Texts) -> list[Strings]:
    """Those of a name's TXT records that are SPF records."""
    return [one for one in texts.records if is_spf("".join(one))]


def _write(domain: str, changes: Mapping[str, Entry | None], attempt: int = 1) -> int:
    """Replace the one record, only over what was read; for how long (seconds) resolvers hold the old one."""
    server = primary()
    come = [key for key, entry in changes.items() if entry is not None]
    gone = [key for key, entry in changes.items() if entry is None]
    texts = server.texts(domain)
    found = spf_records(texts)
    if len(found) != 1:
        raise CannotKeep(_not_one(domain, found), where=server.name)
    try:
        server.replace_text(domain, texts, found[0], spf_text.added(spf_text.removed(found[0], gone), come))
    except ChangedMeanwhile:
        if attempt == _ATTEMPTS:
            raise
        return _write(domain, changes, attempt + 1)
    return texts.ttl


def _not_one(domain: str, found: list[Strings]) -> str:
    if found:
        return f"{domain} has {len(found)} SPF records, so receivers take none of them: leave one"
    return (
        f"{domain} has no SPF record: publish one that names all who send for it, such as «v=spf1 "
        "include:spf.protection.outlook.com -all»; the gateways' terms are then put into it"
    )


def _reasons(domain: str, terms: list[str]) -> Iterator[str]:
    """Why these terms cannot be put into the record; nothing where they stand in it."""
    texts = primary().texts(domain)
    found = spf_records(texts)
    if len(found) != 1:
        yield _not_one(domain, found)
        return
    wanted = spf_text.added(found[0], terms)
    if wanted == found[0]:
        return
    try:
        result = judge(resolver(), _NOBODY, domain, "".join(wanted))
    except LookUpFailed as error:
        yield f"{domain}: what its SPF record would need cannot be looked up: {error}"
        return
    if result.verdict == "permerror":
        yield (
            f"{domain}: with the gateways' terms receivers could not use its SPF record «{result.record}»: "
            f"{result.because}. Take something out of it first"
        )
    size = texts.answer_size(dns.name.from_text(domain), {found[0]: wanted})
    if size > LONGEST_ANSWER:
        yield (
            f"{domain}: with the gateways' terms its TXT records would need {size} bytes in an answer, and "
            f"no more than {LONGEST_ANSWER} reach every receiver: take something out of them first"
        )


# --- resource -----------------------------------------------------------------------------------------------


class SpfTerms(ManagedResource, module="dns", name="SpfTerms"):
    """Terms in a domain's SPF record: domain, terms {term: {}}. `before` comes from the snapshot."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(SpfTermsProvider(), name, props, opts)
