"""Mail that leaves the tenant on real sockets: by rule and connector, by MX, with TLS, again, or never."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.internet.practice import SINK_ADDRESS
from lab.mail.envelope import compose
from tests.protocol import lab_tenant_mail_kit as kit
from tests.protocol.lab_tenant_mail_kit import (
    DATA1,
    DATA2,
    OUTBOUND,
    OUTSIDE,
    PROBE,
    ROUTE,
    SECRET,
    World,
)

running_world, world = kit.running_world, kit.world
HEADER = "X-OUTBOUND-AUTH"


def test_without_a_rule_mail_leaves_by_mx(world: World) -> None:
    sent = world.leave()
    kept = world.internet.sink.wait_for(lambda kept: kept.envelope.message_id == sent.message_id)
    assert (kept.peer, kept.tls) == ("203.0.113.40", "TLSv1.3")
    assert kept.helo == world.internet.network.reverse("203.0.113.40")
    assert kept.helo.endswith(".outbound.protection.outlook.com")
    assert kept.envelope.header(HEADER) is None
    entry = world.traced()
    assert (entry.status, entry.to_ip) == ("Delivered", SINK_ADDRESS)
    assert not world.event("sent")["stamped"]


def test_rule_and_connector_lead_to_the_smart_host_with_the_header(world: World) -> None:
    world.outbound_by_rule()
    world.leave()
    connection, envelope = world.gateway.one()
    assert (connection.peer, connection.tls) == ("203.0.113.40", "TLSv1.3")
    assert envelope.headers(HEADER) == [SECRET]
    assert world.traced().to_ip == DATA2
    sent = world.event("sent")
    assert (sent["connector"], sent["address"], sent["stamped"]) == ("Outbound to Cisco CES", DATA2, True)


def test_mail_inside_stays_inside(world: World) -> None:
    world.outbound_by_rule()
    world.leave("anna@shop.bce-demo.com")
    assert world.traced().status == "Delivered"
    assert world.item("anna@shop.bce-demo.com").envelope.header(HEADER) is None
    assert world.gateway.received == []


def test_recipients_inside_and_outside_go_their_own_ways(world: World) -> None:
    world.outbound_by_rule()
    world.leave(("anna@bce-demo.com", OUTSIDE, "x@bank.example"))
    _connection, envelope = world.gateway.one()
    assert envelope.recipients == (OUTSIDE, "x@bank.example")
    assert world.item("anna@bce-demo.com").folder == "inbox"
    world.tenant.mail.traces.wait_settled(10)
    assert {entry.status for entry in world.tenant.mail.traces.entries()} == {"Delivered"}


def test_mail_from_outside_is_not_from_inside_whatever_it_says(world: World) -> None:
    world.outbound_by_rule()
    world.do(
        "New-TransportRule",
        Name="Copies",
        FromScope="NotInOrganization",
        SetHeaderName="X-Out",
        SetHeaderValue="1",
    )
    assert world.arrive(sender="boss@bce-demo.com").delivered
    assert world.item().envelope.header("X-Out") == "1"


def test_the_later_of_two_rules_overwrites_the_header(world: World) -> None:
    world.outbound_by_rule()
    world.do(
        "New-TransportRule",
        Name="Marketing stamp",
        FromScope="InOrganization",
        SetHeaderName="x-outbound-auth",
        SetHeaderValue="other",
    )
    world.leave()
    assert world.gateway.one()[1].headers(HEADER) == ["other"]


def test_a_rule_above_that_stops_hides_the_ones_below(world: World) -> None:
    world.outbound_by_rule()
    world.do(
        "New-TransportRule",
        Name="Forged probe",
        From=[PROBE],
        SubjectContainsWords=["m365se-proof-41"],
        SetHeaderName=HEADER,
        SetHeaderValue="wrong",
        RouteMessageOutboundConnector="Outbound to Cisco CES",
        StopRuleProcessing=True,
        Priority=0,
    )
    world.leave(subject="forged m365se-proof-41")
    assert world.gateway.one()[1].headers(HEADER) == ["wrong"]


def _connector_removed(world: World) -> None:
    world.tenant.switches.connector_in_use = "removed"
    world.do("Remove-OutboundConnector", Identity=OUTBOUND["Name"])


BROKEN_WAYS: dict[str, Callable[[World], object]] = {
    "connector disabled": lambda world: world.do(
        "Set-OutboundConnector", Identity=OUTBOUND["Name"], Enabled=False
    ),
    "connector removed": _connector_removed,
}


@pytest.mark.parametrize("way", BROKEN_WAYS)
def test_a_rule_whose_connector_is_no_more_leads_out_by_mx_with_the_header(world: World, way: str) -> None:
    world.outbound_by_rule()
    BROKEN_WAYS[way](world)
    sent = world.leave()
    kept = world.internet.sink.wait_for(lambda kept: kept.envelope.message_id == sent.message_id)
    assert kept.envelope.headers(HEADER) == [SECRET]


@pytest.mark.parametrize("off", ["disabled", "audit"])
def test_a_rule_that_is_off_does_nothing(world: World, off: str) -> None:
    world.outbound_by_rule()
    if off == "disabled":
        world.do("Disable-TransportRule", Identity=ROUTE["Name"])
    else:
        world.do("Set-TransportRule", Identity=ROUTE["Name"], Mode="Audit")
    sent = world.leave()
    kept = world.internet.sink.wait_for(lambda kept: kept.envelope.message_id == sent.message_id)
    assert kept.envelope.header(HEADER) is None


def test_the_pilot_group_leaves_through_the_gateway_and_nobody_else(world: World) -> None:
    world.do("New-OutboundConnector", OUTBOUND)
    world.do(
        "New-TransportRule",
        ROUTE,
        FromMemberOf=["mail-pilot@bce-demo.com"],
        ExceptIfRecipientDomainIs=["bank.example"],
    )
    others = world.leave(sender="anna@bce-demo.com")
    excepted = world.leave("x@bank.example", sender="pilot@bce-demo.com")
    pilot = world.leave(sender="pilot@bce-demo.com")
    assert world.gateway.one()[1].message_id == pilot.message_id
    for sent in (others, excepted):
        world.internet.sink.wait_for(
            lambda kept, sent=sent: kept.envelope.message_id == sent.message_id  # type: ignore[misc] # its own
        )
    world.tenant.mail.traces.wait_settled(10)
    world.gateway.forget()
    world.do("Add-DistributionGroupMember", Identity="Mail pilot", Member="anna@bce-demo.com")
    world.leave(sender="anna@bce-demo.com")
    assert world.gateway.one()[1].sender == "anna@bce-demo.com"


def test_smart_hosts_take_turns(world: World) -> None:
    world.outbound_by_rule()
    world.do("Set-OutboundConnector", Identity=OUTBOUND["Name"], SmartHosts=[DATA2, "mx1.bce-demo.example"])
    for _ in range(4):
        world.leave()
        world.tenant.mail.traces.wait_settled(10)
    assert (len(world.gateway.received), len(world.other.received)) == (2, 2)


def test_a_dead_smart_host_is_passed_over(world: World) -> None:
    world.outbound_by_rule()
    world.do("Set-OutboundConnector", Identity=OUTBOUND["Name"], SmartHosts=["192.0.2.250", DATA1])
    for _ in range(2):
        world.leave()
    world.tenant.mail.traces.wait_settled(10)
    assert len(world.other.received) == 2
    assert world.journal.count("tenant", "deferred", since=world.since) == 0


def test_tls_is_demanded_by_the_connector(world: World) -> None:
    world.outbound_by_rule()
    world.gateway.door.faults.add("no_starttls")
    world.leave()
    deferred = world.event("deferred")
    assert deferred["reply"].startswith("450 4.4.317")
    assert "STARTTLS is required" in deferred["reply"]
    (entry,) = world.tenant.mail.traces.entries()
    assert entry.status == "Pending"
    world.gateway.door.faults.clear()
    assert world.traced().status == "Delivered"
    assert world.gateway.one()[0].tls


def test_without_tls_settings_tls_is_taken_or_left(world: World) -> None:
    world.outbound_by_rule()
    world.do("Set-OutboundConnector", Identity=OUTBOUND["Name"], TlsSettings=None)
    world.gateway.door.faults.add("no_starttls")
    world.leave()
    assert world.gateway.one()[0].tls == ""


@pytest.mark.parametrize(
    "settings",
    [
        {"TlsSettings": "CertificateValidation"},
        {"TlsSettings": "DomainValidation", "TlsDomain": "*.bce-demo.example"},
    ],
    ids=str,
)
def test_a_certificate_that_nobody_vouches_for_can_be_in_the_way(
    world: World, settings: dict[str, str]
) -> None:
    world.outbound_by_rule()
    world.do("Set-OutboundConnector", {"Identity": OUTBOUND["Name"], **settings})
    world.leave()
    assert world.event("deferred")["reply"].startswith("450 4.7.320 Certificate validation failed")
    (connect, _mail) = world.do("Validate-OutboundConnector", Identity=OUTBOUND["Name"], Recipients=[OUTSIDE])
    assert connect["IsTaskSuccessful"] is False
    world.tenant.switches.trusted_certificates = (DATA2,)
    assert world.traced().status == "Delivered"


def test_a_refusal_of_the_smart_host_fails_with_its_reply(world: World) -> None:
    world.outbound_by_rule()
    world.gateway.refused[OUTSIDE] = "550 5.7.1 Relaying denied"
    world.leave()
    entry = world.traced()
    assert (entry.status, entry.to_ip) == ("Failed", DATA2)
    assert "LED=550 5.7.1 Relaying denied" in entry.events[-1].detail
    assert world.event("failed")["reply"] == "550 5.7.1 Relaying denied"


def test_a_rejected_connection_fails_with_its_greeting(world: World) -> None:
    world.outbound_by_rule()
    world.gateway.greeting = "554 5.7.1 Your access to this mail system has been rejected"
    world.leave()
    assert world.traced().status == "Failed"


def test_only_the_refused_recipient_fails(world: World) -> None:
    world.outbound_by_rule()
    world.gateway.refused["gone@bank.example"] = "550 5.1.1 no such user"
    world.leave((OUTSIDE, "gone@bank.example"))
    world.tenant.mail.traces.wait_settled(10)
    states = {entry.recipient: entry.status for entry in world.tenant.mail.traces.entries()}
    assert states == {OUTSIDE: "Delivered", "gone@bank.example": "Failed"}
    assert [event.detail["to"] for event in world.journal.events("tenant", "sent", since=world.since)] == [
        OUTSIDE
    ]


def test_a_deferral_is_tried_again_until_it_is_taken(world: World) -> None:
    world.outbound_by_rule()
    world.gateway.reply = "451 4.3.2 try again later"
    world.leave()
    assert world.event("deferred")["reply"] == "451 4.3.2 try again later"
    world.gateway.reply = "250 2.0.0 ok"
    entry = world.traced()
    assert entry.status == "Delivered"
    assert [event.event for event in entry.events].count("Send external") == 1
    assert len(world.gateway.received) == 1


def test_what_is_never_taken_fails_in_the_end(world: World) -> None:
    world.tenant.switches.expire_seconds = 0.05
    world.outbound_by_rule()
    world.do("Set-OutboundConnector", Identity=OUTBOUND["Name"], SmartHosts=["192.0.2.250"])
    world.leave()
    entry = world.traced()
    assert entry.status == "Failed"
    assert "450 4.4.316 Connection refused" in entry.events[-1].detail


def test_a_domain_that_is_nowhere_fails_at_once(world: World) -> None:
    world.leave("x@nowhere.invalid")
    entry = world.traced()
    assert entry.status == "Failed"
    assert "550 5.4.310 DNS domain nowhere.invalid does not exist" in entry.events[-1].detail


def test_mx_answers_are_believed_for_their_time(world: World) -> None:
    world.leave("x@bank.example")
    assert world.traced().to_ip == SINK_ADDRESS
    world.internet.zones.set("bank.example", "MX", "10 esa1.bce-demo.example")
    world.leave("x@bank.example")
    world.tenant.mail.traces.wait_settled(10)
    assert [entry.to_ip for entry in world.tenant.mail.traces.entries()] == [SINK_ADDRESS] * 2
    world.tenant.mail.wire.router.resolver.forget()
    world.leave("x@bank.example")
    assert world.other.one()[1].recipients == ("x@bank.example",)


def test_a_connector_for_a_domain_needs_no_rule(world: World) -> None:
    world.do(
        "New-OutboundConnector", OUTBOUND, IsTransportRuleScoped=False, RecipientDomains=["bank.example"]
    )
    world.leave("x@bank.example")
    assert world.gateway.one()[1].recipients == ("x@bank.example",)


def test_a_rule_for_everybody_sends_inbound_mail_out_again(world: World) -> None:
    """As happened where a rule lost its condition: everybody's mail went through the gateway."""
    world.do("New-OutboundConnector", OUTBOUND)
    only = {name: value for name, value in ROUTE.items() if not name.endswith("Scope")}
    world.do("New-TransportRule", only)
    assert world.arrive().delivered
    assert world.gateway.one()[1].recipients == (PROBE,)


