"""The gateway driver in bad weather: one clear line with what to do, and nothing stays half done."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from dynamic_providers import engine
from dynamic_providers.connections import GatewayConnection
from dynamic_providers.errors import ManagedError
from dynamic_providers.gateway import filter_text, smtp_routes
from dynamic_providers.gateway.cluster import ClusterModeError, MemberDisconnectedError
from dynamic_providers.gateway.commit import (
    CommitRefusedError,
    CommitUnknownError,
    ConflictError,
    EngineGoneError,
    ForeignChangesError,
)
from dynamic_providers.gateway.dialogue import (
    AnswerRefusedError,
    NotAskedError,
    OverrideError,
    UnknownQuestionError,
)
from dynamic_providers.gateway.listeners import ListenerMissingError
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.sender_group import PolicyMissingError
from dynamic_providers.gateway.shell import ConnectionLostError, PassphraseWantedError
from dynamic_providers.gateway.ssh import (
    HostKeyDiffersError,
    JumpHostRefusedError,
    LoginRefusedError,
    NoCredentialError,
    OldAlgorithmsError,
    UnreachableError,
)
from dynamic_providers.gateway.transaction import NotAvailableError, Session
from lab.estate import Estate
from tests.protocol.estate_kit import put_back, running
from tests.protocol.gateway_life import Props, Stack, connection, plugin, wanted

DOMAIN = "contoso.example"
OTHER_KEY = "SHA256:" + "A" * 43


@pytest.fixture(scope="module")
def new() -> Iterator[Estate]:
    with running("new") as estate:
        yield estate


@pytest.fixture(scope="module")
def clustered() -> Iterator[Estate]:
    with running("cluster") as estate:
        yield estate


@pytest.fixture
def estate(new: Estate) -> Iterator[Estate]:
    with put_back(new) as estate:
        yield estate


@pytest.fixture
def cluster(clustered: Estate) -> Iterator[Estate]:
    with put_back(clustered) as estate:
        yield estate


def read_routes(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, gateway: GatewayConnection | None = None
) -> Any:
    with plugin(estate, monkeypatch, gateway) as live:
        return live.read(smtp_routes.TABLE, smtp_routes._read)


def member(estate: Estate, **changes: Any) -> GatewayConnection:
    there = connection(estate)
    first = there.members[0].model_copy(update=changes)
    return there.model_copy(update={"members": (first, *there.members[1:])})


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


def test_several_gateways_without_a_cluster_are_not_available_yet(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAvailableError, match="not available yet"):
        read_routes(cluster, monkeypatch, connection(cluster).model_copy(update={"cluster": False}))


def test_a_clustered_gateway_that_the_settings_call_single(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = connection(cluster)
    single = there.model_copy(update={"cluster": False, "members": there.members[:1]})
    with pytest.raises(ClusterModeError, match="it is in a cluster"):
        read_routes(cluster, monkeypatch, single)


def test_a_single_gateway_that_the_settings_call_clustered(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClusterModeError, match="cannot go to the cluster's level"):
        read_routes(estate, monkeypatch, connection(estate).model_copy(update={"cluster": True}))


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


@pytest.mark.parametrize("key", ["recipientAccess", "senderGroup"])
def test_a_listener_that_is_not_there(estate: Estate, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    with (
        plugin(estate, monkeypatch),
        pytest.raises(ListenerMissingError, match="there are: IncomingMail, OutgoingMail"),
    ):
        Stack({key: {**wanted()[key], "listener": "incomingmail"}}).up()


def test_a_private_listener_has_no_recipients(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with plugin(estate, monkeypatch), pytest.raises(ListenerMissingError, match="is private"):
        Stack({"recipientAccess": {**wanted()["recipientAccess"], "listener": "OutgoingMail"}}).up()


@pytest.mark.parametrize(("key", "field"), [("mailFlowPolicy", "name"), ("senderGroup", "policy")])
def test_a_policy_that_is_not_there(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, key: str, field: str
) -> None:
    before = estate.gateway.dump()
    with plugin(estate, monkeypatch), pytest.raises(PolicyMissingError, match="it has: BLOCKED, RELAYED"):
        Stack({key: {**wanted()[key], field: "THROTTLED"}}).up()
    assert estate.gateway.dump() == before


def test_an_unknown_question_leaves_nothing_behind(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before, start = estate.gateway.dump(), estate.journal.mark()
    ours = Stack({"smtpRoutes": wanted()["smtpRoutes"]})
    estate.gateway.strange_question = True
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(UnknownQuestionError, match="asks what no answer is known for: «"):
            ours.up()
        estate.gateway.strange_question = False
        assert not pending(live.read("pending", show_changes))
    assert estate.gateway.dump() == before
    assert estate.journal.count("gateway", "commit-started", since=start) == 0


def show_changes(session: Session) -> str:
    return session.shell.command("showchanges").text


def pending(text: str) -> bool:
    return "no changes" not in text.lower()


def test_a_release_that_does_not_ask_for_the_messages_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with running("no-messages-limit") as estate:
        before = estate.gateway.dump()
        ours = Stack({"destinationControls": wanted()["destinationControls"]})
        with plugin(estate, monkeypatch), pytest.raises(NotAskedError, match="Destination Controls"):
            ours.up()
        assert estate.gateway.dump() == before
        assert estate.journal.count("gateway", "commit-started") == 0


def test_the_strange_profile_stops_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks in one table what nobody knows: that table is left alone, the others are set up."""
    with running("strange") as estate:
        before = estate.gateway.dump()
        with plugin(estate, monkeypatch) as live:
            with pytest.raises(UnknownQuestionError, match="telemetry class"):
                Stack({"destinationControls": wanted()["destinationControls"]}).up()
            assert not pending(live.read("pending", show_changes))
        assert estate.gateway.dump() == before
        assert estate.journal.count("gateway", "commit-started") == 0


