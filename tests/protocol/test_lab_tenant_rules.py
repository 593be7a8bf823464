"""The practice tenant's transport rules: what Exchange takes, refuses, shifts and shows."""

from __future__ import annotations

from typing import Any

import pytest

from lab.tenant.foreign import FOREIGN_SECRET
from lab.tenant.rule_properties import PROPERTIES
from lab.tenant.server import LabTenant
from tests.protocol import lab_tenant_kit as kit
from tests.protocol.lab_tenant_kit import Caller

running_tenant, tenant, caller = kit.running_tenant, kit.tenant, kit.caller
FOREIGN = ["External mail warning", "Old disclaimer", "Archive copies", "No executables"]
OUTBOUND = {
    "Name": "Outbound to Cisco CES",
    "FromScope": "InOrganization",
    "SentToScope": "NotInOrganization",
    "RouteMessageOutboundConnector": "To archive",
    "SetHeaderName": "X-OUTBOUND-AUTH",
    "SetHeaderValue": "mysecretkey",
    "Mode": "Enforce",
    "SenderAddressLocation": "Header",
    "Priority": 0,
}


def names(caller: Caller) -> list[str]:
    rows = caller.run("Get-TransportRule")
    assert [row["Priority"] for row in rows] == list(range(len(rows)))
    return [str(row["Name"]) for row in rows]


def new(caller: Caller, name: str, **parameters: Any) -> dict[str, Any]:
    (row,) = caller.run("New-TransportRule", Name=name, **{"PrependSubject": "x", **parameters})
    return row


def test_foreign_rules_are_there_from_the_start(caller: Caller) -> None:
    assert names(caller) == FOREIGN
    assert caller.one("Get-TransportRule", "Old disclaimer")["State"] == "Disabled"
    archive = caller.one("Get-TransportRule", "Archive copies")
    assert archive["SetHeaderValue"] == FOREIGN_SECRET
    assert FOREIGN_SECRET in archive["Description"]
    assert archive["RouteMessageOutboundConnector"] == "To archive"


def test_the_guides_outbound_rule_reads_back_whole(caller: Caller) -> None:
    (made,) = caller.run("New-TransportRule", **OUTBOUND)
    row = caller.one("Get-TransportRule", "Outbound to Cisco CES")
    assert made == row
    for name, value in OUTBOUND.items():
        assert row[name] == value, name
    task = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks."
    assert row["Conditions"] == [task + "FromScopePredicate", task + "SentToScopePredicate"]
    assert row["Exceptions"] is None
    assert row["Actions"] == [task + "SetHeaderAction", task + "RouteMessageOutboundConnectorAction"]
    assert row["State"] == "Enabled"
    assert row["Identity"] == row["Name"]
    assert row["Guid"] == row["ImmutableId"]
    assert "\r\n\tand " in row["Description"]
    assert "mysecretkey" in row["Description"]


def test_what_is_unset_is_null_and_switches_are_false(caller: Caller) -> None:
    row = caller.one("Get-TransportRule", "External mail warning")
    assert set(PROPERTIES) <= set(row)
    for name, known in PROPERTIES.items():
        if name not in ("FromScope", "PrependSubject", "ExceptIfSenderDomainIs"):
            assert row[name] is (False if known.shape == "flag" else None), name


def test_every_condition_exception_and_action_can_be_set_and_taken_away(caller: Caller) -> None:
    enums = {
        "FromScope": "InOrganization", "SentToScope": "NotInOrganization",
        "ManagerForEvaluatedUser": "Sender",
        "SenderManagementRelationship": "Manager", "ADComparisonOperator": "Equal",
        "WithImportance": "High",
        "MessageTypeMatches": "OOF", "SCLOver": "5", "SetSCL": "-1", "SetAuditSeverity": "Low",
        "ApplyHtmlDisclaimerLocation": "Prepend", "ApplyHtmlDisclaimerFallbackAction": "Reject",
        "AddManagerAsRecipientType": "Bcc", "NotifySender": "NotifyOnly",
        "IncidentReportOriginalMail": "IncludeOriginalMail", "RouteMessageOutboundConnector": "To archive",
    }  # fmt: skip
    shapes: dict[str, Any] = {"text": "value", "list": ["one", "two"], "flag": True}
    wanted = {
        name: enums.get(name.removeprefix("ExceptIf"), shapes[known.shape])
        for name, known in PROPERTIES.items()
    }
    addresses = {"SenderIpRanges": ["192.0.2.0/24"], "ExceptIfSenderIpRanges": ["192.0.2.1-192.0.2.9"]}
    caller.run("New-TransportRule", Name="Everything", **{**wanted, **addresses})
    row = caller.one("Get-TransportRule", "Everything")
    for name, value in {**wanted, **addresses}.items():
        assert row[name] == value, name
    kept = {"PrependSubject": "value"}
    cleared: dict[str, Any] = {
        name: False if known.shape == "flag" else [] if known.shape == "list" else None
        for name, known in PROPERTIES.items()
        if name not in kept
    }
    caller.run("Set-TransportRule", Identity="Everything", **cleared)
    row = caller.one("Get-TransportRule", "Everything")
    assert [name for name in PROPERTIES if row[name]] == ["PrependSubject"]
    assert len(row["Actions"]) == 1
    assert row["Conditions"] is None


