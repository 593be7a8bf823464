"""Destination controls are really held to, counted where the mail arrives; and without them they are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lab.mail.client import SmtpClient
from lab.mail.envelope import compose
from tests.protocol.gateway_mail_kit import DATA1, PROBE, World, world

DOMAIN = "bce-demo.com"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("mail")) as made:
        made.gateway.hat_limits = False
        yield made


@pytest.fixture
def lab(shared: World) -> Iterator[World]:
    before = shared.gateway.snapshot()
    yield shared
    shared.microsoft.gate.set()
    shared.settled()
    shared.gateway.restore(before)
    shared.microsoft.kept.clear()
    shared.microsoft.per_connection.clear()
    shared.microsoft.most = 0


def pour(lab: World, count: int) -> None:
    """Many messages for the domain, over one connection."""
    with SmtpClient(lab.network, PROBE, DATA1) as client:
        for number in range(count):
            mail = compose("a@probe.example", f"bob@{DOMAIN}", f"Message {number}")
            assert client.send(mail).code == 250


def test_ten_connections_and_twenty_messages_are_never_exceeded(lab: World) -> None:
    lab.microsoft.gate.clear()
    pour(lab, 230)
    assert lab.microsoft.wait_open(10)
    lab.microsoft.gate.set()
    lab.settled()
    assert len({kept.envelope.subject for kept in lab.microsoft.kept}) == 230
    assert lab.microsoft.most == 10
    assert max(lab.microsoft.per_connection) == 20
    assert sum(lab.microsoft.per_connection) == 230


def test_without_an_entry_many_connections_are_opened(lab: World) -> None:
    del lab.tables.destinations[DOMAIN]
    lab.microsoft.gate.clear()
    pour(lab, 60)
    assert lab.microsoft.wait_open(25), "as many as there are threads, and far more than ten"
    lab.microsoft.gate.set()
    lab.settled()
    assert lab.microsoft.most > 20


def test_without_an_entry_a_connection_carries_the_default_s_fifty(lab: World) -> None:
    del lab.tables.destinations[DOMAIN]
    lab.tables.destinations["DEFAULT"].max_host_concurrency = 1
    lab.microsoft.gate.clear()
    pour(lab, 120)
    lab.microsoft.gate.set()
    lab.settled()
    assert lab.microsoft.per_connection == [50, 50, 20]
    assert lab.microsoft.most == 1


def test_one_connection_that_is_held_up_delays_no_other_domain(lab: World) -> None:
    lab.tables.destinations[DOMAIN].max_host_concurrency = 1
    lab.microsoft.gate.clear()
    pour(lab, 40)
    with SmtpClient(lab.network, "203.0.113.40", "198.51.100.186") as client:
        secret = {"X-OUTBOUND-AUTH": "mysecretkey"}
        client.send(compose("bob@bce-demo.com", "alice@probe.example", "Past them", headers=secret))
    lab.sink.wait_kept(1)
    assert lab.microsoft.now == 1
    lab.microsoft.gate.set()


def test_twenty_messages_a_second_are_carried_both_ways(lab: World) -> None:
    secret = {"X-OUTBOUND-AUTH": "mysecretkey"}
    lab.sink.kept.clear()

    def out() -> None:
        with SmtpClient(lab.network, "203.0.113.40", "198.51.100.186") as client:
            for number in range(100):
                client.send(
                    compose("bob@bce-demo.com", "alice@probe.example", f"Out {number}", headers=secret)
                )

    sender = threading.Thread(target=out)
    sender.start()
    pour(lab, 100)
    sender.join(20)
    assert lab.mail.wait_until_empty(10), "200 messages in 10 seconds"
    assert len({kept.envelope.subject for kept in lab.sink.kept}) == 100
    assert len({kept.envelope.subject for kept in lab.microsoft.kept}) == 100
    assert not [kept for kept in lab.sink.kept if kept.envelope.header("X-OUTBOUND-AUTH")]
