"""The lab's SMTP on loopback: addresses by PROXY, TLS that took place, doors that fail on demand."""

from __future__ import annotations

import gc
import smtplib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.certificates import LabAuthority
from lab.mail.client import SmtpClient, Tls
from lab.mail.connection import Connection, Fault
from lab.mail.envelope import Envelope, Outcome, compose
from lab.mail.network import Network
from lab.mail.server import MailDoor

HERE, THERE = "203.0.113.90", "192.0.2.105"
MESSAGE = compose("ann@sender.example", "bob@bce-demo.com", "hello")


@dataclass
class Owner:
    """Takes everything, and notes what it was asked and how many connections it held at once."""

    greeting: str | None = None
    offers_tls: bool = True
    requires_tls: bool = False
    refused: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[Connection, Envelope]] = field(default_factory=list)
    held: int = 0
    most: int = 0
    ended: list[Connection] = field(default_factory=list)
    lock: threading.Condition = field(default_factory=threading.Condition)

    def connected(self, c: Connection, /) -> str | None:
        with self.lock:
            self.held += 1
            self.most = max(self.most, self.held)
        return self.greeting

    def tls_offered(self, c: Connection, /) -> bool:
        return self.offers_tls

    def tls_required(self, c: Connection, /) -> bool:
        return self.requires_tls

    def mail(self, c: Connection, sender: str, /) -> str | None:
        c.data["sender"] = sender
        return self.refused.get(sender)

    def recipient(self, c: Connection, recipient: str, /) -> str | None:
        return self.refused.get(recipient)

    def message(self, c: Connection, e: Envelope, /) -> str:
        with self.lock:
            self.taken.append((c, e))
        return f"250 2.0.0 ok: Message {len(self.taken)} accepted"

    def closed(self, c: Connection, /) -> None:
        with self.lock:
            self.held -= 1
            self.ended.append(c)
            self.lock.notify_all()

    def wait_until_all_are_gone(self) -> None:
        with self.lock:
            assert self.lock.wait_for(lambda: self.held == 0, 10)


class Bench:
    """One door at THERE:25, and clients that come from HERE."""

    def __init__(self, authority: LabAuthority) -> None:
        self.owner = Owner()
        self.network = Network()
        self.door = MailDoor(
            self.owner, "mx1.bce-demo.example", authority.server_context("mx1.bce-demo.example")
        )

    def send(self, envelope: Envelope = MESSAGE, tls: Tls = "preferred") -> Outcome:
        with self.client(tls) as client:
            return client.send(envelope)

    def client(self, tls: Tls = "preferred") -> SmtpClient:
        return SmtpClient(self.network, HERE, THERE, helo="mail.sender.example", tls=tls)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LabAuthority:
    return LabAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def bench(authority: LabAuthority) -> Iterator[Bench]:
    made = Bench(authority)
    made.network.listen(THERE, 25, made.door.start())
    yield made
    made.door.stop()


def test_emulated_addresses_and_the_name_arrive_with_the_message(bench: Bench) -> None:
    outcome = bench.send()
    assert (outcome.code, outcome.text) == (250, "2.0.0 ok: Message 1 accepted")
    ((connection, envelope),) = bench.owner.taken
    assert (connection.peer, connection.local, connection.local_port) == (HERE, THERE, 25)
    assert connection.helo == "mail.sender.example"
    assert envelope == MESSAGE


def test_peer_and_own_data_stay_through_starttls(bench: Bench) -> None:
    bench.owner.requires_tls = True
    bench.send()
    ((connection, _),) = bench.owner.taken
    assert connection.tls == "TLSv1.3"
    assert connection.peer == HERE
    assert connection.data == {"sender": "ann@sender.example"}


def test_both_ends_tell_the_same_of_the_handshake(bench: Bench) -> None:
    outcome = bench.send()
    ((connection, _),) = bench.owner.taken
    assert outcome.tls == connection.tls == "TLSv1.3"
    assert outcome.cipher == connection.cipher
    assert outcome.cipher.startswith("TLS_")


