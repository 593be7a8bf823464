"""Mail to the outside, and a forged one: what each broken estate looks like, and what is said of it."""

from dataclasses import replace
from typing import Any

import pytest

from dynamic_providers.mailflow.forged import forged
from dynamic_providers.mailflow.mailflow_settings import PROBE_RULE
from dynamic_providers.mailflow.outbound import outbound
from dynamic_providers.mailflow.proof import Proof
from tests.unit.mailflow_world import ELSEWHERE, World, dropped_by, right_tenant, rule

RIGHT = World()
RULE = "Outbound to Cisco CES"


def one(proofs: list[Proof]) -> Proof:
    [proof] = proofs
    return proof


def tenant(**changes: Any) -> dict[str, list[dict[str, Any]]]:
    """A tenant whose rule k differs from the right one."""
    right = right_tenant()
    right["TransportRule"][0] |= changes
    return right


def test_a_right_estate_is_proven_hop_by_hop() -> None:
    proof = one(outbound(World().bench()))
    assert (proof.verdict, proof.domain) == ("ok", "bce-demo.com")
    assert [hop.name for hop in proof.hops] == [
        "mailbox → Microsoft 365",
        "Microsoft 365: rule and connector",
        "Microsoft 365 → gateway",
        "gateway: filter",
        "gateway → outside",
        "outside: header",
    ]
    shown = {hop.name: hop.evidence for hop in proof.hops}
    assert shown["Microsoft 365: rule and connector"]["connector"] == RULE
    assert shown["Microsoft 365 → gateway"]["interface"] == "Data 2 198.51.100.186"
    assert shown["Microsoft 365 → gateway"]["sender group"] == "RELAY_O365"
    assert shown["outside: header"]["from address"] == "198.51.100.186"


