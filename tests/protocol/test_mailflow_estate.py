"""Checks against the practice estate: mail really goes, and each broken estate is told by its cause."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.dynamic import ResourceProvider

from dynamic_providers import connections
from dynamic_providers.mailflow.errors import CheckFailed
from dynamic_providers.mailflow.inbound_check import InboundCheckProvider
from dynamic_providers.mailflow.mailflow_settings import PROBE_RULE
from dynamic_providers.mailflow.outbound_check import OutboundCheckProvider
from tests.protocol.mailflow_estate import DATA2, SETTINGS, Bed, bed

RULE = CONNECTOR = "Outbound to Cisco CES"
FILTER = "office365_outbound"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with bed(tmp_path_factory.mktemp("mailflow")) as made:
        yield made


@pytest.fixture
def right(running: Bed) -> Bed:
    running.right()
    return running


def test_the_guides_estate_is_proven_in_every_direction(right: Bed) -> None:
    right.mx("mx1.bce-demo.example")
    proofs = right.checks("direct", "inbound", "outbound", "forged")
    assert {proof.check: proof.summary for proof in proofs if proof.verdict != "ok"} == {}
    assert [proof.check for proof in proofs] == ["direct", "inbound", "outbound", "forged"]
    direct, _, outbound, forged = proofs
    assert direct.hops[3].evidence["connector"] == "Inbound from Cisco CES"
    assert direct.hops[2].evidence["TLS"].startswith("TLSv1")
    assert "seen in the mailbox" in direct.hops[-1].says
    assert outbound.hops[1].evidence["connector"] == CONNECTOR
    assert outbound.hops[2].evidence["interface"] == f"Data 2 {DATA2}"
    assert outbound.hops[-1].says.endswith("X-OUTBOUND-AUTH is gone")
    assert forged.hops[-1].says == f"Dropped By Message Filters: Dropped by filter '{FILTER}'"
    assert forged.hops[-1].evidence["rules"] == PROBE_RULE
    assert PROBE_RULE not in right.rules()


def test_no_secret_is_in_what_a_check_found(right: Bed) -> None:
    proofs = right.checks("direct", "outbound", "forged")
    text = "".join(proof.model_dump_json() for proof in proofs) + "".join(right.said)
    assert "mysecretkey" not in text
    assert right.estate.gateway.password not in text


def test_microsofts_lateness_is_waited_for(right: Bed) -> None:
    right.replay(without="k")
    right.estate.tenant.switches.propagation_seconds = 3.0
    right.play(only="k")
    assert right.one("outbound").verdict == "ok"
    assert any("not yet" in line for line in right.said)


def test_a_forged_check_waits_until_its_rule_acts_and_clears_what_a_cut_run_left(right: Bed) -> None:
    right.tenant("New-TransportRule", Name=PROBE_RULE, SubjectContainsWords=["oldtoken"], SetSCL=-1)
    assert PROBE_RULE in right.rules()
    right.estate.tenant.switches.propagation_seconds = 1.5
    proof = right.one("forged")
    assert proof.verdict == "ok", proof
    assert PROBE_RULE not in right.rules()


def test_a_forged_check_without_the_right_to_write_is_not_proven(right: Bed) -> None:
    right.estate.tenant.switches.directory_role = "reader"
    proof = right.one("forged")
    assert proof.verdict == "notProven"
    assert "Exchange Administrator" in proof.summary


def test_without_the_right_to_read_the_mailbox_the_trace_tells_the_folder(right: Bed) -> None:
    right.estate.tenant.switches.graph_roles = ("Mail.Send",)
    proof = right.one("direct")
    assert proof.verdict == "ok"
    assert "message trace" in proof.hops[-1].says


def test_without_the_right_to_send_outbound_is_not_proven(right: Bed) -> None:
    right.estate.tenant.switches.graph_roles = ()
    proof = right.one("outbound")
    assert proof.verdict == "notProven"
    assert "Mail.Send" in proof.summary


def test_a_closed_lock_down_is_seen_at_both_doors(right: Bed) -> None:
    right.tenant("Set-InboundConnector", Identity="Inbound from Cisco CES", RestrictDomainsToIPAddresses=True)
    proof = right.one("sideEntrance", lockdown="closed", deadline=4)
    by_name = {hop.name: hop for hop in proof.hops}
    assert by_name["side entrance: outside sender"].verdict == "ok"
    right.tenant("Set-OrganizationConfig", RejectDirectSend=True)
    proof = right.one("sideEntrance", lockdown="closed", deadline=4)
    assert proof.verdict == "ok", proof


# --- as resources -------------------------------------------------------------------------------------------


def inputs(*checks: str, watches: str = "revision 1") -> dict[str, Any]:
    return {"tenant": "bcedemo.onmicrosoft.com", "checks": list(checks), "watches": [watches]}


def given(**changes: Any) -> None:
    connections.set_arguments({"mailflow": json.dumps({**SETTINGS, **changes})})


@pytest.mark.parametrize(
    ("provider", "checks"),
    [(InboundCheckProvider(), ["direct"]), (OutboundCheckProvider(), ["outbound", "forged"])],
)
def test_a_check_keeps_its_evidence_and_runs_again_when_what_it_watches_changed(
    right: Bed, provider: ResourceProvider, checks: list[str]
) -> None:
    given()
    first = inputs(*checks)
    assert provider.check({}, first).failures == []
    outs = provider.create(first).outs or {}
    assert [(one["check"], one["verdict"]) for one in outs["evidence"]] == [(name, "ok") for name in checks]
    json.dumps(outs)
    read = provider.read("id", outs)
    assert (read.outs, read.inputs) == (outs, first)
    assert provider.diff("id", outs, first).changes is False
    later = inputs(*checks, watches="revision 2")
    assert provider.diff("id", outs, later).changes is True
    again = provider.update("id", outs, later).outs or {}
    assert again["evidence"][0]["token"] != outs["evidence"][0]["token"]
    provider.delete("id", outs)


def test_a_failed_check_is_one_line_that_names_hop_answer_cause_and_advice(right: Bed) -> None:
    right.type("listenerconfig", "edit", "IncomingMail", "rcptaccess", "delete", "bce-demo.com", "", "", "")
    given(deadline=4)
    with pytest.raises(CheckFailed) as raised:
        InboundCheckProvider().create(inputs("direct"))
    text = str(raised.value)
    assert text.startswith("mail flow of bce-demo.com: direct, probe → gateway: esa1.bce-demo.example")
    assert "550" in text
    assert "usual cause: the recipient access table does not hold the domain" in text
    assert "showchanges" in text
    assert "\n" not in text


def test_an_mx_may_not_move_after_a_message_that_was_not_seen_to_arrive(right: Bed) -> None:
    right.estate.tenant.switches.directory_role = "none"
    given(deadline=4)
    with pytest.raises(CheckFailed, match="message trace cannot be read"):
        InboundCheckProvider().create(inputs("direct"))


def test_an_unknown_check_is_refused_before_anything_is_sent(right: Bed) -> None:
    [failure] = InboundCheckProvider().check({}, inputs("forged")).failures
    assert failure.property == "checks"
