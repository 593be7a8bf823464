"""The practice admin API on the wire: shapes, paging, and what it is journalled as."""

from __future__ import annotations

import threading

import pytest
import requests

from lab.tenant.server import LabTenant
from tests.protocol import lab_tenant_kit as kit
from tests.protocol.lab_tenant_kit import ANCHOR, CONNECTOR, Caller, failure

running_tenant, tenant, caller = kit.running_tenant, kit.tenant, kit.caller


def test_an_answer_has_context_warnings_value_and_a_request_id(tenant: LabTenant, caller: Caller) -> None:
    response = caller.invoke("Get-AcceptedDomain")
    document = response.json()
    assert list(document) == [
        "@odata.context",
        "adminapi.warnings@odata.type",
        "@adminapi.warnings",
        "value",
    ]
    assert document["@odata.context"].endswith("/$metadata#Collection(Exchange.GenericHashTable)")
    assert response.headers["Request-Id"]
    names = [row["DomainName"] for row in document["value"]]
    assert names == ["bce-demo.com", "shop.bce-demo.com", tenant.initial_domain]
    initial = [row["DomainName"] for row in document["value"] if row["InitialDomain"]]
    assert initial == [tenant.initial_domain]


def test_names_of_cmdlets_and_parameters_ignore_case(caller: Caller) -> None:
    (row,) = caller.run("gEt-TRANSPORTrule", identity="no EXECUTABLES")
    assert row["Name"] == "No executables"


@pytest.mark.parametrize("version", ["beta", "v1.0"])
def test_both_versions_answer(caller: Caller, version: str) -> None:
    assert caller.invoke("Get-AcceptedDomain", version=version).status_code == 200


def test_the_tenant_can_be_named_by_its_initial_domain(tenant: LabTenant, caller: Caller) -> None:
    assert caller.invoke("Get-AcceptedDomain", tenant=tenant.initial_domain).status_code == 200
    other = caller.invoke("Get-AcceptedDomain", tenant="99999999-2222-4333-8444-555555555555")
    assert other.status_code == 401


def test_annotations_stand_before_their_property(caller: Caller) -> None:
    row = caller.invoke("Get-TransportRule", {"Identity": "External mail warning"}).json()["value"][0]
    keys = list(row)
    assert row["Priority@data.type"] == "System.Int32"
    assert keys.index("Priority@data.type") == keys.index("Priority") - 1
    assert row["Guid@odata.type"] == "#Guid"
    assert row["ExceptIfSenderDomainIs@odata.type"] == "#Collection(String)"
    assert row["WhenChanged@data.type"] == "System.DateTime"
    assert row["WhenChanged"].endswith("0+00:00")
    assert "SentTo@odata.type" not in row
    assert "StopRuleProcessing@data.type" not in row


