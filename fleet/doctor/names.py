"""What the world resolves today: where the domains' mail goes, and who may send for them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from dynamic_providers.dns import sender_policy
from dynamic_providers.dns.dmarc import dmarc as dmarc_of
from dynamic_providers.dns.mail_hosts import without_address
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.dns.sender_policy import Policy
from dynamic_providers.dns.wire import LookUpFailed
from fleet.doctor.finding import Finding, error, not_looked_at, ok, together, warning
from fleet.doctor.subject import Subject
from mail_check.report import MxView
from mail_check.surroundings import mx_views

_AT_ONCE = 8


def mx(subject: Subject) -> Iterator[Finding]:
    """Where each domain's MX points, and whether the hosts exist that mail is to be led to."""
    settings = subject.tenant_settings
    yield from together((view.domain, _pointing(view)) for view in mx_views(settings))
    microsoft = {name: domain.microsoft_mx for name, domain in settings.domains.items()}
    for name, host in microsoft.items():
        yield from _microsoft_mx(subject.resolver, name, host)
    in_use = any(domain.mx == "gateway" for domain in settings.domains.values())
    for one in settings.inbound.mx_hosts or ():
        try:
            subject.resolver.addresses(one.host)  # what fails here would look like no fault below
        except LookUpFailed as failed:
            yield not_looked_at(f"inbound.mxHosts: {failed}", failed.fix)
            continue
        for line in without_address(subject.resolver, [one.model_dump()]):
            yield (error if in_use else warning)(f"inbound.mxHosts: {line}", "correct inbound.mxHosts")


def _pointing(view: MxView) -> Finding:
    said = sorted({", ".join(one.hosts) or "no MX" for one in view.seen if not one.error})
    failed = [f"{one.by}: {one.error}" for one in view.seen if one.error]
    if view.points_at == "unknown":
        return not_looked_at(f"nobody answers: {'; '.join(failed)}", "check that port 53 is open from here")
    today = " or ".join(said)
    if view.points_at == "mixed":
        return warning(
            f"the servers do not agree, or name gateway and Microsoft both: {today}",
            "wait until the old records' time to live has passed; then look at the zone's own servers",
        )
    if view.points_at == "elsewhere":
        return warning(
            f"points to {today}: neither to the gateway nor to its own Microsoft MX",
            "make sure that nothing needs that host any more before mx is set to gateway",
        )
    if view.points_at == "nothing":
        return warning("has no MX: nobody can send mail to it", "set one, or take the domain out of domains")
    if failed:
        return warning(
            f"points to {view.points_at}, but not everybody answers: {'; '.join(failed)}",
            "look at the zone's name servers",
        )
    return ok(f"points to {view.points_at} today ({today})")


def _microsoft_mx(resolver: Resolver, name: str, host: str) -> Iterator[Finding]:
    """The SMTP route leads there: a slip in its name would send the domain's mail nowhere."""
    try:
        if not resolver.addresses(host):
            yield error(
                f"{name}: its microsoftMx {host} has no address, so the gateway could not deliver its mail",
                "take the name from the Microsoft 365 admin center (Domains, DNS records)",
            )
    except LookUpFailed as failed:
        yield not_looked_at(f"{name}, microsoftMx: {failed}", failed.fix)


def spf(subject: Subject) -> Iterator[Finding]:
    """Receivers take mail of each domain from the gateways."""
    settings = subject.tenant_settings
    addresses = [one.data2 for one in settings.gateway.members]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        policies = list(
            threads.map(
                lambda name: sender_policy.look(subject.resolver, name, addresses), sorted(settings.domains)
            )
        )
    for policy in policies:
        if policy.failed:
            yield not_looked_at(f"{policy.domain}: {policy.failed}", "run it again; look at its name servers")
        elif refused := sender_policy.refusal(policy, addresses, None):
            in_use = settings.outbound.state != "none"
            bad = in_use and not settings.acknowledged(f"spf {policy.domain}")
            yield (error if bad else warning)(refused, "do that before outbound.state is anything but none")
        for line in sender_policy.warnings(policy):
            yield warning(line, "see to it when you are at its records anyway")
    right = [policy.domain for policy in policies if _passes(policy, addresses)]
    yield from together((name, ok("SPF passes for the gateways")) for name in right)


def dmarc(subject: Subject) -> Iterator[Finding]:
    """Receivers are told what to do with mail that is forged in a domain's name."""
    for name in sorted(subject.tenant_settings.domains):
        try:
            found = dmarc_of(subject.resolver, name)
        except LookUpFailed as failed:
            yield not_looked_at(f"{name}: {failed}", failed.fix)
            continue
        if found.policy:
            yield ok(f"{name}: p={found.policy} (at _dmarc.{found.at})")
        else:
            yield warning(sender_policy.no_dmarc(Policy(name)), "see to it once SPF and DKIM pass")


def _passes(policy: Policy, addresses: list[str]) -> bool:
    return not sender_policy.refusal(policy, addresses, None)
