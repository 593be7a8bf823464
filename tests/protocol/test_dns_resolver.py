"""Our own look-ups: no such name, no such record and a failed look-up are three things; a second server."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from dynamic_providers.dns import resolver as dns_resolver
from dynamic_providers.dns.resolver import RememberingResolver, Resolver
from dynamic_providers.dns.wire import (
    LookUpFailed,
    NotAuthoritative,
    ServerFailed,
    ServerRefused,
    ServerSilent,
)
from tests.protocol import bind_server, dns_life
from tests.protocol.bind_server import MICROSOFT_MX, ZONE, BindServer

SILENT, FAILING, RIGHT = "192.0.2.1", "192.0.2.2", "9.9.9.9"


class FaultyServer:
    """A UDP server that keeps silent (code None), or answers everything with one code, without authority."""

    def __init__(self, code: dns.rcode.Rcode | None) -> None:
        self._code, self.asked = code, 0
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(4096)
            if not wire:
                return
            self.asked += 1
            if self._code is not None:
                answer = dns.message.make_response(dns.message.from_wire(wire))
                answer.set_rcode(self._code)
                self._socket.sendto(answer.to_wire(), peer)

    def stop(self) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()


@pytest.fixture
def bind(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[BindServer]:
    assert pytestconfig.cache is not None
    server = BindServer(bind_server.named_program(pytestconfig.cache.mkdir("bind9")), tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def silent() -> Iterator[FaultyServer]:
    server = FaultyServer(None)
    yield server
    server.stop()


@pytest.fixture
def failing() -> Iterator[FaultyServer]:
    server = FaultyServer(dns.rcode.SERVFAIL)
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def world(
    bind: BindServer,
    silent: FaultyServer,
    failing: FaultyServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports = {RIGHT: bind.port, "127.0.0.1": bind.port, SILENT: silent.port, FAILING: failing.port}
    dns_life.lead(monkeypatch, tmp_path / "connect.json", ports)
    monkeypatch.setattr(dns_resolver, "TIMEOUTS", (0.2, 0.3))


def test_each_kind_has_one_form() -> None:
    ask = Resolver([RIGHT])
    assert ask.mx(ZONE).records == (f"0 {MICROSOFT_MX}",)
    assert ask.mx(ZONE).ttl == 300
    assert ask.mail_hosts(f"null.{ZONE}") == [(0, ".")]
    assert ask.addresses(f"MX1.{ZONE}.") == ("192.0.2.10",)
    assert ask.texts(ZONE) == ("v=spf1 include:spf.protection.outlook.com -all",)
    assert ask.ask(ZONE, "NS").records == (f"ns1.{ZONE}",)
    assert ask.texts(f"long.{ZONE}") == ("first second",)  # the parts of a long text are one text
    alias = ask.ask(f"alias.{ZONE}", "A")
    assert (alias.records, alias.alias) == (("192.0.2.10",), f"mx1.{ZONE}")


def test_no_such_name_and_no_such_record_are_answers() -> None:
    ask = Resolver([RIGHT])
    nobody = ask.ask(f"nobody.{ZONE}", "MX")
    assert (nobody.records, nobody.exists, str(nobody)) == ((), False, "no such name")
    nothing = ask.ask(f"mx1.{ZONE}", "MX")
    assert (nothing.records, nothing.exists, str(nothing)) == ((), True, "no MX record")
    assert ask.mail_hosts(f"nobody.{ZONE}") == []
    assert nothing.ttl == 60  # of the zone's SOA: so long may it be remembered that there is none


def test_failures_are_told_apart() -> None:
    with pytest.raises(ServerSilent, match=r"DNS server 192\.0\.2\.1: no answer within 0\.3 s"):
        Resolver([SILENT]).mx(ZONE)
    with pytest.raises(ServerFailed, match=f"failed on MX of {ZONE}"):
        Resolver([FAILING]).mx(ZONE)
    with pytest.raises(ServerRefused):
        Resolver([RIGHT]).mx("elsewhere.example")
    with pytest.raises(
        LookUpFailed, match=r"MX of contoso\.example: none .*192\.0\.2\.1: no answer.*SERVFAIL"
    ):
        Resolver([SILENT, FAILING]).mx(ZONE)
    with pytest.raises(LookUpFailed, match="not a name that DNS can hold"):
        Resolver([RIGHT]).mx("a..b")


def test_another_server_is_asked_when_the_first_fails(silent: FaultyServer, failing: FaultyServer) -> None:
    assert Resolver([SILENT, FAILING, RIGHT]).mx(ZONE).server == RIGHT
    assert (silent.asked, failing.asked) == (1, 1)


def test_an_answer_that_is_cut_off_is_asked_for_again_by_tcp() -> None:
    assert len(Resolver([RIGHT]).texts(f"many.{ZONE}")) == 40


def test_a_zones_own_servers_are_found_from_any_name_in_it() -> None:
    for name in (ZONE, f"shop.{ZONE}", f"a.b.{ZONE}", f"alias.{ZONE}"):
        own = Resolver([RIGHT]).own_servers(name)
        assert (own.zone, own.servers) == (ZONE, {f"ns1.{ZONE}": "127.0.0.1"})
    assert Resolver(["127.0.0.1"], authoritative=True).mx(ZONE).ttl == 300


def test_a_zone_that_cannot_be_found_is_an_error_not_an_absence() -> None:
    with pytest.raises(LookUpFailed):
        Resolver([RIGHT]).own_servers("elsewhere.example")


def test_an_own_server_without_authority_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lame = FaultyServer(dns.rcode.NOERROR)
    dns_life.lead(monkeypatch, tmp_path / "lame.json", {RIGHT: lame.port})
    with pytest.raises(NotAuthoritative, match=r"without authority.* Repair the delegation"):
        Resolver([RIGHT], authoritative=True).mx(ZONE)
    lame.stop()


def test_an_evaluation_asks_each_thing_once(failing: FaultyServer) -> None:
    ask = RememberingResolver([FAILING, RIGHT])
    for name in (ZONE, ZONE.upper(), f"{ZONE}."):
        assert ask.mx(name).records == (f"0 {MICROSOFT_MX}",)
    assert failing.asked == 1
