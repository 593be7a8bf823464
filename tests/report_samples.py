"""Reports for the tests of the page: all green, one red, not proven, many domains, and with hostile text."""

from __future__ import annotations

from dynamic_providers.mailflow.proof import CheckName, Hop, Proof, Verdict
from mail_check.report import (
    LockDownView,
    MadeObject,
    MxSeen,
    MxView,
    Passer,
    Report,
    SecretAge,
    worst,
)

DOMAIN = "contoso.example"
ROUTE = "contoso-example.mail.protection.outlook.com"


def hop(name: str, says: str, verdict: Verdict = "ok", **more: str) -> Hop:
    cause, advice = more.pop("cause", ""), more.pop("advice", "")
    evidence = {key.replace("_", " "): value for key, value in more.items()}
    return Hop(name=name, verdict=verdict, says=says, evidence=evidence, cause=cause, advice=advice)


def proof(check: CheckName, *hops: Hop, domain: str = DOMAIN) -> Proof:
    bad = next((one for one in hops if one.verdict != "ok"), None)
    return Proof(
        check=check,
        verdict=worst(one.verdict for one in hops),
        domain=domain,
        started="2026-09-05T18:02:11Z",
        ended="2026-09-05T18:03:47Z",
        token="m365se-7f3a91c2",
        hops=hops,
        summary=f"{bad.name}: {bad.says}" if bad else "Every hop is ok.",
    )


CONNECTED = hop(
    "probe → gateway",
    "250 2.0.0 ok: Message 330714 accepted",
    host="mx1.hc1234-56.c3s2.iphmx.com",
    address="192.0.2.10",
    TLS="TLSv1.3",
    sender_group="BYPASS_SBRS",
)
TRACKED = hop("gateway: accepted", "MID 330714: Delivered", MID="330714", seen_at="2026-09-05T18:02:20Z")
HANDED = hop(
    "gateway → Microsoft 365",
    "250 2.6.0 queued mail for delivery",
    interface="Data 2 (198.51.100.10)",
    TLS="TLSv1.3 TLS_AES_256_GCM_SHA384",
    connector="Inbound from Cisco CES",
)
TAKEN = hop("Microsoft 365: connector", "taken by «Inbound from Cisco CES»", from_IP="198.51.100.10")
INBOX = hop("Microsoft 365: inbox", f"in the inbox of probe@{DOMAIN}", status="Delivered")

SENT = hop("mailbox → Microsoft 365", "202 Accepted", mailbox=f"probe@{DOMAIN}")
STAMPED = hop(
    "Microsoft 365: rule and connector", "taken by «Outbound to Cisco CES»", smart_host="198.51.100.10"
)
RELAYED = hop(
    "Microsoft 365 → gateway",
    "accepted on Data 2, sender group RELAY_O365",
    MID="186371, 186372",
    TLS="TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384",
)
FILTERED = hop("gateway: filter", "office365_outbound: header right, stripped", filter="office365_outbound")
ARRIVED = hop("gateway → outside", "250 2.0.0 ok: queued by mx.probe.example", TLS="TLSv1.3")
GONE = hop("outside: header", "X-OUTBOUND-AUTH is gone in probe@probe.example", header="not there")
DROPPED = hop(
    "gateway: filter",
    "Message 94011 aborted: Dropped by filter 'office365_outbound'",
    MID="94011",
    last_state="Dropped By Message Filters",
)
FORGED = hop("Microsoft 365: one-time rule", "sets a wrong header for one subject")
REFUSED = hop(
    "side entrance: outside sender",
    "refused: 550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the"
    " message's recipient domain. The connector had either the RestrictDomainsToIPAddresses or"
    " RestrictDomainsToCertificate set",
)
STOPPED = hop(
    "gateway → Microsoft 365",
    "5.1.0 - Unknown address error ('550', ['5.7.64 TenantAttribution; Relay Access Denied"
    " [AM6EUR05FT003.eop-eur05.prod.protection.outlook.com 2026-09-05T18:02:29.114Z 08DC0F2A]'])",
    "failed",
    MID="330714",
    host="fabrikam-example.mail.protection.outlook.com (203.0.113.27)",
    cause="The SMTP route leads to another tenant's MX, or the domain is not accepted there.",
    advice=f"Compare Network > SMTP Routes with the domain's own Microsoft MX, {ROUTE}, and run up again.",
)
UNSEEN = hop(
    "outside: header",
    "no mailbox outside is set: whether the header is gone was not seen",
    "notProven",
    cause="The setting «checks.outside» is missing.",
    advice="Set a mailbox outside that can be read by IMAP.",
)