SAW_RULES = (RULE,)
BROKEN: dict[str, tuple[World, str, str, str]] = {
    "rule disabled": (
        replace(RIGHT, connector="", to_ip=ELSEWHERE, status="", tenant=tenant(State="Disabled")),
        "Microsoft 365: rule and connector",
        f"left by no connector, past the gateway, to {ELSEWHERE}",
        "is switched off",
    ),
    "rule without connector": (
        replace(RIGHT, connector="", tenant=tenant(RouteMessageOutboundConnector=None)),
        "Microsoft 365: rule and connector",
        "past the gateway",
        "routes by no connector",
    ),
    "rule that only audits": (
        replace(RIGHT, connector="", tenant=tenant(Mode="Audit")),
        "Microsoft 365: rule and connector",
        "past the gateway",
        "only audits",
    ),
    "rule with an exception": (
        replace(RIGHT, connector="", tenant=tenant(ExceptIfFrom=["probe@bce-demo.com"])),
        "Microsoft 365: rule and connector",
        "past the gateway",
        "exceptions: ExceptIfFrom",
    ),
    "rule gone": (
        replace(RIGHT, connector="", tenant={**right_tenant(), "TransportRule": []}),
        "Microsoft 365: rule and connector",
        "past the gateway",
        "there is no rule",
    ),
    "another connector": (
        replace(RIGHT, connector="To the archive"),
        "Microsoft 365: rule and connector",
        "left by «To the archive»",
        "rule k did not send it",
    ),
    "gateway refuses Microsoft": (
        replace(
            RIGHT,
            trace_status="Failed",
            status="",
            tracking_after=99999,
            trace_failure="Reason: [{LED=550 #5.7.1 relaying denied};{MSG=};{FQDN=x};{IP=1.2.3.4};{LRT=}]",
        ),
        "Microsoft 365 → gateway",
        "Failed: 550 #5.7.1 relaying denied",
        "no sender group of the gateway relays",
    ),
    "connector without TLS": (
        replace(
            RIGHT,
            tls="",
            tenant={
                **right_tenant(),
                "OutboundConnector": [{"Name": RULE, "Enabled": True, "TlsSettings": None}],
            },
        ),
        "Microsoft 365 → gateway",
        "taken without TLS",
        "does not demand TLS",
    ),
    "another sender group takes it first": (
        replace(RIGHT, group="RELAYLIST"),
        "Microsoft 365 → gateway",
        "by sender group RELAYLIST, not RELAY_O365",
        "matches first",
    ),
    "secret differs": (
        dropped_by("office365_outbound"),
        "gateway: filter",
        "Dropped by filter 'office365_outbound'",
        "the secret differs",
    ),
    "another rule overwrites the header": (
        replace(
            dropped_by("office365_outbound"),
            tenant={
                **right_tenant(),
                "TransportRule": [
                    *right_tenant()["TransportRule"],
                    rule("Stamp", 5, SetHeaderName="x-outbound-auth"),
                ],
            },
        ),
        "gateway: filter",
        "Dropped By Message Filters",
        "the rule «Stamp» sets the header X-OUTBOUND-AUTH too",
    ),
    "another filter drops it": (
        dropped_by("no_newsletters"),
        "gateway: filter",
        "'no_newsletters'",
        "another filter",
    ),
    "filter names RELAYLIST": (
        replace(RIGHT, header_outside=True),
        "outside: header",
        "X-OUTBOUND-AUTH is still in the message",
        "RELAYLIST",
    ),
    "never arrives": (
        replace(RIGHT, arrives=False),
        "outside: header",
        "not in the outside mailbox",
        "handed it over",
    ),
    "the next server refuses it": (
        replace(RIGHT, status="Bounced", lines=("Message 124 bounced: 550 5.7.26 unauthenticated sender",)),
        "gateway → outside",
        "550 5.7.26",
        "SPF, DKIM or DMARC",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_estate_fails_at_the_right_hop_and_says_why(name: str) -> None:
    world, hop_name, says, cause = BROKEN[name]
    proof = one(outbound(replace(world, said=[], sent=[], looks={}).bench()))
    assert proof.verdict == "failed", proof.hops
    hop = proof.hops[-1]
    assert (hop.name, hop.verdict) == (hop_name, "failed")
    assert says in hop.says
    assert cause in hop.cause
    assert hop.advice


def test_without_tracking_mail_that_arrives_from_elsewhere_came_past_the_gateway() -> None:
    proof = one(outbound(World(arrived_from="203.0.113.40").bench(tracking=False)))
    assert proof.verdict == "failed"
    assert "arrived from 203.0.113.40" in proof.hops[-1].says


def test_a_rule_that_is_not_in_force_yet_is_waited_for() -> None:
    world = World(attempts_wrong=2)
    assert one(outbound(world.bench())).verdict == "ok"
    assert len(world.sent) == 3
    assert sum("not yet" in line for line in world.said) == 2


def test_what_is_seen_wrong_in_the_tenant_is_told_at_once() -> None:
    world = replace(World(), connector="", tenant=tenant(State="Disabled"))
    outbound(world.bench())
    assert len(world.sent) == 1


@pytest.mark.parametrize(
    ("world", "bench", "hop"),
    [
        (RIGHT, {"imap": False}, "outside: header"),
        (RIGHT, {"tracking": False}, "gateway: filter"),
        (replace(RIGHT, can_send=False), {}, "mailbox → Microsoft 365"),
        (RIGHT, {"outbound": "none"}, "mailbox → Microsoft 365"),
        (replace(RIGHT, trace_forbidden=True), {}, "Microsoft 365: rule and connector"),
    ],
)
def test_what_cannot_be_seen_is_not_proven_and_never_ok(
    world: World, bench: dict[str, Any], hop: str
) -> None:
    proof = one(outbound(replace(world, sent=[], looks={}).bench(**bench)))
    assert proof.verdict == "notProven"
    assert {one.name: one.verdict for one in proof.hops}[hop] == "notProven"


def test_a_forged_message_that_our_filter_drops_is_ok() -> None:
    world = replace(dropped_by("office365_outbound"), rules=(PROBE_RULE,), sent=[], looks={}, made_rules=[])
    proof = one(forged(world.bench()))
    assert proof.verdict == "ok"
    assert "Dropped by filter 'office365_outbound'" in proof.hops[-1].says
    assert proof.hops[-1].evidence["MID"] == "123, 124"
    [made] = world.made_rules
    assert made["From"] == ["probe@bce-demo.com"]
    assert made["SubjectContainsWords"] == [proof.token]
    assert (made["Priority"], made["StopRuleProcessing"]) == (0, True)
    assert made["RouteMessageOutboundConnector"] == RULE
    assert made["SetHeaderValue"] not in str(proof.model_dump())
    assert [one["Name"] for one in world.tenant["TransportRule"]] == [
        RULE,
        "Bypass spam filtering - inbound email from Cisco CES",
    ]


def fresh(world: World, **changes: Any) -> World:
    return replace(world, sent=[], said=[], looks={}, made_rules=[], tenant=right_tenant(), **changes)


def test_the_probe_rule_is_gone_also_after_a_failure_and_one_left_over_goes_first() -> None:
    world = fresh(World(), rules=(PROBE_RULE,))
    world.tenant["TransportRule"].insert(0, rule(PROBE_RULE, 0, SetHeaderValue="old"))
    proof = one(forged(world.bench()))
    assert proof.verdict == "failed"
    assert "not dropped: Delivered" in proof.hops[-1].says
    assert "RELAYLIST" in proof.hops[-1].cause
    assert PROBE_RULE not in [one["Name"] for one in world.tenant["TransportRule"]]
    assert len(world.made_rules) == 1


def test_one_left_over_goes_also_where_forging_is_off() -> None:
    world = fresh(World())
    world.tenant["TransportRule"].insert(0, rule(PROBE_RULE, 0))
    assert one(forged(world.bench(forge=False))).verdict == "notProven"
    assert PROBE_RULE not in [one["Name"] for one in world.tenant["TransportRule"]]
    assert not world.made_rules


def test_a_message_that_went_by_rule_k_proves_nothing_and_is_sent_again() -> None:
    late = fresh(dropped_by("office365_outbound"), rules=(PROBE_RULE,), attempts_wrong=2)
    assert one(forged(late.bench())).verdict == "ok"
    assert len(late.sent) == 3
    never = fresh(World(), rules=(RULE,))
    proof = one(forged(never.bench()))
    assert proof.verdict == "notProven"
    assert len(never.sent) > 1


def test_a_header_seen_outside_is_a_hole_whatever_the_trace_tells() -> None:
    world = fresh(World(), rules=None, header_outside=True)
    proof = one(forged(world.bench()))
    assert (proof.verdict, len(world.sent)) == ("failed", 1)


def test_a_drop_by_another_filter_is_a_failure() -> None:
    proof = one(forged(fresh(dropped_by("no_newsletters"), rules=(PROBE_RULE,)).bench()))
    assert proof.verdict == "failed"
    assert "not by 'office365_outbound'" in proof.hops[-1].says


@pytest.mark.parametrize(
    ("world", "bench", "says"),
    [
        ({"may_write_rules": False}, {}, "not allowed (403)"),
        ({}, {"forge": False}, "switched off"),
        ({}, {"tracking": False}, "only tracking shows"),
        ({}, {"outbound": "none"}, "set to none"),
        ({"tracking_trouble": "not let in (401)"}, {}, "not let in (401)"),
    ],
)
def test_without_forging_it_is_not_proven_and_never_ok(
    world: dict[str, Any], bench: dict[str, Any], says: str
) -> None:
    proof = one(forged(fresh(World(), **world).bench(**bench)))
    assert proof.verdict == "notProven"
    assert says in proof.summary
