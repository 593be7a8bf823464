"""The tenant's side: the login, both halves of our rights, the domains that it accepts, and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from cryptography import x509

from dynamic_providers.connections import credential
from dynamic_providers.errors import ManagedError
from dynamic_providers.exchange import dkim, foreign_connectors
from dynamic_providers.exchange.admin_api import APP_ROLE
from dynamic_providers.exchange.authority import Token
from dynamic_providers.exchange.certificate import read_certificate
from dynamic_providers.exchange.cmdlets import DKIM, OUTBOUND_CONNECTOR
from dynamic_providers.exchange.errors import (
    AppRoleMissing,
    DirectoryRoleMissing,
    ExchangeError,
    TokenRefused,
)
from fleet.doctor.finding import Finding, NotLookedAt, error, from_error, not_looked_at, ok, together, warning
from fleet.doctor.subject import Subject

SOON: Final = timedelta(days=30)
"""Before a certificate's end: time enough to have another one made."""
_OFF_A_LITTLE, _OFF_TOO_MUCH = timedelta(minutes=1), timedelta(minutes=5)
"""Entra takes proofs that are off by five minutes. Source: Microsoft Learn, on access tokens."""
_MAY_WRITE: Final = {
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
}
_MAY_READ: Final = {"f2ef992c-3afb-46b9-b7cf-a126ee74c451": "Global Reader"}
"""Source: Microsoft Learn, «Microsoft Entra built-in roles»."""
_ROLE_FIX: Final = (
    "make the app's service principal Exchange Administrator in Entra; that can take minutes to act"
)


def token(subject: Subject) -> Iterator[Finding]:
    """Entra gives a token to our app."""
    found = subject.tenant.token
    if isinstance(found, ExchangeError):
        yield from_error(found)
        return
    client = credential("AZURE_CLIENT_ID") or subject.tenant_settings.tenant.client_id
    file = credential("AZURE_CLIENT_CERTIFICATE_PATH")
    if file is None or credential("AZURE_CLIENT_SECRET"):
        yield ok(f"given to the app registration {client}")
        return
    ends = _end_of(file)
    says = f"given to the app registration {client} for its certificate, which ends on {ends:%Y-%m-%d}"
    if ends - datetime.now(UTC) < SOON:
        yield warning(
            says, "make a new one, register it in Entra, and name it in AZURE_CLIENT_CERTIFICATE_PATH"
        )
    else:
        yield ok(says)


def _end_of(file: str) -> datetime:
    read = read_certificate(file, credential("AZURE_CLIENT_CERTIFICATE_PASSWORD"))
    return x509.load_pem_x509_certificate(read["public_certificate"].encode()).not_valid_after_utc


def app_role(subject: Subject) -> Iterator[Finding]:
    """The application permission, of which the token itself tells."""
    held, rows = subject.tenant.require_token(), subject.tenant.accepted_domains
    if isinstance(rows, AppRoleMissing | TokenRefused):
        yield from_error(rows)
    elif held.lacks(APP_ROLE):
        client = subject.tenant_settings.tenant.client_id
        yield error(
            f"the app registration {client} lacks the app role {APP_ROLE}",
            "give it that application permission of Office 365 Exchange Online, with admin consent",
        )
    elif (
        held.claims is not None
        or not isinstance(rows, ExchangeError)
        or isinstance(rows, DirectoryRoleMissing)
    ):
        yield ok(f"{APP_ROLE} is there")
    else:
        yield not_looked_at(f"the token cannot be read, and {rows.where}: {rows.what}", rows.fix)


