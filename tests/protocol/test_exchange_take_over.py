"""Something else stands under our name in the tenant: refused, taken over, put back whole."""

from typing import Any

import pytest

from dynamic_providers.entries import ABSENT
from dynamic_providers.exchange import errors
from dynamic_providers.exchange.cmdlets import TRANSPORT_RULE
from dynamic_providers.exchange.rule_parameters import RULE_PARAMETERS
from dynamic_providers.managed_provider import ChangedSince
from lab.journal import Event, Hollow
from tests.protocol.exchange_life import (
    GOLDEN,
    HEADINGS,
    KINDS,
    OUTBOUND,
    ROWS,
    CheckRefused,
    Life,
    block,
    by_hand,
    life,
    order,
    shown,
    writes,
)
from tests.protocol.exchange_parts import something
from tests.protocol.exchange_practice import Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]


THEIRS: dict[str, dict[str, Any]] = {
    "bypass": {"SenderIpRanges": ["203.0.113.0/24"], "SetSCL": -1, "Comments": "Do not touch", "Priority": 1},
    "inbound": {
        "ConnectorType": "Partner",
        "SenderDomains": ["partner.example"],
        "SenderIPAddresses": ["203.0.113.9"],
        "RequireTls": False,
        "EFSkipLastIP": True,
        "Comment": "Old",
    },
    "outbound": {
        "ConnectorType": "Partner",
        "RecipientDomains": ["partner.example"],
        "UseMXRecord": True,
        "TlsSettings": "CertificateValidation",
        "Enabled": False,
    },
    "rule": {
        "FromMemberOf": ["legal@bce-demo.com"],
        "ExceptIfRecipientDomainIs": ["bank.example"],
        "SetHeaderName": "X-Theirs",
        "SetHeaderValue": "theirsecretkey",
        "PrependSubject": "[X] ",
        "Mode": "Audit",
        "SetAuditSeverity": "Low",
        "Comments": "By Bob",
        "Priority": 2,
        "Enabled": False,
    },
}


@pytest.mark.parametrize("row", ROWS)
def test_something_else_under_the_name_is_refused_with_theirs_and_ours(practice: Practice, row: str) -> None:
    life(practice, row)
    practice.lab.invoke_by_hand(KINDS[row].cmdlet("New"), Name=HEADINGS[row].split(" ", 2)[2], **THEIRS[row])
    before = practice.lab.dump()
    one = Life(practice, row)
    practice.since = practice.lab.journal.mark()
    with pytest.raises(CheckRefused) as caught:
        one.up()
    said = str(caught.value)
    assert f"add {one.provider.take_over_key} to the setting takeOver" in said
    assert "theirs" in said
    assert "theirsecretkey" not in said
    assert "mysecretkey" not in said
    assert writes(practice) == []
    assert practice.lab.dump() == before


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("drifted", [False, True])
def test_taken_over_and_put_back_whole(practice: Practice, row: str, drifted: bool) -> None:  # noqa: FBT001
    life(practice, row)
    practice.lab.invoke_by_hand(KINDS[row].cmdlet("New"), Name=HEADINGS[row].split(" ", 2)[2], **THEIRS[row])
    before = practice.lab.dump()
    key = PROVIDER_KEYS[row]
    one = Life(practice, row, takeOver=[HEADINGS[row].split(" ", 2)[2]], change={"ticket": "CHG0041872"})
    assert key == one.provider.take_over_key
    one.up()
    assert "CHG0041872" in block(practice.lab.dump(), HEADINGS[row])
    assert shown(practice, row).replace("  Priority: 0\n", "") == GOLDEN[row].replace("  Priority: 0\n", "")
    assert one.drift() == {}
    if drifted:
        practice.lab.invoke_by_hand(KINDS[row].cmdlet("Remove"), Identity=one.inputs["name"])
        one.refresh()
        one.up()
    one.destroy()
    assert practice.lab.dump() == before


PROVIDER_KEYS = {
    "bypass": "transportRule",
    "inbound": "inboundConnector",
    "outbound": "outboundConnector",
    "rule": "transportRule",
}


