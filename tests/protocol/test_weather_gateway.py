"""Bad weather on the way to a gateway: what happens, and after how long it is over. See docs/weather.md."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import asyncssh
import pytest

from dynamic_providers.connections import GatewayConnection
from dynamic_providers.errors import ManagedError
from dynamic_providers.gateway import commit as commits
from dynamic_providers.gateway import shell as shells
from dynamic_providers.gateway import smtp_routes, ssh, transaction
from dynamic_providers.gateway.commit import CommitUnknownError, commit
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.shell import ConnectionLostError, ScreenTimeoutError, Shell
from dynamic_providers.gateway.ssh import Line, LoginRefusedError, UnreachableError
from lab.estate import Estate
from tests.protocol import gateway_kit as kit
from tests.protocol.bad_weather import Clock, FallsSilent, SlowTerminal
from tests.protocol.gateway_life import Stack, connection, plugin, wanted
from tests.protocol.gateway_talk import member, read_routes
from tests.protocol.mailflow_servers import event_loop
from tests.unit.gateway_canned import BANNER, PROMPT

new, estate, clustered, cluster = kit.new, kit.new_estate, kit.clustered, kit.cluster
Canned = tuple[str, str | list[str]]

# --- a slow appliance, by a clock that nobody waits for -----------------------------------------------------

COMMENT = "\r\nPlease enter some comments describing your changes:\r\n[]> "
DONE = f"\r\nChanges committed: Tue Sep 22 09:05:00 2026 CEST\r\n{PROMPT}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.rules(monkeypatch, "dynamic_providers.gateway.shell")
    return clock


def slow(clock: Clock, seconds: dict[str, float], *canned: Canned) -> Session:
    terminal = SlowTerminal(clock, seconds, BANNER + PROMPT, [("", f"\r\n{PROMPT}"), *canned])
    shell = Shell(terminal, "esa1.example.com")
    shell.log_in()
    return Session(Line(terminal, []), shell, "")  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [30.0, commits.COMMIT_SECONDS - 1])
def test_a_commit_that_takes_its_time(clock: Clock, seconds: float) -> None:
    commit(slow(clock, {"why": seconds}, ("commit", COMMENT), ("why", DONE)), "why")
    assert clock.now >= seconds


def test_a_commit_that_takes_too_long_says_that_nobody_knows(clock: Clock) -> None:
    live = slow(clock, {"why": 10_000.0}, ("commit", COMMENT), ("why", DONE))
    with pytest.raises(CommitUnknownError, match=r"nothing came for 300 s.*not known whether it took effect"):
        commit(live, "why")
    assert clock.now <= commits.COMMIT_SECONDS + 1


def test_an_answer_that_takes_its_time_and_one_that_takes_too_long(clock: Clock) -> None:
    late = {"version": shells.SILENCE_SECONDS - 1, "status": 10_000.0}
    live = slow(clock, late, ("version", f"AsyncOS 15\r\n{PROMPT}"), ("status", PROMPT))
    assert live.shell.command("version").text == "AsyncOS 15"
    begun = clock.now
    with pytest.raises(ScreenTimeoutError, match="nothing came for 60 s"):
        live.shell.command("status")
    assert clock.now - begun <= shells.SILENCE_SECONDS + 1


class _Endless(SlowTerminal):
    """Prints line after line, one in ten seconds."""

    def recv(self, nbytes: int, /) -> bytes:
        if self._exchange or self._ready:
            return super().recv(nbytes)
        self._clock.now += 10.0
        return b"another line\r\n"


def test_a_screen_that_never_ends(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, cut_after in (("SCREEN_SECONDS", shells.SCREEN_SECONDS), ("SCREEN_CHARACTERS", 300.0)):
        if limit == "SCREEN_CHARACTERS":
            monkeypatch.setattr(shells, limit, len("another line\r\n") * 30)
        terminal = _Endless(
            clock, {}, BANNER + PROMPT, [("", f"\r\n{PROMPT}"), ("smtproutes", "first line\r\n")]
        )
        shell = Shell(terminal, "esa1.example.com")
        shell.log_in()
        begun = clock.now
        with pytest.raises(ScreenTimeoutError, match=r"it goes on and on: .*another line"):
            shell.command("smtproutes")
        assert clock.now - begun <= cut_after + 20


def test_the_same_question_for_ever(clock: Clock) -> None:
    again: list[Canned] = [("Y", "Are you sure? [Y]> ")] * 99
    shell = slow(clock, {}, ("clear", "Are you sure? [Y]> "), *again).shell
    shell.command("clear")
    for _ in range(shells.SAME_ANSWERS - 1):
        shell.answer("Y")
    with pytest.raises(ScreenTimeoutError, match=r"asks the same again after 20 answers: «Are you sure\?"):
        shell.answer("Y")


def test_ctrl_c_that_leads_nowhere(clock: Clock) -> None:
    again: list[Canned] = [("\x03", "Are you sure? [Y]> ")] * 99
    shell = slow(clock, {}, ("clear", "Are you sure? [Y]> "), *again).shell
    shell.command("clear")
    with pytest.raises(ScreenTimeoutError, match="asks the same again after 20 answers"):
        shell.interrupt()


# --- half-open connections ----------------------------------------------------------------------------------


def silent(port: int, estate: Estate, **changes: Any) -> GatewayConnection:
    return member(estate, host="127.0.0.1", port=port, **changes)


@pytest.mark.parametrize("says", [(), (b"SSH-2.0-OpenSSH_8.0\r\n",)], ids=["no banner", "a banner alone"])
def test_it_takes_the_connection_and_says_nothing(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, says: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(ssh, "SSH_SECONDS", 0.3)
    with (
        FallsSilent(says).running() as port,
        pytest.raises(UnreachableError, match=r"does not come about: no answer within 0\.3 s"),
    ):
        read_routes(estate, monkeypatch, silent(port, estate))


class _Stands(asyncssh.SSHServer):
    """Comes as far as it is told, and then stands still."""

    at = ""
    still: threading.Event
    met: list[asyncssh.SSHServerConnection]

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        if self.at == "login":
            await asyncio.get_running_loop().run_in_executor(None, self.still.wait, 60)
        if self.at == "cut":
            self.met[-1].abort()
        return True

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.met.append(conn)

    def session_requested(self) -> Any:
        return _StandsInSession(self)


class _StandsInSession(asyncssh.SSHServerSession[str]):
    def __init__(self, server: _Stands) -> None:
        self._server = server

    def pty_requested(self, term_type: str, term_size: Any, term_modes: Any) -> bool:
        if self._server.at == "terminal":  # the whole server, since it may not wait here
            self._server.still.wait(60)
        return True

    def shell_requested(self) -> bool:
        return True


@contextlib.contextmanager
def stands_still(at: str) -> Iterator[tuple[int, str]]:
    """Port and fingerprint of a server that stands still there."""
    still, key = threading.Event(), asyncssh.generate_private_key("ssh-ed25519")
    kind: type[_Stands] = type("Stands", (_Stands,), {"at": at, "still": still, "met": []})
    with event_loop() as loop:

        async def listening() -> asyncssh.SSHAcceptor:
            return await asyncssh.listen("127.0.0.1", 0, server_factory=kind, server_host_keys=[key])

        server = asyncio.run_coroutine_threadsafe(listening(), loop).result(10)
        yield int(server.get_port()), key.get_fingerprint()
        still.set()

        async def end() -> None:
            server.close()
            await server.wait_closed()
            for one in kind.met:
                one.abort()
                await one.wait_closed()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.get_running_loop().shutdown_default_executor()

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)


LATER: dict[str, tuple[type[ManagedError], str]] = {
    "login": (UnreachableError, r"no answer to the login within 0\.3 s"),
    "terminal": (UnreachableError, r"no terminal was given: no answer within 0\.3 s"),
    "cut": (LoginRefusedError, r"user «admin» is not let in: the connection ended during the login"),
    "dialogue": (ScreenTimeoutError, r"waited for the prompt after the login, but nothing came"),
}


@pytest.mark.parametrize("at", LATER)
def test_it_stands_still_later(estate: Estate, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    error, says = LATER[at]
    terminal = ssh._terminal

    def soon(*given: Any) -> Any:
        monkeypatch.setattr(ssh, "SSH_SECONDS", 0.3)  # that of the key exchange, too, which needs its time
        return terminal(*given)

    monkeypatch.setattr(ssh, "LOGIN_SECONDS", 0.3 if at == "login" else ssh.LOGIN_SECONDS)
    monkeypatch.setattr(ssh, "_terminal", soon if at == "terminal" else terminal)
    if at == "dialogue":
        monkeypatch.setattr(transaction, "Shell", lambda *given: Shell(*given, silence=0.3))
    with stands_still(at) as (port, key), pytest.raises(error, match=says) as caught:
        read_routes(estate, monkeypatch, silent(port, estate, host_key=key))
    assert "\n" not in str(caught.value)


# --- sessions that end --------------------------------------------------------------------------------------


def disconnected(estate: Estate, since: int) -> None:
    estate.journal.wait_for(lambda event: event.kind == "disconnect", 10, since=since)


def test_a_session_dropped_between_two_writes_is_replaced_and_the_run_goes_on(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = estate.journal.mark()
    with plugin(estate, monkeypatch):
        assert Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up() == ["create smtpRoutes"]
        estate.gateway.drop_connections()
        disconnected(estate, start)
        assert Stack({"filter": wanted()["filter"]}).up() == ["create filter"]
    tables = [event.detail["tables"] for event in estate.journal.events("gateway", "commit", since=start)]
    assert tables == [["smtproutes"], ["filters"]]  # each once


def test_a_session_that_breaks_at_the_first_word_of_a_write_is_replaced(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It still looked open; nothing of ours was in it."""
    ours, start = Stack({"smtpRoutes": wanted()["smtpRoutes"]}), estate.journal.mark()
    estate.journal.when(
        lambda event: event.kind == "command" and event.detail["line"] == "showchanges",
        lambda _: estate.gateway.drop_connections(),
    )
    with plugin(estate, monkeypatch):
        assert ours.up() == ["create smtpRoutes"]
    assert estate.journal.count("gateway", "connect", since=start) == 2
    assert estate.journal.count("gateway", "commit", since=start) == 1


