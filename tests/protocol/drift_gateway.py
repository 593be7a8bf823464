"""Drift cases of the gateway: what another administrator types, and what is to be seen of it.

`covers` names the attributes of the lab's own objects that a case changes; which of our models' fields it
shows follows from `shown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.gateway.filter_check import parse
from lab.gateway.filter_text import Layout, render
from lab.gateway.profile import load_profile
from tests.hands.acts import Hand, answer, in_tables, type_in
from tests.hands.names import DOMAIN, FILTER
from tests.protocol.drift_bench import GONE, PREVIOUS, SECRET, Case

COMMENT = "From Microsoft 365 mail to Cisco Secure Email"
MX = "bce-demo-com.mail.protection.outlook.com"
GROUP = "listenerconfig edit OutgoingMail hostaccess edit sendergroup RELAY_O365"
ROUTE, CONTROL, RECIPIENT = (f"{table}/{DOMAIN}" for table in ("routes", "controls", "recipients"))

# --- SMTP routes --------------------------------------------------------------------------------------------


def host(name: str, priority: int = 0, port: int = 25) -> dict[str, Any]:
    return {"host": name, "priority": priority, "port": port}


def route(name: str, typed_hosts: str, *theirs: Mapping[str, Any], covers: Sequence[str] = ()) -> Case:
    hand = answer("smtproutes edit", "smtproutes.edit", domain=DOMAIN, hosts=typed_hosts)
    shown = {f"{ROUTE}/hosts": (list(theirs), [host(MX)])}
    return Case(f"route {name}", hand, "smtp-routes", shown, covers=(*covers, "Configuration.routes"))


ROUTES = [
    route("elsewhere", "mx.elsewhere.example", host("mx.elsewhere.example"), covers=["Target.host"]),
    route("with a priority", f"{MX}/pri=5", host(MX, 5), covers=["Target.priority"]),
    route("with a port", f"{MX}:2525", host(MX, 0, 2525), covers=["Target.port"]),
    route("with one more host", f"{MX}, 203.0.113.9/pri=10", host(MX), host("203.0.113.9", 10)),
    route("to nowhere", "/dev/null", host("/dev/null")),
    route("by DNS", "USEDNS", host("usedns")),
    route("by address records", f"[{MX}]", host(f"[{MX}]")),
]

# --- destination controls -----------------------------------------------------------------------------------

AS_IT_IS = {
    "limit_messages": "yes",
    "messages": "20",
    "limit_concurrency": "yes",
    "concurrency": "10",
    "limit_recipients": "no",
    "limit_type": "host",
    "limit_apply": "system",
    "specific_tls": "yes",
    "tls": "preferred",
    "specific_dane": "no",
    "bounce_validation": "no",
    "specific_bounce_profile": "no",
    "specific_ip_sort": "no",
}


def control(name: str, covers: str, path: str, theirs: Any, ours: Any = GONE, **answers: str) -> Case:
    hand = answer(f"destconfig edit {DOMAIN}", "destconfig.edit", **{**AS_IT_IS, **answers})
    shown = {f"{CONTROL}/{path}": (theirs, ours)}
    return Case(f"control {name}", hand, "destination-controls", shown, covers=covers.split())


CONTROLS = [
    control("connections", "Destination.max_host_concurrency", "connections", 11, 10, concurrency="11"),
    control("connections unlimited", "", "connections", GONE, 10, limit_concurrency="no"),
    control(
        "messages", "Destination.max_messages_per_connection", "messagesPerConnection", 21, 20, messages="21"
    ),
    control("messages unlimited", "", "messagesPerConnection", GONE, 20, limit_messages="no"),
    control("TLS off", "Destination.table_tls", "tls", "None", "Preferred", tls="none"),
    control("TLS required", "", "tls", "Required", "Preferred", tls="required"),
    control("TLS verified", "", "tls", "Required - Verify", "Preferred", tls="required-verify"),
    control("TLS by default", "", "tls", GONE, "Preferred", specific_tls="no"),
    control(
        "recipient limit",
        "Destination.recipient_limit Destination.recipient_minutes",
        "other/recipientLimit",
        "300 recipients per 30 minutes",
        limit_recipients="yes",
        recipients="300",
        minutes="30",
    ),
    control(
        "limits a mail exchanger",
        "Destination.limit_type",
        "other/limitType",
        "Each mail exchanger IP address",
        limit_type="MXIP",
    ),
    control(
        "limits a virtual gateway",
        "Destination.limit_apply",
        "other/limitApply",
        "Per Virtual Gateway(tm)",
        limit_apply="VG",
    ),
    control("DANE", "Destination.dane", "other/dane", "mandatory", specific_dane="yes", dane="mandatory"),
    control(
        "bounce verification",
        "Destination.bounce_validation",
        "other/bounceVerification",
        "On",
        bounce_validation="yes",
    ),
    control(
        "IP preference",
        "Destination.ip_sort_pref",
        "other/ipPreference",
        "IPv6 Required",
        specific_ip_sort="yes",
        ip_sort="REQUIRE_V6",
    ),
    Case(
        "control bounce profile",
        in_tables(lambda tables: setattr(tables.destinations[DOMAIN], "bounce_profile", "Slow")),
        "destination-controls",
        {f"{CONTROL}/other/bounceProfile": ("Slow", GONE)},
        covers=("Destination.bounce_profile", "Configuration.destinations"),
    ),
]

# --- recipient access ---------------------------------------------------------------------------------------


def recipient(name: str, covers: str, path: str, theirs: str, ours: str = GONE, **answers: str) -> Case:
    hand = answer(f"listenerconfig edit IncomingMail rcptaccess edit {DOMAIN}", "rcptaccess.edit", **answers)
    shown = {f"{RECIPIENT}/{path}": (theirs, ours)}
    return Case(f"recipient {name}", hand, "recipient-access", shown, covers=(covers, "Listener.recipients"))


RECIPIENTS = [
    recipient("rejected", "Recipient.action", "action", "Reject", "Accept", action="REJECT"),
    recipient(
        "with a response",
        "Recipient.response",
        "other/response",
        "251 come in",
        action="ACCEPT",
        custom="yes",
        code="251",
        reply="come in",
    ),
    recipient(
        "bypasses receiving control",
        "Recipient.bypass_receiving",
        "other/bypass",
        "bypass_receiving_control",
        action="ACCEPT",
        bypass="yes",
    ),
    Case(
        "recipient bypasses LDAP",
        in_tables(
            lambda tables: setattr(tables.listener("IncomingMail").recipient(DOMAIN), "bypass_ldap", True)
        ),
        "recipient-access",
        {f"{RECIPIENT}/other/bypass": ("bypass_ldap", GONE)},
        covers=("Recipient.bypass_ldap",),
    ),
    Case(
        "recipient bypasses call-ahead",
        in_tables(
            lambda tables: setattr(
                tables.listener("IncomingMail").recipient(DOMAIN), "bypass_call_ahead", True
            )
        ),
        "recipient-access",
        {f"{RECIPIENT}/other/bypass": ("bypass_callahead", GONE)},
        covers=("Recipient.bypass_call_ahead",),
    ),
]

# --- sender group and mail flow policy ----------------------------------------------------------------------

OURS = {"host": ".protection.outlook.com", "comment": COMMENT}


def group(name: str, covers: str, shown: Mapping[str, tuple[Any, Any]], *lines: str) -> Case:
    return Case(f"group {name}", type_in(*lines), "sender-group", dict(shown), covers=covers.split())


def condition(name: str, covers: str, member: str) -> Case:
    return group(name, covers, {f"other/{member}": ("in use", GONE)}, f"{GROUP} new", member, "")


GROUPS = [
    group(
        "of another policy",
        "SenderGroup.behaviour",
        {"policy": ("BLOCKED", "RELAYED")},
        f"{GROUP} policy",
        "6",
        "",
        "",
    ),
    group(
        "with a behaviour of its own",
        "",
        {"policy": ("REJECT", "RELAYED"), "other/access rule": ("REJECT", GONE)},
        *(f"{GROUP} policy", "3", "", ""),
    ),
    group(
        "with another comment",
        "SenderGroup.comment",
        {"comment": ("mine", COMMENT)},
        *(f"{GROUP} policy", "", "", "mine"),
    ),
    group("without a comment", "", {"comment": (GONE, COMMENT)}, f"{GROUP} policy", "", "", "-"),
    group(
        "with one more sender",
        "SenderGroup.members Sender.address",
        {"senders": ([OURS, {"host": "192.0.2.1"}], [OURS])},
        *(f"{GROUP} new", "192.0.2.1", ""),
    ),
    group(
        "without the dot",
        "",
        {"senders": ([{"host": "protection.outlook.com", "comment": COMMENT}], [OURS])},
        *(f"{GROUP} new", "protection.outlook.com", COMMENT, f"{GROUP} delete .protection.outlook.com"),
    ),
    group(
        "with another sender's comment",
        "Sender.comment",
        {"senders": ([{**OURS, "comment": "mine"}], [OURS])},
        *(f"{GROUP} delete .protection.outlook.com", f"{GROUP} new", ".protection.outlook.com", "mine"),
    ),
    group(
        "moved down",
        "Listener.groups",
        {"order": (2, 1)},
        *("listenerconfig edit OutgoingMail hostaccess move", "RELAY_O365", "3"),
    ),
    condition("with a reputation range", "SenderGroup.sbrs", "sbrs[-1.0:10.0]"),
    condition("with a DNS list", "SenderGroup.dnslists", "dnslist[query.blacklist.example]"),
    condition("with a threat feed", "SenderGroup.threat_feeds", "etf[feed]"),
    group(  # printed like a sender, so it is shown as one
        "with DNS verification",
        "SenderGroup.host_dns",
        {"senders": ([OURS, {"host": "nx.domain"}], [OURS])},
        *(f"{GROUP} new", "nx.domain", ""),
    ),
]


def policy(name: str, theirs: str, tls: str, lines: Sequence[str] = ()) -> Case:
    hand = answer(
        "listenerconfig edit OutgoingMail hostaccess edit policy RELAYED",
        "policy.edit",
        **dict.fromkeys(("override_banner", "custom_accept", "rate_limiting", "dhap"), "no"),
        tls=tls,
        smtp_auth="off",
        verify_client_cert="no",
    )
    shown = {"tls": (theirs, "Preferred")}
    covers = ("Policy.parameters", "Listener.policies")
    return Case(f"policy {name}", hand, "mail-flow-policy", shown, tuple(lines), covers=covers)


POLICIES = [
    policy("without TLS", "Off", "off"),
    policy("demands TLS", "Required", "required"),
    policy(
        "with the default's TLS",
        GONE,
        "default",
        ["mail flow policy «RELAYED»: its TLS is the listener's default, not its own"],
    ),
]

# --- message filter -----------------------------------------------------------------------------------------


QUARANTINES = 'quarantine("Policy"); skip-filters();'


def script(
    *,
    group: str = "^RELAY_O365$",
    header: str = "X-OUTBOUND-AUTH",
    value: str = f"^({SECRET}|{PREVIOUS})$",
    right: str = 'strip-header("X-OUTBOUND-AUTH");',
    wrong: str = "drop();",
) -> list[str]:
    """The filter as it is, but for what is said."""
    return [
        f'{FILTER}: if (sendergroup == "{group}") {{',
        f'if (header("{header}") == "{value}") {{ {right} }} else {{ {wrong} }}',
        "}",
    ]


def rewritten(lines: Sequence[str]) -> Hand:
    """The filter taken out and typed again; it was the last one, and is again."""
    return type_in(f"filters delete {FILTER}", "filters new", *lines, ".")


def alternatives(other: Mapping[str, str]) -> dict[str, tuple[Any, Any]]:
    """The same fault, shown at each of our values."""
    return {
        f"alternatives/{value}/other/{name}": (text, GONE)
        for value in (SECRET, PREVIOUS)
        for name, text in other.items()
    }


def fault(name: str, hand: Hand, covers: str = "", after: Hand | None = None, **other: str) -> Case:
    faults = {key.replace("_", " "): text for key, text in other.items()}
    lines = (f"outbound filter: {', '.join(f'{one}: not ours' for one in sorted(faults))}",)
    shown = alternatives(faults)
    return Case(f"filter {name}", hand, "outbound-filter", shown, lines, after, covers.split())


def as_printed(lines: Sequence[str]) -> str:
    """What the lab's release makes of a script."""
    layout = Layout(**load_profile("new").setting("formats.filters.layout"))
    return "\n".join(render(parse("\n".join(lines))[0], layout))


