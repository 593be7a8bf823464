"""Get-MessageTraceV2 and …DetailV2 over the admin API: what they find, how they page, what they refuse."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.protocol import lab_tenant_mail_kit as kit
from tests.protocol.lab_tenant_kit import failure
from tests.protocol.lab_tenant_mail_kit import DATA1, DATA2, INBOUND, OUTSIDE, PROBE, STRANGER, World

running_world, world = kit.running_world, kit.world


def traced(world: World, **parameters: Any) -> list[dict[str, Any]]:
    return world.caller.run("Get-MessageTraceV2", **parameters)


def details(world: World, row: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    wanted = {"MessageTraceId": row["MessageTraceId"], "RecipientAddress": row["RecipientAddress"]}
    return world.caller.run("Get-MessageTraceDetailV2", **wanted, **more)


def data(row: dict[str, Any]) -> dict[str, str]:
    """The named values in a detail's Data."""
    root = ET.fromstring(row["Data"])  # noqa: S314 - the lab wrote it
    return {part.attrib["Name"]: part.attrib["String"] for part in root}


def test_a_message_that_came_in_names_its_connector(world: World) -> None:
    world.do("New-InboundConnector", INBOUND)
    world.do("New-TransportRule", kit.BYPASS)
    world.arrive(DATA2, subject="INBOUND EMAIL TEST")
    (row,) = traced(world)
    assert (row["Status"], row["FromIP"], row["ToIP"]) == ("Delivered", DATA2, None)
    assert (row["SenderAddress"], row["RecipientAddress"]) == ("anna@sender.example", PROBE)
    assert row["Subject"] == "INBOUND EMAIL TEST"
    events = {detail["Event"]: detail for detail in details(world, row)}
    assert data(events["Receive"])["ConnectorId"] == "Inbound from Cisco CES"
    assert data(events["Receive"])["ClientIP"] == DATA2
    assert "Bypass spam filtering" in " ".join(
        detail["Detail"] for detail in details(world, row, Event=["transport rule"])
    )
    assert events["Deliver"]["Detail"].endswith("DefaultFolderType:Inbox")


def test_unattributed_mail_shows_a_default_connector(world: World) -> None:
    world.arrive(STRANGER)
    (row,) = traced(world)
    assert data(details(world, row)[0])["ConnectorId"].startswith("Default ")


def test_a_message_that_left_names_host_connector_and_rule(world: World) -> None:
    world.outbound_by_rule()
    world.leave()
    world.tenant.mail.traces.wait_settled(10)
    (row,) = traced(world, Status=["delivered"])
    assert (row["FromIP"], row["ToIP"]) == (None, DATA2)
    events = {detail["Event"]: detail for detail in details(world, row)}
    assert list(events) == ["Submit", "Transport rule", "Send external"]
    assert data(events["Send external"])["ConnectorId"] == "Outbound to Cisco CES"
    assert data(events["Transport rule"])["RuleName"] == "Outbound to Cisco CES"
    assert "RouteMessageOutboundConnector" in events["Transport rule"]["Action"]
    assert kit.SECRET not in str(events)


def test_junk_shows_as_delivered_or_as_spam(world: World) -> None:
    world.arrive(X_Lab_Spam="yes")
    (row,) = traced(world)
    assert row["Status"] == "Delivered"
    assert details(world, row)[-1]["Detail"].endswith("DefaultFolderType:JunkEmail")
    world.tenant.mail.clear()
    world.tenant.switches.junk_status = "FilteredAsSpam"
    world.arrive(X_Lab_Spam="yes")
    assert traced(world)[0]["Status"] == "FilteredAsSpam"


def test_a_deferred_message_is_pending(world: World) -> None:
    world.outbound_by_rule()
    world.gateway.reply = "451 4.3.2 try again later"
    world.leave()
    world.event("deferred")
    (row,) = traced(world, Status="Pending")
    deferred = [detail for detail in details(world, row) if detail["Event"] == "Defer"]
    assert "LED=451 4.3.2 try again later" in deferred[0]["Detail"]
    world.gateway.reply = "250 2.0.0 ok"


def test_the_trace_is_behind(world: World) -> None:
    world.tenant.switches.trace_latency = 3600
    world.arrive()
    assert traced(world) == []
    world.tenant.switches.trace_latency = 0
    assert len(traced(world)) == 1


def test_every_filter_filters(world: World) -> None:
    world.arrive(DATA1, subject="First of all", sender="one@sender.example")
    world.arrive(STRANGER, subject="Second", sender="two@other.example", recipient="anna@bce-demo.com")
    rows = {row["Subject"]: row for row in traced(world)}
    first = rows["First of all"]
    for parameters in (
        {"SenderAddress": ["ONE@sender.example"]},
        {"SenderAddress": "*@sender.example"},
        {"RecipientAddress": [PROBE, "x@bce-demo.com"]},
        {"MessageId": [first["MessageId"]]},
        {"MessageId": first["MessageId"].strip("<>")},
        {"MessageTraceId": first["MessageTraceId"]},
        {"FromIP": DATA1},
        {"Subject": "of all", "SubjectFilterType": "Contains"},
        {"Subject": "FIRST", "SubjectFilterType": "StartsWith"},
        {"Subject": "all", "SubjectFilterType": "EndsWith"},
    ):
        assert [row["Subject"] for row in traced(world, **parameters)] == ["First of all"], parameters
    assert traced(world, Status=["Failed", "Quarantined"]) == []
    assert traced(world, ToIP=DATA1) == []
    assert traced(world, EndDate=(datetime.now(UTC) - timedelta(hours=1)).isoformat()) == []


