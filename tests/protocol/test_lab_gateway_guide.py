"""The guide's gateway steps typed by hand into each release: different questions, the same configuration."""

from __future__ import annotations

from collections import Counter

import pytest

from lab.gateway.server import LabGateway
from tests.protocol import lab_gateway_kit as kit

COMMENT = "From Microsoft 365 mail to Cisco Secure Email"
CIPHERS = (
    "HIGH:MEDIUM:@STRENGTH:!aNULL:!eNULL:!LOW:!DES:!MD5:!EXP:!PSK:!DSS:!RC2:!RC4:!SEED:!ECDSA:!ADH:!IDEA"
    ":!3DES:!SSLv2:!SSLv3"
)
MX = "bcedemo-com.mail.protection.outlook.com"
SCRIPT = [
    'office365_outbound: if sendergroup == "^RELAY_O365$" {',
    '  if header("X-OUTBOUND-AUTH") == "^mysecretkey$" {',
    '    strip-header("X-OUTBOUND-AUTH");',
    "  } else {",
    "    drop();",
    "  }",
    "}",
    ".",
]
MEMBER = ".protection.outlook.com"

# One list a guide step, as a person reads the questions of that release.
ROUTE = {
    "new": ["smtproutes", "NEW", "bce-demo.com", MX, ""],
    "old": ["smtproutes", "NEW", "bce-demo.com", MX, "", ""],
    "cluster": ["smtproutes", "NEW", "bce-demo.com", "n", MX, ""],
}
DESTINATION = {
    "new": [
        "destconfig",
        "new",
        "bce-demo.com",
        "y",
        "20",
        "",
        "10",
        "",
        "",
        "",
        "y",
        "2",
        "",
        "",
        "",
        "",
        "",
    ],
    "old": ["destconfig", "new", "bce-demo.com", "", "10", "y", "20", "", "", "", "y", "2", "", "", ""],
    "cluster": [
        "destconfig",
        "new",
        "bce-demo.com",
        "",
        "y",
        "2",
        "",
        "",
        "10",
        "",
        "",
        "",
        "",
        "y",
        "20",
        "",
    ],
}
INCOMING = ["listenerconfig", "edit", "IncomingMail", "rcptaccess", "new", "bce-demo.com", "1"]
RECIPIENT = {
    "new": [*INCOMING, "", "", "", "", ""],
    "old": [*INCOMING, "", "", "", "", ""],
    "cluster": [*INCOMING, "", "", "", "", "", ""],
}
OUTGOING = ["listenerconfig", "edit", "OutgoingMail", "hostaccess"]
GROUP = {
    "new": ["new", "1", "RELAY_O365", MEMBER, COMMENT, "7", "", COMMENT, "move", "RELAY_O365", "1"],
    "old": ["new", "1", "RELAY_O365", MEMBER, "7", "", COMMENT, "move", "RELAY_O365", "1"],
    "cluster": ["new", "1", "RELAY_O365", COMMENT, MEMBER, "7", "", "move", "1", "RELAY_O365"],
}
POLICY = {
    "new": ["edit", "2", "RELAYED", *[""] * 10, "2", *[""] * 8],
    "old": ["edit", "2", "RELAYED", *[""] * 9, "2", *[""] * 2],
    "cluster": ["edit", "2", "RELAYED", "", "2", *[""] * 15],
}
TLS = {
    "new": ["sslconfig", "outbound", "", CIPHERS, ""],
    "old": ["sslconfig", "outbound", "", CIPHERS, ""],
    "cluster": ["sslconfig", "outbound", CIPHERS, "", ""],
}
COMMIT = {"new": ["commit", "guide", ""], "old": ["commit", "guide", ""], "cluster": ["commit", "guide"]}
RELEASES = ["new", "old", "cluster"]


def guide(release: str) -> list[str]:
    return [
        *(["clustermode cluster"] if release == "cluster" else []),
        *DESTINATION[release],
        *RECIPIENT[release],
        *ROUTE[release],
        *OUTGOING,
        *GROUP[release],
        *POLICY[release],
        *["", "", ""],
        *["filters", "new", *SCRIPT, ""],
        *TLS[release],
        *COMMIT[release],
    ]


running_gateway, gateway = kit.running_gateway, kit.gateway


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def block(dump: str, heading: str) -> dict[str, str]:
    """The attributes under one heading of the dump."""
    lines = dump.split(heading + "\n")[1].split("\n")
    found = {}
    for line in lines:
        if not line.startswith("  "):
            break
        key, _, value = line.strip().partition(": ")
        found[key.rstrip(":")] = value
    return found


