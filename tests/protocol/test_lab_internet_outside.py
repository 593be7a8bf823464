"""Other people's servers: a sender that believes DNS and tries again, the sink, and IMAP on its mailboxes."""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from lab.certificates import LabAuthority
from lab.internet.internet import Internet
from lab.internet.outside import Sink
from lab.internet.practice import IMAP_HOST, PROBE_MAILBOX, PROBE_PASSWORD, SINK_ADDRESS
from lab.journal import Journal
from lab.mail.client import SmtpClient
from lab.mail.connection import Connection
from lab.mail.envelope import Envelope, compose


class World(Internet):
    """The internet on its own."""

    def __init__(self, folder: Path) -> None:
        self.certificates = LabAuthority(folder)
        super().__init__(Journal(), self.certificates)

    def mail_host(self, address: str, name: str) -> Sink:
        """Another server, at an address and with a name of its own."""
        made = Sink(self.certificates.server_context(name), self.network)
        self.network.listen(address, 25, made.door.start())
        self.zones.set(name, "A", address)
        return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    before = running.snapshot()
    patience = running.sender.patience
    yield running
    running.restore(before)
    running.reset()
    running.sender.patience = patience


def to_probe(subject: str = "hello", **headers: str) -> Envelope:
    return compose("ann@sender.example", PROBE_MAILBOX, subject, headers=headers)


def test_mail_reaches_the_sink_by_mx_and_says_how_it_came(world: World) -> None:
    outcome = world.sender.send(to_probe("token 1"))
    assert outcome.delivered
    kept = world.sink.wait_for(lambda kept: kept.envelope.subject == "token 1")
    assert (kept.peer, kept.helo, kept.tls) == ("203.0.113.90", "mail.sender.example", "TLSv1.3")
    assert world.sink.mailbox("PROBE@probe.example") == [kept]
    assert world.sink.mailbox("other@probe.example") == []
    (sent,) = world.sender.sent
    assert (sent.host, sent.address, sent.tries) == ("mx.probe.example", SINK_ADDRESS, 1)


def test_the_better_host_comes_first_and_the_next_when_it_is_down(world: World) -> None:
    better = world.mail_host("203.0.113.81", "better.probe.example")
    world.zones.set("probe.example", "MX", "20 mx.probe.example", "10 better.probe.example")
    world.sender.send(to_probe("first"))
    assert better.received[0].envelope.subject == "first"
    better.door.stop()
    world.network.unlisten("203.0.113.81", 25)
    world.sender.send(to_probe("second"))
    assert [sent.host for sent in world.sender.sent] == ["better.probe.example", "mx.probe.example"]


def test_the_old_mx_is_believed_until_its_time_is_over(world: World) -> None:
    other = world.mail_host("203.0.113.82", "new.probe.example")
    world.zones.set("probe.example", "MX", "10 mx.probe.example", ttl=1)
    assert world.sender.hosts("probe.example") == ["mx.probe.example"]
    world.zones.set("probe.example", "MX", "10 new.probe.example", ttl=1)
    world.sender.send(to_probe("old way"))
    assert world.sink.received[0].envelope.subject == "old way"
    while not other.received:
        assert world.sender.send(to_probe("which way")).delivered
    assert not [kept for kept in other.received if kept.envelope.subject == "old way"]
    other.door.stop()


def test_a_domain_without_mx_is_asked_itself(world: World) -> None:
    world.zones.remove("bank.example", "MX")
    world.zones.set("bank.example", "A", SINK_ADDRESS)
    outcome = world.sender.send(compose("ann@sender.example", "clerk@bank.example", "implicit"))
    assert outcome.delivered
    assert world.sender.sent[0].host == "bank.example"


def test_a_domain_that_is_not_there_is_refused_at_once(world: World) -> None:
    outcome = world.sender.send(compose("ann@sender.example", "x@nowhere.org", "lost"))
    assert outcome.code == 550
    assert "nowhere.org has neither MX nor address" in outcome.text


def test_a_temporary_refusal_is_tried_again_and_a_final_one_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def later(_c: Connection, recipient: str, /) -> str | None:
        asked.append(recipient)
        return "451 4.7.500 Server busy" if len(asked) < 3 else None

    with monkeypatch.context() as patched:
        patched.setattr(world.sink, "recipient", later)
        assert world.sender.send(to_probe()).delivered
    assert world.sender.sent[0].tries == len(asked) == 3
    world.sink.refuse[PROBE_MAILBOX] = "550 5.1.1 no such mailbox"
    outcome = world.sender.send(to_probe())
    assert (outcome.code, outcome.text) == (550, "5.1.1 no such mailbox")
    assert world.sender.sent[1].tries == 1


def test_patience_has_an_end(world: World) -> None:
    world.sink.door.faults.add("busy")
    world.sender.patience = 0.5
    outcome = world.sender.send(to_probe())
    assert outcome.code == 421
    assert world.sender.sent[0].tries > 1