def test_a_bad_change_fails_alone(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes wait together; one cannot be staged.

    The other is committed, and only one thread hears of it.
    """
    good, start = wanted()["smtpRoutes"], estate.journal.mark()
    provider = Stack.provider("smtpRoutes")
    place = {"gateway": "practice"}
    errors: list[BaseException] = []

    def change(host: str, domain: str) -> None:
        try:
            provider.apply(place, {domain: {"hosts": [{"host": host, "priority": 0, "port": 25}]}}, {}, {})
        except ManagedError as error:
            errors.append(error)

    with plugin(estate, monkeypatch):
        threads = [
            threading.Thread(target=change, args=("no host at all!", "the.bad.example")),
            threading.Thread(target=change, args=("mx.good.example", "a.good.example")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(errors) == 1
    assert isinstance(errors[0], AnswerRefusedError)
    assert estate.journal.count("gateway", "clear", since=start) >= 1
    assert estate.journal.count("gateway", "commit", since=start) == 1
    assert "route a.good.example" in estate.gateway.dump()
    assert "the.bad.example" not in estate.gateway.dump()
    assert good


def test_a_refused_commit_is_cleared_and_told_to_all(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before = estate.gateway.dump()
    estate.gateway.refuse_commit = "Error: the configuration is not valid."
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(CommitRefusedError, match="the configuration is not valid"):
            Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
        assert not pending(live.read("pending", show_changes))
    assert estate.gateway.dump() == before


def test_a_conflict_is_cleared_and_told(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody commits between our staging and our commit."""
    lines = ["smtproutes", "new", "theirs.example", "mx.theirs.example", "", 'commit "theirs" Y', "exit"]
    run = smtp_routes._run

    def run_while_someone_commits(session: Session, script: Script) -> None:
        run(session, script)
        estate.gateway.type_by_hand(lines)

    with plugin(estate, monkeypatch):
        monkeypatch.setattr(smtp_routes, "_run", run_while_someone_commits)
        with pytest.raises(ConflictError, match="Run it again"):
            Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
        monkeypatch.setattr(smtp_routes, "_run", run)
        assert f"route {DOMAIN}" not in estate.gateway.dump()
        assert Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up() == ["create smtpRoutes"]
    assert "route theirs.example" in estate.gateway.dump()
    assert f"route {DOMAIN}" in estate.gateway.dump()


def test_changes_of_someone_else_in_our_session_are_refused(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = estate.gateway.dump()

    def leave_something(session: Session) -> str:
        script = smtp_routes.write(
            {"foreign.example": {"hosts": [{"host": "mx.example", "priority": 0, "port": 25}]}}, ()
        )
        return "".join(session.run(script))

    with plugin(estate, monkeypatch) as live:
        live.read("leave something", leave_something)
        with pytest.raises(ForeignChangesError, match="changes are pending that are not ours") as caught:
            Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
    assert "foreign.example" in str(caught.value) or "smtproutes" in str(caught.value).lower()
    assert estate.gateway.dump() == before


def test_an_idle_session_that_was_ended_is_opened_anew(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dynamic_providers.gateway import transaction

    monkeypatch.setattr(transaction, "FRESH_SECONDS", 0.0)
    start = estate.journal.mark()
    with plugin(estate, monkeypatch) as live:
        live.read("one", smtp_routes._read)
        estate.gateway.drop_connections()
        estate.journal.wait_for(lambda event: event.kind == "disconnect", 10, since=start)
        assert live.read("two", smtp_routes._read)
    assert estate.journal.count("gateway", "connect", since=start) == 2


def test_a_cut_while_staging_tells_every_thread_and_the_next_run_works(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = estate.gateway.dump()
    estate.journal.when(lambda event: event.kind == "write", lambda _: estate.gateway.drop_connections())
    with plugin(estate, monkeypatch):
        with pytest.raises(ConnectionLostError, match="the session ended"):
            Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
        assert estate.gateway.dump() == before
        assert Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up() == ["create smtpRoutes"]


def test_a_cut_in_a_commit_says_that_nobody_knows(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Stack({"smtpRoutes": wanted()["smtpRoutes"]})
    estate.journal.when(lambda event: event.kind == "commit", lambda _: estate.gateway.drop_connections())
    with plugin(estate, monkeypatch):
        with pytest.raises(CommitUnknownError, match="not known whether it took effect"):
            ours.up()
        assert f"route {DOMAIN}" in estate.gateway.dump()
        start = estate.journal.mark()
        assert ours.up() == ["create smtpRoutes"]  # finds its own entry: nothing to write
        assert estate.journal.count("gateway", "write", since=start) == 0


def test_nothing_is_committed_for_an_engine_that_is_gone(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, start = estate.gateway.dump(), estate.journal.mark()
    monkeypatch.setattr(engine, "is_alive", lambda: False)
    with plugin(estate, monkeypatch), pytest.raises(EngineGoneError):
        Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
    assert estate.journal.count("gateway", "commit-started", since=start) == 0
    assert estate.gateway.dump() == before


@pytest.mark.parametrize("level", ["machine", "group"])
def test_own_settings_of_a_machine_or_group_are_refused_before_the_first_write(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    name = cluster.gateway.members[1].host if level == "machine" else cluster.gateway.groups[0]
    cluster.gateway.override((level, name), "smtproutes")
    before, start = cluster.gateway.dump(), cluster.journal.mark()
    with plugin(cluster, monkeypatch), pytest.raises(OverrideError, match="without effect there"):
        Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
    assert cluster.journal.count("gateway", "write", since=start) == 0
    assert cluster.gateway.dump() == before


@pytest.mark.parametrize("notice", ["command", "verb"])
def test_no_override_is_seen_where_there_is_none(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch, notice: str
) -> None:
    cluster.gateway.notice = notice
    with plugin(cluster, monkeypatch):
        assert Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up() == ["create smtpRoutes"]


def test_a_member_that_is_not_connected(cluster: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cluster.gateway.dump()
    cluster.gateway.disconnected = {cluster.gateway.members[1].host}
    with plugin(cluster, monkeypatch), pytest.raises(MemberDisconnectedError, match="esa2"):
        Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
    assert cluster.gateway.dump() == before


def test_a_filter_that_is_refused(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before = estate.gateway.dump()

    def broken(*_: object) -> tuple[str, ...]:
        return ('office365_outbound: if (sendergroup = "x") {', "}")

    monkeypatch.setattr(filter_text, "render", broken)
    with plugin(estate, monkeypatch), pytest.raises(ManagedError, match="filter") as caught:
        Stack({"filter": wanted()["filter"]}).up()
    assert "mysecretkey" not in str(caught.value)
    assert estate.gateway.dump() == before


def test_latency_and_pager(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.gateway.latency = {"*": 0.02}
    estate.gateway.pager_lines = 7
    estate.gateway.columns = 80
    before, ours = estate.gateway.dump(), Stack(wanted())
    with plugin(estate, monkeypatch):
        ours.up()
    with plugin(estate, monkeypatch):
        ours.refresh()
        assert ours.drift() == {}
        ours.destroy()
    assert estate.gateway.dump() == before


def test_long_values_on_a_narrow_terminal(cluster: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = "a-long-label-of-a-domain.of-1999.subsidiary-of-a-group.example"
    resources: dict[str, Props] = wanted(domain=domain)
    hosts = [
        {"host": f"a-host-with-number-{n}.of-many.example", "priority": n, "port": 2525} for n in range(6)
    ]
    resources["smtpRoutes"]["routes"]["x.example"] = {"hosts": hosts}
    resources["filter"]["alternatives"] = {f"a{n}" * 30: {} for n in range(3)}
    comment = "a comment that is quite long as well, so that the line is wrapped at eighty columns"
    resources["senderGroup"]["comment"] = comment
    names = [f"a-long-host-name-with-number-{n}.of-a-subsidiary.contoso.example" for n in range(3)]
    resources["senderGroup"]["senders"] = [{"host": name, "comment": comment} for name in names]
    before, ours = cluster.gateway.dump(), Stack(resources)
    with plugin(cluster, monkeypatch):
        ours.up()
    with plugin(cluster, monkeypatch):
        assert ours.up() == []
        ours.refresh()
        assert ours.drift() == {}
        ours.destroy()
    assert cluster.gateway.dump() == before
