"""A real OpenSSH server as jump host, paramiko as its client, the lab's gateway behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from dynamic_providers.connections import GatewayConnection
from dynamic_providers.gateway import smtp_routes, ssh, transaction
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.shell import ConnectionLostError, ScreenTimeoutError
from dynamic_providers.gateway.ssh import (
    HostKeyDiffersError,
    JumpHostRefusedError,
    OldAlgorithmsError,
    UnreachableError,
)
from dynamic_providers.gateway.transaction import Gateway
from lab.estate import Estate
from tests.protocol import gateway_kit as kit
from tests.protocol import openssh_server
from tests.protocol.gateway_life import Stack, connection, plugin, wanted
from tests.protocol.openssh_server import OpenSshServer

new, estate = kit.new, kit.new_estate
REKEYING = "RekeyLimit 16K\n"
RSA_ALGORITHMS = ("rsa-sha2-512", "rsa-sha2-256")


@pytest.fixture(scope="module")
def cache(request: pytest.FixtureRequest) -> Path:
    assert request.config.cache is not None
    return request.config.cache.mkdir("openssh")


@pytest.fixture(scope="module")
def usual(cache: Path) -> Iterator[OpenSshServer]:
    """The one that most tests go through; it renews its keys after a few screens."""
    with openssh_server.running(cache, options=REKEYING) as server:
        yield server


def through(estate: Estate, server: OpenSshServer) -> GatewayConnection:
    """The lab's gateway, where the jump host finds it."""
    there = connection(estate)
    behind = {"host": "127.0.0.1", "port": estate.gateway.members[0].local_port}
    members = (there.members[0].model_copy(update=behind),)
    return there.model_copy(update={"members": members, "jump_host": server.as_jump_host()})


@contextmanager
def led_on(
    estate: Estate,
    monkeypatch: pytest.MonkeyPatch,
    server: OpenSshServer,
    gateway: GatewayConnection | None = None,
) -> Iterator[Gateway]:
    with plugin(estate, monkeypatch, gateway or through(estate, server)) as live:
        monkeypatch.setenv("GATEWAY_KEY_FILE", str(server.user_key))
        yield live