def test_a_cut_before_the_answer_brings_the_message_twice_and_loses_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sink.door.faults.add("cut_taken")
    take = world.sink.message

    def heal(c: Connection, e: Envelope, /) -> str:
        if len(world.sink.received) == 1:
            world.sink.door.faults.clear()
        return take(c, e)

    monkeypatch.setattr(world.sink, "message", heal)
    assert world.sender.send(to_probe("once or twice")).delivered
    assert [kept.envelope.subject for kept in world.sink.received] == ["once or twice"] * 2


def test_waiting_for_a_message_that_does_not_come_says_so(world: World) -> None:
    with pytest.raises(TimeoutError, match="no such message at the sink"):
        world.sink.wait_for(lambda kept: kept.envelope.subject == "never", timeout=0.05)


def test_the_sink_can_want_tls(world: World) -> None:
    world.sink.require_tls = True
    with SmtpClient(world.network, "198.51.100.186", SINK_ADDRESS, tls="no") as client:
        assert client.send(to_probe()).code == 530


class Mailbox(imaplib.IMAP4_SSL):
    """Anybody's IMAP client, led to the lab's port; the certificate is verified by the real name."""

    def __init__(self, world: World) -> None:
        self._local = world.network.local_port(IMAP_HOST, 993)
        context = ssl.create_default_context(cafile=str(world.certificates.ca_file))
        super().__init__(IMAP_HOST, 993, ssl_context=context, timeout=5)

    def _create_socket(self, timeout: float | None) -> Any:
        plain = socket.create_connection(("127.0.0.1", self._local or 0), timeout)
        return self.ssl_context.wrap_socket(plain, server_hostname=IMAP_HOST)


@pytest.fixture
def mailbox(world: World) -> Iterator[Mailbox]:
    for number in (1, 2, 3):
        token = f"token-{number % 2}"
        world.sender.send(to_probe(f"Check {token}", **{"X-Token": token, "X-Number": str(number)}))
    world.sender.send(compose("ann@sender.example", "other@probe.example", "not mine"))
    client = Mailbox(world)
    client.login(PROBE_MAILBOX, PROBE_PASSWORD)
    yield client
    client.logout()


def test_a_mailbox_holds_its_own_mail_only(mailbox: Mailbox) -> None:
    assert mailbox.select("INBOX", readonly=True) == ("OK", [b"3"])
    assert mailbox.search(None, "ALL") == ("OK", [b"1 2 3"])


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        (("SUBJECT", '"token-1"'), b"1 3"),
        (("SUBJECT", '"TOKEN-0"'), b"2"),
        (("HEADER", "X-Token", '"token-1"'), b"1 3"),
        (("HEADER", "X-Token", '""'), b"1 2 3"),
        (("HEADER", "X-OUTBOUND-AUTH", '""'), b""),
        (("HEADER", "X-Token", "token-1", "HEADER", "X-Number", "3"), b"3"),
        (("FROM", "ann@sender.example", "SUBJECT", "token-0"), b"2"),
    ],
)
def test_messages_are_found_by_subject_and_header(
    mailbox: Mailbox, criteria: tuple[str, ...], found: bytes
) -> None:
    mailbox.select("INBOX")
    assert mailbox.search(None, *criteria) == ("OK", [found])
    assert mailbox.uid("SEARCH", *criteria) == ("OK", [found])


def test_a_message_is_read_as_it_came(world: World, mailbox: Mailbox) -> None:
    mailbox.select("INBOX")
    content = world.sink.mailbox(PROBE_MAILBOX)[0].envelope.content
    _, whole = mailbox.fetch("1", "(RFC822)")
    assert whole[0] is not None
    assert whole[0][1] == content
    _, head = mailbox.uid("FETCH", "1", "(BODY.PEEK[HEADER])")
    assert message_from_bytes(head[0][1])["X-Token"] == "token-1"
    assert not message_from_bytes(head[0][1]).get_payload()
    _, several = mailbox.fetch("1:*", "(UID RFC822.SIZE)")
    assert len(several) == 3


def test_new_mail_shows_after_noop(world: World, mailbox: Mailbox) -> None:
    mailbox.select("INBOX")
    world.sender.send(to_probe("late"))
    assert mailbox.search(None, "SUBJECT", "late") == ("OK", [b""])
    mailbox.noop()
    assert mailbox.search(None, "SUBJECT", "late") == ("OK", [b"4"])


def test_imap_refuses_what_is_wrong(world: World) -> None:
    client = Mailbox(world)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login(PROBE_MAILBOX, "guess")
    client.login(PROBE_MAILBOX, PROBE_PASSWORD)
    assert client.select("Junk")[0] == "NO"
    client.select("INBOX")
    with pytest.raises(imaplib.IMAP4.error, match="cannot search by LARGER"):
        client.search(None, "LARGER", "5")
    world.sender.send(to_probe())
    client.noop()
    with pytest.raises(imaplib.IMAP4.error, match="cannot fetch ENVELOPE"):
        client.fetch("1", "(ENVELOPE)")
    client.logout()
