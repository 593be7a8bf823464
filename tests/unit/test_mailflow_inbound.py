"""Mail from outside: what each broken estate looks like to the checks, and what they say of it."""

from dataclasses import replace
from typing import Any

import pytest

from dynamic_providers.mailflow.inbound import direct, inbound
from dynamic_providers.mailflow.proof import Proof
from dynamic_providers.mailflow.side_entrance import side_entrance
from tests.unit.mailflow_world import DATA1, ELSEWHERE, World, right_tenant

RIGHT = World()


def one(proofs: list[Proof]) -> Proof:
    [proof] = proofs
    return proof


def test_a_right_estate_is_proven_hop_by_hop() -> None:
    proof = one(direct(World().bench()))
    assert (proof.verdict, proof.domain, proof.check) == ("ok", "bce-demo.com", "direct")
    assert [hop.name for hop in proof.hops] == [
        "probe → gateway",
        "gateway: accepted",
        "gateway → Microsoft 365",
        "Microsoft 365: connector",
        "Microsoft 365: inbox",
    ]
    shown = {label: text for hop in proof.hops for label, text in hop.evidence.items()}
    assert shown["MID"] == "123, 124"
    assert shown["connector"] == "Inbound from Cisco CES"
    assert shown["delivered to"] == "203.0.113.25"
    assert proof.hops[2].evidence["TLS"] == "TLSv1.3"
    assert proof.token in proof.hops[-1].evidence["message id"]