def directory_role(subject: Subject) -> Iterator[Finding]:
    """The role of the app's service principal: whether it may read, and as far as the token tells, write."""
    held, rows = subject.tenant.require_token(), subject.tenant.accepted_domains
    if isinstance(rows, DirectoryRoleMissing):
        yield from_error(rows)
        return
    named = _roles(held)
    if isinstance(rows, ExchangeError):
        if named is None or named & {*_MAY_WRITE}:
            yield not_looked_at("Exchange did not answer a command (see app role, accepted domains)")
        else:
            yield error("the token names no directory role that may change Exchange", _ROLE_FIX)
        return
    if named is None:
        yield not_looked_at(
            "reading works; whether it may change anything, a token that cannot be read keeps"
        )
    elif writes := named & {*_MAY_WRITE}:
        yield ok(f"{', '.join(_MAY_WRITE[one] for one in sorted(writes))}")
    elif named & {*_MAY_READ}:
        yield warning("Global Reader: enough to look and to preview; `up` would be refused", _ROLE_FIX)
    else:
        yield warning(
            "reading works by rights that the token does not name; whether they allow changes was not tried",
            f"if `up` is refused, {_ROLE_FIX}",
        )


def _roles(held: Token) -> set[str] | None:
    """The directory roles that a token names (by their templates' ids); None where it cannot be read."""
    named = (held.claims or {}).get("wids")
    return {str(one).lower() for one in named} if isinstance(named, list) else None


def accepted_domains(subject: Subject) -> Iterator[Finding]:
    """The tenant accepts mail for every domain, and knows all of its addresses."""
    subject.tenant.require_token()
    rows = subject.tenant.accepted_domains
    if isinstance(rows, ExchangeError):
        raise NotLookedAt(f"{rows.where}: {rows.what}", rows.fix)
    ours = {name.casefold() for name in subject.tenant_settings.domains}
    known = {str(row.get("DomainName", "")).casefold() for row in rows}
    relays = foreign_connectors.internal_relays(rows, ours)
    yield from together((name, _accepted(name, known)) for name in sorted(ours - {*relays}))
    connectors = subject.tenant.rows(OUTBOUND_CONNECTOR) if relays else []
    for name in relays:
        found = foreign_connectors.relayed(name, connectors)
        yield warning(
            f"{name}: {found.says}", found.fix or "make sure that the connector leads where that mail belongs"
        )


def _accepted(name: str, known: set[str]) -> Finding:
    if name in known:
        return ok("accepted, authoritative")
    return error(
        "is no accepted domain of this tenant: Microsoft 365 would refuse its mail",
        "add and verify it in the Microsoft 365 admin center, or take it out of domains",
    )


def signing(subject: Subject) -> Iterator[Finding]:
    """Microsoft 365 signs what leaves for the gateway."""
    subject.tenant.require_token()
    try:
        rows = subject.tenant.rows(DKIM)
    except ExchangeError as failed:
        raise NotLookedAt(f"{failed.where}: {failed.what}", failed.fix) from None
    domains = sorted(subject.tenant_settings.domains)
    without = dkim.unsigned(rows, domains)
    yield from together((name, warning(dkim.UNSIGNED, dkim.SWITCH_ON)) for name in without)
    yield from together((name, ok(dkim.KEEP_BODIES)) for name in domains if name not in without)


def clock(subject: Subject) -> Iterator[Finding]:
    """This machine's clock against the login's: its answers carry the time."""
    before = datetime.now(UTC)
    try:
        answer = subject.tenant.https.get(subject.tenant.login_page)
    except ManagedError as failed:
        raise NotLookedAt(f"{failed.where}: {failed.what}", failed.fix) from None
    after = datetime.now(UTC)
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        raise NotLookedAt("the login's answer does not say what time it is") from None
    yield _skew(before + (after - before) / 2 - theirs.replace(tzinfo=UTC))  # HTTP's are in no other zone


def _skew(ahead: timedelta) -> Finding:
    seconds = abs(round(ahead.total_seconds()))
    which = "ahead of" if ahead > timedelta() else "behind"
    says = f"this machine is {seconds} s {which} Microsoft's login" if seconds > 1 else "right to the second"
    fix = "set this machine's clock (NTP)"
    if abs(ahead) >= _OFF_TOO_MUCH:
        return error(f"{says}: tokens and signed DNS updates are refused", fix)
    return warning(says, fix) if abs(ahead) >= _OFF_A_LITTLE else ok(says)