def test_what_only_one_type_takes_is_there_before_the_type_changes(practice: Practice) -> None:
    """Microsoft says that it cleared it, and has not: with another type it could never be cleared again."""
    theirs = {
        "ConnectorType": "OnPremises",
        "RouteAllMessagesViaOnPremises": True,
        "AllAcceptedDomains": True,
        "UseMXRecord": True,
    }
    practice.lab.invoke_by_hand("New-OutboundConnector", Name=OUTBOUND, **theirs)
    before = practice.lab.dump()
    one = Life(practice, "outbound", takeOver=[OUTBOUND])

    def lie(event: Event) -> None:
        raise Hollow

    def is_set(event: Event) -> bool:
        return event.kind == "call" and event.detail["cmdlet"] == "Set-OutboundConnector"

    practice.lab.journal.when(is_set, lie)
    with pytest.raises(errors.NotReadBack, match="RouteAllMessagesViaOnPremises"):
        one.up()
    practice.lab.journal.forget_hooks()
    assert practice.lab.dump() == before
    one.up()
    assert one.drift() == {}
    one.destroy()
    assert practice.lab.dump() == before


def test_the_way_back_finds_its_place_among_those_who_stayed(connector: Practice) -> None:
    foreign = order(connector)
    connector.lab.invoke_by_hand("New-TransportRule", Name=OUTBOUND, **THEIRS["rule"])
    one = Life(connector, "rule", takeOver=[OUTBOUND])
    one.up()
    connector.lab.invoke_by_hand("Remove-TransportRule", Identity=foreign[1])
    connector.lab.invoke_by_hand("New-TransportRule", Name="Newer", Priority=1, SetSCL=0)
    one.destroy()
    assert order(connector) == ["Newer", foreign[0], OUTBOUND, *foreign[2:]]


def test_what_someone_changed_since_is_not_put_back_unseen(practice: Practice) -> None:
    one = Life(practice, "inbound")
    one.up()
    by_hand(practice, "inbound", RequireTls=False)
    changed = practice.lab.dump()
    with pytest.raises(ChangedSince, match="requireTls: theirs false, ours true"):
        one.destroy()
    assert practice.lab.dump() == changed
    one.refresh()
    one.destroy()
    assert block(practice.lab.dump(), HEADINGS["inbound"]) == ""


def test_a_comment_of_someone_else_stays(practice: Practice) -> None:
    one = Life(practice, "inbound")
    one.up()
    by_hand(practice, "inbound", Comment="Asked for by Alice", RequireTls=False)
    one.refresh()
    one.up()
    assert "Comment: Asked for by Alice" in practice.lab.dump()
    assert one.drift() == {}


def test_a_connector_that_a_rule_names_does_not_go(connector: Practice) -> None:
    one = Life(connector, "outbound")
    one.up()
    one.inputs["before"] = one.outs["before"] = {OUTBOUND: ABSENT}
    connector.lab.invoke_by_hand("New-TransportRule", Name="Theirs", RouteMessageOutboundConnector=OUTBOUND)
    before = connector.lab.dump()
    with pytest.raises(errors.ConnectorInUse, match="cannot go: «Theirs» routes mail through it"):
        one.destroy()
    assert connector.lab.dump() == before


def test_a_rule_with_every_part_that_there_is_comes_back_whole(connector: Practice) -> None:
    row = connector.client().rows(TRANSPORT_RULE)[0]
    parts = {name: something(name, row[name]) for name in sorted(RULE_PARAMETERS - {"Comments"})}
    own = {"SetHeaderName": "X-Theirs", "SetHeaderValue": "theirsecretkey", "SetSCL": 3}
    own |= {"RouteMessageOutboundConnector": "To archive", "Mode": "AuditAndNotify"}
    own |= {"RuleErrorAction": "Defer", "SenderAddressLocation": "Envelope"}
    connector.lab.invoke_by_hand("New-TransportRule", **{**parts, **own}, Name=OUTBOUND, Comments="All of it")
    before = connector.lab.dump()
    one = Life(connector, "rule", takeOver=["*"])
    one.up()
    assert shown(connector, "rule") == GOLDEN["rule"]
    one.destroy()
    assert connector.lab.dump() == before