BROKEN: dict[str, tuple[World, str, str, str]] = {
    # name: the world, the hop that fails, what it says, a word of the cause
    "RAT without the domain": (
        replace(RIGHT, smtp=(550, "#5.1.0 Address rejected.", "RCPT TO")),
        "probe → gateway",
        "550 #5.1.0 Address rejected. (at RCPT TO)",
        "recipient access table",
    ),
    "relaying denied": (
        replace(RIGHT, smtp=(550, "#5.7.1 relaying denied", "RCPT TO")),
        "probe → gateway",
        "relaying denied",
        "recipient access table",
    ),
    "nobody listens": (
        replace(RIGHT, smtp=(0, "connection refused", "connect")),
        "probe → gateway",
        "connection refused",
        "no listener",
    ),
    "HAT refuses us": (
        replace(RIGHT, smtp=(554, "mail.bce-demo.example", "greeting")),
        "probe → gateway",
        "554",
        "host access table",
    ),
    "route to the wrong host": (
        replace(RIGHT, delivered_to=ELSEWHERE, trace=False),
        "gateway → Microsoft 365",
        f"delivered to {ELSEWHERE}",
        "SMTP route",
    ),
    "no TLS on the gateway, demanded": (
        replace(
            RIGHT,
            status="Bounced",
            trace=False,
            lines=("Message 124 to x bounced by destination server. Reason: 451 5.7.3 STARTTLS is required",),
        ),
        "gateway → Microsoft 365",
        "451 5.7.3 STARTTLS is required",
        "demands TLS",
    ),
    "no TLS on the gateway, not demanded": (
        replace(RIGHT, delivery_tls=""),
        "gateway → Microsoft 365",
        "without TLS",
        "does not demand TLS",
    ),
    "lock-down too early": (
        replace(
            RIGHT,
            status="Bounced",
            trace=False,
            lines=("Message 124 bounced: 550 5.7.51 TenantInboundAttribution; There is a partner connector",),
        ),
        "gateway → Microsoft 365",
        "550 5.7.51",
        "lock-down was closed before",
    ),
    "relay access denied": (
        replace(
            RIGHT,
            status="Hard Bounced",
            trace=False,
            lines=("Message 124 bounced: 550 5.7.64 TenantAttribution; Relay Access Denied",),
        ),
        "gateway → Microsoft 365",
        "5.7.64",
        "matched no inbound connector",
    ),
    "throttled": (
        replace(
            RIGHT,
            status="Delayed",
            trace=False,
            lines=("Message 124 delayed: 451 4.7.500 Server busy. Please try again later",),
        ),
        "gateway → Microsoft 365",
        "4.7.500",
        "slows a sending address down",
    ),
    "address not in the connector": (
        replace(
            RIGHT,
            connector="",
            tenant={
                **right_tenant(),
                "InboundConnector": [{"Name": "Inbound from Cisco CES", "SenderIPAddresses": [DATA1]}],
            },
        ),
        "Microsoft 365: connector",
        "taken by no connector",
        "198.51.100.186 is not among the addresses of the inbound connector",
    ),
    "another connector took it": (
        replace(RIGHT, connector="From IronPort"),
        "Microsoft 365: connector",
        "taken by «From IronPort»",
        "another connector matches",
    ),
    "rule a switched off": (
        replace(
            RIGHT,
            folder="JunkEmail",
            tenant={
                **right_tenant(),
                "TransportRule": [
                    {
                        "Name": "Bypass spam filtering - inbound email from Cisco CES",
                        "State": "Disabled",
                        "Priority": 0,
                    }
                ],
            },
        ),
        "Microsoft 365: inbox",
        "in junk mail",
        "switched off",
    ),
    "junk, seen in the mailbox": (
        replace(RIGHT, mailbox_folder="junk"),
        "Microsoft 365: inbox",
        "in junk mail (seen in the mailbox)",
        "SCL -1",
    ),
    "the gateway's own filter drops it": (
        replace(
            RIGHT,
            status="Dropped By Message Filters",
            lines=("Message 124 aborted: Dropped by filter 'no_probes'",),
        ),
        "gateway → Microsoft 365",
        "«no_probes»",
        "filter",
    ),
    "seen nowhere": (
        replace(RIGHT, trace=False, delivered_to="", delivery_tls=""),
        "gateway → Microsoft 365",
        "message trace does not show it",
        "did not get to this tenant",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_estate_fails_at_the_right_hop_and_says_why(name: str) -> None:
    world, hop_name, says, cause = BROKEN[name]
    proof = one(direct(replace(world, said=[], sent=[], looks={}).bench()))
    assert proof.verdict == "failed"
    hop = next(hop for hop in proof.hops if hop.verdict != "ok")
    assert (hop.name, hop.verdict) == (hop_name, "failed")
    assert says in hop.says
    assert cause in hop.cause
    assert hop.advice
    assert proof.summary == f"{hop.name}: {hop.says}"


def test_what_microsoft_may_only_be_late_with_is_tried_again() -> None:
    world = replace(World(), attempts_wrong=2, status="Delivered", connector="ours")
    world.tracking_trouble = "off"  # tracking's lateness is outbound's business
    proof = one(direct(world.bench()))
    assert len(world.sent) == 3
    assert proof.hops[-1].verdict == "ok"
    assert any("not yet" in line and "trying until" in line for line in world.said)


def test_what_does_not_pass_by_itself_is_told_at_once() -> None:
    world = replace(World(), smtp=(550, "#5.1.0 Address rejected.", "RCPT TO"))
    direct(world.bench())
    assert len(world.sent) == 1


def test_tracking_that_is_late_is_waited_for_with_a_line_that_says_so() -> None:
    world = replace(World(), tracking_after=10, trace_after=20)
    proof = one(direct(world.bench()))
    assert proof.verdict == "ok"
    assert any("waiting for" in line and "UTC at the latest" in line for line in world.said)


@pytest.mark.parametrize(
    ("bench", "hop", "says"),
    [
        ({"tracking": False}, "gateway: accepted", "tracking is not asked"),
        ({}, "gateway: accepted", "the user «api» is not let in (401)"),
    ],
)
def test_without_tracking_the_trace_still_proves_arrival(bench: dict[str, Any], hop: str, says: str) -> None:
    world = replace(World(), tracking_trouble="" if bench else "the user «api» is not let in (401)")
    proof = one(direct(world.bench(**bench)))
    assert proof.verdict == "notProven"
    verdicts = {hop.name: hop for hop in proof.hops}
    assert verdicts[hop].verdict == "notProven"
    assert says in verdicts[hop].says
    assert verdicts["Microsoft 365: inbox"].verdict == "ok"


def test_without_the_right_to_trace_nothing_is_called_arrived() -> None:
    proof = one(direct(replace(World(), trace_forbidden=True).bench()))
    assert proof.verdict == "notProven"
    assert proof.hops[-1].verdict == "notProven"
    assert "cannot be read" in proof.hops[-1].says


def test_a_shut_port_25_is_told_from_a_gateway_that_does_not_answer() -> None:
    shut = replace(World(), smtp=(0, "no connection", "connect"), smtp_timeout=True, reaches_microsoft=False)
    proof = one(direct(shut.bench()))
    assert (proof.verdict, len(proof.hops)) == ("notProven", 1)
    assert "checks.via" in proof.hops[0].advice
    proof = one(direct(replace(shut, reaches_microsoft=True).bench()))
    assert proof.verdict == "failed"


def test_inbound_goes_where_the_mx_leads() -> None:
    proof = one(inbound(World().bench()))
    assert proof.verdict == "ok"
    assert proof.hops[0].evidence["host"] == "mx1.bce-demo.example"


def test_an_mx_that_moved_by_half_is_named_and_gets_no_mail() -> None:
    world = replace(World(), mx=("mx1.bce-demo.example", "mx.old.example"))
    good, bad = inbound(world.bench())
    assert (good.verdict, bad.verdict) == ("ok", "failed")
    assert "mx.old.example" in bad.hops[0].says
    assert "half moved" in bad.hops[0].cause
    assert len(world.sent) == 1


def test_an_mx_that_nobody_set_to_the_gateway_is_not_proven() -> None:
    world = replace(World(), mx=("bce-demo-com.mail.protection.outlook.com",))
    domains = {"bce-demo.com": {"microsoftMx": world.mx[0], "mx": "leave"}}
    proof = one(inbound(world.bench(domains=domains)))
    assert proof.verdict == "notProven"
    assert "Microsoft 365 itself" in proof.hops[0].says


def test_a_domain_without_mx_fails() -> None:
    proof = one(inbound(replace(World(), mx=()).bench()))
    assert (proof.verdict, proof.summary) == ("failed", "MX → gateway: bce-demo.com has no MX record")


LOCKED = (550, "5.7.51 TenantInboundAttribution; There is a partner connector configured", "message")
DIRECT = (550, "5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization", "MAIL FROM")


def test_a_closed_side_entrance_refuses_both_kinds() -> None:
    world = replace(World(), door_outside=LOCKED, door_own=DIRECT)
    proof = one(side_entrance(world.bench(lockdown="closed")))
    assert proof.verdict == "ok"
    assert [hop.verdict for hop in proof.hops] == ["ok", "ok"]
    assert "5.7.68" in proof.hops[1].evidence["answer"]


@pytest.mark.parametrize("hole", ["door_outside", "door_own"])
def test_a_hole_in_the_lock_down_fails(hole: str) -> None:
    right: dict[str, Any] = {"door_outside": LOCKED, "door_own": DIRECT}
    right[hole] = (250, "2.6.0 Queued mail for delivery", "message")
    proof = one(side_entrance(replace(World(), **right).bench(lockdown="closed")))
    assert proof.verdict == "failed"
    failed = [hop for hop in proof.hops if hop.verdict == "failed"]
    assert [("own" in hop.name) for hop in failed] == [hole == "door_own"]


def test_a_refusal_for_another_reason_proves_no_lock_down() -> None:
    spam = (550, "5.7.1 Service unavailable, client host blocked using Spamhaus", "RCPT TO")
    proof = one(side_entrance(replace(World(), door_outside=spam, door_own=DIRECT).bench(lockdown="closed")))
    assert proof.verdict == "notProven"
    assert "block list" in proof.hops[0].cause


@pytest.mark.parametrize("lockdown", ["open", "report"])
def test_an_open_side_entrance_is_not_proven_as_set(lockdown: str) -> None:
    proof = one(side_entrance(World().bench(lockdown=lockdown)))
    assert proof.verdict == "notProven"
    assert "open, as set" in proof.summary


def test_a_door_that_is_shut_although_set_open_fails() -> None:
    proof = one(side_entrance(replace(World(), door_outside=LOCKED).bench()))
    assert proof.verdict == "failed"
    assert "bounces mail" in proof.hops[0].advice


TWO_DOMAINS = {
    "bce-demo.com": {"microsoftMx": "bce-demo-com.mail.protection.outlook.com", "mx": "gateway"},
    "shop.bce-demo.com": {"microsoftMx": "shop-bce-demo-com.mail.protection.outlook.com", "mx": "gateway"},
}


def test_for_a_domain_without_a_mailbox_the_gateway_is_only_asked() -> None:
    world = World()
    first, second = direct(world.bench(domains=TWO_DOMAINS))
    assert (first.domain, first.verdict) == ("bce-demo.com", "ok")
    assert (second.domain, second.verdict) == ("shop.bce-demo.com", "notProven")
    assert [hop.verdict for hop in second.hops] == ["ok", "notProven"]
    assert len(world.sent) == 1


def test_a_domain_that_the_gateway_does_not_take_fails_without_a_message() -> None:
    world = replace(World(), taken_domains=("bce-demo.com",))
    _, second = direct(world.bench(domains=TWO_DOMAINS))
    assert second.verdict == "failed"
    assert "recipient access table" in second.hops[0].cause


def test_the_mx_of_every_domain_is_looked_at() -> None:
    world = replace(World(), mx=("mx.old.example",))
    proofs = inbound(world.bench(domains=TWO_DOMAINS))
    assert [(one.domain, one.verdict) for one in proofs] == [
        ("bce-demo.com", "failed"),
        ("shop.bce-demo.com", "failed"),
    ]
