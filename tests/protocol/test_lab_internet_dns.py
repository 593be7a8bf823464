"""The lab's DNS, asked over the wire: authority, caches that believe for a time, and updates by RFC 2136."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from lab.certificates import LabAuthority
from lab.internet.dns_door import DnsDoor
from lab.internet.dns_server import DnsSwitches
from lab.internet.internet import Internet
from lab.internet.practice import (
    NAME_SERVER_ADDRESS,
    PRACTICE_TSIG,
    PRACTICE_TSIG_ALGORITHM,
    PRACTICE_TSIG_KEY,
)
from lab.internet.resolver import Resolver
from lab.internet.spf import check
from lab.internet.zones import NEGATIVE_TTL, Found, Zones
from lab.journal import Journal

MICROSOFT = "0 bce-demo-com.mail.protection.outlook.com."
GATEWAY = "10 mx1.bce-demo.example."
RESOLVER = "9.9.9.9"
Ask = Callable[..., dns.message.Message]


class World(Internet):
    """The internet on its own, with a way to ask it."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal()
        super().__init__(self.journal, LabAuthority(folder))

    def ask(
        self, name: str, kind: str, server: str = NAME_SERVER_ADDRESS, how: Ask = dns.query.udp
    ) -> dns.message.Message:
        return self.send(dns.message.make_query(name, kind), server, how)

    def send(
        self, message: dns.message.Message, server: str = NAME_SERVER_ADDRESS, how: Ask = dns.query.udp
    ) -> dns.message.Message:
        return how(message, "127.0.0.1", port=self.network.local_port(server, 53), timeout=5)

    def values(self, name: str, kind: str, server: str = NAME_SERVER_ADDRESS) -> list[str]:
        answer = self.ask(name, kind, server, dns.query.tcp).answer
        return sorted(
            item.to_text()
            for rrset in answer
            if rrset.rdtype == dns.rdatatype.from_text(kind)
            for item in rrset
        )

    def update(self, change: Callable[[dns.update.UpdateMessage], object], **how: str) -> str:
        """The code that an update of bce-demo.com is answered with."""
        secret = {how.get("key", PRACTICE_TSIG_KEY): how.get("secret", PRACTICE_TSIG)}
        message = dns.update.UpdateMessage(
            how.get("zone", "bce-demo.com"),
            keyring=dns.tsigkeyring.from_text(secret),
            keyalgorithm=PRACTICE_TSIG_ALGORITHM,
        )
        change(message)
        return dns.rcode.to_text(self.send(message).rcode())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    before = running.snapshot()
    yield running
    running.restore(before)
    running.reset()


@pytest.mark.parametrize("how", [dns.query.udp, dns.query.tcp])
def test_the_authority_answers_over_both_transports(world: World, how: Ask) -> None:
    answer = world.ask("bce-demo.com", "MX", how=how)
    assert answer.flags & dns.flags.AA
    assert not answer.flags & dns.flags.RA
    assert answer.answer[0].to_text() == f"bce-demo.com. 300 IN MX {MICROSOFT}"


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("esa1.bce-demo.example", "A", "192.0.2.105"),
        ("105.2.0.192.in-addr.arpa", "PTR", "esa1.bce-demo.example."),
        ("186.100.51.198.in-addr.arpa", "PTR", "out1.bce-demo.example."),
        ("bce-demo.com", "NS", "ns1.lab-dns.example."),
        ("_dmarc.bce-demo.com", "TXT", '"v=DMARC1; p=none"'),
        (
            "bce-demo.com",
            "TXT",
            '"v=spf1 include:spf.protection.outlook.com ip4:198.51.100.186 -all"',
        ),
        ("shop.contoso.example", "MX", "0 shop-contoso-example.b-v1.mx.microsoft."),
        ("fabrikam-example.mail.protection.outlook.com", "A", "203.0.113.27"),
    ],
)
def test_the_world_is_furnished(world: World, name: str, kind: str, value: str) -> None:
    assert world.values(name, kind) == [value]
    assert world.values(name, kind, RESOLVER) == [value]


def test_spf_can_be_without_the_gateway(tmp_path: Path) -> None:
    zones = Internet(Journal(), LabAuthority(tmp_path), gateway_in_spf=False).zones
    records = zones.get("bce-demo.com", "TXT")
    assert records is not None
    assert records.values == ('"v=spf1 include:spf.protection.outlook.com -all"',)


