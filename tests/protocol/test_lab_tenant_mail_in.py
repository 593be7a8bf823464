"""The tenant's front door on real sockets: whom it lets in, whose mail it takes it for, where it puts it."""

from __future__ import annotations

import pytest

from lab.mail.envelope import compose
from lab.tenant.mail import attribution
from tests.protocol import lab_tenant_mail_kit as kit
from tests.protocol.lab_tenant_mail_kit import BYPASS, DATA1, DATA2, INBOUND, PAYROLL, PROBE, STRANGER, World

running_world, world = kit.running_world, kit.world


def test_mail_from_anybody_is_in_the_inbox_at_once(world: World) -> None:
    outcome = world.arrive(STRANGER)
    assert (outcome.code, outcome.tls) == (250, "TLSv1.3")
    item = world.item()
    assert (item.folder, item.peer, item.tls, item.connector) == ("inbox", STRANGER, "TLSv1.3", "")
    assert item.envelope.header("X-MS-Exchange-Organization-SCL") == "1"
    assert STRANGER in str(item.envelope.header("Received"))
    assert world.event("received")["verdict"] == "inbox"


def test_a_connector_takes_mail_from_its_addresses(world: World) -> None:
    world.do("New-InboundConnector", INBOUND)
    assert world.arrive(DATA2).delivered
    assert world.item().connector == "Inbound from Cisco CES"
    assert world.event("received")["connector"] == "Inbound from Cisco CES"


def test_tls_is_demanded_of_the_connectors_mail_only(world: World) -> None:
    assert world.arrive(DATA1, tls="no").delivered
    world.do("New-InboundConnector", INBOUND)
    refused = world.arrive(DATA1, tls="no")
    assert f"{refused.code} {refused.text}".startswith(attribution.NO_TLS)
    assert world.arrive(STRANGER, tls="no").delivered
    world.do("Set-InboundConnector", Identity=INBOUND["Name"], RequireTls=False)
    assert world.arrive(DATA1, tls="no").delivered


def test_a_restriction_refuses_every_other_address(world: World) -> None:
    world.do("New-InboundConnector", INBOUND, RestrictDomainsToIPAddresses=True)
    refused = world.arrive(STRANGER)
    assert f"{refused.code} {refused.text}".startswith(attribution.LOCKED)
    assert world.tenant.mail.mailboxes.items() == []
    assert world.tenant.mail.traces.entries() == []
    assert world.arrive(DATA1).delivered
    world.do("Set-InboundConnector", Identity=INBOUND["Name"], Enabled=False)
    assert world.arrive(STRANGER).delivered


def test_a_foreign_connector_restricts_its_own_domain_only(world: World) -> None:
    assert world.arrive(PAYROLL, sender="pay@payroll.example").delivered
    assert world.item().connector == "From payroll service"
    assert world.arrive(STRANGER, sender="pay@payroll.example").code == 550
    assert world.arrive(STRANGER, sender="x@notpayroll.example").delivered


def test_which_connector_wins_is_a_switch(world: World) -> None:
    world.do("New-InboundConnector", INBOUND)
    assert world.arrive(DATA1, sender="pay@payroll.example").delivered
    assert world.item().connector == "Inbound from Cisco CES"
    world.tenant.switches.attribution_prefers = "domain"
    assert world.arrive(DATA1, sender="pay@payroll.example").code == 550


def test_direct_send_is_refused_when_told_so(world: World) -> None:
    assert world.arrive(STRANGER, sender="boss@bce-demo.com").delivered
    world.do("Set-OrganizationConfig", RejectDirectSend=True)
    refused = world.arrive(STRANGER, sender="boss@bce-demo.com")
    assert f"{refused.code} {refused.text}".startswith(attribution.DIRECT_SEND)
    assert world.arrive(STRANGER).delivered
    world.do("New-InboundConnector", INBOUND)
    assert world.arrive(DATA1, sender="boss@bce-demo.com").delivered


def test_nothing_is_relayed_for_strangers(world: World) -> None:
    refused = world.arrive(STRANGER, recipient="x@bank.example")
    assert f"{refused.code} {refused.text}".startswith(attribution.RELAY)
    assert world.event("received")["verdict"] == attribution.RELAY
    assert world.tenant.mail.door_counts.peer(STRANGER).messages == 0, "before it hands over its content"


def test_an_on_premises_connector_relays_mail_of_our_domains(world: World) -> None:
    world.do(
        "New-InboundConnector",
        Name="From the scanner",
        ConnectorType="OnPremises",
        SenderDomains=["*"],
        SenderIPAddresses=[STRANGER],
        TreatMessagesAsInternal=True,
    )
    assert world.arrive(STRANGER, sender="scan@bce-demo.com", recipient="x@bank.example").delivered
    world.internet.sink.wait_for(lambda kept: kept.envelope.sender == "scan@bce-demo.com")
    assert world.arrive(STRANGER, sender="x@other.example", recipient="x@bank.example").code == 550


def test_who_has_no_mailbox_gets_no_mail(world: World) -> None:
    refused = world.arrive(recipient="nobody@bce-demo.com")
    assert (refused.code, refused.text.split(" ")[0]) == (550, "5.4.1")


@pytest.mark.parametrize("stage", ["recipient", "data"])
def test_when_a_refusal_is_said_is_a_switch(world: World, stage: str) -> None:
    world.tenant.switches.attribution_stage = stage  # type: ignore[assignment] # one of two
    world.do("New-InboundConnector", INBOUND, RestrictDomainsToIPAddresses=True)
    assert world.arrive(STRANGER).code == 550
    messages = world.tenant.mail.door_counts.peer(STRANGER).messages
    assert messages == (1 if stage == "data" else 0)


