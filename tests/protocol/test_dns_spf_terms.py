"""Terms kept in an SPF record by RFC 2136, on a real BIND 9: put in, drift, others at work, taken out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from dynamic_providers.dns.primary import Primary
from dynamic_providers.dns.snapshot import DnsSnapshotProvider, spf
from dynamic_providers.dns.spf_terms import CannotKeep, SpfTermsProvider
from dynamic_providers.entries import ABSENT, Entry
from tests.protocol import bind_server, dns_life
from tests.protocol.bind_server import ZONE, BindServer
from tests.protocol.dns_life import Life, Props

TERMS = ["ip4:198.51.100.10", "ip4:198.51.100.11"]
MICROSOFT = "v=spf1 include:spf.contoso.example -all"
KEPT = "v=spf1 ip4:198.51.100.10 ip4:198.51.100.11 include:spf.contoso.example -all"
VERIFICATION = '"MS=ms12345678"'


@pytest.fixture
def bind(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[BindServer]:
    assert pytestconfig.cache is not None
    server = BindServer(bind_server.named_program(pytestconfig.cache.mkdir("bind9")), tmp_path)
    server.start()
    publish(server, "TXT", '"v=spf1 -all"', name="spf.contoso.example")
    publish(server, "TXT", f'"{MICROSOFT}"', VERIFICATION)
    yield server
    server.stop()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def configured(bind: BindServer, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    dns_life.configure(monkeypatch, tmp_path, bind, said)


@pytest.fixture
def life(said: list[str]) -> Life:
    return Life(SpfTermsProvider(), said)


def publish(bind: BindServer, kind: str, *records: str, name: str = ZONE, ttl: int = 600) -> None:
    """Someone else, with the same key, replaces a set; no records: removes it."""
    key = dns.tsig.Key(bind_server.KEY_NAME, bind_server.KEY_SECRET, "hmac-sha256")
    update = dns.update.UpdateMessage(ZONE, keyring=key)
    if records:
        update.replace(dns.name.from_text(name), ttl, kind, *records)
    else:
        update.delete(dns.name.from_text(name), kind)
    answer = dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=5)
    assert answer.rcode() == dns.rcode.NOERROR


def texts(bind: BindServer) -> list[str]:
    """The TXT records as they are kept, each with its TTL."""
    return sorted(line.partition(" ")[2] for line in bind.records().get("TXT", "").splitlines())


def before(terms: list[str]) -> dict[str, Entry]:
    made = DnsSnapshotProvider().create({"keys": {spf(ZONE): terms}})
    record: dict[str, Entry] = (made.outs or {})["record"][spf(ZONE)]
    return record


def wanted(terms: list[str] = TERMS, **changed: Any) -> Props:
    props = {"domain": ZONE, "terms": {one: {} for one in terms}, "settle": 0, "before": before(terms)}
    return {**props, **changed}


def test_put_into_the_record_and_taken_out_again(bind: BindServer, life: Life) -> None:
    others = {kind: one for kind, one in bind.records().items() if kind != "TXT"}
    whole = texts(bind)
    assert before(TERMS) == dict.fromkeys(TERMS, ABSENT)
    assert life.up(wanted()) == "create"
    assert texts(bind) == [f"600 IN TXT {VERIFICATION}", f'600 IN TXT "{KEPT}"']
    assert life.up(wanted()) == "same"
    life.refresh()
    assert life.up(wanted()) == "same"
    life.destroy()
    assert texts(bind) == whole
    assert {kind: one for kind, one in bind.records().items() if kind != "TXT"} == others


def test_terms_change_and_what_others_add_stays(bind: BindServer, life: Life) -> None:
    life.up(wanted())
    publish(bind, "TXT", f'"{KEPT.replace("-all", "a -all")}"', '"another"')
    life.refresh()
    assert life.up(wanted()) == "same"
    assert life.up(wanted(TERMS[1:])) == "update"
    assert f'600 IN TXT "v=spf1 {TERMS[1]} include:spf.contoso.example a -all"' in texts(bind)
    life.destroy()
    assert texts(bind) == ['600 IN TXT "another"', f'600 IN TXT "{MICROSOFT.replace("-all", "a -all")}"']


def test_a_term_taken_out_by_hand_is_shown_and_put_back(bind: BindServer, life: Life) -> None:
    props = wanted()
    life.up(props)
    publish(bind, "TXT", f'"{KEPT.replace(TERMS[0], "a")}"')
    life.refresh()
    assert life.outs["terms"] == {TERMS[1]: {}}
    assert life.up(props) == "update"
    [record] = texts(bind)
    assert record.count(TERMS[0]) == record.count(TERMS[1]) == 1


def test_what_stood_there_before_us_stays(bind: BindServer, life: Life) -> None:
    publish(bind, "TXT", f'"v=spf1 +{TERMS[0]}/32 -all"')
    whole = texts(bind)
    life.up(wanted())
    assert any("exists and is right: will be managed" in line for line in life.said)
    life.destroy()
    assert texts(bind) == whole


def test_a_record_in_several_strings_is_given_back_so(bind: BindServer, life: Life) -> None:
    publish(bind, "TXT", '"v=spf1 a" " -all"')
    whole = texts(bind)
    life.up(wanted())
    assert texts(bind) == [f'600 IN TXT "v=spf1 {TERMS[0]} {TERMS[1]}" " a" " -all"']
    life.destroy()
    assert texts(bind) == whole


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([], "contoso.example has no SPF record: publish one that names all who send for it"),
        ([VERIFICATION], "contoso.example has no SPF record"),
        (['"v=spf1 a -all"', '"v=spf1 -all"'], "contoso.example has 2 SPF records"),
        ([f'"v=spf1 {"a " * 11}-all"'], "receivers could not use its SPF record"),
        (['"v=spf1 ipv4:192.0.2.1 -all"'], "«ipv4:192.0.2.1» is not understood"),
        (['"v=spf1 a -all"', f'"{"x" * 250}" "{"y" * 200}"'], "bytes in an answer, and no more than 512"),
    ],
    ids=["none", "none among others", "two", "look-ups", "broken", "512 bytes"],
)
def test_refused_where_it_would_be_worth_nothing(
    bind: BindServer, life: Life, records: list[str], says: str
) -> None:
    publish(bind, "TXT", *records)
    whole = texts(bind)
    [line] = life.refusals(wanted())
    assert says in line
    with pytest.raises(CannotKeep, match=says.replace("(", ".")):
        life.provider.create(wanted())
    assert texts(bind) == whole


def test_what_breaks_later_is_warned_of_and_mended_by_no_guess(bind: BindServer, life: Life) -> None:
    props = wanted()
    life.up(props)
    publish(bind, "TXT")
    life.refresh()
    assert life.refusals(props) == []
    assert any("contoso.example has no SPF record" in line for line in life.said)
    with pytest.raises(CannotKeep):
        life.up(props)
    life.refresh()
    life.destroy()  # nothing of ours is there


def test_others_at_work_meanwhile(bind: BindServer, life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set is read again where it has changed between reading and writing."""
    replace_text, tries = Primary.replace_text, []

    def slow(self: Primary, *arguments: Any) -> None:
        tries.append(arguments)
        if len(tries) == 1:
            publish(bind, "TXT", f'"{MICROSOFT}"', '"just now"')
        replace_text(self, *arguments)

    monkeypatch.setattr(Primary, "replace_text", slow)
    life.up(wanted())
    assert len(tries) == 2
    assert texts(bind) == ['600 IN TXT "just now"', f'600 IN TXT "{KEPT}"']


def test_it_waits_until_the_old_record_is_forgotten(bind: BindServer, life: Life) -> None:
    publish(bind, "TXT", f'"{MICROSOFT}"', ttl=1)
    life.up(wanted(settle="ttl"))
    [line] = [one for one in life.said if "until nobody holds its SPF record from before" in one]
    assert "so no mail leaves by the gateway" in line
