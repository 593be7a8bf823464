"""What tracking, trace and replies say, read as their makers word it."""

import dataclasses

import pytest

from dynamic_providers.mailflow.causes import SITUATIONS
from dynamic_providers.mailflow.diagnosis import Diagnosis
from dynamic_providers.mailflow.message import new_token, probe
from dynamic_providers.mailflow.proxy_header import proxy_header
from dynamic_providers.mailflow.replies import Side, of_reply
from dynamic_providers.mailflow.trace import Traced, TraceEvent
from dynamic_providers.mailflow.tracked import Tracked
from tests.unit.mailflow_world import World, right_tenant, settings

# The guide's own lines, «Testar email de saída», and a delivery as AsyncOS 14 words it.
GUIDE = (
    "Incoming connection (ICID 405417) has sender_group: RELAY_O365, sender_ip: 59.175 and sbrs: not enabled",
    "Protocol SMTP interface Data 2 (IP 57.36) on incoming connection (ICID 405417) from sender IP 59.175.",
    "(ICID 405417) RELAY sender group RELAY_O365 match .protection.outlook.com SBRs not enabled",
    (
        "Incoming connection (ICID 405417) successfully accepted TLS protocol TLSv1.2 cipher "
        "ECDHE-RSA-AES256-GCM-SHA384."
    ),
    (
        "SMTP delivery connection (DCID 4368) opened from Cisco IronPort interface 2.2.2.2 "
        "to IP address 1.1.1.1 on port 25."
    ),
    "Delivery connection (DCID 4368) successfully accepted TLS protocol TLSv1.3 cipher TLS_AES_256 None.",
    "Message 322 to t2@test.com received remote SMTP response '2.6.0 <x@y> Queued mail for delivery'.",
)


def tracked(status: str = "Delivered", lines: tuple[str, ...] = GUIDE) -> Tracked:
    return Tracked(("186371", "186372"), status, "RELAY_O365", "59.175", "s", "13 Aug 2021", lines=lines)


def test_the_guides_lines_are_read() -> None:
    found = tracked()
    assert (found.tls, found.delivery_tls) == ("TLSv1.2", "TLSv1.3")
    assert (found.delivered_from, found.delivered_to) == ("2.2.2.2", "1.1.1.1")
    assert found.said == "2.6.0 <x@y> Queued mail for delivery"
    assert (found.over, found.delivered, found.dropped) == (True, True, False)
    assert found.evidence() == {
        "MID": "186371, 186372",
        "status": "Delivered",
        "time": "13 Aug 2021",
        "sender group": "RELAY_O365",
        "interface": "Data 2 57.36",
        "sender IP": "59.175",
        "TLS": "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384",
    }


def test_the_guides_dropped_message_names_its_filter() -> None:
    line = "Message 94011 aborted: Dropped by filter 'office365_outbound'"
    found = tracked("Dropped By Message Filters", (line,))
    assert (found.over, found.dropped, found.filter) == (True, True, "office365_outbound")


@pytest.mark.parametrize("status", ["Processing", "Queued for delivery", "Delayed", "Soft Bounced", ""])
def test_what_the_gateway_still_works_on_is_not_over(status: str) -> None:
    assert not tracked(status).over


def traced(*events: TraceEvent, status: str = "Delivered") -> Traced:
    return Traced("id", "<m@x>", status, "s", "192.0.2.1", "", "2026", events)


def event(kind: str, detail: str = "", data: str = "") -> TraceEvent:
    return TraceEvent("1", kind, "", detail, data)


def mep(blob: str) -> str:
    server = r"DB5EUR01FT003\Default DB5EUR01FT003"
    return f'<root><MEP Name="ConnectorId" String="{server}"/><MEP Name="CustomData" Blob="{blob}"/></root>'


