"""The drawn path: which hop is at which station, and what a station's verdict is made of."""

from __future__ import annotations

import pytest

from dynamic_providers.mailflow.proof import CheckName, Proof
from mail_check.lanes import LANES, Lane, Station
from mail_check.path import drawn, placed
from mail_check.report import LockDownView
from tests import report_samples as samples
from tests.report_samples import hop, proof, report

PLANS = {lane.key: lane for lane in LANES}

# What the checks of dynamic_providers/mailflow call their hops, and older or other words for the same.
PLACES: dict[CheckName, dict[str, str]] = {
    "direct": {
        "probe → gateway": "gateway",
        "gateway: accepted": "gateway",
        "gateway → Microsoft 365": "tenant",
        "Microsoft 365: connector": "tenant",
        "Microsoft 365: inbox": "inbox",
    },
    "inbound": {
        "MX → gateway": "mx",
        "internet → MX": "mx",
        "tracking: filter": "gateway",
        "message trace: rule": "tenant",
        "Microsoft 365: junk mail": "inbox",
    },
    "outbound": {
        "mailbox → Microsoft 365": "mailbox",
        "Microsoft 365: rule and connector": "tenant",
        "Microsoft 365 → gateway": "gateway",
        "gateway: filter": "gateway",
        "gateway → outside": "internet",
        "outside: header": "internet",
    },
    "forged": {
        "Microsoft 365: one-time rule": "tenant",
        "mailbox → Microsoft 365": "mailbox",
        "gateway: filter": "gateway",
    },
    "sideEntrance": {"side entrance: outside sender": "tenant", "side entrance: own sender": "tenant"},
}


def lane(key: str, *proofs: Proof, **more: object) -> Lane:
    return next(one for one in drawn(report(*proofs, **more)) if one.key == key)


def station(of: Lane, key: str) -> Station:
    return next(one for one in of.stations if one.key == key)


@pytest.mark.parametrize(
    ("check", "name"), [(check, name) for check, some in PLACES.items() for name in some]
)
def test_a_hop_is_at_the_station_that_its_name_leads_to(check: CheckName, name: str) -> None:
    plan = next(one for one in LANES if check in one.checks)
    assert [key for key, _ in placed(plan, proof(check, hop(name, "")))] == [PLACES[check][name]]


def test_a_hop_of_an_unknown_name_is_not_lost_but_stays_where_the_one_before_it_was() -> None:
    proofs = proof("inbound", hop("gateway: accepted", ""), hop("something new", "", "failed"))
    gateway = station(lane("inbound", proofs), "gateway")
    assert [one.name for one in gateway.hops] == ["gateway: accepted", "something new"]
    assert gateway.verdict == "failed"


def test_every_hop_of_every_sample_is_drawn() -> None:
    for make in samples.ALL.values():
        made = make()
        names = {one.name for way in drawn(made) for at in way.stations for one in at.hops}
        assert {one.name for found in made.proofs for one in found.hops} <= names


def test_what_lies_behind_a_failure_is_not_reached_and_never_ok() -> None:
    stopped = lane("inbound", proof("inbound", samples.CONNECTED, samples.TRACKED, samples.STOPPED))
    assert [one.verdict for one in stopped.stations] == [None, "ok", "ok", "failed", "notProven"]
    assert station(stopped, "inbox").note == "not reached"


def test_no_check_proves_nothing() -> None:
    nothing = lane("outbound")
    assert nothing.verdict == "notProven"
    assert {one.verdict for one in nothing.stations} == {None, "notProven"}
    assert nothing.note == "No check of this way was run."
    assert "outbound: none" in lane("outbound", outbound="none").note


def test_a_direct_check_says_nothing_of_the_mx_and_one_by_mx_does() -> None:
    direct = station(lane("inbound", proof("direct", *samples.INBOUND)), "mx")
    assert direct.verdict == "notProven"
    assert direct.note == "the direct check goes past it, it points at the gateway"
    assert lane("inbound", proof("direct", *samples.INBOUND)).verdict == "notProven"
    by_mx = station(lane("inbound", proof("inbound", *samples.INBOUND)), "mx")
    assert by_mx.verdict == "ok"
    assert by_mx.hops[0].says == "names mx1.hc1234-56.c3s2.iphmx.com"


def test_an_inbound_check_that_was_cut_short_says_nothing_good_of_the_mx() -> None:
    cut = proof("inbound", hop("inbound", "the check was cut short: no token", "notProven"))
    mx = station(lane("inbound", cut), "mx")
    assert mx.verdict == "notProven"
    assert [one.name for one in mx.hops] == ["inbound"]


def test_one_check_that_saw_it_suffices_for_a_domain_but_one_failure_spoils_it() -> None:
    unseen = hop("gateway: accepted", "tracking is not asked", "notProven")
    both = lane("inbound", proof("direct", samples.CONNECTED, unseen), proof("inbound", *samples.INBOUND))
    assert station(both, "gateway").verdict == "ok"
    broken = hop("gateway: accepted", "dropped", "failed")
    spoiled = lane("inbound", proof("direct", samples.CONNECTED, broken), proof("inbound", *samples.INBOUND))
    assert station(spoiled, "gateway").verdict == "failed"


def test_of_two_gateways_both_have_to_be_seen() -> None:
    unseen = hop("gateway: accepted", "tracking does not show it", "notProven")
    doors = lane("inbound", proof("direct", *samples.INBOUND), proof("direct", samples.CONNECTED, unseen))
    assert station(doors, "gateway").verdict == "notProven"


def test_where_one_of_several_messages_did_not_get_nobody_says_ok() -> None:
    many = lane("inbound", *samples.many().proofs)
    assert station(many, "tenant").verdict == "failed"
    inbox = station(many, "inbox")
    assert inbox.verdict == "notProven"
    assert inbox.hops[0].note == "2 of 14 messages did not get here"


def test_the_same_trouble_of_several_domains_is_told_once_failures_first() -> None:
    unproven = proof(
        "inbound", samples.CONNECTED, hop("gateway: accepted", "?", "notProven"), domain="b.example"
    )
    many = lane("inbound", unproven, *samples.many().proofs)
    first, second = many.troubles
    assert (first.hop, len(first.domains), first.at) == ("gateway → Microsoft 365", 2, 3)
    assert (second.verdict, second.domains, second.at) == ("notProven", ("b.example",), 2)


def test_the_side_entrance_is_drawn_where_it_was_tried_or_is_meant_to_be_shut() -> None:
    def keys(*proofs: Proof, wanted: str) -> list[str]:
        made = report(*proofs, lock_down=LockDownView.model_validate({"wanted": wanted}))
        return [one.key for one in drawn(made)]

    assert "sideEntrance" not in keys(wanted="open")
    assert "sideEntrance" in keys(wanted="closed")
    assert "sideEntrance" in keys(proof("sideEntrance", samples.REFUSED), wanted="open")


def test_each_lane_begins_at_its_first_station_only() -> None:
    for plan in PLANS.values():
        assert [one.begins for one in plan.stations] == [True] + [False] * (len(plan.stations) - 1)