def test_nothing_of_that_type_is_not_no_such_name(world: World) -> None:
    no_data = world.ask("bce-demo.com", "AAAA")
    assert (no_data.rcode(), no_data.answer) == (dns.rcode.NOERROR, [])
    between = world.ask("protection.outlook.com", "A")
    assert between.rcode() == dns.rcode.NOERROR
    no_name = world.ask("nobody.bce-demo.com", "A")
    assert no_name.rcode() == dns.rcode.NXDOMAIN
    for answer in (no_data, no_name):
        assert answer.authority[0].rdtype == dns.rdatatype.SOA
        assert answer.flags & dns.flags.AA
    assert world.ask("elsewhere.org", "A").rcode() == dns.rcode.REFUSED
    assert world.ask("elsewhere.org", "A", RESOLVER).rcode() == dns.rcode.NXDOMAIN


def test_aliases_are_followed_into_other_zones(world: World) -> None:
    answer = world.ask("selector1._domainkey.bce-demo.com", "TXT", how=dns.query.tcp)
    assert [rrset.rdtype for rrset in answer.answer] == [dns.rdatatype.CNAME, dns.rdatatype.TXT]
    assert "v=DKIM1" in answer.answer[1].to_text()


def test_a_long_answer_is_cut_for_datagrams_only(world: World) -> None:
    name = "selector1._domainkey.bce-demo.com"
    assert world.ask(name, "TXT").flags & dns.flags.TC
    assert not world.ask(name, "TXT", how=dns.query.tcp).flags & dns.flags.TC
    wide = dns.message.make_query(name, "TXT", use_edns=True, payload=1232)
    assert not world.send(wide).flags & dns.flags.TC


def test_resolvers_believe_what_they_have_heard(world: World) -> None:
    assert world.values("bce-demo.com", "MX", RESOLVER) == [MICROSOFT]
    world.zones.set("bce-demo.com", "MX", GATEWAY)
    assert world.values("bce-demo.com", "MX") == [GATEWAY]
    assert world.values("bce-demo.com", "MX", RESOLVER) == [MICROSOFT]
    assert world.values("bce-demo.com", "MX", "1.1.1.1") == [GATEWAY]
    answer = world.ask("bce-demo.com", "MX", RESOLVER)
    assert answer.flags & dns.flags.RA
    assert not answer.flags & dns.flags.AA


def test_a_cache_forgets_when_the_time_is_over_and_not_before() -> None:
    zones, now = Zones(), [1000.0]
    zones.add_zone("a.example")
    zones.set("a.example", "MX", "0 old.example", ttl=300)
    resolver = Resolver(zones, lambda: now[0])
    assert resolver.mail_hosts("a.example") == [(0, "old.example")]
    assert resolver.lookup("b.a.example", "A").found is Found.NO_NAME
    zones.set("a.example", "MX", "20 worse.example", "10 new.example", ttl=60)
    zones.set("b.a.example", "A", "192.0.2.1")
    now[0] += NEGATIVE_TTL
    assert resolver.addresses("b.a.example") == ["192.0.2.1"]
    now[0] += 299.5 - NEGATIVE_TTL
    (records,) = resolver.lookup("A.example.", "mx").records
    assert (records.values, records.ttl) == (("0 old.example.",), 1)
    now[0] += 0.5
    assert resolver.mail_hosts("a.example") == [(10, "new.example"), (20, "worse.example")]


def test_an_update_replaces_the_whole_set_and_nothing_else(world: World) -> None:
    before, serial = world.zones.dump().splitlines(), world.zones.serial("bce-demo.com")
    assert world.update(lambda update: update.replace("@", 60, "MX", GATEWAY)) == "NOERROR"
    after = world.zones.dump().splitlines()
    assert set(before) - set(after) == {f"bce-demo.com 300 MX {MICROSOFT}"}
    assert set(after) - set(before) == {f"bce-demo.com 60 MX {GATEWAY}"}
    assert world.zones.serial("bce-demo.com") == serial + 1
    (event,) = world.journal.events("dns", "update", code="NOERROR")[-1:]
    assert event.detail["changes"] == [f"bce-demo.com MX: {GATEWAY}"]


def test_an_update_that_changes_nothing_leaves_the_serial(world: World) -> None:
    serial = world.zones.serial("bce-demo.com")
    assert world.update(lambda update: update.add("@", 300, "MX", MICROSOFT.upper())) == "NOERROR"
    assert world.zones.serial("bce-demo.com") == serial