def test_a_life_through_it_with_new_keys_in_mid_dialogue(
    estate: Estate, usual: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ours = estate.gateway.dump(), Stack(wanted(), take_over=("mailFlowPolicy",))
    exchanges = usual.log().count("SSH2_MSG_NEWKEYS sent")
    with led_on(estate, monkeypatch, usual):
        assert len(ours.up()) == len(wanted())
    with led_on(estate, monkeypatch, usual):
        assert ours.up() == []
        ours.refresh()
        assert ours.drift() == {}
        ours.destroy()
    assert estate.gateway.dump() == before
    assert usual.log().count("SSH2_MSG_NEWKEYS sent") - exchanges > 2  # more than one for each connection


@pytest.mark.parametrize(
    ("kind", "options"),
    [("ecdsa", ""), *(("rsa", f"HostKeyAlgorithms {one}\n") for one in RSA_ALGORITHMS)],
)
def test_every_kind_of_host_key(
    estate: Estate, cache: Path, monkeypatch: pytest.MonkeyPatch, kind: str, options: str
) -> None:
    with (
        openssh_server.running(cache, kind, options) as server,
        led_on(estate, monkeypatch, server) as live,
    ):
        assert live.read(smtp_routes.TABLE, smtp_routes._read)


@pytest.mark.parametrize(
    "options",
    ["KexAlgorithms diffie-hellman-group14-sha1\n", "HostKeyAlgorithms ssh-rsa\n"],
    ids=["key exchange", "host key"],
)
def test_sha_1_only(estate: Estate, cache: Path, monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    """As a gateway it ends in advice for a gateway, as a jump host in advice for its owner."""
    with openssh_server.running(cache, "rsa", options) as server:
        jump, there = server.as_jump_host(), connection(estate)
        itself = {"host": jump.host, "port": jump.port, "host_key": jump.host_key}
        as_gateway = there.model_copy(update={"members": (there.members[0].model_copy(update=itself),)})
        with (
            led_on(estate, monkeypatch, server, as_gateway) as live,
            pytest.raises(OldAlgorithmsError, match=r"On the gateway, `sshconfig` sets which"),
        ):
            live.read(smtp_routes.TABLE, smtp_routes._read)
        with (
            led_on(estate, monkeypatch, server) as live,
            pytest.raises(OldAlgorithmsError, match=r"jump host .* Ask its owner to allow newer ones"),
        ):
            live.read(smtp_routes.TABLE, smtp_routes._read)


def test_another_host_key_gets_no_key_of_ours(
    estate: Estate, usual: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, tried = through(estate, usual), usual.log().count("userauth-request")
    jump = usual.as_jump_host().model_copy(update={"host_key": "SHA256:" + "A" * 43})
    wrong = there.model_copy(update={"jump_host": jump})
    with (
        led_on(estate, monkeypatch, usual, wrong) as live,
        pytest.raises(
            HostKeyDiffersError,
            match=r"jump host 127.*: its host key is not the expected one: it shows ssh-ed25519 ",
        ),
    ):
        live.read(smtp_routes.TABLE, smtp_routes._read)
    assert usual.log().count("userauth-request") == tried


def test_a_key_that_it_does_not_know(
    estate: Estate, usual: OpenSshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(other))
    with led_on(estate, monkeypatch, usual) as live:
        monkeypatch.setenv("GATEWAY_KEY_FILE", str(other))
        with pytest.raises(JumpHostRefusedError, match=r"with this key is refused.* your allocation"):
            live.read(smtp_routes.TABLE, smtp_routes._read)


def test_it_does_not_lead_on(estate: Estate, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        openssh_server.running(cache, options="AllowTcpForwarding no\n") as server,
        led_on(estate, monkeypatch, server) as live,
        pytest.raises(JumpHostRefusedError, match=r"does not lead on to 127.*: not allowed"),
    ):
        live.read(smtp_routes.TABLE, smtp_routes._read)


def test_nothing_listens_where_it_leads(
    estate: Estate, usual: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = through(estate, usual)
    nobody = there.members[0].model_copy(update={"port": 1})
    with (
        led_on(estate, monkeypatch, usual, there.model_copy(update={"members": (nobody,)})) as live,
        pytest.raises(JumpHostRefusedError, match=r"does not lead on to 127.*: no connection"),
    ):
        live.read(smtp_routes.TABLE, smtp_routes._read)


def test_killed_while_something_is_staged_and_the_next_run_works(
    estate: Estate, usual: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, start = estate.gateway.dump(), estate.journal.mark()
    ours = Stack({"smtpRoutes": wanted()["smtpRoutes"]})
    estate.journal.when(lambda event: event.kind == "write", lambda _: usual.kill())
    with led_on(estate, monkeypatch, usual):
        with pytest.raises(ConnectionLostError, match="the session ended"):
            ours.up()
        assert estate.gateway.dump() == before
        usual.start()
        assert ours.up() == ["create smtpRoutes"]
    assert estate.journal.count("gateway", "commit", since=start) == 1


def test_killed_between_two_writes_and_the_run_goes_on(
    estate: Estate, usual: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = estate.journal.mark()
    with led_on(estate, monkeypatch, usual):
        assert Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up() == ["create smtpRoutes"]
        usual.kill()
        usual.start()
        assert Stack({"filter": wanted()["filter"]}).up() == ["create filter"]
    assert estate.journal.count("gateway", "commit", since=start) == 2


def short_silence(live: Gateway) -> None:
    assert live._session is not None
    live._session.shell._silence = 0.3


def test_a_session_that_fell_silent_while_nobody_used_it_is_replaced(
    estate: Estate, usual: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a firewall has forgotten the connection: it looks open, and nothing comes back."""
    monkeypatch.setattr(transaction, "FRESH_SECONDS", 0.0)
    with led_on(estate, monkeypatch, usual) as live:
        live.read(smtp_routes.TABLE, smtp_routes._read)
        short_silence(live)
        usual.freeze(connections_only=True)
        assert Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up() == ["create smtpRoutes"]


def test_it_falls_silent_during_a_dialogue_and_stays_so(
    estate: Estate, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with openssh_server.running(cache) as server, led_on(estate, monkeypatch, server) as live:
        live.read(smtp_routes.TABLE, smtp_routes._read)
        short_silence(live)
        server.freeze()
        with pytest.raises(ScreenTimeoutError, match=r"nothing came for \d+ s"):
            live.read("version", ask_version)
        monkeypatch.setattr(ssh, "SSH_SECONDS", 0.3)
        with pytest.raises(UnreachableError, match=r"jump host .*no answer within 0\.3 s"):
            live.read("version", ask_version)
        tried = server.log()
        with pytest.raises(UnreachableError, match=r"no answer within 0\.3 s"):  # at once, nobody is asked
            live.read("version", ask_version)
        assert server.log() == tried


def ask_version(session: Session) -> str:
    return session.shell.command("version").text
