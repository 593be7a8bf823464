"""The practice admin API in bad weather: faults, lags and latencies."""

from __future__ import annotations

import time

import pytest
import requests

from lab.tenant.faults import NAMES
from lab.tenant.practice import STRAY_HOST
from lab.tenant.server import LabTenant
from tests.protocol import lab_tenant_kit as kit
from tests.protocol.lab_tenant_kit import CONNECTOR, Caller

running_tenant, tenant, caller = kit.running_tenant, kit.tenant, kit.caller


# Faults.

STATUS = {
    "not-found": 404, "not-found-400": 400, "not-found-500": 500, "exists": 400, "bad-value": 400,
    "unknown-parameter": 400, "no-sense": 400, "bad-priority": 400, "unauthorized": 401, "forbidden": 403,
    "forbidden-nul": 403, "throttled": 429, "throttled-bare": 429, "throttled-text": 429, "server-500": 500,
    "server-503": 503, "server-504": 504, "transient-proxy": 400, "transient-busy": 400, "transient": 400,
    "transient-backend": 400, "not-json": 200, "expired-page": 400, "redirect": 307,
}  # fmt: skip
PHRASE = {
    "not-found": "ManagementObjectNotFoundException",
    "exists": "ADObjectAlreadyExistsException",
    "bad-value": "ParameterTransformationException",
    "unknown-parameter": "AmbiguousParameterSetException",
    "no-sense": "System.ArgumentException",
    "bad-priority": "The specified rule priority is invalid.",
    "forbidden-nul": "\0" * 4096,
    "throttled-text": "You have reached the maximum number of concurrent requests per tenant.",
    "server-500": "ADTransientException",
    "transient-proxy": "CmdletProxyNotAvailableFailure",
    "transient-busy": "ServerBusyException",
    "transient": "TransientException",
    "transient-backend": "BackendCommunicationException",
}


@pytest.mark.parametrize("error", STATUS)
def test_each_fault_answers_once_and_without_effect(tenant: LabTenant, caller: Caller, error: str) -> None:
    tenant.faults.add("disable-*", error)
    response = caller.invoke("Disable-TransportRule", {"Identity": "No executables"})
    assert response.status_code == STATUS[error]
    assert PHRASE.get(error, "") in response.text
    assert caller.one("Get-TransportRule", "No executables")["State"] == "Enabled"
    caller.run("Disable-TransportRule", Identity="No executables")
    assert caller.one("Get-TransportRule", "No executables")["State"] == "Disabled"


def test_every_fault_has_a_case() -> None:
    assert set(NAMES) == {*STATUS, "reset", "truncated"}


def test_a_fault_can_come_after_the_effect(tenant: LabTenant, caller: Caller) -> None:
    tenant.faults.add("New-OutboundConnector", "server-503", when="after")
    assert caller.invoke("New-OutboundConnector", CONNECTOR).status_code == 503
    assert caller.one("Get-OutboundConnector", "Outbound to Cisco CES")["Enabled"]
    assert caller.refused("New-OutboundConnector", **CONNECTOR).type_name == "ADObjectAlreadyExistsException"


def test_a_fault_can_let_calls_pass_and_last(tenant: LabTenant, caller: Caller) -> None:
    tenant.faults.add("Get-AcceptedDomain", "unauthorized", times=2, skip=1)
    statuses = [caller.invoke("Get-AcceptedDomain").status_code for _ in range(4)]
    assert statuses == [200, 401, 401, 200]


def test_an_unknown_fault_is_no_fault(tenant: LabTenant) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        tenant.faults.add("*", "nonsense")


def test_throttling_says_how_long(tenant: LabTenant, caller: Caller) -> None:
    tenant.faults.add("*", "throttled", retry_after=7)
    assert caller.ask_token().status_code == 200
    assert caller.invoke("Get-AcceptedDomain").headers["Retry-After"] == "7"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_connection(tenant: LabTenant, caller: Caller, when: str) -> None:
    tenant.faults.add("Disable-TransportRule", "reset", when="before" if when == "before" else "after")
    with pytest.raises(requests.ConnectionError):
        caller.invoke("Disable-TransportRule", {"Identity": "No executables"})
    state = caller.one("Get-TransportRule", "No executables")["State"]
    assert state == ("Enabled" if when == "before" else "Disabled")


def test_a_truncated_list_warns(tenant: LabTenant, caller: Caller) -> None:
    tenant.faults.add("Get-TransportRule", "truncated")
    document = caller.invoke("Get-TransportRule", {"ResultSize": "Unlimited"}).json()
    assert len(document["value"]) == 2
    assert document["@adminapi.warnings"]
    assert "@odata.nextLink" not in document


def test_a_redirect_leads_to_a_host_that_tells_who_came(tenant: LabTenant, caller: Caller) -> None:
    tenant.faults.add("Get-AcceptedDomain", "redirect")
    location = caller.invoke("Get-AcceptedDomain").headers["Location"]
    assert location.startswith(f"https://{STRAY_HOST}/adminapi/")
    followed = caller.invoke("Get-AcceptedDomain", headers={"Host": STRAY_HOST})
    assert followed.status_code == 404
    assert tenant.journal.events("tenant", "stray")[-1].detail == {"host": STRAY_HOST, "with_token": True}


# Time.


def test_after_a_write_so_many_reads_show_the_old_list(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.lag_reads = 2
    caller.run("New-OutboundConnector", **CONNECTOR)
    counts = [len(caller.run("Get-OutboundConnector")) for _ in range(3)]
    assert counts == [1, 1, 2]


def test_each_write_has_a_lag_of_its_own(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.lag_reads = 2
    caller.run("Disable-TransportRule", Identity="No executables")
    assert caller.one("Get-TransportRule", "No executables")["State"] == "Enabled"
    caller.run("Remove-TransportRule", Identity="Archive copies")
    names = [[row["Name"] for row in caller.run("Get-TransportRule")] for _ in range(3)]
    assert [len(found) for found in names] == [4, 4, 3]
    assert caller.one("Get-TransportRule", "No executables")["State"] == "Disabled"


def test_a_lag_in_seconds_ends(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.lag_seconds = 0.3
    began = time.monotonic()
    caller.run("New-OutboundConnector", **CONNECTOR)
    seen = 0
    while len(caller.run("Get-OutboundConnector")) == 1:
        seen += 1
        assert time.monotonic() - began < 5
    assert time.monotonic() - began >= 0.3
    assert seen > 0


def test_a_rule_does_not_see_a_connector_that_is_not_everywhere_yet(
    tenant: LabTenant, caller: Caller
) -> None:
    tenant.switches.lag_reads = 1
    caller.run("New-OutboundConnector", **CONNECTOR)
    rule = {
        "Name": "Outbound to Cisco CES",
        "RouteMessageOutboundConnector": CONNECTOR["Name"],
        "FromScope": "InOrganization",
    }
    assert caller.refused("New-TransportRule", **rule).type_name == "ManagementObjectNotFoundException"
    caller.run("Get-OutboundConnector")
    caller.run("New-TransportRule", **rule)


def test_what_is_done_by_hand_shows_at_once(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.lag_reads = 5
    tenant.invoke_by_hand("Remove-TransportRule", Identity="No executables")
    assert len(caller.run("Get-TransportRule")) == 3


def test_latencies_are_kept(tenant: LabTenant, caller: Caller) -> None:
    assert caller.token
    tenant.switches.read_latency = (0.2, 0.2)
    began = time.monotonic()
    caller.run("Get-AcceptedDomain")
    assert time.monotonic() - began >= 0.2