def test_the_trace_names_connectors_tls_rules_and_folder() -> None:
    inward = traced(
        event(
            "Receive",
            data=mep(
                "S:InboundConnectorData=Name=Inbound from Cisco CES;ConnectorType=Partner;S:tlsversion=TLS1_3"
            ),
        ),
        event("Transport rule", "Transport rule: 'Bypass', ID: ('f43f7263'), DLP policy: '', ID: (0)"),
        event("Deliver", "The message was successfully delivered to the folder: DefaultFolderType:JunkEmail"),
    )
    assert inward.inbound_connector == "Inbound from Cisco CES"
    assert (inward.tls, inward.rules, inward.folder) == ("TLS1_3", ("Bypass",), "junk")
    outward = traced(
        event(
            "Send external",
            "Message sent to a.b at 192.0.2.2 using TLS1.2 with AES256",
            mep("S:Microsoft.Exchange.Hygiene.TenantOutboundConnectorCustomData=Name=Outbound to Cisco CES;"),
        )
    )
    assert (outward.outbound_connector, outward.tls) == ("Outbound to Cisco CES", "1.2")


def test_no_connector_is_another_thing_than_not_told() -> None:
    assert traced(event("Receive", data=mep("S:ProxyHop1=X"))).inbound_connector == ""
    assert traced(event("Receive")).inbound_connector is None
    assert traced().rules is None


def test_why_the_trace_failed_is_kept_word_by_word() -> None:
    reason = "Reason: [{LED=550 5.7.367 Remote server returned not permitted to relay};{MSG=};{FQDN=x}]"
    found = traced(event("Fail", reason), status="Failed")
    assert found.said == "550 5.7.367 Remote server returned not permitted to relay"
    assert (found.over, found.delivered) == (True, False)


@pytest.mark.parametrize(
    ("side", "reply", "word"),
    [
        ("microsoft", "550 5.7.64 TenantAttribution; Relay Access Denied", "no inbound connector"),
        ("microsoft", "550 5.7.51 TenantInboundAttribution; There is a partner connector", "lock-down"),
        ("microsoft", "550 5.7.68 TenantInboundAttribution; Direct Send not allowed", "RejectDirectSend"),
        ("microsoft", "451 4.7.500 Server busy. Please try again later", "slows"),
        ("microsoft", "451 4.7.699 Server busy", "slows"),
        ("microsoft", "554 5.4.14 Hop count exceeded - possible mail loop", "circle"),
        ("microsoft", "5.4.6 loop", "circle"),
        ("microsoft", "451 5.7.3 STARTTLS is required to send mail", "demands TLS"),
        ("gateway", "550 #5.1.0 Address rejected.", "recipient access table"),
        ("gateway", "550 5.7.1 Relaying denied", "recipient access table"),
    ],
)
def test_every_reply_of_the_table_has_a_cause_and_advice(side: Side, reply: str, word: str) -> None:
    found = of_reply(side, reply)
    assert found is not None
    assert word in found.cause
    assert found.advice


def test_every_cause_says_what_to_do() -> None:
    for name, one in SITUATIONS.items():
        assert all(dataclasses.astuple(one)[:2]), name


def test_an_unknown_reply_has_no_cause() -> None:
    assert of_reply("microsoft", "550 5.9.9 whatever") is None


def test_a_probe_is_known_again_by_words_that_need_no_encoding() -> None:
    token = new_token()
    message = probe("a@b.example", "c@d.example", token, 2)
    assert token.isalnum()
    assert message.word.isalnum()
    assert message.subject.split()[-2:] == [token, f"{token}n2"]
    content = message.content("prod")
    assert b"\r\n\r\n" in content
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"Auto-Submitted: auto-generated" in content


def test_the_proxy_header_is_what_haproxy_describes() -> None:
    header = proxy_header("203.0.113.99", 40025, "192.0.2.105", 25)
    assert header[:12] == b"\r\n\r\n\x00\r\nQUIT\n"
    assert header[12:16] == b"\x21\x11\x00\x0c"
    assert header[16:] == bytes([203, 0, 113, 99, 192, 0, 2, 105]) + (40025).to_bytes(2) + (25).to_bytes(2)


def test_the_diagnosis_looks_at_no_value_of_a_header_and_finds_nothing_wrong_in_a_right_tenant() -> None:
    world = World(tenant=right_tenant())
    found = Diagnosis(world.run, settings())
    assert found.outbound_route() == found.outbound_tls() == found.header() == []
    assert found.inbound_connector("192.0.2.105") == found.junk("198.51.100.186") == []
    assert found.junk("203.0.113.1") == [
        (
            "203.0.113.1 is not among the addresses of the rule "
            "«Bypass spam filtering - inbound email from Cisco CES»"
        )
    ]
