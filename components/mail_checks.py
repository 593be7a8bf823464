"""From a stack's settings to what the checks of the mail flow have to know."""

from components.settings import Settings
from dynamic_providers.mailflow.mailflow_settings import (
    DomainFlow,
    GatewayMember,
    MailflowSettings,
    ObjectNames,
    OutsideImap,
    ProbeVia,
)


class NoChecks(ValueError):
    """The stack has no setting `checks`: there is no mailbox to send to."""


def mailflow_settings(settings: Settings) -> MailflowSettings:
    """What the checks know of a stack; NoChecks where it has none."""
    checks = settings.checks
    if checks is None:
        raise NoChecks("checks is missing: give a mailbox of the tenant, and one outside")
    names = settings.names
    return MailflowSettings(
        mailbox=checks.mailbox,
        outside=checks.outside,
        deadline=round(checks.deadline.total_seconds()),
        members=tuple(
            GatewayMember(name=one.host, inbound=one.data1, outbound=one.data2)
            for one in settings.gateway.members
        ),
        domains={
            name: DomainFlow(microsoft_mx=one.microsoft_mx, mx=one.mx)
            for name, one in settings.domains.items()
        },
        mx_hosts=tuple(one.host for one in settings.inbound.mx_hosts or ()),
        sender_addresses=settings.sender_addresses,
        certificate=settings.certificate,
        filtered=settings.inbound.spam_bypass != "sclRule",
        names=ObjectNames(**{name: getattr(names, name) for name in ObjectNames.model_fields}),
        outbound=settings.outbound.state,
        pilot_group=settings.outbound.pilot_group,
        lockdown=settings.lockdown,
        forge=checks.forged,
        via=ProbeVia(**checks.via.model_dump()) if checks.via else None,
        imap=OutsideImap(host=checks.imap.host, user=checks.imap.user or checks.outside)
        if checks.imap
        else None,
        resolvers=settings.dns.resolvers,
    )
