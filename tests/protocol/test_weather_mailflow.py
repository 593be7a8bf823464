"""Bad weather where the checks send and look: what happens, and when it is over. See docs/weather.md."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest

from dynamic_providers.exchange import transport
from dynamic_providers.gateway import ssh
from dynamic_providers.mailflow import outside_mailbox, probe
from dynamic_providers.mailflow.errors import CannotLook, CannotSend
from dynamic_providers.mailflow.following import Follower
from dynamic_providers.mailflow.mailflow_settings import OutsideImap, ProbeVia
from dynamic_providers.mailflow.message import new_token
from dynamic_providers.mailflow.message import probe as message
from dynamic_providers.mailflow.outside_mailbox import OutsideMailbox
from dynamic_providers.mailflow.probe import Answer, Smtp
from dynamic_providers.mailflow.ssh_way import SshWay
from dynamic_providers.mailflow.trace import Traced
from dynamic_providers.mailflow.tracking import Tracking
from dynamic_providers.mailflow.waiting import Deadline, Patience, Waiting
from tests.protocol import mailflow_servers
from tests.protocol.bad_weather import FallsSilent
from tests.protocol.mailflow_servers import Certificates, Connect, MailboxServer, TrackingServer
from tests.protocol.test_mailflow_wire import item, tracking

GATEWAY, NAME = "192.0.2.105", "esa1.bce-demo.example"
EHLO = b"250-esa1.bce-demo.example\r\n"


certificates, connect = mailflow_servers.certificates, mailflow_servers.connect


# --- SMTP ---------------------------------------------------------------------------------------------------


def sent_to(connect: Connect, peer: FallsSilent, *, reply_seconds: float) -> Answer:
    with peer.running() as port:
        connect.lead(f"{GATEWAY}:25", port)
        smtp = Smtp("probe-host.example", reply_seconds=reply_seconds)
        return smtp.send(message("a@probe.example", "b@bce-demo.com", new_token(), 1), NAME, GATEWAY)


@pytest.mark.parametrize(
    ("says", "stage"),
    [
        ((), "greeting"),
        ((b"220 esa1",), "greeting"),
        ((b"220 esa1\r\n",), "EHLO"),
        ((b"220 esa1\r\n", EHLO), "EHLO"),
        ((b"220 esa1\r\n", b"250 esa1\r\n"), "MAIL FROM"),
        ((b"220 esa1\r\n", EHLO + b"250 STARTTLS\r\n", b"220 go\r\n"), "STARTTLS"),
    ],
)
def test_a_mail_server_that_falls_silent(connect: Connect, says: tuple[bytes, ...], stage: str) -> None:
    answer = sent_to(connect, FallsSilent(says), reply_seconds=0.2)
    assert (answer.code, answer.stage, answer.accepted, answer.for_now) == (0, stage, False, False)
    assert answer.text == "no answer within 0.2 s"


@pytest.mark.parametrize("drips", [b"250-and more\r\n", b"2"], ids=["lines", "bytes"])
def test_a_mail_server_that_never_comes_to_an_end(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, drips: bytes
) -> None:
    monkeypatch.setattr(probe, "TALK_SECONDS", 0.4)
    answer = sent_to(connect, FallsSilent((b"220 esa1\r\n", EHLO), drips), reply_seconds=30.0)
    assert (answer.accepted, answer.text) == (False, "not done within 0.4 s")


# --- through a host by SSH ----------------------------------------------------------------------------------


def test_a_host_to_send_through_that_falls_silent(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "id"))
    monkeypatch.setenv("GATEWAY_KEY_FILE", str(tmp_path / "id"))
    monkeypatch.setattr(ssh, "SSH_SECONDS", 0.3)
    with FallsSilent((b"SSH-2.0-OpenSSH_8.0\r\n",)).running() as port:
        connect.lead("jump.example:22", port)
        way = SshWay(ProbeVia(host="jump.example", user="probe", host_key="SHA256:" + "A" * 43))
        with pytest.raises(CannotSend, match=r"probe host jump\.example: .*no answer within 0\.3 s"):
            way.open(GATEWAY, 25)


# --- tracking -----------------------------------------------------------------------------------------------


def test_tracking_that_falls_silent(
    certificates: Certificates, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "READ_SECONDS", 0.2)
    peer = FallsSilent((b"", b"HTTP/1.1 200 OK\r\n"), context=certificates.context("sma1.example"))
    with peer.running() as port:
        connect.lead("sma1.example:4431", port)
        client = Tracking("manager", "https://sma1.example:4431", "api", "right", certificates.file)
        with pytest.raises(CannotLook, match=r"tracking of sma1.* no answer within 0\.2 s"):
            client.find("word1", datetime.now(UTC))
        client.close()


class _InTrouble(TrackingServer):
    """Answers some questions with 503 before it answers them."""

    troubles = 2

    def read(self, request: object) -> None:
        if self.troubles:
            self.troubles -= 1
            request.send_response(503)  # type: ignore[attr-defined] # a request handler
            request.send_header("Content-Length", "0")  # type: ignore[attr-defined]
            request.end_headers()  # type: ignore[attr-defined]
        else:
            super().read(request)  # type: ignore[arg-type]


class _NoTrace:
    def find(self, word: str, recipient: str, since: datetime) -> Traced | None:
        return None


def test_tracking_in_trouble_is_asked_again_until_the_checks_own_deadline(
    certificates: Certificates, connect: Connect
) -> None:
    sent = message("a@probe.example", "b@bce-demo.com", new_token(), 1)
    server = _InTrouble(items=[item(sent.word, mid=[1])])
    with tracking(server, certificates, connect) as client:
        waiting = Waiting(Patience(first=0.001, longest=0.005), lambda _: None)
        follower = Follower((client,), _NoTrace(), waiting)
        story = follower.follow(
            sent, Deadline(30), lambda story: story.tracked is not None, lambda story: False
        )
    assert (story.tracked is not None, story.tracking_trouble, server.troubles) == (True, "", 0)


# --- the mailbox outside ------------------------------------------------------------------------------------


HELLO = b"* OK ready\r\n"


@dataclass
class _Stands(MailboxServer):
    """Stands still at a command, after the first half of an answer."""

    at: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def talk(self, wire: ssl.SSLSocket) -> None:
        self.wire = wire
        super().talk(wire)

    def reply(self, command: str, rest: str, tag: str) -> bytes:
        if command == self.at:
            self.wire.sendall(b"* 1 FETCH (BODY[HEADER] {1000}\r\nSubject: word1\r\n")
            self.over.wait(60)
        return super().reply(command, rest, tag)


def looked_at(certificates: Certificates, connect: Connect, port: int) -> str:
    connect.lead("imap.probe.example:993", port)
    imap = OutsideImap(host="imap.probe.example", user="probe@probe.example")
    with pytest.raises(CannotLook) as caught:
        OutsideMailbox(imap, "right", certificates.file, "X-OUTBOUND-AUTH").find("word1")
    return str(caught.value)


@pytest.mark.parametrize("says", [(), (HELLO,)], ids=["no greeting", "a greeting alone"])
def test_a_mailbox_outside_that_falls_silent(
    certificates: Certificates, connect: Connect, monkeypatch: pytest.MonkeyPatch, says: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(outside_mailbox, "ANSWER_SECONDS", 0.2)
    with FallsSilent(says, context=certificates.context("imap.probe.example")).running() as port:
        assert "no connection: no answer within 0.2 s" in looked_at(certificates, connect, port)


@pytest.mark.parametrize("at", ["LOGIN", "EXAMINE", "FETCH"])
def test_a_mailbox_outside_that_stands_still_in_mid_dialogue(
    certificates: Certificates, connect: Connect, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr(outside_mailbox, "ANSWER_SECONDS", 0.3)
    server = _Stands(messages=[b"Subject: word1\r\n\r\n"], at=at)
    with server.running(certificates.context("imap.probe.example")) as port:
        said = looked_at(certificates, connect, port)
        server.over.set()
    assert "the connection broke: no answer within 0.3 s. Try again later" in said


@pytest.mark.parametrize("says", [(), (HELLO,)], ids=["greeting", "answer"])
def test_a_mailbox_outside_that_drips_for_ever(
    certificates: Certificates, connect: Connect, monkeypatch: pytest.MonkeyPatch, says: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(outside_mailbox, "LOOK_SECONDS", 0.4)
    context = certificates.context("imap.probe.example")
    with FallsSilent(says, drips=b"* OK still here" if says else b"*", context=context).running() as port:
        assert "not done within 0.4 s" in looked_at(certificates, connect, port)
