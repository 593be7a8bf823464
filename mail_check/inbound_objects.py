"""What is made for mail from the internet: rows a to f of the guide's steps."""

from __future__ import annotations

from collections.abc import Iterator

from components.settings import Settings
from mail_check.wanted import CONNECTORS, RULES, WantedObject


def tenant(settings: Settings) -> Iterator[WantedObject]:
    """Rows a and b."""
    if settings.inbound.spam_bypass == "sclRule":
        yield _rule(settings)
    yield _connector(settings)
    if settings.allowed_addresses:
        yield _allowed(settings)


def _allowed(settings: Settings) -> WantedObject:
    """The connection filter; no row of the guide's."""
    return WantedObject(
        row="-",
        side="tenant",
        place="Defender portal > Policies & rules > Anti-spam policies",
        kind="Connection filter policy",
        name="Default",
        attributes={"Always allow messages from": ", ".join(settings.allowed_addresses)},
        kind_on_record=("exchange:ConnectionFilter",),
        wanted={"allowed": {one: {} for one in settings.allowed_addresses}},
    )


def _rule(settings: Settings) -> WantedObject:
    """Row a."""
    addresses, names = ", ".join(settings.sender_addresses), settings.names
    return WantedObject(
        row="a",
        side="tenant",
        place=RULES,
        kind="Rule",
        name=names.inbound_rule,
        attributes={
            "Apply this rule if": f"Sender's IP address is in the range {addresses}",
            "Do the following": "Set the spam confidence level (SCL) to Bypass spam filtering",
            "Priority": f"anywhere below «{names.outbound_rule}»",
        },
        kind_on_record=("exchange:TransportRule",),
        key=("name", names.inbound_rule),
        wanted={
            "senderIpRanges": settings.sender_addresses,
            "setScl": -1,
            "state": "Enabled",
            "mode": "Enforce",
        },
    )


def _connector(settings: Settings) -> WantedObject:
    """Row b."""
    names, allowed, skipped = settings.names, settings.inbound.allowed_senders, settings.skipped_hops
    enhanced = settings.inbound.spam_bypass == "enhancedFiltering"
    certificate = settings.certificate
    addresses = (*settings.sender_addresses, *allowed)
    known = f"IP address: {', '.join(settings.sender_addresses)}"
    return WantedObject(
        row="b",
        side="tenant",
        place=CONNECTORS,
        kind="Inbound connector",
        name=names.inbound_connector,
        attributes={
            "Mail flow scenario": "From: Partner organization, to: Office 365",
            "Identify the partner by": f"certificate: {certificate}" if certificate else known,
            **({"Also allowed": ", ".join(allowed)} if allowed else {}),
            "Security restrictions": "Reject messages if they aren't encrypted using TLS",
            **({"Enhanced Filtering skips": ", ".join(skipped) or "the last hop"} if enhanced else {}),
            "Status": "On",
        },
        kind_on_record=("exchange:InboundConnector",),
        key=("name", names.inbound_connector),
        wanted={
            **(
                {"tlsSenderCertificateName": certificate} if certificate else {"senderIpAddresses": addresses}
            ),
            **({"efSkipIps": skipped} if skipped else {"efSkipLastIp": True} if enhanced else {}),
            "requireTls": True,
            "enabled": True,
        },
    )


def tables(settings: Settings) -> Iterator[WantedObject]:
    """Rows c, d and e: an object for each domain, and for its subdomains where that is set."""
    throttle, listener = settings.inbound.throttle, settings.gateway.inbound_listener
    limits = (
        "Default"
        if throttle is None
        else (
            f"{throttle.connections} concurrent connections,"
            f" {throttle.messages_per_connection} messages per connection"
        )
    )
    numbers = (
        {}
        if throttle is None
        else {
            "connections": throttle.connections,
            "messagesPerConnection": throttle.messages_per_connection,
        }
    )
    for name in settings.table_entries:
        yield WantedObject(
            row="c",
            side="gateway",
            place="Mail Policies > Destination Controls",
            kind="Destination",
            name=name,
            attributes={"Destination Limits": limits, "TLS Support": "Preferred"},
            kind_on_record=("gateway:DestinationControls",),
            entry=("controls", name),
            wanted={**numbers, "tls": "Preferred"},
        )
    for name in settings.table_entries:
        yield WantedObject(
            row="d",
            side="gateway",
            place=f"Mail Policies > Recipient Access Table (RAT), {listener}",
            kind="Recipient Address",
            name=name,
            attributes={"Action": "Accept"},
            kind_on_record=("gateway:RecipientAccess",),
            entry=("recipients", name),
            wanted={"action": "Accept"},
        )
    for name, domain in settings.table_entries.items():
        host = domain.microsoft_mx
        yield WantedObject(
            row="e",
            side="gateway",
            place="Network > SMTP Routes",
            kind="Receiving Domain",
            name=name,
            attributes={"Destination Hosts": f"{host}, priority 0, port 25"},
            kind_on_record=("gateway:SmtpRoutes",),
            entry=("routes", name),
            wanted={"hosts": [{"host": host, "priority": 0, "port": 25}]},
        )


def mx_records(settings: Settings) -> Iterator[WantedObject]:
    """Row f: the domains whose MX is ours to set."""
    hosts = [(one.preference, one.host) for one in settings.inbound.mx_hosts or ()]
    for name, domain in settings.domains.items():
        if domain.mx == "leave":
            continue
        wanted = [(0, domain.microsoft_mx)] if domain.mx == "microsoft" else hosts
        yield WantedObject(
            row="f",
            side="dns",
            place="Where the zone is kept; Microsoft 365 admin center > Settings > Domains shows it",
            kind="MX records",
            name=name,
            attributes={"MX": ", ".join(f"{preference} {host}" for preference, host in wanted)},
            kind_on_record=("dns:MxRecords", "dns:MxCheck"),
            key=("domain", name),
            wanted={"hosts": [{"host": host, "preference": preference} for preference, host in wanted]},
        )
