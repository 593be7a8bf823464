"""Broken estates: the right check fails, at the right hop, with the answer word by word and what caused it.

Here the way in, what shuts our own port 25, and a cluster; the way out is in `test_broken_estates_out.py`.
Each estate is one that `up` made, broken in one way by hand; whoever reads what the check says would find it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dynamic_providers.mailflow.probe import Smtp
from dynamic_providers.mailflow.proof import CheckName
from dynamic_providers.mailflow.run import first_wrong
from lab.estate import Estate
from tests.estate import broken_inbound, broken_witnesses
from tests.estate.broken_bed import PLENTY, Bed, Broken, stack_is_up, wrong_hop
from tests.mail_stack import OUTSIDE
from tests.unit.settings_samples import sample

BROKEN: dict[str, Broken] = {
    f"{where}: {name}": case
    for where, cases in {
        "at the gateway": broken_inbound.AT_THE_GATEWAY,
        "at Microsoft 365": broken_inbound.AT_MICROSOFT,
        "at the doors": broken_inbound.AT_THE_DOORS,
    }.items()
    for name, case in cases.items()
}
CHECKS: tuple[CheckName, ...] = ("direct", "inbound", "outbound", "forged")


def test_unbroken_every_check_is_ok(bed: Bed) -> None:
    """So each of the others can fail."""
    proofs = bed.checks(*CHECKS, "sideEntrance", deadline=PLENTY)
    assert {one.check: one.summary for one in proofs[:2] + proofs[-2:] if one.verdict != "ok"} == {}
    assert [one.check for one in proofs] == ["direct", "inbound", "sideEntrance", "outbound", "forged"]
    assert "open, as set (lockdown: open)" in proofs[2].summary


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_estate_is_told_by_hop_answer_and_cause(bed: Bed, name: str) -> None:
    bed.prove(BROKEN[name])


# --- port 25, shut to this machine --------------------------------------------------------------------------


def shut_port_25(bed: Bed, running: ExitStack) -> None:
    """Every connection to port 25 is left without an answer, as a provider's firewall does it."""
    deaf = running.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    knocking = running.enter_context(socket.socket())
    knocking.connect(deaf.getsockname())  # nobody takes it, and there is room for one
    known: dict[str, dict[str, Any]] = json.loads(Path(os.environ["M365SE_CONNECT"]).read_text())
    for name, there in known.items():
        if name.endswith(":25"):
            there["port"] = deaf.getsockname()[1]
    file = bed.estate.folder / "shut.json"
    file.write_text(json.dumps(known))
    bed.patch.setenv("M365SE_CONNECT", str(file))
    bed.patch.setattr(Smtp.__init__, "__kwdefaults__", {"connect_seconds": 0.3, "reply_seconds": 0.3})


def test_a_shut_port_25_is_told_from_a_broken_gateway(bed: Bed) -> None:
    shut = Broken(
        lambda _bed: None,
        "direct",
        "probe → gateway",
        ("no connection to 192.0.2.105, nor to Microsoft 365: port 25 seems shut from here",),
        ("port 25 is shut from this machine",),
        ("checks.via",),
        verdict="notProven",
        fine=("outbound", "forged"),
    )
    with ExitStack() as running:
        shut_port_25(bed, running)
        bed.prove(shut)
        [side] = bed.checks("sideEntrance", lockdown="closed")
    assert side.verdict == "notProven"
    assert "cannot be reached" in side.summary


def test_an_mx_may_not_move_after_any_of_what_failed_on_the_way_in(bed: Bed) -> None:
    """Nor after what was not seen to arrive: what the check resource asks of a proof."""
    broken_witnesses.WITNESSES["trace late"].by_hand(bed)
    [proof] = bed.checks("direct", deadline=1)
    wrong = first_wrong(proof)
    assert wrong is not None
    assert "message trace does not show it" in wrong.says


# --- a cluster ----------------------------------------------------------------------------------------------

ESA1, ESA2 = "esa1.hc1234-56.c3s2.iphmx.com", "esa2.hc1234-56.c3s2.iphmx.com"


def cluster_values(estate: Estate) -> dict[str, Any]:
    """The clustered customer's stack file, with checks; its MX stay where they are."""
    found = sample("contoso-prod")
    found["endpoints"] = {"caBundle": str(estate.ca_file.resolve())}
    found["gateway"]["tracking"] = {"from": "manager", "url": "https://sma1.hc1234-56.c3s2.iphmx.com:4431"}
    found["checks"] = {
        "mailbox": "probe@contoso.example",
        "outside": OUTSIDE,
        "imap": {"host": "imap.probe.example"},
        "deadline": "30s",
    }
    found["settle"] = {"rule": "1s", "mx": "1s"}
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with stack_is_up(tmp_path_factory.mktemp("cluster"), "cluster", cluster_values) as made:
        yield made


def in_machine_mode(bed: Bed, host: str, table: str, *lines: str) -> None:
    """A machine gets tables of its own, a copy of the cluster's, and these lines change them."""
    bed.estate.gateway.override(("machine", host), table)
    bed.type(f"clustermode machine {host}", *lines)


def test_a_machine_override_is_told_by_the_one_gateway_that_has_it(cluster: Bed) -> None:
    cluster.set_right()
    right = [one for one in cluster.checks("direct", deadline=PLENTY) if one.domain == cluster.domain]
    assert [one.verdict for one in right] == ["ok", "ok"]
    in_machine_mode(
        cluster, ESA2, "listenerconfig", "listenerconfig edit IncomingMail rcptaccess delete contoso.example"
    )
    first, second = [one for one in cluster.checks("direct") if one.domain == cluster.domain]
    assert (first.verdict, second.verdict) == ("ok", "failed")
    hop = wrong_hop(second)
    assert hop.name == "probe → gateway"
    assert f"{ESA2} (192.0.2.11) answers: 550 #5.1.0 Address rejected." in hop.says
    assert "whether the machine or its group overrides this table" in hop.advice


def test_a_filter_that_one_machine_lacks_lets_the_header_out_there_only(cluster: Bed) -> None:
    cluster.set_right()
    in_machine_mode(cluster, ESA1, "filters", "filters delete office365_outbound")
    cluster.tenant("Set-OutboundConnector", "Outbound to Cisco CES", SmartHosts=["198.51.100.11"])
    assert {
        one.check: one.summary
        for one in cluster.checks("outbound", "forged", deadline=PLENTY)
        if one.verdict != "ok"
    } == {}
    cluster.tenant("Set-OutboundConnector", "Outbound to Cisco CES", SmartHosts=["198.51.100.10"])
    outbound, forged = cluster.checks("outbound", "forged")
    for proof, name in ((outbound, "outside: header"), (forged, "gateway: filter")):
        hop = wrong_hop(proof)
        assert (proof.verdict, hop.name) == ("failed", name)
        assert "it is missing" in hop.cause
        assert "whether the machine or its group overrides this table" in hop.advice
    assert forged.hops[-1].evidence["gateway"].startswith(ESA1)
