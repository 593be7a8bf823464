"""MX records by RFC 2136 against a real BIND 9: set, drift, the way back, keys, zones, others at work."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from dynamic_providers.dns import settling
from dynamic_providers.dns.mx_records import MxRecordsProvider
from dynamic_providers.dns.primary import ChangedMeanwhile, Primary
from dynamic_providers.dns.settling import moment, now
from dynamic_providers.dns.snapshot import DnsSnapshotProvider
from dynamic_providers.entries import Entry
from dynamic_providers.errors import ManagedError
from tests.protocol import bind_server, dns_life
from tests.protocol.bind_server import MICROSOFT_MX, OTHER_ZONE, ZONE, BindServer
from tests.protocol.dns_life import Life, Props

HOSTS = [{"host": f"mx1.{ZONE}", "preference": 10}, {"host": f"mx2.{ZONE}", "preference": 20}]
OURS = [f"60 10 mx1.{ZONE}.", f"60 20 mx2.{ZONE}."]
ORIGINAL = [f"300 0 {MICROSOFT_MX}."]


@pytest.fixture
def bind(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[BindServer]:
    assert pytestconfig.cache is not None
    server = BindServer(bind_server.named_program(pytestconfig.cache.mkdir("bind9")), tmp_path)
    server.start()
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
    return Life(MxRecordsProvider(), said)


def before(*domains: str) -> dict[str, Entry]:
    made = DnsSnapshotProvider().create({"keys": {"mxRecords": list(domains or (ZONE,))}})
    record: dict[str, Entry] = (made.outs or {})["record"]["mxRecords"]
    return record


def wanted(**changed: Any) -> Props:
    props = {"domain": ZONE, "hosts": HOSTS, "ttl": 60, "microsoftMx": MICROSOFT_MX, "settle": 0}
    return {**props, "before": before(), **changed}


def another(bind: BindServer, *records: str, ttl: int = 120, name: str = ZONE) -> None:
    """Someone else, with the same key, replaces the MX set; no records: removes it."""
    update = dns.update.UpdateMessage(ZONE, keyring=key())
    if records:
        update.replace(dns.name.from_text(name), ttl, "MX", *records)
    else:
        update.delete(dns.name.from_text(name), "MX")
    answer = dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=5)
    assert answer.rcode() == dns.rcode.NOERROR


def key(secret: str = bind_server.KEY_SECRET) -> dns.tsig.Key:
    return dns.tsig.Key(bind_server.KEY_NAME, secret, "hmac-sha256")


# --- set, drift, back ---------------------------------------------------------------------------------------


def test_sets_the_mx_and_touches_no_other_record(bind: BindServer, life: Life) -> None:
    others = bind.records()
    assert life.up(wanted()) == "create"
    assert bind.mx() == OURS
    assert {**bind.records(), "MX": ""} == {**others, "MX": ""}
    assert life.up(wanted()) == "same"


def test_destroy_puts_the_old_set_and_its_ttl_back(bind: BindServer, life: Life) -> None:
    whole = bind.records()
    life.up(wanted())
    life.destroy()
    assert bind.mx() == ORIGINAL
    assert bind.records() == whole


def test_where_there_was_none_there_is_none_again(bind: BindServer, life: Life) -> None:
    name = f"shop.{ZONE}"
    life.up(wanted(domain=name, before=before(name)))
    assert bind.mx(name) == OURS
    life.destroy()
    assert bind.mx(name) == []


def test_drift_is_shown_by_attribute_and_repaired(bind: BindServer, life: Life) -> None:
    props = wanted()
    life.up(props)
    another(bind, f"10 mx1.{ZONE}.", "5 mx.stranger.example.", ttl=900)
    life.refresh()
    assert life.inputs["ttl"] == life.outs["ttl"] == 900
    assert life.outs["hosts"][0] == {"host": "mx.stranger.example", "preference": 5}
    assert life.up(props) == "update"
    assert bind.mx() == OURS


def test_a_refresh_without_drift_changes_nothing(bind: BindServer, life: Life) -> None:
    life.up(wanted())
    inputs, outs = life.inputs, life.outs
    life.refresh()
    assert (life.inputs, life.outs) == (inputs, outs)


def test_a_set_that_is_gone_comes_again(bind: BindServer, life: Life) -> None:
    props = wanted()
    life.up(props)
    another(bind)
    life.refresh()
    assert "hosts" not in life.outs
    assert life.up(props) == "update"
    assert bind.mx() == OURS


def test_a_ttl_alone_is_changed(bind: BindServer, life: Life) -> None:
    life.up(wanted())
    assert life.up({**wanted(ttl=30), "before": life.inputs["before"]}) == "update"
    assert bind.mx() == [one.replace("60 ", "30 ", 1) for one in OURS]
    held = moment(life.outs, "heldUntil")  # who asked before the change may go on for the old TTL
    assert held is not None
    assert 115 < (held - now()).total_seconds() < 122  # and mail that is on its way then for as long again


def test_what_someone_changed_since_is_not_overwritten_by_the_way_back(bind: BindServer, life: Life) -> None:
    life.up(wanted())
    another(bind, "5 mx.stranger.example.")
    with pytest.raises(ManagedError, match="changed since the last run"):
        life.destroy()
    assert bind.mx() == ["120 5 mx.stranger.example."]


# --- first contact ------------------------------------------------------------------------------------------


def test_the_domains_own_microsoft_mx_needs_no_take_over(life: Life) -> None:
    assert life.refusals(wanted()) == []
    assert any("Check Health" in line for line in life.said)


def test_a_strangers_mx_is_refused_unless_taken_over(bind: BindServer, life: Life) -> None:
    another(bind, "10 mx.stranger.example.")
    (refusal,) = life.refusals(wanted())
    assert "mx.stranger.example" in refusal
    assert f"add mx.{ZONE} to the setting takeOver" in refusal
    assert life.up(wanted(takeOver=[ZONE])) == "create"
    assert bind.mx() == OURS


def test_a_set_that_is_right_already_is_adopted_with_its_ttl_mended(bind: BindServer, life: Life) -> None:
    another(bind, f"10 mx1.{ZONE}.", f"20 mx2.{ZONE}.", ttl=900)
    life.up(wanted())
    assert bind.mx() == OURS
    assert "changedAt" not in life.outs


def test_a_host_without_address_is_refused_before_anything_is_moved(life: Life) -> None:
    (refusal,) = life.refusals(wanted(hosts=[{"host": f"nobody.{ZONE}", "preference": 10}]))
    assert "has no address (no such name)" in refusal
    (refusal,) = life.refusals(wanted(hosts=[{"host": f"alias.{ZONE}", "preference": 10}]))
    assert f"is a CNAME to mx1.{ZONE}" in refusal


def test_a_null_mx_as_wish_is_refused_and_as_found_shown(life: Life) -> None:
    (refusal,) = life.refusals(wanted(hosts=[{"host": ".", "preference": 0}]))
    assert "host name" in refusal
    name = f"null.{ZONE}"
    (refusal,) = life.refusals(wanted(domain=name, before=before(name)))
    assert "{host: «.», preference: 0}" in refusal


def test_a_null_mx_that_was_there_is_put_back(bind: BindServer, life: Life) -> None:
    name = f"null.{ZONE}"
    life.up(wanted(domain=name, before=before(name), takeOver=[name]))
    life.destroy()
    assert bind.mx(name) == ["3600 0 ."]


def test_a_cname_at_the_name_is_told(life: Life) -> None:
    with pytest.raises(ManagedError, match=f"has a CNAME to mx1.{ZONE}.*no MX can stand"):
        life.up(wanted(domain=f"alias.{ZONE}"))


# --- keys and zones -----------------------------------------------------------------------------------------


def test_a_wrong_secret_is_one_clear_line(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNS_TSIG_SECRET", "YW5vdGhlci1zZWNyZXQtYW5vdGhlci1zZWNyZXQ=")
    with pytest.raises(ManagedError) as caught:
        before()
    line = str(caught.value)
    assert "does not accept our TSIG key m365se-test (BADSIGNATURE)" in line
    assert "DNS_TSIG_SECRET" in line
    assert "YW5vdGhlci1z" not in line
    assert "\n" not in line


def test_an_unknown_key_and_a_wrong_algorithm_are_told(
    bind: BindServer, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in ({"keyName": "nobody."}, {"algorithm": "hmac-sha512"}):
        dns_life.configure(monkeypatch, tmp_path, bind, said, **wrong)
        with pytest.raises(ManagedError, match=r"does not accept our TSIG key .* \(BADKEY\)"):
            before()


def test_without_a_secret_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DNS_TSIG_SECRET")
    with pytest.raises(ManagedError, match=r"no secret for the TSIG key m365se-test.*DNS_TSIG_SECRET"):
        before()


def test_a_secret_that_is_not_base64_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNS_TSIG_SECRET", "not-base64!")
    with pytest.raises(ManagedError, match="is not base64") as caught:
        before()
    assert "not-base64!" not in str(caught.value)


def test_this_server_takes_no_unsigned_update(bind: BindServer) -> None:
    update = dns.update.UpdateMessage(ZONE)
    update.replace(dns.name.from_text(ZONE), 60, "MX", "10 mx.stranger.example.")
    answer = dns.query.tcp(update, "127.0.0.1", port=bind.port, timeout=5)
    assert answer.rcode() == dns.rcode.REFUSED
    assert bind.mx() == ORIGINAL


def test_a_zone_that_the_key_may_not_change_is_refused(bind: BindServer, life: Life) -> None:
    props = wanted(domain=OTHER_ZONE, before=before(OTHER_ZONE))
    with pytest.raises(ManagedError, match=r"our key may not change its MX \(REFUSED\).*update-policy"):
        life.up(props)
    assert bind.mx(OTHER_ZONE) == ORIGINAL


def test_a_zone_of_another_server_is_told(life: Life) -> None:
    with pytest.raises(ManagedError, match=r"does not hold a zone with elsewhere\.example"):
        before("elsewhere.example")


def test_a_wrong_zone_in_the_settings_is_told(
    bind: BindServer, life: Life, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    props = wanted()
    dns_life.configure(monkeypatch, tmp_path, bind, said, zone=f"shop.{ZONE}")
    with pytest.raises(ManagedError, match=r"not the primary of this zone \(NOTAUTH\)"):
        life.up(wanted(domain=f"shop.{ZONE}", before=before(f"shop.{ZONE}")))
    dns_life.configure(monkeypatch, tmp_path, bind, said, zone=OTHER_ZONE)
    with pytest.raises(ManagedError, match=f"setting dns.zone: {ZONE} does not lie in the zone"):
        life.up(props)
    assert bind.mx() == ORIGINAL


def test_a_server_that_is_down_is_told_and_is_not_absence(bind: BindServer, life: Life) -> None:
    life.up(wanted())
    bind.stop()
    with pytest.raises(ManagedError, match=f"127.0.0.1 port {bind.port}: cannot be reached"):
        life.refresh()
    bind.start()
    life.refresh()
    assert bind.mx() == OURS


# --- others at work at the same time ------------------------------------------------------------------------


def test_a_change_between_read_and_write_is_a_conflict(
    bind: BindServer, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    props = wanted()
    write = Primary.replace

    def late(self: Primary, domain: str, was: Entry | None, then: Entry | None) -> None:
        another(bind, "10 mx.stranger.example.")
        write(self, domain, was, then)

    monkeypatch.setattr(Primary, "replace", late)
    with pytest.raises(ChangedMeanwhile, match=r"was changed while .* 10 mx.stranger.example; nothing was"):
        life.up(props)
    assert bind.mx() == ["120 10 mx.stranger.example."]


def test_someone_who_made_the_same_change_meanwhile_is_no_conflict(
    bind: BindServer, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    props = wanted()
    write = Primary.replace

    def late(self: Primary, domain: str, was: Entry | None, then: Entry | None) -> None:
        another(bind, *(one.removeprefix("60 ") for one in OURS), ttl=60)
        write(self, domain, was, then)

    monkeypatch.setattr(Primary, "replace", late)
    assert life.up(props) == "create"


# --- waiting ------------------------------------------------------------------------------------------------


def test_the_old_set_gets_a_short_ttl_first_and_the_move_waits_for_it(
    bind: BindServer, life: Life, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    another(bind, f"0 {MICROSOFT_MX}.", ttl=2)
    props = wanted(lowerTtlFirst=1)
    seen: list[list[str]] = []
    wait = settling.wait_until

    def looked(until: datetime, what: str) -> None:
        seen.append(bind.mx())
        wait(until, what)

    monkeypatch.setattr(settling, "wait_until", looked)
    start = now()
    life.up(props)
    assert seen == [[f"1 0 {MICROSOFT_MX}."]]
    assert (now() - start).total_seconds() >= 2
    assert bind.mx() == OURS
    assert any("lowered from 2 to 1 s" in line for line in said)
    assert any("waiting until " in line for line in said)
    settled = moment(life.outs, "settledAt")
    assert settled is not None
    assert (settled - now()).total_seconds() <= 2


def test_a_run_cut_while_it_waited_waits_again_for_the_whole_ttl(
    bind: BindServer, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    another(bind, f"0 {MICROSOFT_MX}.", ttl=2)
    props = wanted(lowerTtlFirst=1)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(settling, "wait_until", cut)
        with pytest.raises(KeyboardInterrupt):
            life.up(props)
    assert bind.mx() == [f"1 0 {MICROSOFT_MX}."]
    start = now()
    life.up(props)
    assert (now() - start).total_seconds() >= 2
    life.destroy()
    assert bind.mx() == [f"2 0 {MICROSOFT_MX}."]  # as it was before us, not as we lowered it


def test_destroy_answers_only_after_the_ttl_of_what_it_took_away(bind: BindServer, life: Life) -> None:
    life.up(wanted(ttl=2, settle="ttl"))
    start = now()
    life.destroy()
    assert (now() - start).total_seconds() >= 2
    assert bind.mx() == ORIGINAL
    assert any("as before us: waiting until" in line for line in life.said)


def test_a_move_back_waits_and_a_destroy_after_it_does_not_wait_again(bind: BindServer, life: Life) -> None:
    props = wanted(ttl=2, settle="ttl")
    life.up(props)
    assert not any("waiting until" in line for line in life.said)  # forward, nothing is to be waited for
    start = now()
    life.up({**props, "hosts": [{"host": MICROSOFT_MX, "preference": 0}], "ttl": 300})
    moved = now()
    assert (moved - start).total_seconds() >= 2
    life.destroy()
    assert (now() - moved).total_seconds() < 1
    assert bind.mx() == ORIGINAL


def test_a_move_back_that_was_cut_waits_again(
    bind: BindServer, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    props = wanted(ttl=2, settle="ttl")
    life.up(props)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(settling, "wait_until", cut)
        with pytest.raises(KeyboardInterrupt):
            life.destroy()
    assert bind.mx() == ORIGINAL
    start = now()
    life.destroy()
    assert (now() - start).total_seconds() >= 2


def test_a_settle_time_in_seconds_is_taken(bind: BindServer, life: Life) -> None:
    life.up(wanted(ttl=3600, settle=1))
    start = now()
    life.destroy()
    assert 1 <= (now() - start).total_seconds() < 5
