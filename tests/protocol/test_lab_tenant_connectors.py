"""The practice tenant's connectors, organization settings, dump and snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from lab.tenant.errors import CmdletFailure
from lab.tenant.foreign import FOREIGN_SECRET
from lab.tenant.server import LabTenant
from tests.protocol import lab_tenant_kit as kit
from tests.protocol.lab_tenant_kit import Caller

running_tenant, tenant, caller = kit.running_tenant, kit.tenant, kit.caller
INBOUND = {
    "Name": "Inbound from Cisco CES",
    "ConnectorType": "Partner",
    "SenderDomains": ["*"],
    "SenderIPAddresses": ["192.0.2.105", "198.51.100.186"],
    "RequireTls": True,
}
OUTBOUND = {
    "Name": "Outbound to Cisco CES",
    "ConnectorType": "Partner",
    "IsTransportRuleScoped": True,
    "UseMXRecord": False,
    "SmartHosts": ["198.51.100.186"],
    "TlsSettings": "EncryptionOnly",
}


def test_the_guides_inbound_connector_reads_back(caller: Caller) -> None:
    (made,) = caller.run("New-InboundConnector", **INBOUND)
    row = caller.one("Get-InboundConnector", "Inbound from Cisco CES")
    assert made == row
    expected = {
        **INBOUND,
        "SenderDomains": ["smtp:*;1"],
        "Enabled": True,
        "ConnectorSource": "Default",
        "Comment": "",
        "RestrictDomainsToIPAddresses": False,
        "RestrictDomainsToCertificate": False,
        "TlsSenderCertificateName": None,
        "EFSkipLastIP": False,
        "EFSkipIPs": [],
        "AssociatedAcceptedDomains": [],
        "TrustedOrganizations": [],
        "Identity": "Inbound from Cisco CES",
        "IsValid": True,
    }
    assert {name: row[name] for name in expected} == expected


def test_the_guides_outbound_connector_reads_back(caller: Caller) -> None:
    (made,) = caller.run("New-OutboundConnector", **OUTBOUND)
    row = caller.one("Get-OutboundConnector", "Outbound to Cisco CES")
    assert made == row
    expected = {
        **OUTBOUND,
        "Enabled": True,
        "RecipientDomains": [],
        "TlsDomain": None,
        "AllAcceptedDomains": False,
        "IsValidated": False,
        "LastValidationTimestamp": None,
        "ValidationRecipients": [],
    }
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    "change",
    [
        {"SenderDomains": []},
        {"SenderDomains": ["not a domain"]},
        {"SenderIPAddresses": ["192.0.2.1-192.0.2.9"]},
        {"SenderIPAddresses": ["2001:db8::1"]},
        {"SenderIPAddresses": ["192.0.0.0/23"]},
        {"SenderIPAddresses": ["host.example"]},
        {"ConnectorType": "Friend"},
        {"RequireTls": "yes"},
        {"RestrictDomainsToIPAddresses": True, "RestrictDomainsToCertificate": True},
        {"RestrictDomainsToIPAddresses": True, "SenderIPAddresses": []},
        {"RestrictDomainsToIPAddresses": True, "ConnectorType": "OnPremises"},
        {"RestrictDomainsToCertificate": True},
        {"CloudServicesMailEnabled": True},
        {"TreatMessagesAsInternal": True},
        {"Name": "n" * 65},
        {"Name": "from PAYROLL service"},
        {"Priority": 1},
    ],
)
def test_an_inbound_connector_that_is_refused(caller: Caller, change: dict[str, Any]) -> None:
    assert caller.refused("New-InboundConnector", **{**INBOUND, **change}).status == 400
    assert len(caller.run("Get-InboundConnector")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"SenderIPAddresses": ["192.0.2.0/24", "192.0.2.1/32"]},
        {"SenderDomains": ["contoso.example", "*.contoso.example"]},
        {"RestrictDomainsToIPAddresses": True},
        {"ConnectorType": "OnPremises", "CloudServicesMailEnabled": True},
        {"CloudServicesMailEnabled": False},
        {"EFSkipLastIP": True, "EFSkipIPs": ["192.0.2.1"], "EFUsers": ["probe@bce-demo.com"]},
        {"RestrictDomainsToCertificate": True, "TlsSenderCertificateName": "*.iphmx.com"},
    ],
)
def test_an_inbound_connector_that_is_taken(caller: Caller, change: dict[str, Any]) -> None:
    caller.run("New-InboundConnector", **{**INBOUND, **change})
    row = caller.one("Get-InboundConnector", "Inbound from Cisco CES")
    for name in set(change) - {"SenderDomains"}:
        assert row[name] == change[name]


def test_false_can_be_refused_on_an_inbound_partner_connector_too(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.inbound_false_refused = True
    said = caller.refused("New-InboundConnector", **INBOUND, CloudServicesMailEnabled=False)
    assert "can only be specified for Connector type OnPremises" in said.text


@pytest.mark.parametrize(
    "change",
    [
        {"SmartHosts": []},
        {"UseMXRecord": True},
        {"SmartHosts": ["2001:db8::1"]},
        {"SmartHosts": ["192.0.2"]},
        {"SmartHosts": ["bad_host"]},
        {"RecipientDomains": ["*"]},
        {"IsTransportRuleScoped": False},
        {"TlsSettings": "Sometimes"},
        {"TlsDomain": "*.iphmx.com"},
        {"TlsSettings": "DomainValidation"},
        {"SenderRewritingEnabled": False},
        {"RouteAllMessagesViaOnPremises": False},
        {"CloudServicesMailEnabled": False},
        {"AllAcceptedDomains": False},
        {"IsValidated": True},
        {"ValidationRecipients": ["probe@probe.example"]},
        {"LastValidationTimestamp": "2026-07-24T18:59:12"},
        {"Name": "to ARCHIVE"},
        {"Name": ""},
    ],
)
def test_an_outbound_connector_that_is_refused(caller: Caller, change: dict[str, Any]) -> None:
    assert caller.refused("New-OutboundConnector", **{**OUTBOUND, **change}).status == 400
    assert len(caller.run("Get-OutboundConnector")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"SmartHosts": ["ob1.hc1234-56.iphmx.com", "198.51.100.10"]},
        {"UseMXRecord": True, "SmartHosts": []},
        {"IsTransportRuleScoped": False, "RecipientDomains": ["*.partner.example"]},
        {"TlsSettings": "DomainValidation", "TlsDomain": "*.iphmx.com"},
        {"TlsSettings": None},
        {"Enabled": False, "Comment": "not yet"},
        {"ConnectorType": "OnPremises", "CloudServicesMailEnabled": True},
    ],
)
def test_an_outbound_connector_that_is_taken(caller: Caller, change: dict[str, Any]) -> None:
    caller.run("New-OutboundConnector", **{**OUTBOUND, **change})
    row = caller.one("Get-OutboundConnector", "Outbound to Cisco CES")
    assert {name: row[name] for name in change} == change


def test_a_set_changes_only_what_it_names(caller: Caller) -> None:
    caller.run("New-OutboundConnector", **OUTBOUND)
    before = caller.one("Get-OutboundConnector", "Outbound to Cisco CES")
    stamp = {"IsValidated": True, "LastValidationTimestamp": "2026-07-24T18:59:12"}
    recipients = ["probe@probe.example"]
    caller.run(
        "Set-OutboundConnector", Identity="Outbound to Cisco CES", ValidationRecipients=recipients, **stamp
    )
    after = caller.one("Get-OutboundConnector", "Outbound to Cisco CES")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {*stamp, "ValidationRecipients", "WhenChanged", "WhenChangedUTC"}
    assert after["LastValidationTimestamp"] == "2026-07-24T18:59:12.0000000"


def test_an_inbound_set_adds_and_removes(caller: Caller) -> None:
    change = {"@odata.type": "#Exchange.GenericHashTable", "Add": ["192.0.2.9"], "Remove": ["203.0.113.40"]}
    caller.run("Set-InboundConnector", Identity="From payroll service", SenderIPAddresses=change)
    row = caller.one("Get-InboundConnector", "From payroll service")
    assert row["SenderIPAddresses"] == ["203.0.113.64/28", "192.0.2.9"]
    bad = caller.refused("Set-InboundConnector", Identity="From payroll service", SenderDomains=None)
    assert "SenderDomains" in bad.text
    assert row["SenderDomains"] == ["smtp:payroll.example;1"]


def test_the_wildcard_written_back_as_it_reads_stays_the_same(caller: Caller) -> None:
    caller.run("New-InboundConnector", **INBOUND)
    caller.run("Set-InboundConnector", Identity=INBOUND["Name"], SenderDomains=["smtp:*;1"])
    assert caller.one("Get-InboundConnector", "Inbound from Cisco CES")["SenderDomains"] == ["smtp:*;1"]


def test_a_connector_that_a_rule_names_cannot_go(tenant: LabTenant, caller: Caller) -> None:
    said = caller.refused("Remove-OutboundConnector", Identity="To archive")
    assert "'Archive copies'" in said.text
    assert len(caller.run("Get-OutboundConnector")) == 1
    caller.run("Remove-TransportRule", Identity="Archive copies")
    caller.run("Remove-OutboundConnector", Identity="To archive", Confirm=False)
    assert caller.run("Get-OutboundConnector") == []
    caller.run("Remove-InboundConnector", Identity="From payroll service")
    assert caller.run("Get-InboundConnector") == []


def test_an_unknown_connector_is_not_found_or_by_switch_all(tenant: LabTenant, caller: Caller) -> None:
    said = caller.refused("Get-InboundConnector", Identity="Nobody")
    assert (said.status, said.type_name) == (404, "ManagementObjectNotFoundException")
    tenant.switches.unknown_connector_returns_all = True
    assert len(caller.run("Get-InboundConnector", Identity="Nobody")) == 1


def test_connectors_in_test_mode_are_hidden(caller: Caller) -> None:
    caller.run("New-OutboundConnector", **{**OUTBOUND, "TestMode": True})
    assert len(caller.run("Get-OutboundConnector")) == 1
    assert len(caller.run("Get-OutboundConnector", IncludeTestModeConnectors=True)) == 2


def test_renderings_of_a_connector(tenant: LabTenant, caller: Caller) -> None:
    caller.run("New-InboundConnector", **INBOUND)
    caller.run("New-OutboundConnector", **{**OUTBOUND, "SmartHosts": ["Ob1.Iphmx.com", "198.51.100.10"]})
    rendering = tenant.switches.rendering

    def inbound(name: str) -> Any:
        return caller.one("Get-InboundConnector", "Inbound from Cisco CES")[name]

    def outbound(name: str) -> Any:
        return caller.one("Get-OutboundConnector", "Outbound to Cisco CES")[name]

    rendering.sender_domain = "bare"
    assert inbound("SenderDomains") == ["*"]
    rendering.unset_list = "null"
    assert inbound("EFSkipIPs") is None
    rendering.unset_text = "null"
    assert inbound("Comment") is None
    rendering.unset_text = "blank"
    assert inbound("TlsSenderCertificateName") == ""
    rendering.smart_host_brackets = True
    rendering.letter_case = "lower"
    rendering.list_order = "reversed"
    assert outbound("SmartHosts") == ["[198.51.100.10]", "ob1.iphmx.com"]
    rendering.address_mask = True
    assert inbound("SenderIPAddresses") == ["198.51.100.186/32", "192.0.2.105/32"]


def test_bracketed_smart_hosts_are_taken(caller: Caller) -> None:
    caller.run("New-OutboundConnector", **{**OUTBOUND, "SmartHosts": ["[198.51.100.10]"]})
    assert caller.one("Get-OutboundConnector", "Outbound to Cisco CES")["SmartHosts"] == ["198.51.100.10"]


def test_reject_direct_send(caller: Caller) -> None:
    assert caller.run("Get-OrganizationConfig")[0]["RejectDirectSend"] is False
    caller.run("Set-OrganizationConfig", RejectDirectSend=True)
    assert caller.run("Get-OrganizationConfig")[0]["RejectDirectSend"] is True


# The state as a whole.


def test_the_dump_is_stable_and_hides_secrets_guids_and_times(tenant: LabTenant, caller: Caller) -> None:
    before = tenant.dump()
    assert "transport rule Archive copies" in before
    assert "  SetHeaderValue: sha256:" in before
    assert FOREIGN_SECRET not in before
    for row in caller.run("Get-TransportRule"):
        assert row["Guid"] not in before
        assert row["WhenChanged"] not in before
    caller.run("Set-TransportRule", Identity="No executables", Comments=None)
    assert tenant.dump() == before
    caller.run(
        "Set-TransportRule", Identity="Archive copies", SetHeaderName="X-Archive-Auth", SetHeaderValue="x"
    )
    assert tenant.dump() != before
    caller.run(
        "Set-TransportRule",
        Identity="Archive copies",
        SetHeaderName="X-Archive-Auth",
        SetHeaderValue=FOREIGN_SECRET,
    )
    assert tenant.dump() == before


def test_renderings_and_lags_do_not_touch_the_dump(tenant: LabTenant, caller: Caller) -> None:
    before = tenant.dump()
    tenant.switches.rendering.list_order = "reversed"
    tenant.switches.rendering.sender_domain = "bare"
    assert tenant.dump() == before
    tenant.switches.lag_reads = 9
    caller.run("New-InboundConnector", **INBOUND)
    assert "inbound connector Inbound from Cisco CES" in tenant.dump()
    caller.run("Remove-InboundConnector", Identity=INBOUND["Name"])
    assert tenant.dump() == before


def test_the_order_of_lists_means_nothing_and_that_of_rules_does(tenant: LabTenant, caller: Caller) -> None:
    caller.run("New-InboundConnector", **INBOUND)
    before = tenant.dump()
    backwards = INBOUND["SenderIPAddresses"][::-1]  # type: ignore[index] # a list
    caller.run("Set-InboundConnector", Identity=INBOUND["Name"], SenderIPAddresses=backwards)
    assert tenant.dump() == before
    caller.run("Set-TransportRule", Identity="No executables", Priority=0)
    assert tenant.dump() != before


def test_a_snapshot_brings_everything_back_lag_or_not(tenant: LabTenant, caller: Caller) -> None:
    snapshot, before = tenant.snapshot(), tenant.dump()
    tenant.switches.lag_reads = 3
    caller.run("Remove-TransportRule", Identity="No executables")
    caller.run("New-OutboundConnector", **OUTBOUND)
    caller.run("Set-OrganizationConfig", RejectDirectSend=True)
    assert tenant.dump() != before
    tenant.restore(snapshot)
    assert tenant.dump() == before
    assert len(caller.run("Get-OutboundConnector")) == 1
    caller.run("Remove-TransportRule", Identity="No executables")
    assert tenant.snapshot() != snapshot


def test_by_hand_uses_the_same_cmdlets_on_another_channel(tenant: LabTenant) -> None:
    mark = tenant.journal.mark()
    (row,) = tenant.invoke_by_hand("New-InboundConnector", **INBOUND, ConnectorSource="AdminUI")
    assert row["ConnectorSource"] == "AdminUI"
    with pytest.raises(CmdletFailure, match="already exists"):
        tenant.invoke_by_hand("new-inboundconnector", **INBOUND)
    assert tenant.journal.count("tenant", since=mark) == 0
    assert tenant.journal.count("by-hand", "effect", cmdlet="New-InboundConnector", since=mark) == 1
    with pytest.raises(ValueError, match="no such cmdlet"):
        tenant.invoke_by_hand("Get-Nothing")