def test_the_guide_by_hand(gateway: LabGateway) -> None:
    gateway.type_by_hand(guide(gateway.profile.name))
    dump = gateway.dump()
    assert block(dump, "destination bce-demo.com") == {
        "max_host_concurrency": "10",
        "max_messages_per_connection": "20",
        "recipient_minutes": "default",
        "recipient_limit": "default",
        "limit_type": "host",
        "limit_apply": "system",
        "table_tls": "preferred",
        "dane": "default",
        "bounce_validation": "default",
        "bounce_profile": "default",
        "ip_sort_pref": "default",
    }
    assert block(dump, "recipient bce-demo.com (IncomingMail)") == {
        "action": "ACCEPT",
        "response": "",
        "bypass receiving control": "no",
        "bypass LDAP accept": "no",
    }
    assert block(dump, "route bce-demo.com") == {"hosts": MX}
    group = block(dump, "sender group RELAY_O365 (OutgoingMail)")
    sender = group.pop("sender .protection.outlook.com")
    assert sender == (COMMENT if gateway.profile.name == "new" else ""), "only there the dialogue asks for it"
    assert group == {
        "order": "1",
        "named": "yes",
        "behaviour": "$RELAYED",
        "comment": COMMENT,
        "sbrs": "",
        "dnslists": "",
        "external threat feeds": "",
        "host DNS verification": "",
    }
    relayed = block(dump, "policy RELAYED (OutgoingMail)")
    assert relayed["tls"] == "preferred"
    assert relayed["behaviour"] == "RELAY"
    assert relayed["verify_client_cert"] == "default"
    assert relayed["max_rcpts_per_msg"] == "10000", "what was there before stays"
    assert block(dump, "tls outbound")["ciphers"] == CIPHERS


def test_the_guide_changes_nothing_else(gateway: LabGateway) -> None:
    before = Counter(gateway.dump().splitlines())
    gateway.type_by_hand(guide(gateway.profile.name))
    gone = before - Counter(gateway.dump().splitlines())
    cipher = gateway.profile.data["start"]["ssl"]["outbound"]["cipher"]
    tls = "off" if gateway.profile.name == "old" else "default"
    assert gone == {f"  ciphers: {cipher}": 1, f"  tls: {tls}": 1}


def test_the_filter_is_kept_as_the_appliance_writes_it(gateway: LabGateway) -> None:
    gateway.type_by_hand(guide(gateway.profile.name))
    text = gateway.dump().split("filter office365_outbound\n")[1].split("\ntls ")[0].splitlines()
    assert text == [
        "  order: 2",
        "  active: yes",
        "  valid: yes",
        '  | office365_outbound: if (sendergroup == "^RELAY_O365$") {',
        '  |     if (header("X-OUTBOUND-AUTH") == "sha256:9e546b5ce68f") {',
        '  |         strip-header("X-OUTBOUND-AUTH");',
        "  |     } else {",
        "  |         drop();",
        "  |     }",
        "  | }",
    ]


def confirmed(release: str, entry: str) -> list[str]:
    """What is typed to remove an entry: some releases ask whether one is sure, after it or before."""
    return {"new": [entry], "old": [entry, "y"], "cluster": ["y", entry]}[release]


def test_what_the_guide_made_can_be_taken_away_again(gateway: LabGateway) -> None:
    release = gateway.profile.name
    before = gateway.dump()
    gateway.type_by_hand(guide(release))
    tls = {"new": "4", "old": "1", "cluster": "4"}[release]
    policy = [*POLICY[release]]
    policy[policy.index("2", 2)] = tls
    if release in {
        "new",
        "cluster",
    }:  # fewer questions follow when TLS is off: no client certificate to verify
        policy = policy[:-1]
    ssl = gateway.profile.data["start"]["ssl"]["outbound"]["cipher"]
    gateway.type_by_hand(
        [
            *(["clustermode cluster"] if release == "cluster" else []),
            *["filters", "delete", *confirmed(release, "office365_outbound"), ""],
            *[*OUTGOING, "delete", "1", "RELAY_O365", *policy, "", "", ""],
            *["smtproutes", "delete", *confirmed(release, "bce-demo.com"), ""],
            *["destconfig", "delete", *confirmed(release, "bce-demo.com"), ""],
            *[*INCOMING[:4], "delete", *confirmed(release, "bce-demo.com"), "", "", ""],
            *[ssl if line == CIPHERS else line for line in TLS[release]],
            *COMMIT[release],
        ]
    )
    assert gateway.dump() == before


def test_the_journal_tells_what_was_written(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    gateway.type_by_hand(guide(gateway.profile.name))
    written = [
        (event.detail["table"], event.detail["key"])
        for event in gateway.journal.events("gateway", "write", since=mark)
    ]
    assert written == [
        ("destconfig", "bce-demo.com"),
        ("rcptaccess:IncomingMail", "bce-demo.com"),
        ("smtproutes", "bce-demo.com"),
        ("hostaccess:OutgoingMail", "RELAY_O365"),
        ("hostaccess:OutgoingMail", "RELAY_O365"),
        ("hostaccess:OutgoingMail", "$RELAYED"),
        ("filters", "office365_outbound"),
        ("sslconfig", "outbound"),
    ]
    assert gateway.journal.count("gateway", "commit", since=mark) == 1
    assert gateway.journal.count("gateway", "read", since=mark) == 0
