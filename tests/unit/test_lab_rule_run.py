"""The rule run of the practice tenant: each condition, each exception, each action, and their order."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from lab.tenant.mail.facts import Facts
from lab.tenant.mail.rule_run import Ruled, matches, run
from lab.tenant.rule_properties import DEFAULTS
from lab.tenant.store import Record

GROUPS = {
    "pilot@ours.example": frozenset({"anna@ours.example"}),
    "partners@ours.example": frozenset({"bob@bank.example"}),
}
HEADERS = (
    ("From", "Anna <anna@ours.example>"),
    ("To", "Bob <bob@bank.example>, carl@bank.example"),
    ("Cc", "dora@other.example"),
    ("Subject", "Quarterly token-41 report"),
    ("X-Kind", "internal only"),
)
MESSAGE = Facts(
    sender="bounces@ours.example",
    recipient="bob@bank.example",
    headers=HEADERS,
    peer="192.0.2.10",
    internal=True,
    accepted=False,
    body="Please pay the invoice.",
    size=2 * 1024 * 1024,
    scl=5,
)


def rule(**parameters: Any) -> Record:
    """A rule as the store keeps it, with an action that shows whether it fired."""
    return {
        "Name": parameters.pop("Name", "a rule"),
        "Guid": uuid.uuid4(),
        "Enabled": True,
        **DEFAULTS,
        "SetSCL": 7,
        **parameters,
    }


HOLDS: list[dict[str, Any]] = [
    {},
    {"SenderIpRanges": ["192.0.2.10"]},
    {"SenderIpRanges": ["198.51.100.1", "192.0.2.0/24"]},
    {"SenderIpRanges": ["192.0.2.8-192.0.2.12"]},
    {"FromScope": "InOrganization"},
    {"SentToScope": "NotInOrganization"},
    {"From": ["ANNA@ours.example"]},
    {"From": ["bounces@ours.example"], "SenderAddressLocation": "Envelope"},
    {"From": ["bounces@ours.example"], "SenderAddressLocation": "HeaderOrEnvelope"},
    {"FromMemberOf": ["Pilot@ours.example"]},
    {"SentTo": ["Bob@bank.example"]},
    {"SentToMemberOf": ["partners@ours.example"]},
    {"BetweenMemberOf1": ["partners@ours.example"], "BetweenMemberOf2": ["pilot@ours.example"]},
    {"SenderDomainIs": ["ours.example"]},
    {"RecipientDomainIs": ["example"]},
    {"FromAddressContainsWords": ["anna"]},
    {"FromAddressMatchesPatterns": [r"^anna@"]},
    {"RecipientAddressContainsWords": ["bank"]},
    {"RecipientAddressMatchesPatterns": [r"@bank\.example$"]},
    {"AnyOfToHeader": ["carl@bank.example"]},
    {"AnyOfCcHeader": ["dora@other.example"]},
    {"AnyOfToCcHeader": ["dora@other.example"]},
    {"AnyOfToHeaderMemberOf": ["partners@ours.example"]},
    {"SubjectContainsWords": ["nothing", "TOKEN-41"]},
    {"SubjectMatchesPatterns": [r"token-\d+"]},
    {"SubjectOrBodyContainsWords": ["invoice"]},
    {"SubjectOrBodyMatchesPatterns": [r"pay\s+the"]},
    {"HeaderContainsMessageHeader": "x-kind", "HeaderContainsWords": ["internal"]},
    {"HeaderMatchesMessageHeader": "X-Kind", "HeaderMatchesPatterns": ["^internal"]},
    {"SCLOver": 5},
    {"MessageSizeOver": "2MB (2,097,152 bytes)"},
]
HOLDS_NOT: list[dict[str, Any]] = [
    {"SenderIpRanges": ["192.0.2.11", "198.51.100.0/24", "10.0.0.1-10.0.0.9", "2001:db8::/32"]},
    {"FromScope": "NotInOrganization"},
    {"SentToScope": "InOrganization"},
    {"From": ["bounces@ours.example"]},
    {"From": ["anna@ours.example"], "SenderAddressLocation": "Envelope"},
    {"FromMemberOf": ["partners@ours.example", "nosuch@ours.example"]},
    {"SentTo": ["carl@bank.example"]},
    {"SentToMemberOf": ["pilot@ours.example"]},
    {"BetweenMemberOf1": ["pilot@ours.example"], "BetweenMemberOf2": ["pilot@ours.example"]},
    {"SenderDomainIs": ["s.example"]},
    {"RecipientDomainIs": ["ank.example"]},
    {"FromAddressContainsWords": ["ann"]},
    {"AnyOfToHeader": ["dora@other.example"]},
    {"AnyOfCcHeader": ["carl@bank.example"]},
    {"SubjectContainsWords": ["token-4", "oken-41"]},
    {"SubjectMatchesPatterns": [r"^token"]},
    {"SubjectOrBodyContainsWords": ["internal"]},
    {"HeaderContainsMessageHeader": "X-Other", "HeaderContainsWords": ["internal"]},
    {"HeaderMatchesMessageHeader": "X-Kind", "HeaderMatchesPatterns": ["^only"]},
    {"SCLOver": 6},
    {"MessageSizeOver": "3MB"},
    {"SenderDomainIs": ["ours.example"], "SubjectContainsWords": ["nothing"]},
]


def fires(**parameters: Any) -> bool:
    return bool(run([rule(**parameters)], MESSAGE, GROUPS).fired)


def excepting(conditions: dict[str, Any]) -> dict[str, Any]:
    """The same as exceptions; where to look for the sender stays a setting."""
    kept = "SenderAddressLocation"
    return {name if name == kept else f"ExceptIf{name}": value for name, value in conditions.items()}


@pytest.mark.parametrize("conditions", HOLDS, ids=str)
def test_a_rule_fires_where_all_its_conditions_hold(conditions: dict[str, Any]) -> None:
    assert fires(**conditions)


@pytest.mark.parametrize("conditions", HOLDS_NOT, ids=str)
def test_a_rule_does_not_fire_where_one_condition_does_not_hold(conditions: dict[str, Any]) -> None:
    assert not fires(**conditions)


@pytest.mark.parametrize("conditions", HOLDS[1:], ids=str)
def test_an_exception_that_holds_stops_the_rule(conditions: dict[str, Any]) -> None:
    assert not fires(**excepting(conditions))


@pytest.mark.parametrize("conditions", HOLDS_NOT[:-1], ids=str)
def test_an_exception_that_does_not_hold_changes_nothing(conditions: dict[str, Any]) -> None:
    assert fires(**excepting(conditions))


def test_what_cannot_be_answered_holds_neither_as_condition_nor_as_exception_and_is_named() -> None:
    asking = rule(Name="No executables", AttachmentHasExecutableContent=True)
    assert matches(asking, MESSAGE, GROUPS) == (False, "AttachmentHasExecutableContent")
    assert run([asking], MESSAGE, GROUPS).unanswered == ("No executables: AttachmentHasExecutableContent",)
    excepted = rule(ExceptIfAttachmentHasExecutableContent=True)
    assert matches(excepted, MESSAGE, GROUPS) == (True, "ExceptIfAttachmentHasExecutableContent")


@pytest.mark.parametrize("off", [{"Enabled": False}, {"Mode": "Audit"}, {"Mode": "AuditAndNotify"}], ids=str)
def test_a_rule_that_is_off_does_nothing(off: dict[str, Any]) -> None:
    assert run([rule(**off)], MESSAGE, GROUPS) == Ruled()


def test_the_later_rule_wins_a_header_whatever_its_case() -> None:
    first = rule(SetHeaderName="X-Auth", SetHeaderValue="one", SetSCL=None)
    second = rule(SetHeaderName="x-auth", SetHeaderValue="two", SetSCL=None)
    ruled = run([first, second], MESSAGE, GROUPS)
    assert ruled.headers == (("x-auth", "two"),)
    assert ruled.header("X-AUTH") == "two"


def test_a_header_can_be_removed_and_set_again() -> None:
    setting = rule(SetHeaderName="X-Auth", SetHeaderValue="one")
    removing = rule(RemoveHeader="X-AUTH")
    assert run([setting, removing], MESSAGE, GROUPS).headers == ()
    assert run([setting, removing], MESSAGE, GROUPS).removed == {"x-auth"}
    again = run([removing, setting], MESSAGE, GROUPS)
    assert (again.headers, again.removed) == ((("X-Auth", "one"),), frozenset())


def test_later_rules_see_what_earlier_ones_set() -> None:
    setting = rule(SetHeaderName="X-Mark", SetHeaderValue="seen it", SetSCL=9)
    by_header = rule(
        Name="second", HeaderContainsMessageHeader="X-Mark", HeaderContainsWords=["seen"], SetSCL=3
    )
    by_scl = rule(Name="third", SCLOver=9)
    assert [fired.name for fired in run([setting, by_header, by_scl], MESSAGE, GROUPS).fired] == [
        "a rule",
        "second",
    ]


def test_stop_hides_the_rules_below_and_only_where_it_fires() -> None:
    stopping = rule(Name="stop", StopRuleProcessing=True)
    below = rule(Name="below")
    assert [fired.name for fired in run([stopping, below], MESSAGE, GROUPS).fired] == ["stop"]
    stopping["FromScope"] = "NotInOrganization"
    assert [fired.name for fired in run([stopping, below], MESSAGE, GROUPS).fired] == ["below"]


def test_which_of_two_routes_wins_is_a_switch() -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    rules = [rule(RouteMessageOutboundConnector=one), rule(RouteMessageOutboundConnector=two)]
    assert run(rules, MESSAGE, GROUPS).connector == str(two)
    assert run(rules, MESSAGE, GROUPS, routed_twice="first").connector == str(one)


def test_an_scl_of_zero_or_minus_one_counts() -> None:
    assert run([rule(SetSCL=0)], MESSAGE, GROUPS).scl == 0
    assert run([rule(SetSCL=-1)], MESSAGE, GROUPS).scl == -1
    assert run([rule(SetSCL=None)], MESSAGE, GROUPS).scl is None


def test_subjects_are_prefixed_by_the_later_rule_first() -> None:
    rules = [rule(PrependSubject="[A] "), rule(PrependSubject="[B] ")]
    assert run(rules, MESSAGE, GROUPS).prefix == "[B] [A] "


@pytest.mark.parametrize(
    ("action", "fate", "reply"),
    [
        ({"DeleteMessage": True}, "deleted", ""),
        ({"Quarantine": True}, "quarantined", ""),
        (
            {"RejectMessageReasonText": "No.", "RejectMessageEnhancedStatusCode": "5.7.9"},
            "rejected",
            "550 5.7.9 TRANSPORT.RULES.RejectMessage; No.",
        ),
    ],
)
def test_a_message_whose_fate_is_decided_meets_no_further_rule(
    action: dict[str, Any], fate: str, reply: str
) -> None:
    ruled = run([rule(**action), rule(Name="below")], MESSAGE, GROUPS)
    assert (ruled.fate, ruled.reply, len(ruled.fired)) == (fate, reply, 1)


def test_the_actions_of_a_rule_that_fired_are_named() -> None:
    route = rule(RouteMessageOutboundConnector=uuid.uuid4(), RouteMessageOutboundRequireTls=True, SetSCL=None)
    (fired,) = run([route], MESSAGE, GROUPS).fired
    assert fired.actions == ("RouteMessageOutboundConnector", "RouteMessageOutboundRequireTls")
    assert run([route], MESSAGE, GROUPS).require_tls
