"""Estates in which mail from outside does not get through as it should, each broken in one way."""

from __future__ import annotations

from collections.abc import Mapping

from dynamic_providers.mailflow.proof import CheckName
from tests.estate.broken_bed import Bed, Broken
from tests.estate.broken_hands import (
    BYPASS,
    DATA1,
    DATA2,
    GATEWAY_MX,
    INBOUND,
    MICROSOFT,
    MICROSOFT_MX,
    NOBODY,
    RAT,
    SINK,
    WRONG_REGION,
    both,
    destination_tls,
    gateway_switch,
    in_tenant,
    mx,
    route_to,
    tenant_switch,
    typing,
)

TO_GATEWAY, TO_MICROSOFT = "probe → gateway", "gateway → Microsoft 365"
CONNECTOR, INBOX = "Microsoft 365: connector", "Microsoft 365: inbox"
MX, VIEWS = "MX → gateway", "MX: resolvers and zone"
OUTSIDE, OWN = "side entrance: outside sender", "side entrance: own sender"
OUT: tuple[CheckName, ...] = ("outbound",)  # what a break on the way in leaves alone

NOT_SHUT = {"lockdown": "closed"}
ONLY_DATA1 = in_tenant("Set-InboundConnector", INBOUND, SenderIPAddresses=[DATA1])
FROM_DATA2 = gateway_switch(delivery_interface="Data 2")
LOCK = in_tenant("Set-InboundConnector", INBOUND, RestrictDomainsToIPAddresses=True)
MARK_AS_SPAM = typing(
    "filters new", 'mark: if (recv-listener == "IncomingMail") { insert-header("X-Lab-Spam", "yes"); }', "."
)


def not_committed(bed: Bed) -> None:
    """The domain is typed into the recipient access table again, and nobody commits."""
    bed.type(f"{RAT} delete {bed.domain}")
    bed.type_uncommitted(f"{RAT} new {bed.domain}", "1", "n", "n")


def resolver_is_old(bed: Bed) -> None:
    """One public resolver has asked while the MX was still Microsoft's."""
    bed.mx(MICROSOFT_MX)
    bed.estate.internet.resolvers["1.1.1.1"].resolver.mail_hosts(bed.domain)
    bed.mx(GATEWAY_MX)


def resolvers_fail(bed: Bed) -> None:
    """No resolver gets an answer from the zone."""
    for one in bed.estate.internet.resolvers.values():
        one.switches.servfail = True


def busy(bed: Bed) -> None:
    """Microsoft slows the gateway down."""
    reply = f"451 4.7.500 Server busy. Please try again later from [{DATA1}]."
    bed.estate.tenant.mail.front_door.refuse[bed.settings.mailbox] = reply


AT_THE_GATEWAY: Mapping[str, Broken] = {
    "RAT without the domain": Broken(
        typing(f"{RAT} delete bce-demo.com"),
        "direct",
        TO_GATEWAY,
        (f"esa1.bce-demo.example ({DATA1})", "550 #5.1.0 Address rejected. (at RCPT TO)"),
        ("recipient access table does not hold the domain",),
        ("inbound listener", "showchanges"),
        {"address": DATA1},
        fine=OUT,
    ),
    "uncommitted change": Broken(
        not_committed,
        "inbound",
        TO_GATEWAY,
        (GATEWAY_MX, "550 #5.1.0 Address rejected."),
        ("recipient access table",),
        ("showchanges", "never committed counts for nothing"),
        fine=OUT,
    ),
    "HAT refuses us": Broken(
        typing("listenerconfig edit IncomingMail hostaccess edit sendergroup BLOCKED_LIST new 203.0.113.99"),
        "direct",
        TO_GATEWAY,
        ("554 Your access to this mail system has been rejected", "(at greeting)"),
        ("host access table refuses the address that we send from",),
        ("checks.via",),
        fine=OUT,
    ),
    "gateway puts us off": Broken(
        gateway_switch(smtp_faults={"rcpt": "451 #4.7.1 Please try again later"}),
        "direct",
        TO_GATEWAY,
        ("451 #4.7.1 Please try again later (at RCPT TO)",),
        ("slows down a sender that it does not know",),
        waits=True,
    ),
    "gateway down": Broken(
        lambda bed: bed.estate.mail.shut(),
        "direct",
        TO_GATEWAY,
        ("connection refused (at connect)",),
        ("no listener at that address", "firewall"),
        ("gateway.members.data1",),
    ),
    "route to the wrong host": Broken(
        route_to("mx.probe.example"),
        "direct",
        TO_MICROSOFT,
        (f"delivered to {SINK}, which is not the domain's Microsoft MX",),
        ("SMTP route of the domain leads to the wrong host",),
        ("SMTP route of the domain: its own Microsoft MX",),
        {"delivered to": SINK, "delivered from": DATA1},
        fine=OUT,
    ),
    "route to another region": Broken(
        route_to(WRONG_REGION),
        "direct",
        TO_MICROSOFT,
        ("5.7.64 TenantAttribution; Relay Access Denied",),
        ("SMTP route", f"it went to {WRONG_REGION}, the domain's Microsoft MX is at {MICROSOFT}"),
        fine=OUT,
        waits=True,
    ),
    "route to nobody": Broken(
        route_to(NOBODY),
        "direct",
        TO_MICROSOFT,
        (f"{NOBODY}:25: connection refused",),
        ("cannot connect to the host that the SMTP route",),
        fine=OUT,
    ),
    "route missing": Broken(
        typing("smtproutes delete bce-demo.com"),
        "inbound",
        TO_MICROSOFT,
        (f"delivered to {DATA1}, which is the gateway itself",),
        ("has no SMTP route", "goes round"),
        fine=OUT,
    ),
    "another filter drops what comes in": Broken(
        typing("filters new", 'no_probes: if (mail-from == "@probe.example") { drop(); }', "."),
        "direct",
        TO_MICROSOFT,
        ("Dropped By Message Filters", "«no_probes»"),
        ("message filter",),
        fine=OUT,
    ),
    "a filter quarantines what comes in": Broken(
        typing("filters new", 'keep: if (mail-from == "@probe.example") { quarantine("Policy"); }', "."),
        "direct",
        TO_MICROSOFT,
        ('quarantined to "Policy"',),
        ("put the message into a quarantine",),
        fine=OUT,
    ),
    "destination control without TLS": Broken(
        destination_tls("none"),
        "direct",
        TO_MICROSOFT,
        ("451 5.7.3 STARTTLS is required to send mail",),
        ("inbound connector demands TLS and the gateway delivers without",),
        ("TLS Preferred", "gateway's default is none"),
        fine=OUT,
    ),
    "no TLS, and none demanded": Broken(
        both(destination_tls("none"), in_tenant("Set-InboundConnector", INBOUND, RequireTls=False)),
        "direct",
        TO_MICROSOFT,
        (f"delivered without TLS to {MICROSOFT}",),
        ("does not demand TLS",),
        fine=OUT,
    ),
}