def test_a_set_merges(caller: Caller) -> None:
    caller.run("Set-TransportRule", Identity="External mail warning", PrependSubject="[OUT] ")
    row = caller.one("Get-TransportRule", "External mail warning")
    assert row["PrependSubject"] == "[OUT] "
    assert row["FromScope"] == "NotInOrganization"
    assert row["ExceptIfSenderDomainIs"] == ["payroll.example"]


@pytest.mark.parametrize("nothing", [None, [], ""])
def test_null_and_an_empty_list_take_away(caller: Caller, nothing: object) -> None:
    caller.run("Set-TransportRule", Identity="External mail warning", ExceptIfSenderDomainIs=nothing)
    assert caller.one("Get-TransportRule", "External mail warning")["ExceptIfSenderDomainIs"] is None


def test_one_action_must_stay(caller: Caller) -> None:
    said = caller.refused("Set-TransportRule", Identity="External mail warning", PrependSubject=None)
    assert said.type_name == "ArgumentException"
    assert said.text.startswith("To be valid, all rules have to include at least one action.")
    assert caller.one("Get-TransportRule", "External mail warning")["PrependSubject"] == "[EXTERNAL] "
    assert caller.refused("New-TransportRule", Name="Empty", FromScope="InOrganization").status == 400


def test_header_name_and_value_go_together(tenant: LabTenant, caller: Caller) -> None:
    caller.run("New-TransportRule", **OUTBOUND)
    name = OUTBOUND["Name"]
    assert caller.refused("Set-TransportRule", Identity=name, SetHeaderValue="other").status == 400
    caller.run("Set-TransportRule", Identity=name, SetHeaderName="X-OUTBOUND-AUTH", SetHeaderValue="other")
    assert caller.one("Get-TransportRule", str(name))["SetHeaderValue"] == "other"
    assert caller.refused("New-TransportRule", Name="Half", SetHeaderName="X-Half").status == 400
    tenant.switches.header_pair = "merged"
    caller.run("Set-TransportRule", Identity=name, SetHeaderValue="third")
    assert caller.one("Get-TransportRule", str(name))["SetHeaderValue"] == "third"


def test_priorities_shift_without_gaps(caller: Caller) -> None:
    assert new(caller, "last")["Priority"] == 4
    assert new(caller, "first", Priority=0)["Priority"] == 0
    assert new(caller, "end", Priority=6)["Priority"] == 6
    assert names(caller) == ["first", *FOREIGN, "last", "end"]
    caller.run("Set-TransportRule", Identity="end", Priority=1)
    assert names(caller) == ["first", "end", *FOREIGN, "last"]
    caller.run("Set-TransportRule", Identity="first", Priority=6)
    assert names(caller) == ["end", *FOREIGN, "last", "first"]
    caller.run("Remove-TransportRule", Identity="end")
    assert names(caller) == [*FOREIGN, "last", "first"]


@pytest.mark.parametrize(("cmdlet", "priority"), [("New", 5), ("New", -1), ("Set", 4), ("Set", -1)])
def test_a_priority_out_of_range_is_refused(caller: Caller, cmdlet: str, priority: int) -> None:
    who = {"Name": "new", "Quarantine": True} if cmdlet == "New" else {"Identity": FOREIGN[0]}
    said = caller.refused(f"{cmdlet}-TransportRule", Priority=priority, **who)
    assert said.text == "The specified rule priority is invalid."
    assert names(caller) == FOREIGN


def test_enabled_is_set_by_new_and_by_two_cmdlets_and_read_as_state(caller: Caller) -> None:
    assert new(caller, "off", Enabled=False)["State"] == "Disabled"
    assert "Enabled" not in caller.one("Get-TransportRule", "off")
    caller.run("Enable-TransportRule", Identity="off")
    assert caller.one("Get-TransportRule", "off")["State"] == "Enabled"
    caller.run("Disable-TransportRule", Identity="off")
    assert [row["Name"] for row in caller.run("Get-TransportRule", State="Disabled")] == [
        "Old disclaimer",
        "off",
    ]