def another_text(name: str, covers: str = "", *, valid: bool = True, **changes: str) -> Case:
    lines = script(**changes)
    more = {} if valid else {"valid": "no"}
    return fault(name, rewritten(lines), covers, None, text=as_printed(lines), **more)


FILTERS = [
    fault("switched off", type_in(f"filters set {FILTER} inactive"), "MessageFilter.active", active="no"),
    fault(
        "for another group",
        rewritten(script(group="^RELAYLIST$")),
        "MessageFilter.text",
        group_test="RELAYLIST",
    ),
    fault(
        "for another header",
        rewritten(script(header="X-OTHER", right='strip-header("X-OTHER");')),
        header_test="X-OTHER",
    ),
    Case(
        "filter without one of our values",
        rewritten(script(value=f"^{SECRET}$")),
        "outbound-filter",
        {f"alternatives/{PREVIOUS}/other": (GONE, {})},
        ("outbound filter: 1 alternative missing",),
    ),
    Case(
        "filter with none of our values",
        rewritten(script(value="^somebodyelse$")),
        "outbound-filter",
        {f"alternatives/{value}/other": (GONE, {}) for value in (SECRET, PREVIOUS)},
        ("outbound filter: 2 alternatives missing",),
        after=rewritten(script()),
    ),
    fault(
        "that lets anything pass",
        rewritten(script(value=f"^({SECRET}|.*|{PREVIOUS})$")),
        alternatives_that_match_more_than_themselves=".*",
    ),
    fault(
        "that lets an empty header pass",
        rewritten(script(value=f"^({SECRET}||{PREVIOUS})$")),
        alternatives_that_match_more_than_themselves="nothing at all",
    ),
    fault(
        "below one that ends processing",
        type_in("filters new", "gate: if (rcpt-count > 9) { bounce(); }", ".", f"filters move gate {FILTER}"),
        "Configuration.filters",
        after=type_in("filters delete gate"),
        filters_above_that_end_processing="gate",
    ),
    Case(
        "filter that quarantines",
        rewritten(script(wrong=QUARANTINES)),
        "outbound-filter",
        {f"alternatives/{value}/mismatch": ("quarantine", GONE) for value in (SECRET, PREVIOUS)},
        ("outbound filter: mismatch: theirs «quarantine», ours nothing",),
    ),
    another_text("that quarantines, and lets later filters deliver", wrong='quarantine("Policy");'),
    another_text("that quarantines elsewhere", wrong=QUARANTINES.replace("Policy", "Outbreak")),
    another_text("that only notes", wrong='log-entry("without the header");'),
    another_text("that strips nothing", right='log-entry("right");'),
    another_text("that looks for the value anywhere", "MessageFilter.name", value=f"({SECRET}|{PREVIOUS})"),
    another_text(
        "that names a listener that is gone", valid=False, wrong='if (recv-listener == "Gone") { drop(); }'
    ),
]

THE_GUIDES = (
    "HIGH:MEDIUM:@STRENGTH:!aNULL:!eNULL:!LOW:!DES:!MD5:!EXP:!PSK:!DSS:!RC2:!RC4:!SEED:!ECDSA:!ADH:!IDEA:!3DES"
    ":!SSLv2:!SSLv3"
)
CIPHERS = [
    Case(
        "ciphers",
        answer("sslconfig outbound", "sslconfig.outbound", change_method="no", cipher="HIGH:MEDIUM:LOW"),
        "outbound-tls",
        {
            "ciphers": (
                "HIGH:MEDIUM:LOW",
                THE_GUIDES,
            )
        },
        covers=("Tls.cipher", "Configuration.ssl"),
    )
]

CASES = [*ROUTES, *CONTROLS, *RECIPIENTS, *GROUPS, *POLICIES, *FILTERS, *CIPHERS]