def test_spam_is_junk_without_rule_a_and_in_the_inbox_with_it(world: World) -> None:
    assert world.arrive(X_Lab_Spam="yes").delivered
    assert (world.item().folder, world.item().scl) == ("junkemail", 6)
    world.tenant.mail.clear()
    world.do("New-TransportRule", BYPASS)
    assert world.arrive(X_Lab_Spam="yes").delivered
    assert (world.item().folder, world.item().scl) == ("inbox", -1)
    world.tenant.mail.clear()
    assert world.arrive(STRANGER, X_Lab_Spam="9").delivered
    assert (world.item().folder, world.item().scl) == ("junkemail", 9)


def test_phish_is_held_until_the_mx_is_elsewhere(world: World) -> None:
    world.do("New-TransportRule", BYPASS)
    assert world.arrive(X_Lab_Spam="phish").delivered
    assert world.tenant.mail.mailboxes.items(PROBE) == []
    assert world.traced().status == "Quarantined"
    world.internet.zones.set("bce-demo.com", "MX", "10 mx1.bce-demo.example")
    assert world.arrive(X_Lab_Spam="phish").delivered
    assert world.item().folder == "inbox"


def test_rules_of_others_do_what_they_say(world: World) -> None:
    assert world.arrive(subject="Hello").delivered
    assert world.item().envelope.subject == "[EXTERNAL] Hello"
    world.do(
        "New-TransportRule",
        Name="No jokes",
        SubjectContainsWords=["joke"],
        RejectMessageReasonText="No jokes, please",
    )
    assert world.arrive(subject="A joke").delivered
    failed = world.tenant.mail.traces.entries()[-1]
    assert failed.status == "Failed"
    assert "No jokes, please" in failed.events[-1].detail


def test_configuration_counts_only_after_its_time(world: World) -> None:
    world.tenant.switches.propagation_seconds = {"inbound": 3600.0, "rules": (3600.0, 7200.0)}
    world.do("New-InboundConnector", INBOUND, RestrictDomainsToIPAddresses=True)
    world.do("New-TransportRule", BYPASS)
    world.do("Set-OrganizationConfig", RejectDirectSend=True)
    assert world.arrive(STRANGER, X_Lab_Spam="yes").delivered
    assert world.item().folder == "junkemail"
    assert world.arrive(STRANGER, sender="boss@bce-demo.com").code == 550, "the organization counts at once"
    world.tenant.store.settle()
    assert world.arrive(STRANGER).code == 550


def test_what_was_removed_counts_on_for_its_time(world: World) -> None:
    world.do("New-InboundConnector", INBOUND, RestrictDomainsToIPAddresses=True)
    world.tenant.store.settle()
    world.tenant.switches.propagation_seconds = 3600.0
    world.do("Set-InboundConnector", Identity=INBOUND["Name"], Comment="still there")
    world.do("Remove-InboundConnector", Identity=INBOUND["Name"])
    assert world.arrive(STRANGER).code == 550
    world.tenant.switches.propagation_seconds = 0.0
    assert world.arrive(STRANGER).delivered


def test_the_door_counts_by_peer(world: World) -> None:
    counts = world.tenant.mail.door_counts
    counts.reset()
    with world.client(DATA1) as first, world.client(DATA1) as second, world.client(STRANGER) as third:
        for client in (first, second, third):
            assert client.connect() is None
        for _ in range(3):
            assert first.send(compose("a@sender.example", PROBE, "x")).delivered
        assert (counts.all.now, counts.all.at_once) == (3, 3)
    assert (counts.all.now, counts.all.connections, counts.all.messages) == (0, 3, 3)
    with world.client(STRANGER) as client:
        assert client.connect() is None
        assert (counts.all.now, counts.all.at_once) == (1, 3), "the most, not the last"
    of_one = counts.peer(DATA1)
    assert (of_one.at_once, of_one.connections, of_one.messages, of_one.per_connection) == (2, 2, 3, 3)
    assert counts.peer(STRANGER).messages == 0


def test_strangers_in_a_crowd_are_put_off_and_the_connectors_are_not(world: World) -> None:
    world.do("New-InboundConnector", INBOUND)
    world.tenant.switches.throttled_above = 1
    for source, code in ((STRANGER, 451), (DATA1, 250)):
        with world.client(source) as first, world.client(source) as second:
            assert first.connect() is None
            outcome = second.send(compose("a@sender.example", PROBE, "x"))
            assert outcome.code == code
    assert world.arrive(STRANGER).delivered


def test_a_recipient_can_be_made_to_be_refused(world: World) -> None:
    world.tenant.mail.front_door.refuse[PROBE] = "451 4.7.500 Server busy"
    refused = world.arrive()
    assert (refused.code, refused.text.split(" ")[0]) == (451, "4.7.500")
    world.tenant.reset()
    world.tenant.switches.front_door_latency = (0.001, 0.002)
    assert world.arrive().delivered


def test_a_loop_is_cut(world: World) -> None:
    looping = compose("a@sender.example", PROBE, "round and round")
    for _ in range(21):
        looping = looping.with_header("Received", "from here by there")
    with world.client() as client:
        refused = client.send(looping)
    assert (refused.code, refused.text.split(" ")[0]) == (554, "5.4.14")


def test_a_stopped_tenant_refuses_connections_and_comes_back(world: World) -> None:
    world.tenant.mail.stop()
    assert world.arrive().code == 0
    world.tenant.mail.start()
    assert world.arrive().delivered