AT_MICROSOFT: Mapping[str, Broken] = {
    "address not in the connector": Broken(
        both(ONLY_DATA1, FROM_DATA2),
        "direct",
        CONNECTOR,
        ("taken by no connector, not by «Inbound from Cisco CES»",),
        (f"{DATA2} is not among the addresses of the inbound connector",),
        ("data 1 and data 2", "deliveryconfig"),
        {"from IP": DATA2},
        fine=OUT,
    ),
    "address not in the connector, by deliveryconfig": Broken(
        both(ONLY_DATA1, typing("deliveryconfig setup", "3", "y")),
        "inbound",
        CONNECTOR,
        ("taken by no connector",),
        (f"{DATA2} is not among the addresses",),
        fine=OUT,
    ),
    "address not in the connector, locked down": Broken(
        both(ONLY_DATA1, FROM_DATA2, LOCK),
        "direct",
        TO_MICROSOFT,
        ("550", "5.7.51 TenantInboundAttribution; There is a partner connector configured"),
        (f"{DATA2} is not among the addresses of the inbound connector",),
        ("into the connector",),
        {"delivered from": DATA2},
        fine=OUT,
    ),
    "address not in the connector, direct send rejected": Broken(
        both(ONLY_DATA1, FROM_DATA2, in_tenant("Set-OrganizationConfig", RejectDirectSend=True)),
        "direct",
        TO_MICROSOFT,
        ("5.7.68 TenantInboundAttribution; Direct Send not allowed",),
        (f"{DATA2} is not among the addresses of the inbound connector",),
        ("into the inbound connector",),
        fine=OUT,
        changes={"sender": "scanner@bce-demo.com"},
    ),
    "inbound connector disabled": Broken(
        in_tenant("Set-InboundConnector", INBOUND, Enabled=False),
        "direct",
        CONNECTOR,
        ("taken by no connector",),
        ("«Inbound from Cisco CES» is switched off",),
        fine=OUT,
    ),
    "inbound connector gone": Broken(
        in_tenant("Remove-InboundConnector", INBOUND),
        "direct",
        CONNECTOR,
        ("taken by no connector",),
        ("there is no inbound connector «Inbound from Cisco CES»",),
        fine=OUT,
    ),
    "another connector takes it first": Broken(
        in_tenant(
            "New-InboundConnector",
            Name="Old scrubber",
            ConnectorType="OnPremises",
            SenderDomains=["*"],
            SenderIPAddresses=[DATA1],
        ),
        "direct",
        CONNECTOR,
        ("taken by «Old scrubber», not by «Inbound from Cisco CES»",),
        (f"another connector matches mail from {DATA1} first: «Old scrubber»",),
        fine=OUT,
        waits=True,
    ),
    "throttled": Broken(
        busy,
        "direct",
        TO_MICROSOFT,
        ("451 4.7.500 Server busy",),
        ("slows a sending address down",),
        ("10 connections, 20 messages",),
        fine=OUT,
        waits=True,
    ),
    "no such mailbox": Broken(
        tenant_switch(no_mailbox=("probe",)),
        "direct",
        TO_MICROSOFT,
        ("5.4.1 Recipient address rejected",),
        ("does not know this recipient",),
        ("checks.mailbox",),
    ),
    "marked as spam, rule a disabled": Broken(
        both(MARK_AS_SPAM, in_tenant("Disable-TransportRule", BYPASS)),
        "direct",
        INBOX,
        ("in junk mail (seen in the mailbox)",),
        (f"the rule «{BYPASS}» is switched off",),
        ("transport rule a",),
        fine=OUT,
    ),
    "marked as spam, rule a without the address": Broken(
        both(MARK_AS_SPAM, in_tenant("Set-TransportRule", BYPASS, SenderIpRanges=[DATA2])),
        "direct",
        INBOX,
        ("in junk mail",),
        (f"{DATA1} is not among the addresses of the rule «{BYPASS}»",),
        fine=OUT,
    ),
    "another rule sets the SCL": Broken(
        in_tenant("New-TransportRule", Name="Strict", FromScope="NotInOrganization", SetSCL=6),
        "direct",
        INBOX,
        ("in junk mail",),
        ("the rule «Strict» sets the SCL to 6 after it",),
        fine=OUT,
    ),
}