def test_without_starttls_mail_is_refused_where_it_is_required(bench: Bench) -> None:
    bench.owner.requires_tls = True
    outcome = bench.send(tls="no")
    assert (outcome.code, outcome.text) == (530, "5.7.0 Must issue a STARTTLS command first")
    assert bench.send(tls="preferred").delivered
    assert len(bench.owner.taken) == 1


def test_starttls_is_not_shown_where_the_owner_offers_none(bench: Bench) -> None:
    bench.owner.offers_tls = False
    assert bench.send(tls="preferred") == Outcome(250, "2.0.0 ok: Message 1 accepted")
    outcome = bench.send(tls="required")
    assert outcome.code == 0
    assert "STARTTLS is not offered" in outcome.text
    assert len(bench.owner.taken) == 1


def test_one_connection_carries_several_messages_and_counts_them(bench: Bench) -> None:
    with bench.client() as client:
        for _ in range(3):
            assert client.send(MESSAGE).delivered
    assert [connection.messages for connection, _ in bench.owner.taken] == [3, 3, 3]
    assert len({id(connection) for connection, _ in bench.owner.taken}) == 1
    assert len(bench.owner.ended) == 1


def test_a_bounce_has_no_sender(bench: Bench) -> None:
    assert bench.send(compose("", "bob@bce-demo.com", "Undeliverable")).delivered
    ((_, envelope),) = bench.owner.taken
    assert envelope.sender == ""


def test_a_line_that_is_a_dot_arrives(bench: Bench) -> None:
    dotted = compose("ann@sender.example", "bob@bce-demo.com", "dots", body=".\n..\n.end")
    bench.send(dotted)
    assert bench.owner.taken[0][1].content == dotted.content


def test_a_refused_recipient_is_named_while_the_others_get_it(bench: Bench) -> None:
    bench.owner.refused["nobody@bce-demo.com"] = "550 5.1.1 no such user"
    outcome = bench.send(compose("ann@sender.example", ("bob@bce-demo.com", "nobody@bce-demo.com"), "both"))
    assert outcome.delivered
    assert outcome.refused == {"nobody@bce-demo.com": "550 5.1.1 no such user"}
    assert bench.owner.taken[0][1].recipients == ("bob@bce-demo.com",)


@pytest.mark.parametrize("who", ["ann@sender.example", "bob@bce-demo.com"])
def test_a_refusal_ends_the_message_and_not_the_connection(bench: Bench, who: str) -> None:
    bench.owner.refused[who] = "550 5.7.1 not here"
    with bench.client() as client:
        assert client.send(MESSAGE).text == "5.7.1 not here"
        bench.owner.refused.clear()
        assert client.send(MESSAGE).delivered


def test_a_refused_connection_hears_why_instead_of_the_greeting(bench: Bench) -> None:
    bench.owner.greeting = "554 5.7.1 Access denied"
    outcome = bench.send()
    assert (outcome.code, outcome.text) == (554, "5.7.1 Access denied")
    bench.owner.wait_until_all_are_gone()


def test_where_nobody_listens_connections_are_refused(bench: Bench) -> None:
    bench.network.unlisten(THERE, 25)
    assert bench.send() == Outcome(0, f"{THERE}:25: connection refused")


def test_without_a_proxy_header_there_is_no_greeting(bench: Bench) -> None:
    with socket.create_connection(("127.0.0.1", bench.door.port), timeout=5) as made:
        made.sendall(b"EHLO mail.sender.example\r\n")
        assert made.recv(100) == b""
    assert bench.owner.most == 0


@pytest.mark.parametrize(
    ("fault", "code", "said", "taken"),
    [
        ("refuse", 0, "connection lost", 0),
        ("busy", 421, "4.3.2 Service not available", 0),
        ("no_starttls", 0, "STARTTLS is not offered", 0),
        ("cut_untaken", 0, "connection lost", 0),
        ("cut_taken", 0, "connection lost", 1),
    ],
)
def test_a_door_fails_as_it_is_told_and_recovers(
    bench: Bench, fault: Fault, code: int, said: str, taken: int
) -> None:
    bench.door.faults.add(fault)
    outcome = bench.send(tls="required")
    assert outcome.code == code
    assert said in outcome.text
    assert outcome.temporary
    assert len(bench.owner.taken) == taken
    bench.door.faults.clear()
    assert bench.send(tls="required").delivered
    bench.owner.wait_until_all_are_gone()