def test_a_rule_counts_for_as_long_as_it_takes_to_forget_it(world: World) -> None:
    world.outbound_by_rule()
    world.tenant.store.settle()
    world.tenant.switches.propagation_seconds = (3600.0, 7200.0)
    world.do("Remove-TransportRule", Identity=ROUTE["Name"])
    world.do("Remove-OutboundConnector", Identity=OUTBOUND["Name"])
    world.leave()
    assert world.gateway.one()[1].headers(HEADER) == [SECRET]


def test_messages_that_wait_together_share_a_connection(world: World) -> None:
    world.outbound_by_rule()
    world.tenant.mail.outbound.stop()
    for number in range(25):
        world.leave(subject=f"number {number}")
    world.tenant.mail.outbound.start(world.tenant.mail.wire)
    world.tenant.mail.traces.wait_settled(20)
    connections = {id(connection): connection.messages for connection, _envelope in world.gateway.received}
    assert sum(connections.values()) == 25
    assert max(connections.values()) == 20


def test_validation_sends_a_mail_to_each_smart_host_and_sets_nothing(world: World) -> None:
    world.outbound_by_rule()
    world.do("Set-OutboundConnector", Identity=OUTBOUND["Name"], SmartHosts=[DATA2, DATA1])
    connect, mail = world.do("Validate-OutboundConnector", Identity=OUTBOUND["Name"], Recipients=[OUTSIDE])
    assert (connect["IsTaskSuccessful"], mail["IsTaskSuccessful"]) == (True, True)
    for host in (world.gateway, world.other):
        _connection, envelope = host.one()
        assert envelope.sender == "O365ConnectorValidation@bce-demo.com"
        assert envelope.header(HEADER) == SECRET, "our own rules run over it"
    (row,) = [row for row in world.do("Get-OutboundConnector") if row["Name"] == OUTBOUND["Name"]]
    assert row["IsValidated"] is False


