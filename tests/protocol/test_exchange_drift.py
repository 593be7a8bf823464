"""What someone changed by hand in the tenant: shown as exactly that, and repaired; nothing else is shown."""

from typing import Any

import pytest

from dynamic_providers.exchange.cmdlets import TRANSPORT_RULE
from lab.tenant.switches import Rendering
from tests.protocol.exchange_life import (
    BYPASS,
    GOLDEN,
    KINDS,
    OUTBOUND,
    PROVIDERS,
    ROWS,
    Life,
    by_hand,
    life,
    order,
    shown,
    writes,
)
from tests.protocol.exchange_parts import something
from tests.protocol.exchange_practice import Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]


DRIFT: list[tuple[str, dict[str, Any], str]] = [
    ("bypass", {"SenderIpRanges": ["192.0.2.105"]}, "senderIpRanges"),
    ("bypass", {"SetSCL": 5}, "setScl"),
    ("bypass", {"SetHeaderName": "X-A", "SetHeaderValue": "b"}, "setHeaderName setHeaderValue"),
    ("bypass", {"FromScope": "InOrganization"}, "fromScope"),
    ("bypass", {"SentToScope": "NotInOrganization"}, "sentToScope"),
    ("bypass", {"RouteMessageOutboundConnector": "To archive"}, "routeMessageOutboundConnector"),
    ("rule", {"FromScope": "NotInOrganization"}, "fromScope"),
    ("rule", {"FromScope": None}, "fromScope"),
    ("rule", {"SentToScope": "InOrganization"}, "sentToScope"),
    ("rule", {"SetHeaderName": "X-OTHER", "SetHeaderValue": "mysecretkey"}, "setHeaderName"),
    ("rule", {"SetHeaderName": "X-OUTBOUND-AUTH", "SetHeaderValue": "nomoresecret"}, "setHeaderValue"),
    ("rule", {"RouteMessageOutboundConnector": "To archive"}, "routeMessageOutboundConnector"),
    ("rule", {"StopRuleProcessing": True}, "stopRuleProcessing"),
    ("rule", {"Mode": "Audit"}, "mode"),
    ("rule", {"RuleErrorAction": "Defer"}, "ruleErrorAction"),
    ("rule", {"SenderAddressLocation": "Envelope"}, "senderAddressLocation"),
    ("rule", {"RecipientAddressType": "Original"}, "other"),
    ("rule", {"SetAuditSeverity": "Low"}, "other"),
    ("rule", {"FromMemberOf": ["pilot@bce-demo.com"]}, "fromMemberOf"),
    ("rule", {"ExceptIfRecipientDomainIs": ["bank.example"]}, "exceptIfRecipientDomainIs"),
    ("rule", {"HeaderContainsMessageHeader": "X-A", "HeaderContainsWords": ["b"]}, "other"),
    ("rule", {"PrependSubject": "[OUT] "}, "other"),
    ("rule", {"BlindCopyTo": ["spy@bce-demo.com"]}, "other"),
    ("rule", {"AttachmentHasExecutableContent": True}, "other"),
    ("rule", {"ExpiryDate": "2031-01-01T00:00:00"}, "other"),
    ("inbound", {"SenderIPAddresses": ["192.0.2.105"]}, "senderIpAddresses"),
    ("inbound", {"SenderDomains": ["partner.example"]}, "senderDomains"),
    ("inbound", {"RequireTls": False}, "requireTls"),
    ("inbound", {"RestrictDomainsToIPAddresses": True}, "restrictDomainsToIpAddresses"),
    ("inbound", {"Enabled": False}, "enabled"),
    ("inbound", {"EFSkipLastIP": True}, "efSkipLastIp"),
    ("inbound", {"EFSkipIPs": ["203.0.113.1"]}, "efSkipIps"),
    ("inbound", {"EFUsers": ["probe@bce-demo.com"]}, "other"),
    ("inbound", {"TlsSenderCertificateName": "*.bce-demo.com"}, "tlsSenderCertificateName"),
    (
        "inbound",
        {"RestrictDomainsToCertificate": True, "TlsSenderCertificateName": "*.bce-demo.com"},
        "restrictDomainsToCertificate tlsSenderCertificateName",
    ),
    ("outbound", {"SmartHosts": ["198.51.100.187"]}, "smartHosts"),
    ("outbound", {"TlsSettings": "CertificateValidation"}, "tlsSettings"),
    ("outbound", {"TlsSettings": "DomainValidation", "TlsDomain": "*.bce-demo.com"}, "tlsDomain tlsSettings"),
    ("outbound", {"TlsSettings": None}, "tlsSettings"),
    ("outbound", {"Enabled": False}, "enabled"),
    ("outbound", {"IsTransportRuleScoped": False, "RecipientDomains": ["*"]}, "isTransportRuleScoped other"),
    ("outbound", {"UseMXRecord": True, "SmartHosts": []}, "smartHosts useMxRecord"),
]