INBOUND = (CONNECTED, TRACKED, HANDED, TAKEN, INBOX)
OUTBOUND = (SENT, STAMPED, RELAYED, FILTERED, ARRIVED, GONE)

OBJECTS = (
    MadeObject(
        row="a",
        side="tenant",
        place="Exchange admin center > Mail flow > Rules",
        kind="Mail flow rule",
        name="Bypass spam filtering - inbound email from Cisco CES",
        attributes={
            "Apply this rule if": "Sender's IP address is in the range 192.0.2.10, 198.51.100.10",
            "Do the following": "Set the spam confidence level (SCL) to Bypass spam filtering",
        },
        state="right",
    ),
    MadeObject(
        row="e",
        side="gateway",
        place="Network > SMTP Routes",
        kind="SMTP route",
        name=DOMAIN,
        attributes={"Destination Hosts": f"{ROUTE}, priority 0, port 25"},
        state="drift",
        note="fabrikam-example.mail.protection.outlook.com is recorded",
    ),
    MadeObject(
        row="h",
        side="gateway",
        place="Mail Policies > HAT Overview",
        kind="Sender group",
        name="RELAY_O365",
        attributes={"Order": "1", "Policy": "RELAYED", "Sender": ".protection.outlook.com"},
        state="right",
    ),
    MadeObject(
        row="f",
        side="dns",
        place="DNS zone > MX",
        kind="MX records",
        name=DOMAIN,
        attributes={"MX": "10 mx1.hc1234-56.c3s2.iphmx.com"},
        state="missing",
    ),
)
PLACES = {
    "inbound.gateway": ("Listener IncomingMail", f"RAT: {DOMAIN}", f"Route to {ROUTE}"),
    "inbound.tenant": ("Inbound from Cisco CES", "Bypass spam filtering - inbound email from Cisco CES"),
    "outbound.tenant": ("Rule Outbound to Cisco CES", "Header X-OUTBOUND-AUTH"),
    "outbound.gateway": ("Sender group RELAY_O365", "Policy RELAYED", "Filter office365_outbound"),
}


def report(*proofs: Proof, **more: object) -> Report:
    seen = tuple(
        MxSeen(by=by, hosts=("10 mx1.hc1234-56.c3s2.iphmx.com", "10 mx2.hc1234-56.c3s2.iphmx.com"))
        for by in ("ns1.lab-dns.example", "9.9.9.9", "1.1.1.1")
    )
    facts: dict[str, object] = {
        "customer": "Contoso AG",
        "environment": "prod",
        "stack": "contoso-prod",
        "when": "2026-09-05T18:09:00Z",
        "proofs": proofs,
        "objects": OBJECTS,
        "mx": (MxView(domain=DOMAIN, wanted="gateway", points_at="gateway", seen=seen),),
        "secret_age": SecretAge(at_least=41, at_most=41),
        "lock_down": LockDownView(wanted="closed", passers=()),
        "outbound": "all",
        "places": PLACES,
    }
    return Report.model_validate({**facts, **more})


def green() -> Report:
    return report(
        proof("direct", *INBOUND),
        proof("inbound", *INBOUND),
        proof("outbound", *OUTBOUND),
        proof("forged", FORGED, SENT, DROPPED),
        proof("sideEntrance", REFUSED),
    )