def test_validation_says_what_failed(world: World) -> None:
    world.outbound_by_rule()
    world.gateway.door.faults.add("no_starttls")
    connect, mail = world.do("Validate-OutboundConnector", Identity=OUTBOUND["Name"], Recipients=[OUTSIDE])
    assert (connect["IsTaskSuccessful"], mail["IsTaskSuccessful"]) == (False, False)
    assert "STARTTLS" in connect["TaskDetail"]
    world.do("Set-OutboundConnector", Identity=OUTBOUND["Name"], Enabled=False)
    (row,) = world.do("Validate-OutboundConnector", Identity=OUTBOUND["Name"], Recipients=[OUTSIDE])
    assert row["TaskDetail"] == "The connector is disabled."


def test_validation_can_leave_a_connector_behind(world: World) -> None:
    world.do("New-OutboundConnector", OUTBOUND)
    world.tenant.switches.validation_leaves_connector = True
    world.do("Validate-OutboundConnector", Identity=OUTBOUND["Name"], Recipients=[OUTSIDE])
    assert len(world.do("Get-OutboundConnector")) == 2, "connectors in test mode are hidden"
    names = [row["Name"] for row in world.do("Get-OutboundConnector", IncludeTestModeConnectors=True)]
    assert any(name.startswith("Outbound to Cisco CES_Test_") for name in names)


def test_a_message_of_ours_that_needs_no_network_stays_here(world: World) -> None:
    world.tenant.mail.submit(compose(PROBE, PROBE, "to myself"), keep=False)
    assert world.item().envelope.subject == "to myself"