@pytest.mark.parametrize("name", ["UseLegacyRegex", "Enabled", "State", "Conditions", "Guid"])
def test_what_is_read_cannot_all_be_written_back(caller: Caller, name: str) -> None:
    said = caller.refused("Set-TransportRule", Identity=FOREIGN[0], **{name: False})
    assert said.type_name == "AmbiguousParameterSetException"


def test_names_are_unique_and_at_most_64_long(caller: Caller) -> None:
    assert new(caller, "n" * 64)["Name"] == "n" * 64
    assert caller.refused("New-TransportRule", Name="n" * 65, Quarantine=True).status == 400
    taken = caller.refused("New-TransportRule", Name="no EXECUTABLES", Quarantine=True)
    assert taken.type_name == "ADObjectAlreadyExistsException"
    renamed = caller.refused("Set-TransportRule", Identity=FOREIGN[0], Name=FOREIGN[1])
    assert renamed.type_name == "ADObjectAlreadyExistsException"
    caller.run("Set-TransportRule", Identity=FOREIGN[0], Name="External MAIL warning")
    assert caller.one("Get-TransportRule", "External MAIL warning")["Priority"] == 0


def test_limits_of_number_size_and_comment(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.rule_limit = 5
    new(caller, "fifth")
    assert caller.refused("New-TransportRule", Name="sixth", Quarantine=True).status == 400
    words = ["w" * 100 for _ in range(90)]
    assert caller.refused("Set-TransportRule", Identity="fifth", SubjectContainsWords=words).status == 400
    assert caller.refused("Set-TransportRule", Identity="fifth", Comments="c" * 1025).status == 400
    caller.run("Set-TransportRule", Identity="fifth", Comments="c" * 1024)


@pytest.mark.parametrize(
    ("parameter", "value", "read"),
    [
        ("Mode", "enforce", "Enforce"),
        ("Mode", "AuditAndNotify", "AuditAndNotify"),
        ("RuleErrorAction", "DEFER", "Defer"),
        ("SenderAddressLocation", "headerOrEnvelope", "HeaderOrEnvelope"),
        ("FromScope", "inorganization", "InOrganization"),
        ("SetSCL", -1, "-1"),
        ("SetSCL", "9", "9"),
        ("SetSCL", 0, "0"),
        ("SenderIpRanges", ["192.0.2.1", "192.0.2.0/24", "192.0.2.5-192.0.2.9"], None),
        ("SenderIpRanges", "192.0.2.1", ["192.0.2.1"]),
        ("SubjectContainsWords", "one", ["one"]),
    ],
)
def test_values_that_are_taken(caller: Caller, parameter: str, value: Any, read: Any) -> None:
    new(caller, "rule", **{parameter: value})
    assert caller.one("Get-TransportRule", "rule")[parameter] == (value if read is None else read)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("Mode", "Never"),
        ("Mode", None),
        ("FromScope", "Everywhere"),
        ("SetSCL", 10),
        ("SetSCL", -2),
        ("SetSCL", "high"),
        ("SenderIpRanges", ["192.0.2.300"]),
        ("SenderIpRanges", ["192.0.2.9-192.0.2.1"]),
        ("SenderIpRanges", ["host.example"]),
        ("StopRuleProcessing", "yes"),
        ("PrependSubject", ["a", "b"]),
        ("SubjectContainsWords", {"Add": ["x"]}),
        ("SenderIpRanges", {"Add": ["192.0.2.1"]}),
    ],
)
def test_values_that_are_refused(caller: Caller, parameter: str, value: Any) -> None:
    said = caller.refused("New-TransportRule", Name="rule", Quarantine=True, **{parameter: value})
    assert said.type_name == "ParameterTransformationException"
    assert f"parameter '{parameter}'" in said.text
    assert names(caller) == FOREIGN


def test_addresses_can_be_added_and_removed(caller: Caller) -> None:
    new(caller, "rule", SenderIpRanges=["192.0.2.1", "192.0.2.2"])
    change = {"@odata.type": "#Exchange.GenericHashTable", "Add": ["192.0.2.3"], "Remove": ["192.0.2.1"]}
    caller.run("Set-TransportRule", Identity="rule", SenderIpRanges=change)
    assert caller.one("Get-TransportRule", "rule")["SenderIpRanges"] == ["192.0.2.2", "192.0.2.3"]


def test_the_connector_must_exist_and_be_enabled(caller: Caller) -> None:
    said = caller.refused("New-TransportRule", Name="rule", RouteMessageOutboundConnector="Nobody")
    assert said.type_name == "ManagementObjectNotFoundException"
    caller.run("Set-OutboundConnector", Identity="To archive", Enabled=False)
    assert (
        caller.refused("New-TransportRule", Name="rule", RouteMessageOutboundConnector="To archive").status
        == 400
    )


