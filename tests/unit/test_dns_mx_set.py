"""MX sets in normal form, the settings of DNS, and the arithmetic of waiting."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dynamic_providers.dns import mx_set
from dynamic_providers.dns.connection import DnsConnection
from dynamic_providers.dns.mx_check import MxCheckInputs
from dynamic_providers.dns.mx_move import Move, held, until_settled
from dynamic_providers.dns.mx_records import MxRecordsInputs
from dynamic_providers.dns.settling import Change, moment, stamp

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
HOST = st.builds(
    lambda label, preference: {"host": f"{label}.contoso.example", "preference": preference},
    LABEL,
    st.integers(0, 65535),
)
HOSTS = st.lists(HOST, min_size=1, max_size=6)
MICROSOFT = {"host": "contoso-example.mail.protection.outlook.com", "preference": 0}


def normal(hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    inputs = MxRecordsInputs.model_validate({"domain": "contoso.example", "hosts": hosts})
    found: list[dict[str, Any]] = inputs.model_dump(mode="json", by_alias=True)["hosts"]
    return found


@given(HOSTS, st.randoms())
def test_order_case_dots_and_doubles_say_nothing(hosts: list[dict[str, Any]], chance: random.Random) -> None:
    other = [{**one, "host": f"{one['host'].upper()}."} for one in [*hosts, hosts[0]]]
    chance.shuffle(other)
    assert normal(other) == normal(hosts)


@given(HOSTS)
def test_what_is_written_reads_back(hosts: list[dict[str, Any]]) -> None:
    written = [one.lower().removesuffix(".") for one in mx_set.records(normal(hosts))]
    assert mx_set.hosts_of(written) == normal(hosts)


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [{"host": "."}],
        [{"host": "192.0.2.1"}],
        [{"host": "mx"}],
        [{"host": "mx.a.example", "preference": -1}],
    ],
)
def test_a_set_that_takes_no_mail_is_refused(hosts: list[dict[str, Any]]) -> None:
    for model in (MxRecordsInputs, MxCheckInputs):
        with pytest.raises(ValidationError):
            model.model_validate({"domain": "contoso.example", "hosts": hosts})


def test_a_null_mx_survives_its_way_through_the_normal_form() -> None:
    null: dict[str, Any] = {"hosts": mx_set.hosts_of(["0 ."]), "ttl": 60}
    assert mx_set.is_null(null)
    assert mx_set.records(null["hosts"]) == ["0 ."]
    assert mx_set.shown(null) == "a null MX (takes no mail)"
    assert mx_set.shown(None) == "no MX"


def test_only_microsoft_means_no_other_host_beside_it() -> None:
    name = MICROSOFT["host"]
    assert mx_set.only_microsoft({"hosts": [MICROSOFT]}, str(name))
    half_moved = {"hosts": [MICROSOFT, {"host": "mx1.contoso.example", "preference": 10}]}
    assert not mx_set.only_microsoft(half_moved, str(name))
    assert not mx_set.only_microsoft(None, str(name))
    assert not mx_set.only_microsoft({"hosts": [MICROSOFT]}, None)


@pytest.mark.parametrize("name", ["m365se", "M365SE.", "key.m365se."])
def test_a_key_name_has_one_form(name: str) -> None:
    found = DnsConnection.model_validate({"server": "203.0.113.53", "keyName": name}).key_name
    assert found == f"{name.lower().removesuffix('.')}."


@pytest.mark.parametrize("wrong", [{"keyName": ""}, {"keyName": "a..b"}, {"resolvers": []}, {"ttl": -1}])
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DnsConnection.model_validate(wrong)


# --- waiting ------------------------------------------------------------------------------------------------

GATEWAY = [{"host": "mx1.contoso.example", "preference": 10}]
AT = datetime(2026, 10, 1, 12, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_stamp_is_never_early(when: datetime) -> None:
    if when < datetime(9999, 12, 31, 23, 59, tzinfo=UTC):
        back = moment({"at": stamp(when)}, "at")
        assert back is not None
        assert timedelta(0) <= back - when < timedelta(seconds=1)


def test_the_longer_ttl_counts_and_a_given_time_overrides_it() -> None:
    known, live = {"hosts": GATEWAY, "ttl": 3600}, {"hosts": GATEWAY, "ttl": 60}
    change = Move("contoso.example", live, known, {"hosts": [MICROSOFT], "ttl": 300}).change()
    assert change is not None
    assert change.remembered == 3600
    assert change.settled(5) - change.at == timedelta(seconds=5)


def test_a_ttl_that_was_lowered_shortly_before_still_counts() -> None:
    assert held({"hosts": GATEWAY, "ttl": 60}, {"hosts": GATEWAY, "ttl": 3600}) == {}
    assert held({"hosts": GATEWAY, "ttl": 3600}, {"hosts": [MICROSOFT], "ttl": 60}) == {}
    lowered = {"heldUntil": stamp(AT + timedelta(hours=1))}
    assert until_settled(Change(AT, 60), "ttl", lowered) == AT + timedelta(hours=1)
    assert until_settled(Change(AT, 60), 5, lowered) == AT + timedelta(seconds=5)
    assert until_settled(Change(AT, 60), "ttl", {}) == AT + timedelta(seconds=120)


def test_mail_that_set_out_just_before_the_ttl_ended_still_finds_its_way() -> None:
    for remembered, on_its_way in ((0, 0), (60, 60), (3600, 300)):
        change = Change(AT, remembered)
        assert change.forgotten() == AT + timedelta(seconds=remembered)
        assert change.settled() == change.forgotten() + timedelta(seconds=on_its_way)


def test_nothing_changed_is_no_change() -> None:
    there = {"hosts": GATEWAY, "ttl": 60}
    assert Move("contoso.example", there, there, {"hosts": GATEWAY, "ttl": 300}).change() is None
