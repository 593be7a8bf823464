"""Only what is committed counts for mail, at the level where it counts; doors follow the listeners."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.gateway.state import Listener
from lab.mail.envelope import compose
from tests.protocol.gateway_mail_kit import (
    DATA1,
    DATA2,
    MICROSOFT_MX,
    PROBE,
    World,
    configure,
    stamped,
    world,
)

INBOUND = compose("someone@probe.example", "bob@bce-demo.com", "Inbound test")
SECOND = "198.51.100.11"


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("mail")) as made:
        yield made


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("mail"), "cluster") as made:
        yield made


ROUTE = ["smtproutes", "edit", "bce-demo.com", "mx.probe.example", ""]


def test_a_change_counts_from_its_commit_on(alone: World) -> None:
    alone.gateway.type_by_hand([*ROUTE, "exit", "y"])
    alone.send(INBOUND, PROBE, DATA1)
    alone.microsoft.wait_kept(1)
    alone.gateway.type_by_hand([*ROUTE, "commit", "to the wrong host", "y", "exit"])
    alone.send(INBOUND, PROBE, DATA1)
    alone.sink.wait_kept(1)
    assert len(alone.microsoft.kept) == 1


def test_a_listener_that_is_gone_refuses_connections(alone: World) -> None:
    without = alone.gateway.snapshot()
    without.state.base.listeners.pop()
    before = alone.gateway.snapshot()
    alone.gateway.restore(without)
    outcome = alone.send(stamped())
    assert (outcome.code, outcome.text) == (0, f"{DATA2}:25: connection refused")
    assert alone.send(INBOUND, PROBE, DATA1).code == 250
    alone.settled()
    alone.gateway.restore(before)
    assert alone.send(stamped()).code == 250


def test_a_filter_that_names_a_listener_that_is_gone_does_not_run(alone: World) -> None:
    alone.tables.filter(
        "office365_outbound"
    ).text = 'office365_outbound: if recv-listener == "Gone" { no-op(); } else { drop(); }'
    alone.send(stamped())
    alone.sink.wait_kept(1)


def test_a_listener_on_another_port_is_reached_there(alone: World) -> None:
    state = alone.gateway.snapshot()
    public = state.state.base.listener("IncomingMail")
    extra = Listener("Extra", "public", "Data 2", 2525, public.groups, public.policies, public.defaults)
    extra.recipients = public.recipients
    state.state.base.listeners.append(extra)
    alone.gateway.restore(state)
    assert alone.network.local_port(DATA2, 2525) is not None
    assert alone.network.local_port(DATA1, 2525) is None


def test_one_interface_may_serve_two_listeners_by_port_only(alone: World) -> None:
    state = alone.gateway.snapshot()
    state.state.base.listener("OutgoingMail").interface = "Data 1"
    alone.gateway.restore(state)
    assert alone.network.local_port(DATA2, 25) is None
    assert alone.send(INBOUND, PROBE, DATA1).code == 250
    alone.settled()
    assert alone.mail.tracking().messages[-1].arrival.listener == "IncomingMail"


def test_doors_can_be_shut_and_reset_opens_them(alone: World) -> None:
    alone.mail.shut()
    assert alone.send(stamped()).code == 0
    alone.gateway.reset()
    assert alone.send(stamped()).code == 250


def test_every_member_of_a_cluster_takes_and_delivers_mail(cluster: World) -> None:
    for target in ("198.51.100.10", SECOND):
        assert cluster.send(stamped(), target=target).code == 250
    kept = cluster.sink.wait_kept(2)
    assert {one.peer for one in kept} == {"198.51.100.10", SECOND}
    assert [len(cluster.mail.tracking(member).messages) for member in (0, 1)] == [1, 1]


def test_an_override_of_a_machine_counts_for_that_machine_only(cluster: World) -> None:
    gateway = cluster.gateway
    gateway.override(("machine", gateway.members[1].host), "filters")
    gateway.state.own(("machine", gateway.members[1].host)).filters.clear()
    for target in ("198.51.100.10", SECOND):
        cluster.send(stamped(secret="wrong"), target=target)
    [kept] = cluster.sink.wait_kept(1)
    cluster.settled()
    assert (kept.peer, kept.envelope.header("X-OUTBOUND-AUTH")) == (SECOND, "wrong")
    assert cluster.journal.count("gateway:esa1", "dropped") == 1
    assert cluster.journal.count("gateway:esa2", "dropped") == 0


def test_the_kit_configures_what_the_guide_says(alone: World) -> None:
    tables = alone.gateway.snapshot().state.base
    assert tables.routes["bce-demo.com"][0].host == MICROSOFT_MX
    before = len(tables.filters)
    configure(tables)
    assert len(tables.filters) == before + 1