def test_one_record_or_a_whole_set_can_be_taken_away(world: World) -> None:
    assert world.update(lambda update: update.add("@", 300, "MX", GATEWAY)) == "NOERROR"
    assert world.values("bce-demo.com", "MX") == sorted([MICROSOFT, GATEWAY])
    assert world.update(lambda update: update.delete("@", "MX", MICROSOFT)) == "NOERROR"
    assert world.values("bce-demo.com", "MX") == [GATEWAY]
    assert world.update(lambda update: update.delete("@", "MX")) == "NOERROR"
    assert world.values("bce-demo.com", "MX") == []
    assert world.ask("bce-demo.com", "MX").rcode() == dns.rcode.NOERROR


def test_a_zone_keeps_its_name_servers(world: World) -> None:
    assert world.update(lambda update: update.delete("@")) == "NOERROR"
    assert world.values("bce-demo.com", "TXT") == []
    assert world.values("bce-demo.com", "NS") == ["ns1.lab-dns.example."]
    only = "ns1.lab-dns.example."
    assert world.update(lambda update: update.delete("@", "NS", only)) == "NOERROR"
    assert world.values("bce-demo.com", "NS") == [only]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (lambda update: update.present("@", "MX", MICROSOFT), "NOERROR"),
        (lambda update: update.present("@", "MX", MICROSOFT.upper()), "NOERROR"),
        (lambda update: update.present("@", "MX", GATEWAY), "NXRRSET"),
        (lambda update: update.present("@", "MX"), "NOERROR"),
        (lambda update: update.present("@", "AAAA"), "NXRRSET"),
        (lambda update: update.present("nobody"), "NXDOMAIN"),
        (lambda update: update.present("shop"), "NOERROR"),
        (lambda update: update.absent("@", "MX"), "YXRRSET"),
        (lambda update: update.absent("@", "AAAA"), "NOERROR"),
        (lambda update: update.absent("shop"), "YXDOMAIN"),
        (lambda update: update.absent("nobody"), "NOERROR"),
    ],
)
def test_conditions_decide_whether_anything_happens(
    world: World, condition: Callable[[dns.update.UpdateMessage], None], code: str
) -> None:
    def change(update: dns.update.UpdateMessage) -> None:
        condition(update)
        update.replace("@", 60, "MX", GATEWAY)

    assert world.update(change) == code
    assert world.values("bce-demo.com", "MX") == [GATEWAY if code == "NOERROR" else MICROSOFT]


def test_a_condition_on_a_set_wants_all_of_it(world: World) -> None:
    world.zones.set("bce-demo.com", "MX", MICROSOFT, GATEWAY)
    assert world.update(lambda update: update.present("@", "MX", MICROSOFT)) == "NXRRSET"

    def both(update: dns.update.UpdateMessage) -> None:
        update.present("@", "MX", GATEWAY)
        update.present("@", "MX", MICROSOFT)
        update.delete("@", "MX")

    assert world.update(both) == "NOERROR"


def test_aliases_and_other_records_exclude_each_other(world: World) -> None:
    assert world.update(lambda update: update.add("@", 300, "CNAME", "other.example.")) == "NOERROR"
    assert world.values("bce-demo.com", "MX") == [MICROSOFT]
    selector = "selector1._domainkey"
    assert world.update(lambda update: update.add(selector, 300, "TXT", "x")) == "NOERROR"
    assert world.zones.get(f"{selector}.bce-demo.com", "TXT") is None


def test_who_may_not_change_is_told_so(world: World) -> None:
    def clear(update: dns.update.UpdateMessage) -> None:
        update.delete("@", "MX")

    with pytest.raises(dns.tsig.PeerBadKey):
        world.update(clear, key="another-key")
    with pytest.raises(dns.tsig.PeerBadSignature):
        world.update(clear, secret="d3Jvbmc=")
    assert world.update(clear, zone="nowhere.org") == "NOTAUTH"
    assert world.update(clear, zone="shop.bce-demo.com") == "NOTAUTH"
    unsigned = dns.update.UpdateMessage("bce-demo.com")
    clear(unsigned)
    assert world.send(unsigned).rcode() == dns.rcode.REFUSED
    world.authority.switches.refuse_update = True
    assert world.update(clear) == "REFUSED"
    assert world.values("bce-demo.com", "MX") == [MICROSOFT]


