"""The table of what was made: complete, in the words of the user interfaces, compared with the record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from components.settings import Settings
from mail_check.assemble import assemble
from mail_check.objects import made_objects
from mail_check.report import MadeObject
from mail_check.state import Recorded, recorded
from mail_check.surroundings import lock_down, points_at, secret_age
from tests.unit.settings_samples import ENVIRONMENT, SECRET, sample, spoiled

SECRET_MARK = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
CIPHERTEXT = "v1:RaYQelUJVnSoZMk5:LLpiXtkS4UUgTBzeJ0Dys2eq8nRT5yF8Phk1o0DaFIlcau0zfIdMcmVCkNQ="
MX = "contoso-example.mail.protection.outlook.com"
NOW = datetime(2026, 9, 5, 18, 9, tzinfo=UTC)


def settings(**changes: Any) -> Settings:
    places: dict[tuple[str | int, ...], object] = {
        tuple(place.split("__")): value for place, value in changes.items()
    }
    return Settings.from_config(spoiled(places), ENVIRONMENT)


def resource(
    logical: str, kind: str, /, created: str = "2026-07-01T00:00:00Z", **outputs: Any
) -> dict[str, Any]:
    urn = f"urn:pulumi:contoso-prod::m365-secure-email::x$pulumi-python:dynamic/{kind}::{logical}"
    engine = {"__provider": "gASVSwAAAAAAAACM", "before": {**SECRET_MARK, "ciphertext": CIPHERTEXT}}
    return {
        "urn": urn,
        "type": f"pulumi-python:dynamic/{kind}",
        "created": created,
        "outputs": {**engine, **outputs},
    }


def export(*resources: dict[str, Any]) -> dict[str, Any]:
    stack = {
        "urn": "urn:pulumi:contoso-prod::m365-secure-email::pulumi:pulumi:Stack::s",
        "type": "pulumi:Stack",
    }
    return {"version": 3, "deployment": {"resources": [stack, *resources]}}


def routes(host: str = MX) -> dict[str, Any]:
    hosts = {"hosts": [{"host": host, "port": 25.0, "priority": 0}]}
    return resource("smtp-routes", "gateway:SmtpRoutes", gateway="hc1234", routes={"contoso.example": hosts})


RULE = resource(
    "outbound-rule",
    "exchange:TransportRule",
    name="Outbound to Cisco CES",
    setHeaderName="X-OUTBOUND-AUTH",
    setHeaderValue={**SECRET_MARK, "ciphertext": CIPHERTEXT},
    revision="2026-08-01T10:00:00.000+00:00",
)
FILTER = resource(
    "outbound-filter",
    "gateway:OutboundFilter",
    name="office365_outbound",
    alternatives={**SECRET_MARK, "ciphertext": CIPHERTEXT},
    revision="2026-07-20T10:00:00.000+00:00",
)


def found(objects: tuple[MadeObject, ...], row: str, name: str = "") -> MadeObject:
    return next(one for one in objects if one.row == row and (not name or one.name == name))


def route_of(export_: dict[str, Any], plan: dict[str, str] | None = None) -> MadeObject:
    return found(made_objects(settings(), recorded(export_), plan), "e", "contoso.example")


def test_every_row_of_the_guide_that_sets_something_is_there_for_every_domain() -> None:
    objects = made_objects(settings())
    assert {one.row for one in objects} == set("abcdehijkln")
    tables = {"contoso.example", "shop.contoso.example", ".shop.contoso.example", "contoso-mail.example"}
    for row in "cde":
        assert {one.name for one in objects if one.row == row} == tables
    assert {one.state for one in objects} == {"unknown"}


def test_objects_are_told_in_the_words_of_the_two_user_interfaces() -> None:
    objects = made_objects(settings())
    assert found(objects, "h").place == "Mail Policies > HAT Overview, OutgoingMail"
    assert found(objects, "h").attributes["Sender"] == ".protection.outlook.com"
    assert found(objects, "b").place == "Exchange admin center > Mail flow > Connectors"
    assert "192.0.2.10, 198.51.100.10" in found(objects, "b").attributes["Identify the partner by"]
    limits = found(objects, "c").attributes["Destination Limits"]
    assert limits == "10 concurrent connections, 20 messages per connection"
    assert found(objects, "e").attributes["Destination Hosts"] == f"{MX}, priority 0, port 25"


def test_no_table_of_objects_holds_the_secret() -> None:
    made = assemble(settings(), "contoso-prod", (), on_record=recorded(export(RULE, FILTER)))
    assert SECRET not in json.dumps(made.as_json())
    assert CIPHERTEXT not in json.dumps(made.as_json())
    assert found(made.objects, "l").attributes["Values that are right"] == "1, secret"


def test_what_is_not_set_is_not_listed() -> None:
    off = made_objects(settings(outbound__state="none"))
    assert "k" not in {one.row for one in off}
    assert "j" in {one.row for one in off}


def test_on_record_and_equal_is_right_whatever_order_case_and_kind_of_number() -> None:
    assert route_of(export(routes(MX.upper()))).state == "right"


def test_on_record_and_different_says_what_is_on_record() -> None:
    other = route_of(export(routes("fabrikam-example.mail.protection.outlook.com")))
    assert other.state == "drift"
    assert "fabrikam-example.mail.protection.outlook.com" in other.note


def test_not_on_record_is_not_there() -> None:
    assert route_of(export()).state == "missing"
    shop = found(made_objects(settings(), recorded(export(routes()))), "e", "shop.contoso.example")
    assert shop.state == "missing"


def test_what_a_preview_would_change_differs() -> None:
    planned = route_of(export(routes()), {"smtp-routes": "update"})
    assert (planned.state, planned.note) == ("drift", "the next up would update it")
    assert route_of(export(routes()), {"sender-group": "update"}).state == "right"


def test_what_the_shared_gateways_stack_makes_is_told_so() -> None:
    shared = made_objects(settings(gateway__shared=True, takeOver=[]), ())
    assert {found(shared, row).state for row in "hi"} == {"managed"}
    assert found(shared, "l").state == "missing"


def test_mx_records_are_listed_where_they_are_ours_to_set() -> None:
    hosts = [{"host": "mx1.hc1234-56.c3s2.iphmx.com", "preference": 10}]
    ours = spoiled({("domains", "contoso.example", "mx"): "gateway", ("inbound", "mxHosts"): hosts})
    ours["checks"] = {"mailbox": "probe@contoso.example", "outside": "probe@probe.example"}
    objects = made_objects(Settings.from_config(ours, ENVIRONMENT))
    (record,) = (one for one in objects if one.row == "f")
    assert (record.side, record.name) == ("dns", "contoso.example")
    assert record.attributes == {"MX": "10 mx1.hc1234-56.c3s2.iphmx.com"}


def test_a_record_keeps_no_secret_and_nothing_of_the_engines_own() -> None:
    (rule,) = recorded(export(RULE))
    assert set(rule.properties) == {"name", "setHeaderName", "revision"}
    assert recorded({"version": 3, "deployment": None}) == ()


def test_the_secret_is_no_younger_than_the_last_write_to_what_holds_it() -> None:
    age = secret_age(recorded(export(RULE, FILTER)), NOW, 40)
    assert age is not None
    assert (age.at_least, age.at_most, age.old, age.span) == (47, 66, True, "47 to 66 days")
    young = secret_age(recorded(export(RULE, FILTER)), NOW, 60)
    assert young is not None
    assert (young.old, young.maybe_old) == (False, True)
    assert secret_age((), NOW) is None


def test_the_secrets_age_counts_from_when_the_accepted_ones_changed() -> None:
    rotation = {
        **resource("secret-rotation", "exchange:SecretRotation", name="Outbound to Cisco CES"),
        "modified": "2026-07-10T18:00:00Z",
    }
    age = secret_age(recorded(export(RULE, FILTER, rotation)), NOW)
    assert age is not None
    assert (age.at_least, age.at_most) == (57, 66)


def test_since_when_it_is_sent_is_its_age_where_that_is_known() -> None:
    rotation = resource("secret-rotation", "exchange:SecretRotation", since="2026-08-10T18:00:00Z")
    age = secret_age(recorded(export(RULE, FILTER, rotation)), NOW)
    assert age is not None
    assert (age.at_least, age.at_most, age.span) == (26, 26, "26 days")


def test_the_lock_down_is_right_when_the_record_has_what_is_set() -> None:
    def state(**switches: bool) -> str:
        return lock_down(settings(), (Recorded("lock-down", "exchange:LockDown", switches),), None).state

    assert lock_down(settings(), (), None).state == "right"
    assert state(restrictDomainsToIpAddresses=False, rejectDirectSend=False) == "right"
    assert state(restrictDomainsToIpAddresses=True, rejectDirectSend=True) == "drift"


def test_who_came_past_the_gateway_is_taken_from_the_record_where_nobody_looked_now() -> None:
    row = {
        "address": "203.0.113.200",
        "senderDomain": "saas-sender.example",
        "ownDomain": False,
        "messages": 3.0,
        "last": "2026-09-05T17:51:02Z",
        "example": "<a@b>",
    }
    past = Recorded("past-the-gateway", "exchange:PastTheGateway", {"senders": [row], "total": 1})
    (passer,) = lock_down(settings(), (past,), None).passers or ()
    assert (passer.sender, passer.messages, passer.last) == ("saas-sender.example", 3, row["last"])
    assert lock_down(settings(), (past,), ()).passers == ()
    assert lock_down(settings(), (), None).passers is None


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([], "unknown"),
        ([set()], "nothing"),
        ([{"gw1", "gw2"}, {"gw1"}], "gateway"),
        ([{"ms"}, {"ms"}], "microsoft"),
        ([{"gw1"}, {"ms"}], "mixed"),
        ([{"gw1", "ms"}], "mixed"),
        ([{"gw1"}, set()], "mixed"),
        ([{"ms"}, {"other"}], "mixed"),
        ([{"other"}], "elsewhere"),
    ],
)
def test_where_an_mx_points_is_what_all_servers_say(answers: list[set[str]], says: str) -> None:
    assert points_at(answers, {"gw1", "gw2"}, "ms") == says


def test_domains_that_no_check_was_about_are_named() -> None:
    made = assemble(settings(), "contoso-prod", ())
    assert made.untried == tuple(sample()["domains"])
