"""How checks are run together, what counts as flowing, and how waiting is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynamic_providers import connections
from dynamic_providers.connections import NotConfigured
from dynamic_providers.mailflow.inbound import direct
from dynamic_providers.mailflow.proof import Hop, Proof
from dynamic_providers.mailflow.run import first_wrong, run_checks
from dynamic_providers.mailflow.waiting import Deadline, Patience, Waiting
from tests.unit.mailflow_world import DATA1, World, settings


def test_checks_are_told_apart_and_come_in_one_order() -> None:
    world = World(tracking_after=12)
    bench = world.bench()
    proofs = run_checks(bench.settings, ["forged", "outbound", "direct"], world.said.append, bench=bench)
    assert [one.check for one in proofs] == ["direct", "outbound", "forged"]
    assert {line.partition(":")[0] for line in world.said} == {"direct", "outbound", "forged"}


def test_every_gateway_has_a_proof_of_its_own() -> None:
    members = [{"name": f"esa{number}.example", "inbound": DATA1} for number in (1, 2, 3)]
    proofs = direct(World().bench(members=members))
    assert [one.hops[0].evidence["host"] for one in proofs] == [
        "esa1.example",
        "esa2.example",
        "esa3.example",
    ]
    assert len({one.token for one in proofs}) == 3


def test_where_only_a_network_is_known_the_mx_names_tell_the_address() -> None:
    members = [{"name": "esa1.example", "inbound": "192.0.2.0/24", "outbound": "198.51.100.0/24"}]
    [proof] = direct(World().bench(members=members))
    assert proof.verdict == "ok"
    assert proof.hops[0].evidence["address"] == DATA1
    [proof] = direct(World().bench(members=members, mxHosts=[]))
    assert proof.summary == "probe → gateway: no address of 192.0.2.0/24 is known to take mail"


def test_a_check_that_cannot_run_says_why_and_stops_no_other() -> None:
    class Broken:
        def mail_hosts(self, domain: str) -> list[tuple[int, str]]:
            raise NotConfigured("no DNS server to ask")

        def ipv4(self, name: str) -> tuple[str, ...]:
            raise NotConfigured("no DNS server to ask")

    world = World()
    bench = replace(world.bench(), names=Broken())
    direct_proof, inbound_proof = run_checks(
        bench.settings, ["inbound", "direct"], world.said.append, bench=bench
    )
    assert direct_proof.verdict == "ok"
    assert (inbound_proof.verdict, inbound_proof.summary) == ("failed", "MX → gateway: no DNS server to ask")


def test_a_missing_argument_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_arguments", {})
    with pytest.raises(NotConfigured, match="«tenant»"):
        run_checks(settings(), ["direct"], print)


def proof(check: str, *hops: tuple[str, str], token: str = "t") -> Proof:
    made = tuple(
        Hop.model_validate({"name": name, "verdict": verdict, "says": "x"}) for name, verdict in hops
    )
    return Proof.model_validate(
        {
            "check": check,
            "verdict": "notProven",
            "domain": "bce-demo.com",
            "started": "",
            "ended": "",
            "token": token,
            "hops": [one.model_dump() for one in made],
            "summary": "",
        }
    )


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (proof("direct", ("gateway: accepted", "notProven"), ("Microsoft 365: inbox", "ok")), None),
        (
            proof("direct", ("gateway: accepted", "ok"), ("Microsoft 365: inbox", "notProven")),
            "Microsoft 365: inbox",
        ),
        (proof("direct", ("probe → gateway", "ok"), ("gateway: accepted", "notProven"), token=""), None),
        (proof("direct", ("probe → gateway", "failed"), token=""), "probe → gateway"),
        (proof("outbound", ("mailbox → Microsoft 365", "notProven")), None),
        (proof("outbound", ("gateway: filter", "ok"), ("outside: header", "failed")), "outside: header"),
        (proof("forged", ("forged", "notProven")), "forged"),
    ],
)
def test_what_counts_as_flowing(found: Proof, wrong: str | None) -> None:
    hop = first_wrong(found)
    assert (hop.name if hop else None) == wrong


def test_a_deadline_ends_the_waiting_after_one_more_look() -> None:
    looks: list[int] = []
    waiting = Waiting(Patience(first=0.001, longest=0.002), lambda _: None)
    assert waiting.until(lambda: looks.append(1), "nothing", Deadline(0.02)) is None
    assert len(looks) > 2
    assert waiting.until(lambda: "there", "it", Deadline(0)) == "there"


def test_nothing_is_sent_again_when_the_deadline_would_pass_meanwhile() -> None:
    said: list[str] = []
    waiting = Waiting(Patience(resend_first=5), said.append)
    assert not waiting.before_resend(1, "why", Deadline(1))
    assert said == []


def test_patience_fits_the_deadline() -> None:
    assert Patience.within(4500).longest == 30
    assert Patience.within(4500).grace == 600
    assert Patience.within(10).grace == 2.5