def test_the_connector_reads_back_as_its_name_even_after_a_rename(caller: Caller) -> None:
    guid = caller.one("Get-OutboundConnector", "To archive")["Guid"]
    row = new(caller, "rule", RouteMessageOutboundConnector=guid)
    assert row["RouteMessageOutboundConnector"] == "To archive"
    caller.run("Set-OutboundConnector", Identity=guid, Name="To the archive")
    assert caller.one("Get-TransportRule", "rule")["RouteMessageOutboundConnector"] == "To the archive"


@pytest.mark.parametrize("identity", ["Nobody", "", None])
def test_an_unknown_identity_gives_all_rules_or_an_error(
    tenant: LabTenant, caller: Caller, identity: str | None
) -> None:
    assert len(caller.run("Get-TransportRule", Identity=identity)) == 4
    tenant.switches.unknown_rule_returns_all = False
    assert (
        caller.refused("Get-TransportRule", Identity=identity).type_name
        == "ManagementObjectNotFoundException"
    )


def test_a_rule_is_found_by_name_or_guid(caller: Caller) -> None:
    guid = caller.one("Get-TransportRule", "No executables")["Guid"]
    (row,) = caller.run("Get-TransportRule", Identity=guid.upper())
    assert row["Name"] == "No executables"
    caller.run("Remove-TransportRule", Identity=guid)
    assert names(caller) == FOREIGN[:3]


@pytest.mark.parametrize("cmdlet", ["Set", "Remove", "Enable", "Disable"])
def test_a_write_to_an_unknown_rule_is_not_found(caller: Caller, cmdlet: str) -> None:
    said = caller.refused(f"{cmdlet}-TransportRule", Identity="Nobody")
    assert said.type_name == "ManagementObjectNotFoundException"
    assert caller.refused(f"{cmdlet}-TransportRule").type_name == "ParameterBindingException"


def test_a_set_returns_nothing_and_changes_the_time(caller: Caller) -> None:
    before = caller.one("Get-TransportRule", FOREIGN[0])["WhenChanged"]
    assert caller.run("Set-TransportRule", Identity=FOREIGN[0], Comments="seen") == []
    after = caller.one("Get-TransportRule", FOREIGN[0])
    assert after["WhenChanged"] != before
    assert after["Comments"] == "seen"
    assert after["LastModifiedBy"] == "m365-secure-email"


def test_rejections_and_disclaimers_fill_up(caller: Caller) -> None:
    row = new(caller, "reject", PrependSubject=None, RejectMessageReasonText="No.")
    assert row["RejectMessageEnhancedStatusCode"] == "5.7.1"
    row = new(caller, "disclaim", PrependSubject=None, ApplyHtmlDisclaimerText="<p/>")
    assert (row["ApplyHtmlDisclaimerLocation"], row["ApplyHtmlDisclaimerFallbackAction"]) == (
        "Append",
        "Wrap",
    )


# What means nothing may look different.


def test_renderings_of_a_rule(tenant: LabTenant, caller: Caller) -> None:
    new(
        caller,
        "rule",
        SenderIpRanges=["192.0.2.1", "192.0.2.0/24"],
        RecipientDomainIs=["b.example", "a.example"],
        SetSCL=-1,
    )
    rendering = tenant.switches.rendering

    def read(name: str) -> Any:
        return caller.one("Get-TransportRule", "rule")[name]

    rendering.list_order = "reversed"
    assert read("RecipientDomainIs") == ["a.example", "b.example"]
    rendering.list_order = "sorted"
    assert read("SenderIpRanges") == ["192.0.2.0/24", "192.0.2.1"]
    rendering.letter_case = "upper"
    assert read("RecipientDomainIs") == ["A.EXAMPLE", "B.EXAMPLE"]
    rendering.address_mask = True
    assert "192.0.2.1/32" in read("SenderIpRanges")
    rendering.unset_list = "empty"
    assert read("SentTo") == []
    rendering.unset_list = "blank"
    assert read("SentTo") == ""
    rendering.unset_text = "blank"
    assert read("SentToScope") == ""
    rendering.unset_flag = "null"
    assert read("Quarantine") is None
    assert read("SetSCL") == "-1"
    rendering.scl = "number"
    assert read("SetSCL") == -1
    rendering.row_order = "reversed"
    assert caller.run("Get-TransportRule")[0]["Name"] == "rule"
    rendering.annotations = False
    assert not any("@" in key for key in caller.invoke("Get-TransportRule").json()["value"][0])