@pytest.mark.parametrize(
    ("row", "change", "attributes"), DRIFT, ids=[f"{r}-{'-'.join(c)}" for r, c, _ in DRIFT]
)
def test_a_change_by_hand_is_shown_and_repaired(
    practice: Practice, row: str, change: dict[str, Any], attributes: str
) -> None:
    one = life(practice, row)
    one.up()
    before = practice.lab.dump()
    by_hand(practice, row, **change)
    changed = practice.lab.dump()
    assert changed != before
    assert sorted(one.drift()) == attributes.split()
    assert practice.lab.dump() == changed  # looking changes nothing
    practice.since = practice.lab.journal.mark()
    assert one.up()
    assert practice.lab.dump() == before
    assert len(writes(practice)) == 1
    assert one.drift() == {}


@pytest.mark.parametrize("row", ROWS)
def test_every_attribute_has_a_drift_case(row: str) -> None:
    provider = PROVIDERS[row]
    fields = {field.alias for field in provider.model.model_fields.values()}
    asked = {name for r, _, names in DRIFT if KINDS[r] == KINDS[row] for name in names.split()}
    alone = {"state", "position", "connectorType", *provider.identity, *provider.settings}
    assert fields - alone - asked == set()


def test_every_part_that_a_rule_can_have_and_ours_has_not_is_shown_and_repaired(connector: Practice) -> None:
    one = Life(connector, "rule")
    one.up()
    before = connector.lab.dump()
    row = connector.client().find(TRANSPORT_RULE, OUTBOUND)
    assert row is not None
    ours = {attribute.parameter for attribute in one.provider.attributes}
    parts = sorted(one.provider._compared - ours)
    assert len(parts) > 150
    assert set(parts) <= set(row)
    values = {part: something(part, row[part]) for part in parts}
    for group in [*one.provider.together, *(frozenset({part}) for part in parts)]:
        together = {part: values[part] for part in group if part in values}
        if together:
            connector.lab.invoke_by_hand("Set-TransportRule", Identity=OUTBOUND, **together)
    theirs, _ = one.drift()["other"]
    assert sorted(theirs) == parts
    one.up()
    assert connector.lab.dump() == before


