"""The lab's gateway carries mail: relayed, filtered, refused, routed and delivered over real sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.gateway.commands.smtproutes import parse_targets
from lab.gateway.mail.tracking import ABORTED, BOUNCED, DELIVERED, DROPPED, PROCESSING, QUARANTINED, Tracked
from lab.gateway.state import Delivery, Destination, Sender, SenderGroup
from lab.mail.client import SmtpClient
from lab.mail.envelope import compose
from lab.mail.server import MailDoor
from tests.protocol.gateway_mail_kit import (
    DATA1,
    DATA2,
    MICROSOFT_IN,
    MICROSOFT_OUT,
    PROBE,
    SINK,
    Receiver,
    World,
    add_filter,
    context,
    stamped,
    world,
)

INBOUND = compose("someone@probe.example", "bob@bce-demo.com", "Inbound test")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("mail")) as made:
        yield made


@pytest.fixture
def lab(shared: World) -> Iterator[World]:
    before = shared.gateway.snapshot()
    yield shared
    shared.microsoft.gate.set()
    shared.sink.gate.set()
    for receiver in (shared.microsoft, shared.sink):
        receiver.tls, receiver.reply = True, "250 2.6.0 Queued mail for delivery"
    shared.gateway.reset()
    shared.gateway.restore(before)
    for receiver in (shared.microsoft, shared.sink):
        receiver.kept.clear()
        receiver.per_connection.clear()
        receiver.most = 0


def last(lab: World) -> Tracked:
    return lab.mail.tracking().messages[-1]


def statuses(message: Tracked) -> list[str]:
    return list(message.statuses(time.time()).values())


def said(message: Tracked) -> str:
    return "\n".join(line.text for line in message.lines)


def test_microsoft_s_mail_is_relayed_without_its_header(lab: World) -> None:
    mark = lab.journal.mark()
    outcome = lab.send(stamped())
    assert outcome.code == 250
    assert outcome.text == f"ok:  Message {last(lab).states[0][1]} accepted"
    assert outcome.tls.startswith("TLSv1")
    [kept] = lab.sink.wait_kept(1)
    lab.settled()
    assert kept.peer == DATA2
    assert kept.envelope.header("X-OUTBOUND-AUTH") is None
    assert statuses(last(lab)) == [DELIVERED]
    [taken] = lab.journal.events("gateway:esa1.bce-demo.example", "mail", since=mark)
    assert (taken.detail["listener"], taken.detail["group"]) == ("OutgoingMail", "RELAY_O365")
    assert (taken.detail["peer"], taken.detail["mid"]) == (MICROSOFT_OUT, last(lab).states[0][1])
    [delivered] = lab.journal.events("gateway", "delivered", since=mark)
    assert (delivered.detail["to"], delivered.detail["address"]) == ("alice@probe.example", SINK)


@pytest.mark.parametrize("secret", ["wrong", None])
def test_a_forged_message_is_dropped_by_the_guide_s_filter(lab: World, secret: str | None) -> None:
    mark = lab.journal.mark()
    mail = stamped(secret=secret or "") if secret else stamped().without_header("X-OUTBOUND-AUTH")
    assert lab.send(mail).code == 250, "the filter works on what was taken"
    lab.settled()
    assert statuses(last(lab)) == [DROPPED]
    assert "aborted: Dropped by filter 'office365_outbound'" in said(last(lab))
    assert lab.journal.count("gateway", "dropped", filter="office365_outbound", since=mark) == 1
    assert lab.sink.kept == []


def test_a_filter_for_relaylist_never_fires_and_the_secret_leaves(lab: World) -> None:
    entry = lab.tables.filter("office365_outbound")
    entry.text = entry.text.replace("^RELAY_O365$", "^RELAYLIST$")
    lab.send(stamped())
    [kept] = lab.sink.wait_kept(1)
    assert kept.envelope.header("X-OUTBOUND-AUTH") == "mysecretkey"


def test_a_filter_above_that_ends_processing_lets_the_secret_out(lab: World) -> None:
    add_filter(lab.tables, "above: if recv-listener == 'OutgoingMail' { deliver(); }", first=True)
    lab.send(stamped(secret="wrong"))
    [kept] = lab.sink.wait_kept(1)
    assert kept.envelope.header("X-OUTBOUND-AUTH") == "wrong"


def test_what_the_lab_cannot_run_is_said_in_tracking(lab: World) -> None:
    add_filter(lab.tables, "odd: if dnslist('x.example') { drop(); }", first=True)
    lab.send(stamped())
    lab.settled()
    assert last(lab).errors == ["filter 'odd' not emulated: the rule 'dnslist'"]
    assert "filter 'odd' not emulated" in said(last(lab))
    assert statuses(last(lab)) == [DELIVERED]


def test_tracking_says_what_the_guide_s_picture_shows(lab: World) -> None:
    lab.send(stamped())
    lab.settled()
    message = last(lab)
    mid, icid = message.states[0][1], message.arrival.icid
    name = "mail-am6eur05on2040.outbound.protection.outlook.com"
    came = f"ncoming connection (ICID {icid})"
    interface = f"Protocol SMTP interface Data 2 (IP {DATA2})"
    match = "match .protection.outlook.com SBRs not enabled country not enabled"
    for line in (
        f"I{came} has sender_group: RELAY_O365, sender_ip: {MICROSOFT_OUT} and sbrs: not enabled",
        f"{interface} on i{came} from sender IP {MICROSOFT_OUT}. Reverse DNS host {name} verified yes.",
        f"(ICID {icid}) RELAY sender group RELAY_O365 {match}",
        f"I{came} successfully accepted TLS protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384.",
        f"Message {mid} Sender Domain: bce-demo.com",
        f"Start message {mid} on i{came}.",
        f"Message {mid} enqueued on i{came} from bob@bce-demo.com.",
        f"Message {mid} direction: outgoing",
        f"Message {mid} on i{came} added recipient (alice@probe.example).",
        f"Message {mid} original subject on injection: Outbound test",
        f"Message {mid} has sender_group: RELAY_O365, sender_ip: {MICROSOFT_OUT} and sbrs: None",
        f"I{came} lost.",
    ):
        assert line in [one.text for one in message.lines]


def test_a_message_that_a_filter_changes_may_go_on_under_a_second_mid(lab: World) -> None:
    lab.gateway.new_mid_when_changed = True
    lab.send(stamped())
    lab.settled()
    first, second = sorted(last(lab).recipients)
    assert last(lab).statuses(time.time()) == {second: DELIVERED}
    assert second == first + 1


def test_each_recipient_domain_has_its_own_mid(lab: World) -> None:
    lab.send(stamped(("a@probe.example", "b@bank.example", "c@probe.example")))
    lab.settled()
    assert [len(some) for some in last(lab).recipients.values()] == [2, 1]
    assert statuses(last(lab)) == [DELIVERED, DELIVERED]
    assert sorted(len(kept.envelope.recipients) for kept in lab.sink.kept) == [1, 2]


def test_mail_for_the_domain_goes_by_its_route(lab: World) -> None:
    assert lab.send(INBOUND, PROBE, DATA1).code == 250
    [kept] = lab.microsoft.wait_kept(1)
    assert kept.peer == DATA1
    assert kept.tls.startswith("TLSv1"), "destination controls say Preferred"
    lab.settled()
    assert (last(lab).arrival.sender_group, statuses(last(lab))) == ("None", [DELIVERED])


def test_a_route_to_the_wrong_host_leads_there(lab: World) -> None:
    lab.tables.routes["bce-demo.com"] = parse_targets("mx.probe.example")
    lab.send(INBOUND, PROBE, DATA1)
    assert lab.sink.wait_kept(1)[0].envelope.subject == "Inbound test"
    assert lab.microsoft.kept == []


def test_a_route_s_next_host_is_tried_when_the_first_is_not_there(lab: World) -> None:
    lab.tables.routes["bce-demo.com"] = parse_targets(f"203.0.113.77, {MICROSOFT_IN}/pri=10")
    lab.send(INBOUND, PROBE, DATA1)
    lab.microsoft.wait_kept(1)


def test_a_recipient_that_is_not_in_the_table_is_refused_and_tracked(lab: World) -> None:
    outcome = lab.send(compose("a@probe.example", "x@nowhere.example", "Refused"), PROBE, DATA1)
    assert (outcome.code, outcome.text) == (550, "#5.1.0 Address rejected.")
    assert statuses(last(lab)) == [ABORTED]
    assert last(lab).everybody == ["x@nowhere.example"]
    assert "rejected recipient (x@nowhere.example): 550 #5.1.0 Address rejected." in said(last(lab))


def test_strangers_are_rejected_by_the_private_listener(lab: World) -> None:
    outcome = lab.send(INBOUND, PROBE, DATA2)
    assert outcome.code == 554
    assert lab.journal.count("gateway", "refused", peer=PROBE) >= 1


@pytest.mark.parametrize(("behaviour", "code"), [("TCPREFUSE", 421), ("REJECT", 554), ("ACCEPT", 550)])
def test_behaviours_of_a_private_listener(lab: World, behaviour: str, code: int) -> None:
    row = SenderGroup("PROBE", behaviour, [Sender("probe-host.example")])
    lab.tables.listener("OutgoingMail").groups.insert(0, row)
    outcome = lab.send(compose("a@b.example", "x@probe.example", "Relay me"), PROBE, DATA2)
    assert outcome.code == code
    if behaviour == "ACCEPT":
        assert "Unable to relay" in outcome.text
        assert lab.send(INBOUND, PROBE, DATA2).code == 250, "mail for one's own domain needs no leave"


def test_relay_asks_no_recipient_access_table(lab: World) -> None:
    row = SenderGroup("PROBE", "RELAY", [Sender(PROBE)])
    lab.tables.listener("IncomingMail").groups.insert(0, row)
    assert lab.send(compose("a@b.example", "x@probe.example", "Relay me"), PROBE, DATA1).code == 250


def test_tls_off_preferred_and_required_of_the_mail_flow_policy(lab: World) -> None:
    parameters = lab.tables.listener("OutgoingMail").policies["RELAYED"].parameters
    parameters["tls"] = "off"
    assert lab.send(stamped()).tls == ""
    assert "STARTTLS is not offered" in lab.send(stamped(), tls="required").text
    parameters["tls"] = "preferred"
    assert lab.send(stamped(), tls="no").code == 250
    assert lab.send(stamped(), tls="required").tls.startswith("TLSv1")
    parameters["tls"] = "required"
    assert lab.send(stamped(), tls="no").code == 530
    assert lab.send(stamped()).code == 250


def test_tls_no_preferred_and_required_of_destination_controls(lab: World) -> None:
    lab.gateway.retry_seconds = (60,)
    entry = lab.tables.destinations["bce-demo.com"]
    for tls, offered, expected in [
        ("none", True, ""),
        ("preferred", True, "TLSv1.3"),
        ("preferred", False, ""),
        ("required", True, "TLSv1.3"),
    ]:
        entry.table_tls, lab.microsoft.tls = tls, offered
        lab.microsoft.kept.clear()
        lab.send(INBOUND, PROBE, DATA1)
        assert lab.microsoft.wait_kept(1)[0].tls == expected
        lab.settled()
    entry.table_tls, lab.microsoft.tls = "required", False
    mark = lab.journal.mark()
    lab.send(INBOUND, PROBE, DATA1)
    assert not lab.mail.wait_until_empty(0.5)
    assert lab.journal.count("gateway", "delivered", since=mark) == 0
    assert statuses(last(lab)) == [PROCESSING]
    assert "TLS is required, but STARTTLS is not offered" in said(last(lab))


def test_the_delivery_interface_can_be_chosen(lab: World) -> None:
    for switch, configured, sources, peer in [
        ("Data 2", "Auto", {}, DATA2),
        ("Data 2", "Data 1", {}, DATA1),
        ("Data 1", "Data 1", {"probe.example": "Data 2"}, DATA2),
    ]:
        lab.gateway.delivery_interface = switch
        lab.tables.delivery, lab.tables.alt_sources = Delivery(configured), sources
        lab.microsoft.kept.clear()
        lab.send(INBOUND, PROBE, DATA1)
        assert lab.microsoft.wait_kept(1)[0].peer == peer
        lab.settled()
    add_filter(lab.tables, 'a: if true { alt-src-host("Data 1"); }')
    lab.send(stamped())
    assert lab.sink.wait_kept(1)[0].peer == DATA1


def test_a_temporary_refusal_is_tried_again_and_a_final_one_bounces(lab: World) -> None:
    lab.gateway.retry_seconds = (0.05,)
    lab.microsoft.reply = "451 4.7.500 Server busy"
    mark = lab.journal.mark()
    lab.send(INBOUND, PROBE, DATA1)
    assert not lab.mail.wait_until_empty(0.3)
    assert "4.7.500 Server busy" in said(last(lab))
    assert statuses(last(lab)) == [PROCESSING]
    lab.microsoft.reply = "250 ok"
    lab.settled()
    assert statuses(last(lab)) == [DELIVERED]
    lab.microsoft.reply = "550 5.7.51 TenantInboundAttribution; There is a partner connector configured"
    lab.send(INBOUND, PROBE, DATA1)
    lab.settled()
    assert statuses(last(lab)) == [BOUNCED]
    [bounced] = lab.journal.events("gateway", "bounced", since=mark)
    assert "5.7.51 TenantInboundAttribution" in bounced.detail["reply"]


def test_nobody_there_is_waited_for_until_the_message_is_too_old(lab: World) -> None:
    lab.gateway.retry_seconds = (0.05,)
    lab.tables.routes["bce-demo.com"] = parse_targets("203.0.113.77")
    lab.send(INBOUND, PROBE, DATA1)
    assert not lab.mail.wait_until_empty(0.2)
    assert "203.0.113.77:25: connection refused" in said(last(lab))
    lab.gateway.queue_seconds = 0.0
    lab.settled()
    assert statuses(last(lab)) == [BOUNCED]
    assert "Delivery expired" in said(last(lab))


def test_a_domain_that_does_not_exist_bounces_at_once(lab: World) -> None:
    lab.send(stamped("a@nowhere.example"))
    lab.settled()
    assert statuses(last(lab)) == [BOUNCED]
    assert "5.1.2 - Bad destination host" in said(last(lab))


def test_a_loop_ends(lab: World) -> None:
    lab.tables.routes["bce-demo.com"] = parse_targets(DATA1)
    lab.gateway.hat_limits = False
    lab.send(INBOUND, PROBE, DATA1)
    lab.settled()
    assert statuses(last(lab)) == [BOUNCED]
    assert "Too many hops" in said(last(lab))


def test_quarantine_bounce_and_copies_of_a_filter(lab: World) -> None:
    add_filter(lab.tables, "q: if subject == 'quarantine' { quarantine('Policy'); bcc('c@bank.example'); }")
    add_filter(lab.tables, "b: if subject == 'bounce' { bounce(); }")
    lab.send(compose("a@probe.example", "bob@bce-demo.com", "quarantine"), PROBE, DATA1)
    lab.settled()
    assert statuses(last(lab)) == [QUARANTINED, DELIVERED]
    lab.send(compose("a@probe.example", "bob@bce-demo.com", "bounce"), PROBE, DATA1)
    lab.settled()
    assert statuses(last(lab)) == [BOUNCED]
    assert lab.microsoft.kept == []


def test_limits_of_the_mail_flow_policy_are_held(lab: World) -> None:
    defaults = lab.tables.listener("IncomingMail").defaults
    defaults |= {"max_msgs_per_session": "2", "max_concurrency": "1", "max_rcpts_per_msg": "1"}
    with SmtpClient(lab.network, PROBE, DATA1) as client:
        assert [client.send(INBOUND).code for _ in range(3)] == [250, 250, 421]
        assert lab.send(INBOUND, PROBE, DATA1).text == "Too many concurrent connections from this host"
    two = compose("a@probe.example", ("a@bce-demo.com", "b@bce-demo.com"), "Two")
    outcome = lab.send(two, PROBE, DATA1)
    assert (outcome.code, outcome.refused) == (250, {"b@bce-demo.com": "452 Too many recipients"})
    defaults |= {"max_rcpts_per_hour": "0"}
    assert lab.send(INBOUND, PROBE, DATA1).text == "Too many recipients received this hour"
    defaults |= {"max_message_size": "100"}
    lab.gateway.hat_limits = False
    assert lab.send(INBOUND, PROBE, DATA1).text == "size limit exceeded"


@pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data"])
def test_faults_can_be_put_in_at_every_stage(lab: World, stage: str) -> None:
    lab.gateway.smtp_faults = {stage: "451 4.3.0 in the way"}
    assert lab.send(stamped()).code == 451
    lab.gateway.reset()
    assert lab.send(stamped()).code == 250


def test_what_is_in_the_queue_and_in_tracking_goes_with_restore(lab: World) -> None:
    lab.gateway.retry_seconds = (60,)
    lab.microsoft.reply = "451 later"
    lab.send(INBOUND, PROBE, DATA1)
    assert not lab.mail.wait_until_empty(0.3)
    lab.mail.deliver_now()
    lab.gateway.restore(lab.gateway.snapshot())
    assert lab.mail.waiting == 0
    assert lab.mail.tracking().messages == []


def test_another_port_of_a_route_is_used(lab: World) -> None:
    other = Receiver()
    door = MailDoor(other, "other.example", context(lab.authority, "other.example"))
    lab.network.listen("203.0.113.78", 2525, door.start())
    try:
        lab.tables.routes["bce-demo.com"] = parse_targets("203.0.113.78:2525")
        lab.tables.destinations["bce-demo.com"] = Destination("bce-demo.com")
        lab.send(INBOUND, PROBE, DATA1)
        assert other.wait_kept(1)[0].tls == ""
    finally:
        lab.network.unlisten("203.0.113.78", 2525)
        lab.settled()
        door.stop()
