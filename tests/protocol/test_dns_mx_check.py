"""MX of a zone in a portal: a person sets the records, the check waits for the zone's servers and resolvers.

The zone's own server is one BIND, and a resolver that remembers the old records is played by a second one.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.name
import dns.query
import dns.tsig
import dns.update
import pytest

from dynamic_providers import report
from dynamic_providers.dns import resolver as dns_resolver
from dynamic_providers.dns import settling
from dynamic_providers.dns.mx_check import MxCheckProvider
from dynamic_providers.dns.snapshot import DnsSnapshotProvider
from dynamic_providers.errors import ManagedError
from tests.protocol import bind_server, dns_life
from tests.protocol.bind_server import MICROSOFT_MX, ZONE, BindServer
from tests.protocol.dns_life import Life, Props

HOSTS = [{"host": f"mx1.{ZONE}", "preference": 10}]
RECORD = f"10 mx1.{ZONE}."
ORIGINAL = f"0 {MICROSOFT_MX}."


def started(folder: Path, pytestconfig: pytest.Config) -> BindServer:
    assert pytestconfig.cache is not None
    folder.mkdir()
    server = BindServer(bind_server.named_program(pytestconfig.cache.mkdir("bind9")), folder)
    server.start()
    return server


@pytest.fixture
def zone(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[BindServer]:
    server = started(tmp_path / "zone", pytestconfig)
    yield server
    server.stop()


@pytest.fixture
def resolver(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[BindServer]:
    server = started(tmp_path / "resolver", pytestconfig)
    yield server
    server.stop()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def life(
    zone: BindServer, resolver: BindServer, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> Life:
    """No server takes updates from us; 9.9.9.9 is as the zone, 1.1.1.1 may remember."""
    dns_life.configure(monkeypatch, tmp_path, zone, said, resolvers=["9.9.9.9", "1.1.1.1"])
    ports = {"9.9.9.9": zone.port, "127.0.0.1": zone.port, "1.1.1.1": resolver.port}
    dns_life.lead(monkeypatch, tmp_path / "both.json", ports)
    monkeypatch.delenv("DNS_TSIG_SECRET")
    monkeypatch.setattr(dns_resolver, "TIMEOUTS", (0.5, 0.5))  # a stopped server is not waited for long
    return Life(MxCheckProvider(), said)


def set_mx(server: BindServer, record: str, ttl: int = 60) -> None:
    """What the portal, or the passing of time in a resolver, does."""
    key = dns.tsig.Key(bind_server.KEY_NAME, bind_server.KEY_SECRET, "hmac-sha256")
    update = dns.update.UpdateMessage(ZONE, keyring=key)
    update.replace(dns.name.from_text(ZONE), ttl, "MX", record)
    dns.query.tcp(update, "127.0.0.1", port=server.port, timeout=5)


def when(said: list[str], monkeypatch: pytest.MonkeyPatch, word: str, then: Callable[[], None]) -> None:
    """Do something once a line with that word is said."""
    left = [then]

    def info(text: str) -> None:
        said.append(text)
        if word in text and left:
            left.pop()()

    monkeypatch.setattr(report, "info", info)


def wanted(**changed: Any) -> Props:
    made = DnsSnapshotProvider().create({"keys": {"mxCheck": [ZONE]}})
    before = (made.outs or {})["record"]["mxCheck"]
    props = {"domain": ZONE, "hosts": HOSTS, "microsoftMx": MICROSOFT_MX, "deadline": 20, "before": before}
    return {**props, **changed}


def test_the_preview_says_what_to_set_and_what_microsoft_will_say(life: Life) -> None:
    assert life.refusals(wanted()) == []
    assert f"    {ZONE}. 3600 IN MX {RECORD}" in life.said
    assert any("Check Health" in line and "do not follow" in line for line in life.said)
    assert any(f"own server ns1.{ZONE} says 0 {MICROSOFT_MX}" in line for line in life.said)


def test_the_snapshot_holds_the_whole_ttl_of_the_zone(life: Life) -> None:
    assert wanted()["before"] == {ZONE: {"hosts": [{"host": MICROSOFT_MX, "preference": 0}], "ttl": 300}}


def test_waits_for_the_zone_then_for_each_resolver(
    zone: BindServer, resolver: BindServer, life: Life, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def portal() -> None:
        set_mx(zone, RECORD)
        when(said, monkeypatch, "(2 of 3): 1.1.1.1 says 0", lambda: set_mx(resolver, RECORD))

    when(said, monkeypatch, "waiting for its MX (0 of 3)", portal)
    assert life.up(wanted()) == "create"
    assert any("1.1.1.1 says 0 " in line and "from its memory for up to 300 s" in line for line in said)
    assert set(life.outs["answers"]) == {f"ns1.{ZONE}", "9.9.9.9", "1.1.1.1"}
    assert set(life.outs["answers"].values()) == {f"10 mx1.{ZONE}"}
    assert life.up(wanted()) == "same"


def test_at_the_deadline_it_says_who_still_says_what(zone: BindServer, life: Life) -> None:
    with pytest.raises(ManagedError) as caught:
        life.up(wanted(deadline=1))
    line = str(caught.value)
    assert f"the zone's own server ns1.{ZONE} says 0 {MICROSOFT_MX}" in line
    assert f"Set the records where the zone is kept: {ZONE}. 3600 IN MX {RECORD}" in line
    set_mx(zone, RECORD)
    with pytest.raises(ManagedError) as caught:
        life.up(wanted(deadline=1))
    line = str(caught.value)
    assert "ns1" not in line
    assert "1.1.1.1 says" in line
    assert "for up to 300 s" in line
    assert "The zone is right" in line


def test_a_resolver_that_fails_does_not_count_as_agreeing(
    zone: BindServer, resolver: BindServer, life: Life
) -> None:
    set_mx(zone, RECORD)
    resolver.stop()
    with pytest.raises(ManagedError, match=r"1\.1\.1\.1: no answer within"):
        life.up(wanted(deadline=1))


def test_a_refresh_shows_what_the_world_says(
    zone: BindServer, resolver: BindServer, life: Life, said: list[str]
) -> None:
    for server in (zone, resolver):
        set_mx(server, RECORD)
    props = wanted()
    life.up(props)
    inputs, outs = life.inputs, life.outs
    life.refresh()
    assert (life.inputs, life.outs) == (inputs, outs)
    set_mx(resolver, ORIGINAL)
    life.refresh()
    assert life.inputs["hosts"] == [{"host": MICROSOFT_MX, "preference": 0}]
    assert life.outs["answers"]["1.1.1.1"] == f"0 {MICROSOFT_MX}"
    with pytest.raises(ManagedError, match=r"1\.1\.1\.1 says 0"):
        life.up({**props, "deadline": 1})
    resolver.stop()
    life.refresh()
    assert any("MX not looked up: 1.1.1.1: no answer within" in line for line in said)
    zone.stop()
    with pytest.raises(ManagedError, match="nobody answers"):
        life.refresh()


def moved_in_the_portal(life: Life, *servers: BindServer) -> None:
    """Up, while a person moves the MX from Microsoft to the gateway."""

    def move() -> None:
        for server in servers:
            set_mx(server, RECORD)

    mover = threading.Timer(1.0, move)
    mover.start()
    life.up(wanted())
    mover.join()


def test_destroy_stops_while_mail_still_comes_this_way_and_says_what_to_set(
    zone: BindServer, resolver: BindServer, life: Life
) -> None:
    moved_in_the_portal(life, zone, resolver)
    with pytest.raises(Exception, match=rf"lead elsewhere.*{ZONE}\. 300 IN MX {ORIGINAL}"):
        life.destroy()
    assert zone.mx() == [f"60 {RECORD}"]


def test_destroy_waits_until_the_old_mx_is_forgotten(
    zone: BindServer, resolver: BindServer, life: Life, said: list[str]
) -> None:
    moved_in_the_portal(life, zone, resolver)
    set_mx(zone, ORIGINAL)
    threading.Timer(1.0, set_mx, (resolver, ORIGINAL)).start()
    life.destroy()
    assert any("waiting until its old MX is forgotten" in line for line in said)


def test_destroy_leaves_an_mx_that_led_here_before_us(
    zone: BindServer, resolver: BindServer, life: Life
) -> None:
    for server in (zone, resolver):
        set_mx(server, RECORD)
    life.up(wanted())
    life.destroy()
    assert zone.mx() == [f"60 {RECORD}"]


def test_a_move_back_waits_for_the_ttl_of_what_it_replaced(
    zone: BindServer, resolver: BindServer, life: Life, said: list[str]
) -> None:
    props = wanted(ttl=2)
    for server in (zone, resolver):
        set_mx(server, RECORD)
    life.up(props)
    for server in (zone, resolver):
        set_mx(server, ORIGINAL)
    start = settling.now()
    assert life.up({**props, "hosts": [{"host": MICROSOFT_MX, "preference": 0}]}) == "update"
    assert (settling.now() - start).total_seconds() >= 2
    assert any("again: waiting until" in line for line in said)


def test_a_host_without_address_is_refused(life: Life) -> None:
    (refusal,) = life.refusals(wanted(hosts=[{"host": f"nobody.{ZONE}", "preference": 10}]))
    assert "has no address" in refusal