AT_THE_DOORS: Mapping[str, Broken] = {
    "lock-down too early": Broken(
        both(mx(MICROSOFT_MX), LOCK),
        "sideEntrance",
        OUTSIDE,
        ("refused: 550 5.7.51 TenantInboundAttribution",),
        (
            "although the stack says open",
            "«Inbound from Cisco CES» has RestrictDomainsToIPAddresses set",
            "an MX of bce-demo.com leads here: that mail bounces now",
        ),
        ("`pulumi up` puts it back",),
        fine=("direct", *OUT),
    ),
    "lock-down closed, MX still at Microsoft": Broken(
        both(mx(MICROSOFT_MX), LOCK),
        "inbound",
        MX,
        (f"{MICROSOFT_MX} ({MICROSOFT})", "where the lock-down is closed"),
        ("bounces",),
        ("set `lockdown: open` now",),
        fine=("direct", *OUT),
        changes={**NOT_SHUT, "domains": {"bce-demo.com": {"microsoft_mx": MICROSOFT_MX, "mx": "leave"}}},
    ),
    "direct send rejected although open": Broken(
        in_tenant("Set-OrganizationConfig", RejectDirectSend=True),
        "sideEntrance",
        OWN,
        ("refused: 550 5.7.68 TenantInboundAttribution; Direct Send not allowed",),
        ("RejectDirectSend is on",),
        ("RejectDirectSend $false",),
        verdict="notProven",
        fine=("direct", "inbound", *OUT),
    ),
    "side entrance open although closed was set": Broken(
        lambda _bed: None,
        "sideEntrance",
        OUTSIDE,
        ("taken past the gateway: 250 2.6.0",),
        ("does not act (yet)",),
        ("RestrictDomainsToIPAddresses",),
        {"address": MICROSOFT},
        fine=("direct", "inbound", *OUT),
        changes=NOT_SHUT,
        waits=True,
    ),
    "side entrance open to own senders": Broken(
        both(LOCK, in_tenant("Set-InboundConnector", INBOUND, SenderDomains=["smtp:probe.example;1"])),
        "sideEntrance",
        OWN,
        ("taken past the gateway: 250 2.6.0",),
        ("RejectDirectSend is off",),
        changes=NOT_SHUT,
        waits=True,
    ),
    "MX half moved": Broken(
        mx(GATEWAY_MX, MICROSOFT_MX),
        "inbound",
        MX,
        (f"the MX names {MICROSOFT_MX} ({MICROSOFT}), which is Microsoft 365 itself",),
        ("half moved",),
        ("take the old host out of the zone",),
        {"MX": MICROSOFT_MX},
        fine=("direct", *OUT),
    ),
    "MX at a stranger": Broken(
        mx("mx.probe.example"),
        "inbound",
        MX,
        (f"the MX names mx.probe.example ({SINK}), which is no gateway",),
        ("somebody has moved it since",),
        fine=("direct", *OUT),
    ),
    "no MX": Broken(
        lambda bed: bed.estate.internet.zones.remove(bed.domain, "MX"),
        "inbound",
        MX,
        ("bce-demo.com has no MX record",),
        ("no MX record",),
        fine=("direct", *OUT),
    ),
    "a resolver holds the old MX": Broken(
        resolver_is_old,
        "inbound",
        VIEWS,
        (f"1.1.1.1: {MICROSOFT_MX}", f"9.9.9.9: {GATEWAY_MX}", f"the zone's own servers: {GATEWAY_MX}"),
        ("hold the old record for its TTL", "held by 1.1.1.1"),
        ("wait the old record's TTL",),
        fine=("direct", *OUT),
        waits=True,
    ),
    "resolvers fail": Broken(
        resolvers_fail,
        "inbound",
        MX,
        ("none of the DNS servers answers", "9.9.9.9", "SERVFAIL"),
        ("resolvers cannot be asked", "DNSSEC"),
        ("dns.resolvers",),
    ),
}