SILENT = {
    # names, times and internals: they say nothing of what the object does
    *("AdminDisplayName", "CreatedBy", "DirectoryObjectVersion", "DistinguishedName", "DlpPolicyId"),
    *("ExchangeObjectId", "ExchangeVersion", "Guid", "Id", "Identity", "ImmutableId", "IsValid"),
    *("LastModifiedBy", "ManuallyModified", "Name", "NameHashGuid", "ObjectCategory", "ObjectClass"),
    *("ObjectState", "OrganizationId", "OrganizationalUnitRoot", "OrganizationalUnitRootInternal"),
    *("OriginatingServer", "RegexSize", "RuleVersion", "Size", "WhenChanged", "WhenChangedUTC"),
    *("WhenCreated", "WhenCreatedUTC", "Comment", "Comments", "ConnectorSource", "UseLegacyRegex"),
    # the same once more, in other words: shown by the parts that make them
    *(
        "Actions",
        "Conditions",
        "Description",
        "Exceptions",
        "IncidentReportOriginalMail",
        "Priority",
        "State",
    ),
    # parts without a parameter of their own: shown by Conditions and Exceptions
    *("MessageContainsAllDataClassifications", "ExceptIfMessageContainsAllDataClassifications"),
    # validation, which is not compared
    *("IsValidated", "LastValidationTimestamp", "ValidationRecipients"),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_key_that_exchange_shows_is_compared_or_known_to_mean_nothing(
    practice: Practice, row: str
) -> None:
    one = life(practice, row)
    for live in practice.client().rows(KINDS[row]):
        assert set(live) - one.provider._compared <= SILENT


def test_a_rule_switched_off_by_hand_is_switched_on(connector: Practice) -> None:
    one = Life(connector, "rule")
    one.up()
    connector.lab.invoke_by_hand("Disable-TransportRule", Identity=OUTBOUND)
    assert one.drift() == {"state": ("Disabled", "Enabled")}
    connector.since = connector.lab.journal.mark()
    one.up()
    assert writes(connector) == ["Enable-TransportRule"]
    assert shown(connector, "rule") == GOLDEN["rule"]


def test_the_type_of_a_connector_changed_by_hand(practice: Practice) -> None:
    one = Life(practice, "inbound")
    one.up()
    before = practice.lab.dump()
    by_hand(practice, "inbound", ConnectorType="OnPremises")
    by_hand(practice, "inbound", CloudServicesMailEnabled=True)
    assert one.drift()["connectorType"] == ("OnPremises", "Partner")
    one.up()
    assert practice.lab.dump() == before


def test_only_what_changed_is_sent(connector: Practice) -> None:
    one = Life(connector, "rule")
    one.up()
    by_hand(connector, "rule", Mode="Audit", PrependSubject="[OUT] ")
    one.refresh()
    connector.since = connector.lab.journal.mark()
    one.up()
    [call] = connector.lab.journal.events("tenant", "call", since=connector.since, cmdlet="Set-TransportRule")
    assert set(call.detail["parameters"]) <= {"Identity", "Mode", "PrependSubject", "Comments"}


RENDERINGS = [
    Rendering(list_order="reversed", row_order="reversed"),
    Rendering(letter_case="upper"),
    Rendering(letter_case="lower"),
    Rendering(unset_list="null", unset_text="blank"),
    Rendering(unset_list="empty", unset_text="null", unset_flag="null"),
    Rendering(unset_list="blank"),
    Rendering(sender_domain="bare", smart_host_brackets=True, address_mask=True, scl="number"),
    Rendering(annotations=False, list_order="sorted"),
]


@pytest.mark.parametrize("rendering", RENDERINGS)
@pytest.mark.parametrize("row", ROWS)
def test_how_exchange_shows_it_is_no_difference(practice: Practice, row: str, rendering: Rendering) -> None:
    one = life(practice, row)
    one.up()
    practice.lab.switches.rendering = rendering
    assert one.drift() == {}
    practice.since = practice.lab.journal.mark()
    assert not one.up()
    assert writes(practice) == []


@pytest.mark.parametrize("rendering", RENDERINGS)
@pytest.mark.parametrize("row", ROWS)
def test_how_exchange_shows_it_hinders_no_write(practice: Practice, row: str, rendering: Rendering) -> None:
    practice.lab.switches.rendering = rendering
    one = life(practice, row)
    before = practice.lab.dump()
    one.up()
    assert shown(practice, row) == GOLDEN[row]
    one.destroy()
    assert practice.lab.dump() == before


# --- where a rule stands ------------------------------------------------------------------------------------


def test_first_when_it_is_made_and_last_for_the_other(connector: Practice) -> None:
    foreign = order(connector)
    Life(connector, "bypass").up()
    Life(connector, "rule").up()
    assert order(connector) == [OUTBOUND, *foreign, BYPASS]


def test_an_enabled_foreign_rule_above_it_is_drift(connector: Practice) -> None:
    one = Life(connector, "rule")
    one.up()
    connector.lab.invoke_by_hand("New-TransportRule", Name="Theirs", Priority=0, SetSCL=0, Enabled=False)
    assert one.drift() == {}
    connector.lab.invoke_by_hand("Enable-TransportRule", Identity="Theirs")
    assert one.drift() == {"position": ("below the enabled rule «Theirs»", "right")}
    assert one.up()
    assert order(connector)[:2] == [OUTBOUND, "Theirs"]
    assert one.drift() == {}


def test_others_may_change_places_below_it(connector: Practice) -> None:
    one, other = Life(connector, "rule"), Life(connector, "bypass")
    one.up()
    other.up()
    connector.lab.invoke_by_hand("Set-TransportRule", Identity="No executables", Priority=1)
    connector.lab.invoke_by_hand("Remove-TransportRule", Identity="Archive copies")
    connector.lab.invoke_by_hand("Set-TransportRule", Identity=BYPASS, Priority=2)
    assert (one.drift(), other.drift()) == ({}, {})


def test_our_other_rule_above_it_is_the_other_rules_drift(connector: Practice) -> None:
    one, other = Life(connector, "rule"), Life(connector, "bypass")
    one.up()
    other.up()
    connector.lab.invoke_by_hand("Set-TransportRule", Identity=BYPASS, Priority=0)
    assert one.drift() == {}
    assert other.drift() == {"position": (f"above the rule «{OUTBOUND}»", "right")}
    other.up()
    assert order(connector)[:2] == [OUTBOUND, BYPASS]
