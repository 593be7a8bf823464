"""Clustered gateways of the lab: modes, the notice, overrides, members, and the jump host in front."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import asyncssh
import paramiko
import pytest

from lab.gateway.jump import JumpHost
from lab.gateway.profile import load_profile
from lab.gateway.server import LabGateway
from lab.journal import Broken, Event, Journal
from tests.protocol import lab_gateway_kit as kit

ONE, TWO = "esa1.hc1234-56.c3s2.iphmx.com", "esa2.hc1234-56.c3s2.iphmx.com"
ROUTE = "smtproutes new a.example b.example"
NOTICE = (
    "NOTICE: This configuration command has not yet been configured for the current\n"
    f"cluster mode (Machine {ONE})."
)


running_gateway, gateway = kit.running_gateway, kit.gateway


@pytest.fixture(scope="module")
def release() -> str:
    return "cluster"


@pytest.fixture
def jump(gateway: LabGateway) -> Iterator[JumpHost]:
    assert gateway.jump is not None
    yield gateway.jump
    gateway.jump.refuses = False


# Modes


def test_a_session_begins_in_machine_mode(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["clustermode cluster", "version"])
    assert f"\n(Machine {ONE})> clustermode cluster\n(Cluster hc1234)> version\n" in seen


def test_modes_are_chosen_in_one_line_or_from_a_list(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(
        ["clustermode", "2", "clustermode", "3", f"clustermode machine {TWO}", "clustermode galaxy"]
    )
    assert "(Group Main_Group)> clustermode" in seen
    assert f"(Machine {ONE})> clustermode machine" in seen
    assert f"(Machine {TWO})> clustermode galaxy" in seen
    assert "galaxy is no mode" in seen


def test_members_share_what_is_committed(gateway: LabGateway) -> None:
    gateway.type_by_hand(["clustermode cluster", ROUTE, 'commit "x" Y'])
    assert "a.example -> b.example" in gateway.type_by_hand(
        ["clustermode cluster", "smtproutes print"], member=1
    )


def test_a_standalone_gateway_has_no_modes(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LabGateway(load_profile("new"), Journal(), tmp_path_factory.mktemp("alone")) as alone:
        seen = alone.type_by_hand(["clustermode cluster", "clusterconfig", "smtproutes print"])
    assert seen.count("Error: this machine is not a member of a cluster.") == 2
    assert "NOTICE" not in seen


# The notice


@pytest.mark.parametrize("command", ["smtproutes", "destconfig", "listenerconfig", "filters", "sslconfig"])
def test_the_notice_comes_right_after_the_command(gateway: LabGateway, command: str) -> None:
    seen = gateway.type_by_hand([command, "1", ""])
    assert f"> {command}\n\n{NOTICE}\n\nWhat would you like to do?\n1. Switch modes" in seen
    assert 'at mode "Cluster hc1234".' in seen
    assert seen.endswith("(Cluster hc1234)> "), "the new mode lasts"


@pytest.mark.parametrize("command", ["smtproutes", "destconfig", "listenerconfig", "filters"])
def test_the_notice_can_come_after_the_verb_which_is_given_again(gateway: LabGateway, command: str) -> None:
    gateway.notice = "verb"
    verb = "edit" if command == "listenerconfig" else "new"
    seen = gateway.type_by_hand([command, verb, "1", "^C"])
    assert f"[]> {verb}\n\n{NOTICE}" in seen
    assert seen.split(NOTICE)[1].count("Choose the operation you want to perform:") == 1


def test_in_cluster_mode_there_is_no_notice(gateway: LabGateway) -> None:
    for moment in ("command", "verb"):
        gateway.notice = moment
        assert "NOTICE" not in gateway.type_by_hand(
            ["clustermode cluster", "smtproutes print", "filters list"]
        )


def test_the_switch_of_modes_can_be_for_one_command(gateway: LabGateway) -> None:
    gateway.notice_switch_lasts = False
    seen = gateway.type_by_hand(["smtproutes", "1", "print", ""])
    assert "fabrikam.example -> " in seen
    assert seen.endswith(f"(Machine {ONE})> ")


@pytest.mark.parametrize(("choice", "kept"), [("2", False), ("3", True)])
def test_a_machine_can_be_given_settings_of_its_own(gateway: LabGateway, choice: str, kept: bool) -> None:  # noqa: FBT001 - a case
    gateway.type_by_hand(
        ["smtproutes", choice, "new", "own.example", "n", "mx.own.example", "", 'commit "own" Y']
    )
    assert "own.example" not in gateway.state.base.routes
    first, second = (gateway.state.effective(host, "Main_Group") for host in (ONE, TWO))
    assert "own.example" in first.routes
    assert ("fabrikam.example" in first.routes) is kept
    assert second.routes == gateway.state.base.routes
    assert f"# override machine {ONE}\n" in gateway.dump()


# Overrides


def test_an_override_hides_the_clusters_settings(gateway: LabGateway) -> None:
    gateway.override(("machine", ONE), "filters")
    gateway.type_by_hand(["clustermode cluster", "filters delete all", 'commit "x" Y'])
    seen = gateway.type_by_hand(["filters list"])
    assert "NOTICE" not in seen
    assert "partner_gate" in seen
    assert "NOTICE" in gateway.type_by_hand(["smtproutes", "^C"])
    assert [one.name for one in gateway.state.effective(ONE, "Main_Group").filters] == ["partner_gate"]
    assert gateway.state.effective(TWO, "Main_Group").filters == []


def test_a_groups_settings_stand_between(gateway: LabGateway) -> None:
    gateway.override(("group", "Main_Group"), "smtproutes")
    seen = gateway.type_by_hand(
        ["smtproutes", "1", "new", "g.example", "n", "mx.g.example", "", 'commit "g" Y']
    )
    assert 'at mode "Group Main_Group".' in seen
    assert seen.endswith("(Group Main_Group)> ")
    assert "g.example" not in gateway.state.base.routes
    assert "g.example" in gateway.state.effective(TWO, "Main_Group").routes


def test_overrides_survive_a_merge(gateway: LabGateway) -> None:
    def another_commit(_: object) -> None:
        snapshot = gateway.snapshot()
        snapshot.state.base.routes.pop("fabrikam.example")
        gateway.restore(snapshot)

    gateway.conflict = "merge"
    gateway.journal.when(lambda event: event.kind == "commit-started", another_commit)
    gateway.type_by_hand(
        ["smtproutes", "3", "new", "own.example", "n", "mx.own.example", "", 'commit "own" Y']
    )
    assert "own.example" in gateway.state.effective(ONE, "Main_Group").routes
    assert "fabrikam.example" not in gateway.state.base.routes


def test_members_and_their_connections_are_listed(gateway: LabGateway) -> None:
    gateway.disconnected = {TWO}
    seen = gateway.type_by_hand(["clusterconfig", "list", "connstatus", "", f"clustermode machine {TWO}"])
    assert f"Group Main_Group:\n  Machine {ONE} (Serial #:" in seen
    assert f"Machine {ONE}: Connected\nMachine {TWO}: Disconnected" in seen
    assert f"Error: machine {TWO} is not connected to the cluster." in seen


# The cluster profile's terminal


def test_eighty_columns_and_a_pager_whatever_is_asked_for(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["clustermode cluster", "listenerconfig edit IncomingMail hostaccess print"])
    shown = [line.rpartition("\r")[2] for line in seen.split("\n")]
    assert max(map(len, shown)) <= 80
    assert "-Press Any Key For More-" in seen


def test_a_commit_does_not_ask_about_rollback(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["clustermode cluster", ROUTE, "commit", "no rollback"])
    assert "Changes committed:" in seen
    assert "rollback?" not in seen


# The jump host


def through(jump: JumpHost, user: str = "dh-user", key: paramiko.PKey | None = None) -> paramiko.Transport:
    transport = paramiko.Transport(("127.0.0.1", jump.local_port))
    transport.start_client(timeout=10)
    assert transport.get_remote_server_key().fingerprint == jump.host_key
    transport.auth_publickey(
        user, key or paramiko.Ed25519Key.from_private_key_file(str(jump.private_key_path))
    )
    return transport


def test_the_way_through_the_jump_host(gateway: LabGateway, jump: JumpHost) -> None:
    outer = through(jump)
    try:
        channel = outer.open_channel("direct-tcpip", (ONE, 22), ("127.0.0.1", 0), timeout=10)
        inner = paramiko.Transport(channel)
        inner.start_client(timeout=10)
        assert inner.get_remote_server_key().fingerprint == gateway.members[0].host_key
        inner.auth_password(gateway.user, gateway.password)
        shell = inner.open_session()
        shell.exec_command("version")
        assert b"Model: C600V" in shell.makefile("rb").read()
        inner.close()
    finally:
        outer.close()
    assert gateway.journal.count("jump", "forward", to=f"{ONE}:22") == 1


@pytest.mark.parametrize("target", [(ONE, 443), ("example.org", 22), ("127.0.0.1", 22)])
def test_the_jump_host_forwards_to_the_gateways_only(jump: JumpHost, target: tuple[str, int]) -> None:
    outer = through(jump)
    try:
        with pytest.raises(paramiko.ChannelException, match="Administratively prohibited"):
            outer.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=10)
    finally:
        outer.close()
    assert jump.journal.count("jump", "refused", what=f"{target[0]}:{target[1]}") == 1


def test_the_jump_host_has_no_shell(jump: JumpHost) -> None:
    outer = through(jump)
    try:
        with pytest.raises(paramiko.ChannelException):
            outer.open_session(timeout=10)
    finally:
        outer.close()


@pytest.mark.parametrize("kind", ["session", "direct-tcpip"])
def test_the_jump_host_can_be_cut_at_a_refusal(jump: JumpHost, kind: str) -> None:
    outer = through(jump)
    jump.journal.when(lambda event: event.kind == "refused", breaks, late=True)
    try:
        with pytest.raises((paramiko.SSHException, EOFError)) as caught:
            outer.open_channel(kind, (ONE, 443), ("127.0.0.1", 0), timeout=10)
        assert not isinstance(caught.value, paramiko.ChannelException), "it answered"
        assert not outer.is_active()
    finally:
        outer.close()


def breaks(_: Event) -> None:
    raise Broken


def test_the_jump_host_takes_only_its_users_key(jump: JumpHost) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        through(jump, user="admin")
    transport = paramiko.Transport(("127.0.0.1", jump.local_port))
    transport.start_client(timeout=10)
    try:
        with pytest.raises(paramiko.BadAuthenticationType):
            transport.auth_password("dh-user", "Practice-Gateway-7!", fallback=False)
    finally:
        transport.close()


def test_the_jump_host_can_refuse_and_can_die(gateway: LabGateway, jump: JumpHost) -> None:
    jump.refuses = True
    outer = through(jump)
    try:
        with pytest.raises(paramiko.ChannelException):
            outer.open_channel("direct-tcpip", (ONE, 22), ("127.0.0.1", 0), timeout=10)
        jump.refuses = False
        channel = outer.open_channel("direct-tcpip", (ONE, 22), ("127.0.0.1", 0), timeout=10)
        channel.settimeout(10)
        assert channel.recv(100).startswith(b"SSH-2.0-")
        jump.drop_connections()
        while channel.recv(4096):
            pass  # what was on its way; then the end
    finally:
        outer.close()
    assert gateway.type_by_hand(["version"]), "the gateway behind it lives on"


def test_nothing_listens_after_stop(tmp_path_factory: pytest.TempPathFactory) -> None:
    gateway = LabGateway(load_profile("cluster"), Journal(), tmp_path_factory.mktemp("stopped"))
    gateway.start()
    assert gateway.jump is not None
    ports = [gateway.jump.local_port, *(member.local_port for member in gateway.members)]
    gateway.stop()
    for port in ports:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def test_stopping_ends_open_sessions(tmp_path_factory: pytest.TempPathFactory) -> None:
    gateway = LabGateway(load_profile("cluster"), Journal(), tmp_path_factory.mktemp("open"))
    gateway.start()
    member = gateway.members[0]

    async def wait_for_the_end() -> None:
        async with asyncssh.connect(
            "127.0.0.1",
            member.local_port,
            username=gateway.user,
            password=gateway.password,
            known_hosts=None,
            client_keys=None,
            config=None,
        ) as connection:
            process = await connection.create_process(term_type="vt100", encoding="utf-8")
            await process.stdout.readuntil("> ")
            await asyncio.to_thread(gateway.stop)
            await process.wait()

    asyncio.run(asyncio.wait_for(wait_for_the_end(), 20))
    assert gateway.journal.count("gateway", "disconnect") == 1