def test_a_name_outside_the_zone_is_refused_and_the_rest_with_it(world: World) -> None:
    def change(update: dns.update.UpdateMessage) -> None:
        update.replace("@", 60, "MX", GATEWAY)
        update.replace("mail.contoso.example.", 60, "A", "192.0.2.1")

    assert world.update(change) == "NOTZONE"
    assert world.values("bce-demo.com", "MX") == [MICROSOFT]


def test_switches_make_a_server_fail(world: World) -> None:
    world.authority.switches.servfail = True
    assert world.ask("bce-demo.com", "MX").rcode() == dns.rcode.SERVFAIL
    world.resolvers[RESOLVER].switches.servfail = True
    assert world.ask("bce-demo.com", "MX", RESOLVER).rcode() == dns.rcode.SERVFAIL
    assert world.values("bce-demo.com", "MX", "8.8.8.8") == [MICROSOFT]
    world.reset()
    assert world.values("bce-demo.com", "MX", RESOLVER) == [MICROSOFT]
    world.resolvers[RESOLVER].switches.drop = True
    query = dns.message.make_query("bce-demo.com", "MX")
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(query, "127.0.0.1", port=world.network.local_port(RESOLVER, 53) or 0, timeout=0.2)


@pytest.mark.parametrize("server", [NAME_SERVER_ADDRESS, RESOLVER])
def test_rubbish_is_a_format_error_and_the_server_lives_on(world: World, server: str) -> None:
    rubbish = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xff"
    with socket.create_connection(
        ("127.0.0.1", world.network.local_port(server, 53) or 0), timeout=5
    ) as made:
        made.sendall(struct.pack("!H", len(rubbish)) + rubbish)
        reply = made.recv(100)
    assert reply[2:4] == b"\x12\x34"
    assert reply[5] & 0x0F == dns.rcode.FORMERR
    assert world.values("bce-demo.com", "MX", server) == [MICROSOFT]


def test_restored_zones_have_newer_serials(world: World) -> None:
    snapshot, before = world.snapshot(), world.zones.dump()
    for preference in range(5):
        world.zones.set("bce-demo.com", "MX", f"{preference} mx1.bce-demo.example")
    late = world.zones.serial("bce-demo.com")
    world.restore(snapshot)
    assert world.zones.dump() == before
    assert world.zones.serial("bce-demo.com") > late
    with pytest.raises(LookupError, match="no zone"):
        world.zones.set("nowhere.org", "A", "192.0.2.1")


def test_a_name_that_does_not_point_back_is_no_name(world: World) -> None:
    network = world.network
    assert network.reverse("192.0.2.105") == "esa1.bce-demo.example"
    assert network.reverse("203.0.113.40").endswith(".outbound.protection.outlook.com")
    world.zones.set("esa1.bce-demo.example", "A", "192.0.2.1")
    assert network.reverse("192.0.2.105") == ""
    assert network.reverse("192.0.2.200") == ""


def test_a_defect_of_a_server_is_answered_and_raised() -> None:
    class Broken:
        switches = DnsSwitches()

        def answer(self, wire: bytes, *, datagram: bool) -> bytes | None:
            raise RuntimeError("a defect")

    door = DnsDoor(Broken())
    port = door.start()
    query = dns.message.make_query("bce-demo.com", "MX")
    assert dns.query.udp(query, "127.0.0.1", port=port, timeout=5).rcode() == dns.rcode.SERVFAIL
    with pytest.raises(ExceptionGroup, match="a DNS server of the lab is broken"):
        door.stop()


def test_one_text_is_replaced_and_the_others_stay(world: World) -> None:
    world.zones.add("bce-demo.com", "TXT", "MS=ms12345678")
    (old,) = [text for text in world.values("bce-demo.com", "TXT") if "v=spf1" in text]
    new = '"v=spf1 ip4:198.51.100.10 " "include:spf.protection.outlook.com -all"'

    def change(update: dns.update.UpdateMessage) -> None:
        update.present("@", "TXT", old, '"MS=ms12345678"')
        update.delete("@", "TXT", old)
        update.add("@", 300, "TXT", new)

    assert world.update(change) == "NOERROR"
    assert world.values("bce-demo.com", "TXT") == ['"MS=ms12345678"', new]
    assert check(world.zones, "198.51.100.10", "x@bce-demo.com") == "pass"
    assert world.update(change) == "NXRRSET", "it is not there any more"
