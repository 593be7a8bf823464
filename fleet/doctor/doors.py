"""The certificates that the gateways' listeners show to those who deliver mail to them, and until when.

The command line's own list of certificates is none of the commands that are known: so port 25 is asked, as
any server on the internet would. Greeting, EHLO and STARTTLS; no mail.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from dynamic_providers.errors import ManagedError
from dynamic_providers.mailflow.mailflow_settings import ProbeVia
from dynamic_providers.mailflow.probe import Answer, Smtp, own_name
from dynamic_providers.mailflow.ssh_way import SshWay
from fleet.doctor.finding import Finding, NotLookedAt, error, not_looked_at, ok, together, warning
from fleet.doctor.subject import Subject
from fleet.doctor.tenant_checks import SOON

_CONNECT_SECONDS, _REPLY_SECONDS = 10.0, 30.0
_AT_ONCE: Final = 8
_BY_HAND: Final = "look at the page Network > Certificates"


def certificates(subject: Subject) -> Iterator[Finding]:
    """Those of the hosts that MX records name, and of the smart hosts that Microsoft 365 delivers to."""
    settings = subject.tenant_settings
    hosts = [one.host for one in settings.inbound.mx_hosts or ()]
    hosts += [one for one in settings.outbound.smart_hosts or () if one not in hosts]
    if not hosts:
        raise NotLookedAt("the settings name no host that takes mail (inbound.mxHosts, outbound.smartHosts)")
    via = settings.checks.via if settings.checks else None
    way = SshWay(ProbeVia(**via.model_dump())) if via else None
    name = own_name(f"postmaster@{next(iter(settings.domains))}")
    smtp = Smtp(name, way, connect_seconds=_CONNECT_SECONDS, reply_seconds=_REPLY_SECONDS)
    with closing(smtp), ThreadPoolExecutor(_AT_ONCE) as threads:
        found = threads.map(lambda host: (host, _of_host(subject, smtp, host)), hosts)
        yield from together((host, one) for host, findings in found for one in findings)


def _of_host(subject: Subject, smtp: Smtp, host: str) -> list[Finding]:
    try:
        addresses = [host] if _is_address(host) else list(subject.resolver.ipv4(host))
        if not addresses:
            return [not_looked_at("it has no IPv4 address", "correct the host's name")]
        return [_shown(smtp.secure(host, address)) for address in addresses]
    except ManagedError as failed:
        return [not_looked_at(f"{failed.where}: {failed.what}", failed.fix)]


def _shown(answer: Answer) -> Finding:
    if not answer.certificate:
        why = "it offers no STARTTLS to this machine" if 200 <= answer.code < 300 else str(answer)
        return not_looked_at(f"port 25 of {answer.address}: {why}", _BY_HAND)
    certificate = x509.load_der_x509_certificate(answer.certificate)
    ends = certificate.not_valid_after_utc
    says = f"its certificate ({certificate.subject.rfc4514_string() or 'without a subject'}) "
    says += f"ends on {ends:%Y-%m-%d}"
    fix = "put a new one on the page Network > Certificates, and choose it for the listener"
    if ends < datetime.now(UTC):
        return error(f"{says}, which is past: servers that verify it deliver no more", fix)
    return warning(says, fix) if ends - datetime.now(UTC) < SOON else ok(says)


def _is_address(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