def test_the_newest_come_first_and_the_boundary_comes_twice(world: World) -> None:
    world.arrive(subject="older", recipient=("c@bce-demo.com", "a@bce-demo.com", "b@bce-demo.com"))
    world.arrive(subject="newer")
    whole = [(row["Subject"], row["RecipientAddress"]) for row in traced(world)]
    assert whole == [
        ("newer", PROBE),
        ("older", "a@bce-demo.com"),
        ("older", "b@bce-demo.com"),
        ("older", "c@bce-demo.com"),
    ]
    answer = world.caller.invoke("Get-MessageTraceV2", {"ResultSize": 3}).json()
    assert "@odata.nextLink" not in answer
    assert "There are more results" in answer["@adminapi.warnings"][0]
    last = answer["value"][-1]
    rest = traced(
        world, EndDate=last["Received"], StartingRecipientAddress=last["RecipientAddress"], ResultSize=3
    )
    assert [row["RecipientAddress"] for row in rest] == ["b@bce-demo.com", "c@bce-demo.com"]
    assert world.caller.invoke("Get-MessageTraceV2", {"ResultSize": 4}).json()["@adminapi.warnings"] == []


def test_times_are_utc_however_they_are_marked(world: World) -> None:
    world.arrive()
    assert traced(world)[0]["Received"].endswith("Z")
    world.tenant.switches.rendering.trace_zone = "none"
    bare = traced(world)[0]["Received"]
    assert abs(datetime.fromisoformat(bare).replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    assert len(traced(world, EndDate=bare, StartDate=bare)) == 1


def test_what_the_cmdlets_do_not_take(world: World) -> None:
    now = datetime.now(UTC)
    for parameters in (
        {"StartDate": (now - timedelta(days=11)).isoformat(), "EndDate": now.isoformat()},
        {
            "StartDate": (now - timedelta(days=95)).isoformat(),
            "EndDate": (now - timedelta(days=91)).isoformat(),
        },
        {"StartDate": now.isoformat(), "EndDate": (now - timedelta(days=1)).isoformat()},
        {"ResultSize": 5001},
        {"Status": ["Gone"]},
        {"StartDate": "yesterday"},
        {"MessageTraceId": "17"},
        {"PageSize": 10},
    ):
        assert world.caller.refused("Get-MessageTraceV2", **parameters).status == 400, parameters
    assert world.caller.refused("Get-MessageTraceDetailV2", RecipientAddress=PROBE).status == 400


def test_too_many_queries_are_throttled(world: World) -> None:
    world.tenant.switches.trace_requests = 3
    for _ in range(3):
        traced(world)
    response = world.caller.invoke("Get-MessageTraceV2")
    assert failure(response).status == 429
    assert response.headers["retry-after"] == "5"
    assert world.do("Get-MessageTraceV2", RecipientAddress=OUTSIDE) == [], "by hand there is no limit"


def test_a_bounce_has_nobody_as_sender(world: World) -> None:
    world.arrive(sender="")
    (row,) = traced(world, SenderAddress=["<>"])
    assert row["SenderAddress"] == "<>"


def test_mail_of_earlier_days_can_be_made_up(world: World) -> None:
    now = datetime.now(UTC)
    world.tenant.mail.traces.recall("scan@bce-demo.com", PROBE, STRANGER, now - timedelta(days=9))
    world.tenant.mail.traces.recall("old@bce-demo.com", PROBE, STRANGER, now - timedelta(days=12))
    assert traced(world) == [], "48 hours unless told"
    nine = {"StartDate": (now - timedelta(days=10)).isoformat(), "EndDate": now.isoformat()}
    (row,) = traced(world, **nine)
    assert (row["SenderAddress"], row["FromIP"], row["Status"]) == (
        "scan@bce-demo.com",
        STRANGER,
        "Delivered",
    )


def test_what_the_door_refuses_is_in_no_trace(world: World) -> None:
    assert world.arrive(STRANGER, recipient="x@bank.example").code == 550
    assert traced(world) == []


def test_who_may_only_read_may_trace(world: World) -> None:
    world.tenant.switches.directory_role = "reader"
    assert traced(world) == []
    validate = {"Identity": "To archive", "Recipients": [OUTSIDE]}
    assert world.caller.invoke("Validate-OutboundConnector", validate).status_code == 403


def test_groups_are_read_by_name_and_address(world: World) -> None:
    (group,) = world.caller.run("Get-DistributionGroup", Identity="mail-pilot@bce-demo.com")
    assert group["Name"] == "Mail pilot"
    assert "Members" not in group
    (member,) = world.caller.run("Get-DistributionGroupMember", Identity="Mail pilot")
    assert member["PrimarySmtpAddress"] == "pilot@bce-demo.com"
    assert world.caller.refused("Get-DistributionGroup", Identity="no such group").status == 404
    world.caller.run("Add-DistributionGroupMember", Identity="Mail pilot", Member="anna@bce-demo.com")
    assert len(world.caller.run("Get-DistributionGroupMember", Identity="Mail pilot")) == 2
    twice = {"Identity": "Mail pilot", "Member": "ANNA@bce-demo.com"}
    assert world.caller.refused("Add-DistributionGroupMember", **twice).status == 400
    world.caller.run("Remove-DistributionGroupMember", **twice)
    assert world.caller.refused("Remove-DistributionGroupMember", **twice).status == 404
    world.caller.run(
        "New-DistributionGroup", Name="Two", PrimarySmtpAddress="two@bce-demo.com", Members=["x@y.example"]
    )
    world.caller.run("Remove-DistributionGroup", Identity="two@bce-demo.com")
    assert len(world.caller.run("Get-DistributionGroup")) == 2
