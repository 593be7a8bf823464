"""Bad weather on the way to name servers: what happens, and when it is over. See docs/weather.md."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

from dynamic_providers.dns import primary as primaries
from dynamic_providers.dns import resolver as resolvers
from dynamic_providers.dns.primary import Primary, primary
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.dns.wire import LookUpFailed, ServerFailed, ServerSilent, ServerUnreachable
from dynamic_providers.entries import Entry
from tests.protocol import bind_server, dns_life
from tests.protocol.bad_weather import FallsSilent
from tests.protocol.bind_server import ZONE, BindServer
from tests.protocol.test_dns_resolver import FaultyServer

ADDRESSES = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
OURS: Entry = {"hosts": [{"host": f"mx1.{ZONE}", "preference": 10}], "ttl": 60}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "TIMEOUTS", (0.1, 0.15))


# --- look-ups -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def all_of_them(
    code: dns.rcode.Rcode | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[FaultyServer]]:
    servers = [FaultyServer(code) for _ in ADDRESSES]
    ports = dict(zip(ADDRESSES, (server.port for server in servers), strict=True))
    dns_life.lead(monkeypatch, tmp_path / "connect.json", ports)
    yield servers
    for server in servers:
        server.stop()


@pytest.mark.parametrize(
    "code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, None], ids=["SERVFAIL", "REFUSED", "silent"]
)
def test_none_of_the_servers_is_of_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: dns.rcode.Rcode | None
) -> None:
    """Each is asked once in each round, and no more: so it takes the rounds' time-outs at most."""
    with all_of_them(code, tmp_path, monkeypatch) as servers:
        with pytest.raises(LookUpFailed, match=f"MX of {ZONE}: none of the DNS servers answers: ") as caught:
            Resolver(ADDRESSES).mx(ZONE)
        assert [server.asked for server in servers] == [len(resolvers.TIMEOUTS)] * len(ADDRESSES)
    assert all(address in str(caught.value) for address in ADDRESSES)
    assert "dns.resolvers" in str(caught.value)


@pytest.mark.parametrize("says", [(), (b"", b"\x00\x50half of it")], ids=["nothing", "half an answer"])
def test_a_server_whose_tcp_falls_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: tuple[bytes, ...]
) -> None:
    """Its answer by UDP was cut off, so TCP is tried."""
    peer = FallsSilent(says)
    with peer.running() as port, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", port))
        thread = threading.Thread(target=_says_too_long, args=(udp,), daemon=True)
        thread.start()
        dns_life.lead(monkeypatch, tmp_path / "connect.json", {ADDRESSES[0]: port})
        with pytest.raises(ServerSilent, match=r"no answer within 0\.15 s"):
            Resolver(ADDRESSES[:1]).mx(ZONE)
        assert peer.connections == len(resolvers.TIMEOUTS)
        udp.sendto(b"", ("127.0.0.1", port))
        thread.join(5)


def _says_too_long(udp: socket.socket) -> None:
    while True:
        wire, peer = udp.recvfrom(4096)
        if not wire:
            return
        answer = dns.message.make_response(dns.message.from_wire(wire))
        answer.flags |= dns.flags.TC
        udp.sendto(answer.to_wire(), peer)


# --- updates ------------------------------------------------------------------------------------------------


@pytest.fixture
def bind(
    tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BindServer]:
    assert pytestconfig.cache is not None
    server = BindServer(bind_server.named_program(pytestconfig.cache.mkdir("bind9")), tmp_path)
    server.start()
    dns_life.configure(monkeypatch, tmp_path, server, [])
    yield server
    server.stop()


class BreaksOff:
    """Stands before a name server, by TCP: whoever sends an update hears nothing of it."""

    def __init__(self, server: BindServer, *, after_effect: bool) -> None:
        self._server, self._after_effect, self.updates = server, after_effect, 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> BreaksOff:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, _ = self._socket.accept()
            with wire:
                asked = wire.recv(65_536)
                if not asked:
                    return
                update = (asked[4] >> 3) & 15 == dns.opcode.UPDATE
                self.updates += update
                answer = self._passed_on(asked) if self._after_effect or not update else b""
                if not update:
                    wire.sendall(answer)

    def _passed_on(self, asked: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._server.port), timeout=5) as there:
            there.sendall(asked)
            return there.recv(65_536)


def led_through(
    front: BreaksOff, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bind: BindServer
) -> Primary:
    dns_life.configure(monkeypatch, tmp_path, bind, [], port=front.port)
    dns_life.lead(monkeypatch, tmp_path / "through.json", {})
    return primary()


def test_an_update_whose_answer_is_lost_is_looked_for(
    bind: BindServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BreaksOff(bind, after_effect=True) as front:
        server = led_through(front, monkeypatch, tmp_path, bind)
        server.replace(ZONE, server.read(ZONE), OURS)
        assert front.updates == 1
    assert bind.mx() == [f"60 10 mx1.{ZONE}."]


def test_an_update_that_is_lost_says_that_nobody_knows(
    bind: BindServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bind.mx()
    with BreaksOff(bind, after_effect=False) as front:
        server = led_through(front, monkeypatch, tmp_path, bind)
        with pytest.raises(
            LookUpFailed, match=r"it is not known whether it takes effect\. Run it again"
        ) as caught:
            server.replace(ZONE, server.read(ZONE), OURS)
        assert front.updates == 1
    assert "\n" not in str(caught.value)
    assert bind.mx() == before


def test_a_primary_that_falls_silent(
    bind: BindServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(primaries, "ANSWER_SECONDS", 0.2)
    with FallsSilent().running() as port:
        dns_life.configure(monkeypatch, tmp_path, bind, [], port=port)
        dns_life.lead(monkeypatch, tmp_path / "silent.json", {})
        with pytest.raises(ServerSilent, match=r"no answer within 0\.2 s"):
            primary().read(ZONE)
    with pytest.raises(ServerUnreachable, match="cannot be reached: Connection refused"):
        primary().read(ZONE)  # nobody listens there any more


def test_a_primary_that_says_servfail(
    bind: BindServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(query: dns.message.Message, *_: object, **__: object) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.SERVFAIL)
        return answer

    monkeypatch.setattr(dns.query, "tcp", failing)
    with pytest.raises(ServerFailed, match=rf"failed on MX of {ZONE} \(SERVFAIL\)"):
        primary().read(ZONE)
