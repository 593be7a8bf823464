"""The gateway driver on its way in: whom it trusts, how it logs in, and what it says where that fails."""

import socket
import threading
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL
from paramiko.server import InteractiveQuery

from dynamic_providers.gateway import smtp_routes, ssh
from dynamic_providers.gateway.shell import PassphraseWantedError
from dynamic_providers.gateway.ssh import (
    HostKeyDiffersError,
    JumpHostRefusedError,
    LoginRefusedError,
    NoCredentialError,
    OldAlgorithmsError,
    UnreachableError,
)
from lab.estate import Estate
from tests.protocol import gateway_kit as kit
from tests.protocol.gateway_life import connection, plugin
from tests.protocol.gateway_talk import member, read_routes

new, clustered, estate, cluster = kit.new, kit.clustered, kit.new_estate, kit.cluster

OTHER_KEY = "SHA256:" + "A" * 43


def test_a_wrong_host_key_is_refused_before_any_credential_is_sent(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = estate.journal.mark()
    with pytest.raises(
        HostKeyDiffersError, match=rf"it shows ssh-ed25519 SHA256:\S+, expected {OTHER_KEY}"
    ) as caught:
        read_routes(estate, monkeypatch, member(estate, host_key=OTHER_KEY))
    assert "ask its owner" in str(caught.value).lower()
    assert estate.journal.count("gateway", "login", since=start) == 0
    assert estate.journal.count("gateway", "login-failed", since=start) == 0


def test_a_wrong_password(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with plugin(estate, monkeypatch) as live:
        monkeypatch.setenv("GATEWAY_PASSWORD", "not-the-password")
        with pytest.raises(LoginRefusedError, match="user «admin» is refused") as caught:
            live.read(smtp_routes.TABLE, smtp_routes._read)
    assert "not-the-password" not in str(caught.value)
    assert "GATEWAY_PASSWORD" in str(caught.value)


def test_a_passphrase_that_has_expired(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.gateway.password_expired = True
    with pytest.raises(PassphraseWantedError, match="set a new passphrase"):
        read_routes(estate, monkeypatch)


def test_nothing_to_log_in_with(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with plugin(estate, monkeypatch) as live:
        monkeypatch.delenv("GATEWAY_PASSWORD")
        with pytest.raises(NoCredentialError, match="Set GATEWAY_PASSWORD or GATEWAY_KEY_FILE"):
            live.read(smtp_routes.TABLE, smtp_routes._read)


@pytest.mark.parametrize("method", ["password", "keyboard-interactive", "publickey"])
def test_every_way_to_log_in(estate: Estate, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    estate.gateway.auth_methods = (method,)
    start = estate.journal.mark()
    with plugin(estate, monkeypatch) as live:
        if method == "publickey":
            monkeypatch.setenv("GATEWAY_KEY_FILE", str(estate.gateway.private_key_path))
        assert live.read(smtp_routes.TABLE, smtp_routes._read)
    (login,) = estate.journal.events("gateway", "login", since=start)
    assert login.detail["method"] == method


class KeyThenPrompt(paramiko.ServerInterface):
    """A gateway that wants a key, and then the password at a prompt."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.wanted = "publickey"
        self.granted: list[str] = []

    def get_allowed_auths(self, username: str) -> str:
        return self.wanted

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.wanted = "keyboard-interactive"
        self.granted.append("publickey")
        return AUTH_PARTIALLY_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        if self.wanted != "keyboard-interactive":
            return AUTH_FAILED
        return InteractiveQuery("", "", ("Passphrase: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        if responses != [self.password]:
            return AUTH_FAILED
        self.granted.append("prompt")
        return AUTH_SUCCESSFUL


def test_a_key_and_then_the_password_at_a_prompt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(tmp_path / "key"))
    monkeypatch.setenv("GATEWAY_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("GATEWAY_PASSWORD", "Practice-Gateway-7!")
    gateway = KeyThenPrompt("Practice-Gateway-7!")
    ours, theirs = socket.socketpair()
    server = paramiko.Transport(theirs)
    server.add_server_key(key)
    server.start_server(threading.Event(), gateway)

    def reach() -> paramiko.Transport:
        client = paramiko.Transport(ours)
        client.start_client(timeout=10)
        return client

    line = ssh._log_in_to_gateway(reach, "admin", "esa1", direct=True)
    try:
        assert line.is_authenticated()
        assert gateway.granted == ["publickey", "prompt"]
    finally:
        line.close()
        server.close()


def test_a_key_with_a_passphrase(estate: Estate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    plain = serialization.load_ssh_private_key(estate.gateway.private_key_path.read_bytes(), None)
    locked = tmp_path / "key"
    locked.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )
    with plugin(estate, monkeypatch) as live:
        monkeypatch.delenv("GATEWAY_PASSWORD")
        monkeypatch.setenv("GATEWAY_KEY_FILE", str(locked))
        with pytest.raises(NoCredentialError, match="GATEWAY_KEY_PASSPHRASE"):
            live.read(smtp_routes.TABLE, smtp_routes._read)
    with plugin(estate, monkeypatch) as live:  # a new process: one remembers for a while that it was refused
        monkeypatch.delenv("GATEWAY_PASSWORD")
        monkeypatch.setenv("GATEWAY_KEY_PASSPHRASE", "open sesame")
        assert live.read(smtp_routes.TABLE, smtp_routes._read)


def test_nobody_answers(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.gateway.refuse_connections = True
    with pytest.raises(UnreachableError, match=r"esa1\.bce-demo\.example"):
        read_routes(estate, monkeypatch)


def test_what_answers_is_not_ssh(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            other, _ = server.accept()
            other.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            other.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(UnreachableError, match="the SSH connection does not come about"):
            read_routes(estate, monkeypatch, member(estate, host="127.0.0.1", port=server.getsockname()[1]))
        thread.join()


def test_sha_1_only(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.gateway.sha1_only = True
    with pytest.raises(OldAlgorithmsError, match="sshconfig"):
        read_routes(estate, monkeypatch)


def test_the_jump_hosts_key_is_pinned(cluster: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    there = connection(cluster)
    assert there.jump_host
    wrong = there.model_copy(update={"jump_host": there.jump_host.model_copy(update={"host_key": OTHER_KEY})})
    with pytest.raises(HostKeyDiffersError, match=r"jump host f10-ssh\.c3s2\.iphmx\.com"):
        read_routes(cluster, monkeypatch, wrong)


def test_the_jump_host_refuses_the_key(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    paramiko.ECDSAKey.generate().write_private_key_file(str(other))
    with plugin(cluster, monkeypatch) as live:
        monkeypatch.setenv("GATEWAY_KEY_FILE", str(other))
        with pytest.raises(JumpHostRefusedError, match="user «dh-user» with this key is refused"):
            live.read(smtp_routes.TABLE, smtp_routes._read)


def test_the_jump_host_does_not_lead_on(cluster: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JumpHostRefusedError, match=r"does not lead on to elsewhere\.example"):
        read_routes(cluster, monkeypatch, member(cluster, host="elsewhere.example"))