def test_a_lost_connection_is_said_again_for_every_further_message(bench: Bench) -> None:
    with bench.client() as client:
        assert client.send(MESSAGE).delivered
        bench.door.faults.add("cut_untaken")
        lost = client.send(MESSAGE)
        bench.door.faults.clear()
        assert client.send(MESSAGE) is lost
    assert lost.tls == "TLSv1.3"


def test_who_waits_for_the_answer_to_quit_is_never_counted_twice(bench: Bench) -> None:
    def one_after_the_other(_: int) -> None:
        for _ in range(10):
            assert bench.send().delivered

    with ThreadPoolExecutor(4) as senders:
        list(senders.map(one_after_the_other, range(4)))
    assert len(bench.owner.taken) == 40
    assert bench.owner.most <= 4


def test_owners_may_wait_without_holding_up_other_connections(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(40, timeout=30)
    take = bench.owner.message

    def wait_and_take(c: Connection, e: Envelope, /) -> str:
        together.wait()
        return take(c, e)

    monkeypatch.setattr(bench.owner, "message", wait_and_take)
    with ThreadPoolExecutor(40) as senders:
        assert all(outcome.delivered for outcome in senders.map(lambda _: bench.send(), range(40)))


def test_the_owner_hears_of_connections_that_break_off(bench: Bench) -> None:
    client = bench.client()
    assert client.send(MESSAGE).delivered
    bench.door.drop_connections()
    bench.owner.wait_until_all_are_gone()
    client.close()
    assert len(bench.owner.ended) == 1


def test_a_defect_of_the_owner_is_answered_and_raised(
    authority: LabAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(authority)
    bench.network.listen(THERE, 25, bench.door.start())
    monkeypatch.setattr(bench.owner, "message", lambda c, e: str(1 // 0))
    assert bench.send().code == 451
    with pytest.raises(ExceptionGroup, match=r"mx1\.bce-demo\.example is broken"):
        bench.door.stop()


def test_a_door_keeps_its_port_when_it_is_opened_again(bench: Bench) -> None:
    port = bench.door.port
    bench.door.stop()
    assert bench.send().text.endswith("connection refused")
    assert bench.door.start() == port
    assert bench.send().delivered


def test_who_connects_while_a_door_shuts_leaves_no_socket_open() -> None:
    door = MailDoor(Owner(), "door.example", None)
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", door.start())):
            door.stop()
    gc.collect()  # pytest fails on what was left open


def test_no_thread_is_left_when_the_last_door_is_shut(authority: LabAuthority) -> None:
    before = {thread.name for thread in threading.enumerate()}
    bench = Bench(authority)
    bench.network.listen(THERE, 25, bench.door.start())
    assert bench.send().delivered
    bench.door.stop()
    assert {thread.name for thread in threading.enumerate()} <= before


def test_anybody_elses_client_is_understood(bench: Bench) -> None:
    """Version 1 of the PROXY header, typed, and smtplib behind it."""

    class Typed(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
            made = socket.create_connection((host, port), timeout)
            made.sendall(f"PROXY TCP4 {HERE} {THERE} 40000 25\r\n".encode())
            return made

    with Typed("127.0.0.1", bench.door.port, "probe-host.example", 5) as client:
        client.sendmail("ann@sender.example", ["bob@bce-demo.com"], MESSAGE.content)
    ((connection, _),) = bench.owner.taken
    assert (connection.peer, connection.peer_port) == (HERE, 40000)


def test_the_authority_is_in_one_file(authority: LabAuthority) -> None:
    assert authority.ca_file == Path(authority.ca_file.parent, "ca.pem")
    assert b"BEGIN CERTIFICATE" in authority.ca_file.read_bytes()