def red() -> Report:
    passers = (
        Passer(
            sender="scanner@contoso.example",
            address="203.0.113.200",
            messages=412,
            last="2026-09-05T17:51:02Z",
            allowed=True,
        ),
        Passer(sender="newsletter@saas-sender.example", address="203.0.113.77", messages=3),
    )
    return report(
        proof("direct", CONNECTED, TRACKED, STOPPED),
        proof("outbound", *OUTBOUND),
        proof("forged", FORGED, SENT, DROPPED),
        mx=(MxView(domain=DOMAIN, wanted="leave", points_at="microsoft"),),
        lock_down=LockDownView(wanted="report", passers=passers),
        secret_age=SecretAge(at_least=402),
    )


def unproven() -> Report:
    return report(
        proof("outbound", *OUTBOUND[:-1], UNSEEN),
        mx=(),
        secret_age=None,
        lock_down=LockDownView(wanted="open"),
        objects=(),
        places={},
    )


LONG = "a-very-long-label-that-goes-on-and-on-until-the-end-of-it-63-let." * 3 + "contoso.example"


def many(domains: int = 14) -> Report:
    """More domains than fit at a glance, two of them broken in the same way, names as long as they get."""
    proofs = []
    for number in range(domains):
        domain = f"{number}.{LONG}" if number < 2 else f"brand-{number}.contoso.example"
        hops = (CONNECTED, TRACKED, STOPPED) if number in (1, 5) else INBOUND
        proofs.append(proof("inbound", *hops, domain=domain))
    return report(*proofs, proof("outbound", *OUTBOUND))


SCRIPT = "<script>document.title='owned';fetch('https://evil.example/')</script>"
HOSTILE = (
    SCRIPT,
    '"><img src=https://evil.example/x.png onerror=alert(1)>',
    "'; DROP TABLE mail; -- {{ 7*7 }} {% raw %}",
    "</style></title><base href=//evil.example><meta http-equiv=refresh content='0;url=//evil.example'>",
    "| cell | [link](javascript:alert(1)) ![i](https://evil.example/i.png) `code` *b* _i_ # h",
    "שלום עולם <b>مرحبا</b> \u202egpj.exe\u202c \x1b[31mred\x1b[0m \x00",
    "``` \n# heading\n- list\n<details>",
)


def hostile() -> Report:
    """The same text of an attacker at every place that takes text."""
    script, image, quotes, style, markdown, rtl, fence = HOSTILE
    bad = Hop(
        name=script,
        verdict="failed",
        says=f"550 {image} {rtl}",
        evidence={image: script, "quotes": quotes, "rtl": rtl, style: style, markdown: fence},
        cause=style,
        advice=markdown,
    )
    fine = Hop(name=f"gateway: {rtl}", verdict="ok", says=f"{fence} {script}")
    domain = f"{script}{LONG}"
    return report(
        proof("inbound", fine, bad, domain=domain),
        proof("outbound", fine, bad, domain=rtl),
        customer=f"{script} {rtl}",
        environment=image,
        stack=quotes,
        when=style,
        objects=tuple(
            MadeObject(
                row="a",
                side="tenant",
                place=text,
                kind=text,
                name=text,
                attributes={text: text},
                state="drift",
                note=text,
            )
            for text in HOSTILE
        ),
        mx=(
            MxView(
                domain=domain,
                wanted="leave",
                points_at="mixed",
                seen=(MxSeen(by=image, hosts=(script,)), MxSeen(by=rtl, hosts=(), error=fence)),
            ),
        ),
        lock_down=LockDownView(
            wanted="report",
            passers=(Passer(sender=script, address=image, messages=1, last=rtl),),
        ),
        places={"inbound.gateway": HOSTILE, "outbound.tenant": HOSTILE},
    )


ALL = {"green": green, "red": red, "unproven": unproven, "many": many, "hostile": hostile}