def test_an_empty_list_of_a_connector_is_annotated_too(caller: Caller) -> None:
    row = caller.invoke("Get-InboundConnector").json()["value"][0]
    assert row["EFSkipIPs@odata.type"] == "#Collection(String)"
    assert row["EFSkipIPs"] == []
    assert row["WhenChangedUTC"].endswith("0Z")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"no json",
        b'{"CmdletInput":{"CmdletName":"Get-AcceptedDomain","Parameters":null}}',
        b'{"cmdletinput":{"CmdletName":"Get-AcceptedDomain","Parameters":{}}}',
        b'{"CmdletInput":{"cmdletname":"Get-AcceptedDomain","Parameters":{}}}',
    ],
)
def test_a_body_of_another_shape_or_casing_is_refused(tenant: LabTenant, caller: Caller, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json"}
    response = caller.post(f"/adminapi/beta/{tenant.tenant_id}/InvokeCommand", data=body, headers=headers)
    assert response.status_code == 400


def test_without_a_token_it_is_401_and_says_who_may_give_one(caller: Caller) -> None:
    response = caller.invoke("Get-AcceptedDomain", headers={"Authorization": None})
    assert response.status_code == 401
    assert "invalid_token" in response.headers["WWW-Authenticate"]


def test_an_unknown_cmdlet_looks_like_a_missing_right(tenant: LabTenant, caller: Caller) -> None:
    assert caller.invoke("Get-Mailboxx").status_code == 403
    tenant.switches.forbidden_body = "nul"
    assert caller.invoke("Get-Mailboxx").content == b"\0" * 4096


def test_a_write_without_its_anchor_is_a_bare_403(tenant: LabTenant, caller: Caller) -> None:
    parameters = {"Identity": "No executables"}
    for anchor in (None, "", f"{ANCHOR}@99999999-2222-4333-8444-555555555555", "nobody"):
        response = caller.invoke("Disable-TransportRule", parameters, headers={"X-AnchorMailbox": anchor})
        assert (response.status_code, response.content) == (403, b"")
    assert caller.one("Get-TransportRule", "No executables")["State"] == "Enabled"
    tenant.switches.anchor_needed = False
    assert (
        caller.invoke("Disable-TransportRule", parameters, headers={"X-AnchorMailbox": None}).status_code
        == 200
    )


def test_a_read_does_without_an_anchor(caller: Caller) -> None:
    assert caller.invoke("Get-TransportRule", headers={"X-AnchorMailbox": None}).status_code == 200


def test_an_unknown_parameter_is_named_by_its_type(caller: Caller) -> None:
    said = caller.refused("Set-TransportRule", Identity="No executables", Enabled=True)
    assert (said.status, said.type_name) == (400, "AmbiguousParameterSetException")
    assert "Parameter set cannot be resolved" in said.text


@pytest.mark.parametrize("status", [400, 404, 500])
def test_not_found_has_three_statuses(tenant: LabTenant, caller: Caller, status: int) -> None:
    tenant.switches.not_found_status = status  # type: ignore[assignment] # the parameters above
    said = caller.refused("Get-OutboundConnector", Identity="Nobody")
    assert (said.status, said.type_name) == (status, "ManagementObjectNotFoundException")
    assert "object 'Nobody' couldn't be found on" in said.text


def test_an_error_can_be_written_in_each_form_that_clients_report(tenant: LabTenant, caller: Caller) -> None:
    def error() -> dict[str, object]:
        body: dict[str, object] = caller.invoke("Remove-InboundConnector", {"Identity": "X"}).json()["error"]
        return body

    rendering = tenant.switches.rendering
    message = str(error()["details"][0]["message"])  # type: ignore[index] # a list in this form
    assert message.startswith("Ex")
    assert message.count("|") == 2
    rendering.error_message = "no hash"
    assert error()["details"][0]["message"].startswith("|Microsoft.")  # type: ignore[index] # as above
    rendering.error_message = "json"
    assert '"TypeName": "Microsoft.' in error()["details"][0]["message"]  # type: ignore[index] # as above
    rendering.error_message = "plain"
    rendering.error_place = "innererror"
    document = error()
    assert document["details"] == []
    inner = document["innererror"]["internalexception"]  # type: ignore[index] # an object
    assert "couldn't be found" in inner["message"]
    rendering.error_place = "message"
    document = error()
    assert "couldn't be found" in str(document["message"])
    assert "was thrown." in str(document["innererror"])


# Lists that are cut.


def test_a_long_list_comes_in_pages_with_a_warning(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.page_rows = 3
    first = caller.invoke("Get-TransportRule").json()
    assert len(first["value"]) == 3
    assert "There are more results" in first["@adminapi.warnings"][0]
    second = caller.invoke("Get-TransportRule", query="?" + first["@odata.nextLink"].split("?")[1]).json()
    assert [row["Priority"] for row in second["value"]] == [3]
    assert "@odata.nextLink" not in second
    assert second["@adminapi.warnings"] == []


def test_unlimited_gives_all_unless_a_page_size_is_preferred(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.page_rows = 3
    whole = caller.invoke("Get-TransportRule", {"ResultSize": "unlimited"}).json()
    assert len(whole["value"]) == 4
    assert "@odata.nextLink" not in whole
    preferred = {"Prefer": "odata.maxpagesize=2"}
    paged = caller.invoke("Get-TransportRule", {"ResultSize": "Unlimited"}, headers=preferred).json()
    assert len(paged["value"]) == 2
    assert "@odata.nextLink" in paged


def test_a_number_as_result_size_cuts_with_a_warning(caller: Caller) -> None:
    document = caller.invoke("Get-TransportRule", {"ResultSize": 1}).json()
    assert len(document["value"]) == 1
    assert document["@adminapi.warnings"]
    assert "@odata.nextLink" not in document


def test_paging_can_be_broken_by_switch_and_by_a_vanity_domain(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.page_rows = 3
    link = caller.invoke("Get-TransportRule").json()["@odata.nextLink"].split("?")[1]
    assert caller.invoke("Get-TransportRule", query="?" + link, tenant="bce-demo.com").status_code == 400
    tenant.switches.paging_broken = True
    broken = caller.invoke("Get-TransportRule", query="?" + link)
    assert broken.status_code == 400
    assert "Expired or Invalid pagination request" in broken.text
    assert caller.invoke("Get-TransportRule", query="?$skiptoken=made-up").status_code == 400


def test_no_rows_has_four_faces(tenant: LabTenant, caller: Caller) -> None:
    def ask() -> requests.Response:
        return caller.invoke("Get-OutboundConnector", {"IsTransportRuleScoped": False})

    assert ask().json()["value"] == []
    tenant.switches.rendering.no_rows = "null"
    assert ask().json()["value"] is None
    tenant.switches.rendering.no_rows = "absent"
    assert "value" not in ask().json()
    tenant.switches.rendering.no_rows = "204"
    assert (ask().status_code, ask().content) == (204, b"")


# The journal.


def test_a_write_is_told_before_and_after_its_effect(tenant: LabTenant, caller: Caller) -> None:
    assert caller.token
    mark = tenant.journal.mark()
    seen: list[int] = []
    tenant.journal.when(
        lambda event: event.kind == "call", lambda _: seen.append(len(tenant.store.rows("outbound")))
    )
    tenant.journal.when(
        lambda event: event.kind == "effect", lambda _: seen.append(len(tenant.store.rows("outbound")))
    )
    caller.run("New-OutboundConnector", **CONNECTOR)
    kinds = [(event.kind, event.detail["cmdlet"]) for event in tenant.journal.events("tenant", since=mark)]
    assert kinds == [(kind, "New-OutboundConnector") for kind in ("call", "effect", "answer")]
    assert seen == [1, 2]
    assert tenant.journal.events(kind="call", since=mark)[0].detail["parameters"] == CONNECTOR
    assert tenant.journal.events(kind="answer", since=mark)[0].detail["status"] == 200


def test_a_refused_write_has_no_effect_in_the_journal(tenant: LabTenant, caller: Caller) -> None:
    mark = tenant.journal.mark()
    caller.refused("Remove-InboundConnector", Identity="Nobody")
    assert tenant.journal.count(kind="effect", since=mark) == 0
    assert tenant.journal.events(kind="answer", since=mark)[0].detail["status"] == 404


def test_many_calls_at_once_are_all_answered_and_told(tenant: LabTenant, caller: Caller) -> None:
    assert caller.token
    mark = tenant.journal.mark()
    statuses: list[int] = []

    def ask(number: int) -> None:
        mine = Caller(tenant)
        mine._token = caller.token
        rule = {"Name": f"Rule {number}", "PrependSubject": "x"}
        statuses.append(mine.invoke("New-TransportRule", rule).status_code)
        mine.session.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert tenant.journal.count(kind="effect", since=mark) == 8
    assert [row["Priority"] for row in caller.run("Get-TransportRule")] == list(range(12))


def test_what_if_changes_nothing(caller: Caller) -> None:
    caller.run("Remove-TransportRule", Identity="No executables", WhatIf=True, Confirm=False)
    assert len(caller.run("Get-TransportRule")) == 4


def test_an_error_is_taken_apart_as_clients_do(caller: Caller) -> None:
    said = failure(caller.invoke("New-TransportRule", {"Name": "x", "Mode": "Sometimes", "Quarantine": True}))
    assert said.type_name == "ParameterTransformationException"
    assert "Audit, AuditAndNotify, Enforce" in said.text