def test_a_gateway_that_drops_each_session_is_told(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    start = estate.journal.mark()
    estate.journal.when(
        lambda event: event.kind == "command" and "smtproutes" in event.detail["line"],
        lambda _: estate.gateway.drop_connections(),
        once=False,
    )
    with plugin(estate, monkeypatch) as live, pytest.raises(ConnectionLostError, match="the session ended"):
        live.read(smtp_routes.TABLE, smtp_routes._read)
    estate.journal.forget_hooks()
    assert estate.journal.count("gateway", "connect", since=start) == 2


def test_the_jump_host_dies_between_two_writes_and_for_good(
    cluster: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump, start = cluster.gateway.jump, cluster.journal.mark()
    assert jump is not None
    with plugin(cluster, monkeypatch):
        Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
        jump.drop_connections()
        disconnected(cluster, start)
        assert Stack({"filter": wanted()["filter"]}).up() == ["create filter"]
        start = cluster.journal.mark()
        jump.refuses_connections = True
        jump.drop_connections()
        disconnected(cluster, start)
        with pytest.raises(UnreachableError, match=r"jump host f10-ssh\.c3s2\.iphmx\.com: .*ended before"):
            Stack({"recipientAccess": wanted()["recipientAccess"]}).up()
    jump.refuses_connections = False
    assert connection(cluster).jump_host is not None
