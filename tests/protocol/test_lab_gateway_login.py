"""Logging in to the lab's gateway: passwords, keys, host keys, and what can be in the way."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import asyncssh
import paramiko
import pytest

from lab.gateway.hand import Stuck
from lab.gateway.keys import fingerprint
from lab.gateway.profile import load_profile
from lab.gateway.server import COMMANDS, LabGateway
from lab.journal import Journal
from tests.protocol import lab_gateway_kit as kit
from tests.protocol.lab_gateway_kit import PROMPT, at_a_terminal, execute, typed, until

release, running_gateway, gateway = kit.release, kit.running_gateway, kit.gateway


# Logging in.


def test_three_ways_to_log_in(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    at_a_terminal(gateway, typed(), preferred_auth="password")
    at_a_terminal(gateway, typed(), preferred_auth="keyboard-interactive")
    at_a_terminal(gateway, typed(), password=None, client_keys=[str(gateway.private_key_path)])
    ways = [event.detail["method"] for event in gateway.journal.events("gateway", "login", since=mark)]
    assert ways == ["password", "keyboard-interactive", "publickey"]


def test_a_wrong_password_and_a_foreign_key_are_refused(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    for options in (
        {"password": "wrong", "preferred_auth": "password"},
        {"password": None, "client_keys": [stranger]},
    ):
        with pytest.raises(asyncssh.PermissionDenied):
            at_a_terminal(gateway, typed(), **options)
    failed = {
        event.detail["method"] for event in gateway.journal.events("gateway", "login-failed", since=mark)
    }
    assert failed == {"password", "publickey"}


def test_the_ways_to_log_in_are_a_switch(gateway: LabGateway) -> None:
    gateway.auth_methods = ("keyboard-interactive",)
    with pytest.raises(asyncssh.PermissionDenied):
        at_a_terminal(gateway, typed(), preferred_auth="password")
    assert PROMPT in at_a_terminal(gateway, typed())


def test_an_expired_password_must_be_changed_first(gateway: LabGateway) -> None:
    async def talk(process: asyncssh.SSHClientProcess[str]) -> str:
        seen = await until(process, "New passphrase: ")
        process.stdin.write("Another-One-8\r")
        seen += await until(process, "again: ")
        process.stdin.write("Another-One-8\r")
        return seen + await until(process, PROMPT)

    gateway.password_expired = True
    seen = at_a_terminal(gateway, talk)
    assert "Your passphrase has expired." in seen
    assert "Another-One-8" not in seen, "it is not echoed"
    assert gateway.password == "Another-One-8"


def test_an_expired_password_ends_an_exec_channel(gateway: LabGateway) -> None:
    gateway.password_expired = True
    seen = execute(gateway, "version")
    assert "Your passphrase has expired." in seen
    assert "Current Version" not in seen


def test_the_prompt_can_say_that_the_appliance_is_in_service(gateway: LabGateway) -> None:
    gateway.service_mode = True
    assert "\nesa1.bce-demo.example (SERVICE)> version\n" in gateway.type_by_hand(["version"])


def test_host_keys_come_from_the_name_alone(gateway: LabGateway, tmp_path: Path) -> None:
    host = gateway.members[0].host

    def offered() -> str:
        transport = paramiko.Transport(("127.0.0.1", gateway.members[0].local_port))
        try:
            transport.start_client(timeout=10)
            return str(transport.get_remote_server_key().fingerprint)
        finally:
            transport.close()

    assert offered() == gateway.members[0].host_key == fingerprint(host)
    again = LabGateway(load_profile("new"), Journal(), tmp_path)
    assert again.members[0].host_key == gateway.members[0].host_key
    gateway.host_key_seed = "somebody else"
    assert offered() == fingerprint(host, "somebody else") != fingerprint(host)


def test_an_appliance_with_sha1_only_finds_nothing_in_common_with_paramiko(gateway: LabGateway) -> None:
    gateway.sha1_only = True
    transport = paramiko.Transport(("127.0.0.1", gateway.members[0].local_port))
    try:
        with pytest.raises(paramiko.SSHException, match=r"kex|key exchange"):
            transport.start_client(timeout=10)
    finally:
        transport.close()


def test_connections_can_be_refused(gateway: LabGateway) -> None:
    gateway.refuse_connections = True
    with pytest.raises((asyncssh.Error, OSError)):
        at_a_terminal(gateway, typed())


def test_who_lists_the_sessions_of_this_member(gateway: LabGateway) -> None:
    assert gateway.type_by_hand(["who"]).count("\nadmin ") >= 1


def test_latency_is_per_command(gateway: LabGateway) -> None:
    gateway.latency = {"version": 0.2}
    mark = gateway.journal.mark()
    gateway.type_by_hand(["version", "who", "exit"])
    at = {
        event.detail["line"]: event.at for event in gateway.journal.events("gateway", "command", since=mark)
    }
    assert at["who"] - at["version"] >= 0.2
    assert at["exit"] - at["who"] < 0.2


def test_a_defect_of_the_lab_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = LabGateway(load_profile("new"), Journal(), tmp_path)

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(COMMANDS, "version", broken)
    gateway.start()
    ended = threading.Event()
    gateway.journal.when(lambda event: event.kind == "disconnect", lambda _: ended.set())
    with pytest.raises((asyncssh.Error, OSError, Stuck)):
        gateway.type_by_hand(["version", "who"])
    assert ended.wait(10)
    with pytest.raises(ExceptionGroup, match="the lab's gateway is broken"):
        gateway.stop()


@pytest.mark.parametrize("where", ["server", "jump"])
def test_a_defect_before_the_login_is_not_hidden_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    gateway = LabGateway(load_profile("cluster"), Journal(), tmp_path)
    monkeypatch.setattr(f"lab.gateway.{where}.host_key", lambda *_: b"no key")
    gateway.start()
    assert gateway.jump is not None
    port = {"server": gateway.members[0].local_port, "jump": gateway.jump.local_port}[where]
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        assert client.recv(1) == b"", "it hangs up"
    with pytest.raises(ExceptionGroup, match="the lab's gateway is broken"):
        gateway.stop()
