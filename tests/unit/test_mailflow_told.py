"""What an operator is told: the attempt that knows most, the cause that was seen, and never a wrong one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dynamic_providers.mailflow.causes import SITUATIONS, Cause
from dynamic_providers.mailflow.diagnosis import Diagnosis
from dynamic_providers.mailflow.forged import forged
from dynamic_providers.mailflow.hops import Hops, proof, until_it_works
from dynamic_providers.mailflow.inbound import direct, inbound
from dynamic_providers.mailflow.mx_views import OWN
from dynamic_providers.mailflow.outbound import leads_to_data2, outbound
from dynamic_providers.mailflow.replies import Side, of_reply
from dynamic_providers.mailflow.side_entrance import side_entrance
from dynamic_providers.mailflow.waiting import Deadline, Waiting
from tests.unit.mailflow_world import DATA2, ELSEWHERE, PATIENCE, World, right_tenant, settings

MX1, OLD = "mx1.bce-demo.example", "bce-demo-com.mail.protection.outlook.com"
LATE = Cause("late", "wait", may_pass=True)
RULE = "Outbound to Cisco CES"


# --- attempts and summaries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cut_at", ["taken", "delivered"])
@pytest.mark.parametrize("proven_wrong", [True, False])
def test_an_attempt_that_the_deadline_cut_does_not_hide_what_one_before_it_saw(
    cut_at: str, *, proven_wrong: bool
) -> None:
    deadline = Deadline(0.05)

    def attempt(number: int) -> Hops:
        hops = Hops()
        hops.ok("sent", "sent")
        if number == 1 or cut_at == "delivered":
            hops.ok("taken", "taken")
        if number == 1:
            hops.failed("delivered", "451 put off", LATE)
            return hops
        while not deadline.passed:  # nothing more is seen of this one in time
            pass
        if proven_wrong:
            hops.failed(cut_at, "not seen", LATE)
        else:
            hops.unproven(cut_at, "not seen")
        return hops

    told = until_it_works(Waiting(PATIENCE, lambda _text: None), deadline, attempt)
    assert [hop.says for hop in told.hops] == ["sent", "taken", "451 put off"]


def test_an_attempt_that_ended_in_time_is_believed_whatever_came_before() -> None:
    def attempt(number: int) -> Hops:
        hops = Hops()
        hops.ok("sent", "sent")
        hops.failed("connector", f"attempt {number}", LATE if number == 1 else None)
        return hops

    told = until_it_works(Waiting(PATIENCE, lambda _text: None), Deadline(5), attempt)
    assert told.hops[-1].says == "attempt 2"


def test_the_summary_is_the_hop_that_has_a_cause() -> None:
    hops = Hops()
    hops.unproven("door", "open, as set")
    hops.unproven("own sender", "refused", LATE)
    assert proof("sideEntrance", "x.example", datetime.now(UTC), "", hops).summary == "own sender: refused"


# --- replies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "reply", "word"),
    [
        ("relay", "450 4.4.316 Connection refused [Message=Socket error code 10061]", "nobody takes mail"),
        ("relay", "450 4.4.315 Connection timed out [Message=Socket error code 10060]", "nobody takes mail"),
        (
            "relay",
            "450 4.4.317 Cannot establish session [Message=451 5.7.3 STARTTLS is required]",
            "offers none",
        ),
        ("relay", "450 4.7.320 Certificate validation failed [Message=UntrustedRoot]", "certificate"),
        ("relay", "550 #5.1.0 Address rejected.", "inbound listener"),
        ("relay", "452 Too many recipients received this hour", "puts Microsoft 365 off"),
        (
            "outside",
            "550 5.7.26 Unauthenticated email is not accepted due to DMARC policy",
            "SPF, DKIM or DMARC",
        ),
        ("outside", "bounced. Reason: 5.1.0 ('550', ['5.1.1 User unknown'])", "not known there"),
        ("outside", "554 5.7.1 [198.51.100.186] is on a block list", "for its name"),
        ("outside", "delayed. Reason: 4.1.0 ('451 4.7.1 Greylisted, try again later')", "grey-listing"),
        ("outside", "delayed. Reason: 4.1.0 ('000', ['timeout'])", "cannot connect"),
        ("outside", "550 5.7.1 message refused by policy", "refuses the message"),
        ("microsoft", "5.1.2 - Bad destination host ('000', ['DNS Hard Error'])", "SMTP route"),
        ("microsoft", "5.4.6 - Too many hops", "circle"),
        ("gateway", "550 #5.7.1 Unable to relay for a@b.example", "outbound listener's address"),
    ],
)
def test_a_reply_is_told_by_who_gave_it(side: Side, reply: str, word: str) -> None:
    found = of_reply(side, reply)
    assert found is not None
    assert word in found.cause


# --- what was seen in the tenant ----------------------------------------------------------------------------


def diagnosis(**rows: list[dict[str, object]]) -> Diagnosis:
    return Diagnosis(replace(World(), tenant={**right_tenant(), **rows}).run, settings())


def test_a_smart_host_that_is_not_data_2_is_named() -> None:
    row = {"Name": RULE, "Enabled": True, "SmartHosts": [f"[{ELSEWHERE}]"]}
    bench = World().bench()
    [found] = diagnosis(OutboundConnector=[row]).smart_hosts(lambda host: leads_to_data2(bench, host))
    assert f"leads to {ELSEWHERE}; the gateway takes Microsoft 365's mail at {DATA2}" in found


@pytest.mark.parametrize(
    ("host", "right"),
    [(DATA2, True), (ELSEWHERE, False), ("mx.old.example", False), ("unknown.example", True)],
)
def test_a_smart_host_is_judged_by_its_address_and_one_that_is_not_known_is_let_be(
    host: str, *, right: bool
) -> None:
    assert leads_to_data2(World().bench(), host) is right


def test_only_connectors_for_all_senders_shut_the_side_entrance() -> None:
    narrow = {
        "Name": "Payroll",
        "SenderDomains": ["smtp:pay.example;1"],
        "RestrictDomainsToIPAddresses": True,
    }
    wide = {**narrow, "Name": "Ours", "SenderDomains": ["smtp:*;1"]}
    off = {**wide, "Name": "Off", "Enabled": False}
    assert diagnosis(InboundConnector=[narrow, wide, off]).restricting() == [
        "the inbound connector «Ours» has RestrictDomainsToIPAddresses set"
    ]


# --- hops ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "word"),
    [(MX1, "held by 9.9.9.9"), (OLD, "somebody has moved it since"), (None, "moved it since")],
)
def test_who_names_another_mx_than_the_zone_is_told(own: str | None, word: str) -> None:
    asked: dict[str, tuple[str, ...]] = {"9.9.9.9": (OLD,), "1.1.1.1": (MX1,)}
    asked |= {OWN: (own,)} if own else {}
    bench = replace(World().bench(), mx_views=lambda _domain: asked)
    first, *_ = inbound(bench)
    assert (first.verdict, first.hops[0].name) == ("failed", "MX: resolvers and zone")
    assert f"9.9.9.9: {OLD}" in first.hops[0].says
    assert word in first.hops[0].cause


def test_resolvers_that_agree_in_the_end_are_no_failure() -> None:
    """Nor is what one of them held till then: where mail goes is looked up afterwards."""
    world = replace(World(), mx=(OLD,))

    def asked(_domain: str) -> dict[str, tuple[str, ...]]:
        held, world.mx = world.mx, (MX1,)
        return {"9.9.9.9": held, OWN: (MX1,)}

    bench = replace(world.bench(), mx_views=asked)
    assert [one.verdict for one in inbound(bench)] == ["ok"]


def test_where_the_mx_is_not_to_be_the_gateways_nobody_has_to_agree() -> None:
    flow = {"bce-demo.com": {"microsoftMx": OLD, "mx": "leave"}}
    bench = replace(
        replace(World(), mx=(OLD,)).bench(domains=flow), mx_views=lambda _domain: {"a": (OLD,), "b": (MX1,)}
    )
    assert [one.verdict for one in inbound(bench)] == ["notProven"]


def test_a_message_that_microsoft_took_and_trace_does_not_show_is_not_proven() -> None:
    [told] = direct(replace(World(), trace=False).bench())
    assert told.verdict == "notProven"
    assert told.hops[-1].cause == SITUATIONS["trace late"].cause


def test_a_line_that_the_gateway_itself_wrote_is_no_way_past_it() -> None:
    world = replace(World(), arrived_from="203.0.113.40", arrived_by="esa1.bce-demo.example")
    [told] = outbound(world.bench(tracking=False))
    assert told.hops[-1].verdict == "ok"


def test_what_was_handed_to_a_strange_host_is_told_with_the_secret_that_went_there() -> None:
    world = replace(World(), status="", tracking_after=99999, to_ip=ELSEWHERE)
    [told] = outbound(world.bench())
    hop = told.hops[-1]
    assert (hop.verdict, hop.says) == ("failed", f"handed to {ELSEWHERE}, which is not the gateway")
    assert "new secret" in hop.advice
    [forgery] = forged(replace(world, sent=[], looks={}).bench())
    assert (forgery.verdict, forgery.hops[-1].says) == ("notProven", hop.says)


def test_rejected_direct_send_is_told_and_no_failure_while_the_door_is_to_be_open() -> None:
    refusal = (550, "5.7.68 TenantInboundAttribution; Direct Send not allowed", "message")
    [told] = side_entrance(replace(World(), door_own=refusal).bench())
    assert told.verdict == "notProven"
    assert told.summary.startswith("side entrance: own sender: refused: 550 5.7.68")
