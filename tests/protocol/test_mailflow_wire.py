"""What the checks send and ask, over real sockets: SMTP, SSH, tracking's API, IMAP."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from dynamic_providers import connections
from dynamic_providers.errors import redact
from dynamic_providers.mailflow.bench import tracking_of_process
from dynamic_providers.mailflow.errors import CannotLook, CannotSend
from dynamic_providers.mailflow.mailflow_settings import OutsideImap, ProbeVia
from dynamic_providers.mailflow.message import Probe, new_token, probe
from dynamic_providers.mailflow.outside_mailbox import OutsideMailbox
from dynamic_providers.mailflow.probe import Smtp
from dynamic_providers.mailflow.ssh_way import SshWay
from dynamic_providers.mailflow.tracking import Tracking
from tests.protocol import mailflow_servers
from tests.protocol.mailflow_servers import (
    Certificates,
    Connect,
    MailboxServer,
    MailServer,
    TrackingServer,
    event_loop,
)

GATEWAY = "192.0.2.105"


certificates, connect = mailflow_servers.certificates, mailflow_servers.connect


def message() -> Probe:
    return probe("sender@probe.example", "probe@bce-demo.com", new_token(), 1)


# --- SMTP ---------------------------------------------------------------------------------------------------


def test_a_message_goes_by_tls_from_the_address_that_the_lab_knows_us_by(
    certificates: Certificates, connect: Connect
) -> None:
    server, sent = MailServer(certificates.context("esa1.bce-demo.example")), message()
    with server.running() as port:
        connect.lead(f"{GATEWAY}:25", port, proxy=True, source="203.0.113.99")
        answer = Smtp("probe-host.example").send(sent, "esa1.bce-demo.example", GATEWAY)
    assert answer.accepted
    assert answer.text == "ok: Message 124 accepted"
    assert answer.tls.startswith("TLSv1.")
    assert server.peers == ["203.0.113.99"]
    assert server.tls == ["TLS"]
    [envelope] = server.got
    assert envelope.rcpt_tos == ["probe@bce-demo.com"]
    assert isinstance(envelope.content, bytes)
    assert sent.word.encode() in envelope.content


def test_without_starttls_it_goes_in_clear(connect: Connect) -> None:
    server = MailServer(None)
    with server.running() as port:
        connect.lead(f"{GATEWAY}:25", port, proxy=True, source="203.0.113.99")
        answer = Smtp("probe-host.example").send(message(), GATEWAY, GATEWAY)
    assert (answer.accepted, answer.tls, server.tls) == (True, "", [""])


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("MAIL FROM", "550 5.7.68 TenantInboundAttribution; Direct Send not allowed"),
        ("RCPT TO", "550 #5.1.0 Address rejected."),
        ("message", "451 4.7.500 Server busy. Please try again later"),
    ],
)
def test_a_refusal_keeps_its_stage_and_its_words(connect: Connect, stage: str, reply: str) -> None:
    server = MailServer(None, refuse=(stage, reply))
    with server.running() as port:
        connect.lead(f"{GATEWAY}:25", port, proxy=True, source="203.0.113.99")
        answer = Smtp("probe-host.example").send(message(), GATEWAY, GATEWAY)
    assert not answer.accepted
    assert str(answer) == f"{reply} (at {stage})"
    assert answer.for_now is reply.startswith("4")


def test_a_greeting_that_refuses_and_a_port_that_is_shut_are_told_apart(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect.lead(f"{GATEWAY}:25", server.getsockname()[1])

        def refuse() -> None:
            wire, _ = server.accept()
            with wire:
                wire.sendall(b"554 esa1.bce-demo.example\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        answer = Smtp("probe-host.example").send(message(), GATEWAY, GATEWAY)
        thread.join(5)
    assert (answer.code, answer.stage) == (554, "greeting")
    answer = Smtp("probe-host.example").send(message(), GATEWAY, GATEWAY)
    assert (answer.code, answer.stage, answer.text) == (0, "connect", "connection refused")


class _Forwards(asyncssh.SSHServer):
    """Lets one key in, and leads every forward to one port."""

    key: asyncssh.SSHKey
    port: int
    asked: list[tuple[str, int]]
    open: list[asyncssh.SSHServerConnection]

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.open.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "probe" and key == self.key.convert_to_public()

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        self.asked.append((dest_host, dest_port))
        if dest_host != GATEWAY:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "Connection refused")

        async def lead(reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)

            async def copy(source: Any, sink: Any) -> None:
                try:
                    while block := await source.read(4096):
                        sink.write(block)
                finally:
                    sink.close()
                    await sink.wait_closed()

            await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))

        return lead


@contextmanager
def ssh_host(key: asyncssh.SSHKey, mail_port: int) -> Iterator[tuple[type[_Forwards], int, str]]:
    kind: type[_Forwards] = type(
        "Forwards", (_Forwards,), {"key": key, "port": mail_port, "asked": [], "open": []}
    )
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    with event_loop() as loop:

        async def listening() -> asyncssh.SSHAcceptor:
            return await asyncssh.listen("127.0.0.1", 0, server_factory=kind, server_host_keys=[host_key])

        server = asyncio.run_coroutine_threadsafe(listening(), loop).result(10)
        yield kind, int(server.get_port()), host_key.get_fingerprint()

        async def end() -> None:
            server.close()
            for one in kind.open:
                one.close()
                await one.wait_closed()
            await server.wait_closed()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> asyncssh.SSHKey:
    key = asyncssh.generate_private_key("ssh-ed25519")
    file = tmp_path / "id"
    file.write_bytes(key.export_private_key())
    monkeypatch.setenv("GATEWAY_KEY_FILE", str(file))
    return key


def test_where_port_25_is_shut_it_goes_through_a_host_by_ssh(
    certificates: Certificates, connect: Connect, key: asyncssh.SSHKey
) -> None:
    server = MailServer(certificates.context("esa1.bce-demo.example"), proxy=False)
    with server.running() as port, ssh_host(key, port) as (host, ssh_port, fingerprint):
        connect.lead("jump.example:22", ssh_port)
        via = ProbeVia(host="jump.example", user="probe", host_key=fingerprint)
        smtp = Smtp("probe-host.example", SshWay(via))
        answer = smtp.send(message(), "esa1.bce-demo.example", GATEWAY)
        assert answer.accepted
        assert answer.tls.startswith("TLSv1.")
        assert host.asked == [(GATEWAY, 25)]
        refused = smtp.send(message(), "x", "192.0.2.1")
        assert (refused.stage, refused.code) == ("connect", 0)
        smtp.close()
    assert len(server.got) == 1


def test_an_ssh_host_with_another_key_gets_nothing(connect: Connect, key: asyncssh.SSHKey) -> None:
    with ssh_host(key, 1) as (host, ssh_port, _):
        connect.lead("jump.example:22", ssh_port)
        via = ProbeVia(host="jump.example", user="probe", host_key="SHA256:" + "A" * 43)
        with pytest.raises(CannotSend, match="host key is not the expected one"):
            Smtp("probe-host.example", SshWay(via)).send(message(), "x", GATEWAY)
    assert host.asked == []


# --- tracking -----------------------------------------------------------------------------------------------

LINES = ["Message 124 aborted: Dropped by filter 'office365_outbound'"]


def item(word: str, **more: Any) -> dict[str, Any]:
    return {
        "mid": [123, 124],
        "icid": 7,
        "serialNumber": "S1",
        "subject": f"Mail flow probe {word}",
        "messageStatus": {"123": "Dropped By Message Filters", "124": "Dropped By Message Filters"},
        "senderGroup": "RELAY_O365",
        "timestamp": "23 Nov 2026 14:00:00 (GMT +00:00)",
        **more,
    }


@contextmanager
def tracking(
    server: TrackingServer, certificates: Certificates, connect: Connect, password: str = "right"
) -> Iterator[Tracking]:
    with server.running(certificates.context("sma1.example")) as port:
        connect.lead("sma1.example:4431", port)
        client = Tracking("manager", "https://sma1.example:4431", "api", password, certificates.file)
        yield client
        client.close()


def test_tracking_is_asked_in_whole_minutes_and_its_details_are_read(
    certificates: Certificates, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")  # would win over a session's own bundle
    server = TrackingServer(items=[item("other"), item("word1")], details={"124": LINES})
    with tracking(server, certificates, connect) as client:
        [found] = client.find("word1", datetime(2026, 11, 23, 14, 5, 33, tzinfo=UTC))
    assert found.mids == ("123", "124")
    assert (found.status, found.filter) == ("Dropped By Message Filters", "office365_outbound")
    assert found.message_id == "<m@x>"
    assert server.asked[0].startswith(
        "/sma/api/v2.0/message-tracking/messages?startDate=2026-11-23T13:50:00.000Z&"
    )
    assert [one.count("mid=123&icid=7&serialNumber=S1") for one in server.asked] == [0, 1, 0]
    assert server.logins == 1


def test_a_token_that_ran_out_is_renewed_once(certificates: Certificates, connect: Connect) -> None:
    server = TrackingServer(items=[item("word1")], details={"124": LINES}, spoil_tokens=1)
    with tracking(server, certificates, connect) as client:
        assert len(client.find("word1", datetime.now(UTC))) == 1
    assert server.logins == 2


def test_an_old_release_takes_the_password_with_each_request(
    certificates: Certificates, connect: Connect
) -> None:
    server = TrackingServer(items=[item("word1")], details={"124": LINES}, old_release=True)
    with tracking(server, certificates, connect) as client:
        assert len(client.find("word1", datetime.now(UTC))) == 1


def test_more_than_a_page_is_read_to_its_end(certificates: Certificates, connect: Connect) -> None:
    server = TrackingServer(items=[item("word1", mid=[number]) for number in range(23)])
    with tracking(server, certificates, connect) as client:
        assert len(client.find("word1", datetime.now(UTC))) == 23


def test_a_wrong_password_is_one_clear_line(certificates: Certificates, connect: Connect) -> None:
    with (
        tracking(TrackingServer(), certificates, connect, "wrong-password") as client,
        pytest.raises(CannotLook) as raised,
    ):
        client.find("word1", datetime.now(UTC))
    text = str(raised.value)
    assert "«api» is not let in (401: 401 = No permission)" in text
    assert "TRACKING_PASSWORD" in text
    assert "\n" not in text
    assert redact("the password is wrong-password") == "the password is [secret]"


def test_no_credential_follows_a_redirect(certificates: Certificates, connect: Connect) -> None:
    server = TrackingServer(redirect="https://evil.example/login")
    with (
        tracking(server, certificates, connect) as client,
        pytest.raises(CannotLook, match=r"redirected to evil\.example"),
    ):
        client.find("word1", datetime.now(UTC))


def test_another_authority_is_not_trusted(
    certificates: Certificates, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other, server = Certificates(tmp_path / "other"), TrackingServer()
    with server.running(other.context("sma1.example")) as port:
        connect.lead("sma1.example:4431", port)
        client = Tracking("gateway", "https://sma1.example:4431", "api", "right", certificates.file)
        with pytest.raises(CannotLook, match="not trusted"):
            client.find("word1", datetime.now(UTC))
        client.close()
    assert server.logins == 0


def test_where_tracking_is_asked_comes_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_arguments", {})
    assert tracking_of_process() == []
    connections.set_arguments({"tracking": '{"from": "none"}'})
    assert tracking_of_process() == []
    connections.set_arguments({"tracking": '{"from": "manager"}'})
    monkeypatch.setenv("TRACKING_USER", "api")
    monkeypatch.setenv("TRACKING_PASSWORD", "right-one")
    with pytest.raises(connections.NotConfigured, match=r"gateway\.tracking\.url"):
        tracking_of_process()
    member = {"hostKey": "SHA256:" + "A" * 43, "data1": "192.0.2.1", "data2": "192.0.2.2"}
    members = [{"host": f"esa{number}.example", **member} for number in (1, 2)]
    gateway = json.dumps({"name": "g", "cluster": True, "members": members})
    connections.set_arguments({"tracking": '{"from": "gateway"}', "gateway": gateway})
    assert [one.where for one in tracking_of_process()] == [
        "tracking of esa1.example:4431",
        "tracking of esa2.example:4431",
    ]


# --- the mailbox outside ------------------------------------------------------------------------------------


def raw(word: str, *headers: str) -> bytes:
    lines = [
        "Received: from esa1.bce-demo.example (esa1.bce-demo.example [198.51.100.186])",
        " by mx.probe.example with ESMTPS (TLSv1.3) id 1; Mon, 23 Nov 2026 14:00:00 +0000",
        *headers,
        f"Subject: Mail flow probe {word}",
        "Message-ID: <m@x>",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


@contextmanager
def outside(
    server: MailboxServer, certificates: Certificates, connect: Connect, password: str = "right"
) -> Iterator[OutsideMailbox]:
    with server.running(certificates.context("imap.probe.example")) as port:
        connect.lead("imap.probe.example:993", port)
        imap = OutsideImap(host="imap.probe.example", user="probe@probe.example")
        yield OutsideMailbox(imap, password, certificates.file, "X-OUTBOUND-AUTH")


def test_the_mailbox_outside_shows_address_tls_and_whether_the_header_is_there(
    certificates: Certificates, connect: Connect
) -> None:
    server = MailboxServer(messages=[raw("word1"), raw("word2", "X-Outbound-Auth: mysecretkey")])
    with outside(server, certificates, connect) as mailbox:
        clean, marked = mailbox.find("word1"), mailbox.find("word2")
        assert mailbox.find("word3") is None
    assert clean is not None
    assert marked is not None
    assert (clean.header, marked.header) == (False, True)
    last = clean.last(lambda address: False)
    assert last is not None
    assert (last.address, last.tls, clean.message_id) == ("198.51.100.186", "1.3", "<m@x>")
    assert "mysecretkey" not in repr(marked)


def test_a_refused_login_outside_is_one_clear_line(certificates: Certificates, connect: Connect) -> None:
    with (
        outside(MailboxServer(), certificates, connect, "wrong") as mailbox,
        pytest.raises(CannotLook, match="PROBE_IMAP_PASSWORD"),
    ):
        mailbox.find("word1")


def test_a_password_that_imap_cannot_carry_is_one_clear_line(
    certificates: Certificates, connect: Connect
) -> None:
    with (
        outside(MailboxServer(), certificates, connect, "pässword") as mailbox,
        pytest.raises(CannotLook, match="outside ASCII") as refused,
    ):
        mailbox.find("word1")
    assert "ä" not in str(refused.value)
