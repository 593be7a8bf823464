"""Drift cases of the tenant: what another administrator runs, and what is to be seen of it.

`covers` names the keys of the lab's rows, `TransportRule.Mode` and so on. What no attribute of ours says is
shown in the secret input `other`, so it is told by its name as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lab.tenant.rule_properties import ACTIONS, CONDITIONS, EXCEPTIONS, NEED_EACH_OTHER, PROPERTIES, SETTINGS
from tests.hands.acts import call
from tests.hands.names import BYPASS, INBOUND, OUTBOUND
from tests.protocol.drift_bench import GONE, SECRET, Case
from tests.protocol.exchange_parts import something

RULES = {"inbound-rule": BYPASS, "outbound-rule": OUTBOUND}
CONNECTORS = {
    "inbound-connector": ("InboundConnector", INBOUND),
    "outbound-connector": ("OutboundConnector", OUTBOUND),
}
LABELS = {
    "inbound-connector": f"inbound connector «{INBOUND}»",
    "outbound-connector": f"outbound connector «{OUTBOUND}»",
    "inbound-rule": f"transport rule «{BYPASS}»",
    "outbound-rule": f"transport rule «{OUTBOUND}»",
}


def other(resource: str, parts: Mapping[str, Any]) -> tuple[dict[str, tuple[Any, Any]], tuple[str, ...]]:
    """How parts that are not ours are shown, and told."""
    if not parts:
        return {}, ()
    shown = {f"other/{name}": (json.dumps(value), GONE) for name, value in parts.items()}
    return shown, (f"{LABELS[resource]}: {', '.join(f'{name}: not ours' for name in sorted(parts))}",)


def case(
    resource: str,
    name: str,
    parameters: Mapping[str, Any],
    shown: Mapping[str, tuple[Any, Any]] | None = None,
    parts: Mapping[str, Any] | None = None,
    *,
    lines: Sequence[str] = (),
) -> Case:
    """A Set- cmdlet; `shown` of our attributes, `parts` of what is not ours."""
    noun, identity = CONNECTORS.get(resource, ("TransportRule", RULES.get(resource, "")))
    of_others, told = other(resource, parts or {})
    return Case(
        f"{resource} {name}",
        call(f"Set-{noun}", Identity=identity, **parameters),
        resource,
        {**(shown or {}), **of_others},
        (*lines, *told),
        covers=[f"{noun}.{key}" for key in parameters],
    )


def part(resource: str, **parts: Any) -> Case:
    """Something that is not ours, shown under its own name."""
    return case(resource, f"with {', '.join(parts)}", parts, parts=parts)


# --- connectors ---------------------------------------------------------------------------------------------

ADDRESSES, HOSTS = ["192.0.2.105", "198.51.100.186"], ["198.51.100.186", "relay.bce-demo.example"]
HYBRID_IN = ("CloudServicesMailEnabled", "TreatMessagesAsInternal")
HYBRID_OUT = ("CloudServicesMailEnabled", "RouteAllMessagesViaOnPremises", "SenderRewritingEnabled")
BOTH_WAYS = {"connectorType": ("OnPremises", "Partner")}

INBOUND_CASES = [
    case(
        "inbound-connector",
        "for one address",
        {"SenderIPAddresses": ADDRESSES[:1]},
        {"senderIpAddresses": (ADDRESSES[:1], ADDRESSES)},
    ),
    case(
        "inbound-connector",
        "for a network",
        {"SenderIPAddresses": [*ADDRESSES, "203.0.113.0/24"]},
        {"senderIpAddresses": ([*ADDRESSES, "203.0.113.0/24"], ADDRESSES)},
    ),
    case(
        "inbound-connector",
        "for one domain",
        {"SenderDomains": ["partner.example"]},
        {"senderDomains": (["partner.example"], ["*"])},
    ),
    case("inbound-connector", "without TLS", {"RequireTls": False}, {"requireTls": (False, True)}),
    case(
        "inbound-connector",
        "that restricts",
        {"RestrictDomainsToIPAddresses": True},
        {"restrictDomainsToIpAddresses": (True, False)},
    ),
    case("inbound-connector", "switched off", {"Enabled": False}, {"enabled": (False, True)}),
    case("inbound-connector", "of another type", {"ConnectorType": "OnPremises"}, BOTH_WAYS),
    *(
        case(
            "inbound-connector",
            f"hybrid with {name}",
            {"ConnectorType": "OnPremises", name: True},
            BOTH_WAYS,
            {name: True},
        )
        for name in HYBRID_IN
    ),
    case(
        "inbound-connector",
        "for a certificate",
        {"TlsSenderCertificateName": "*.Partner.example"},
        {"tlsSenderCertificateName": ("*.Partner.example", GONE)},
    ),
    case(
        "inbound-connector",
        "that restricts to a certificate",
        {"RestrictDomainsToCertificate": True, "TlsSenderCertificateName": "*.partner.example"},
        {
            "restrictDomainsToCertificate": (True, False),
            "tlsSenderCertificateName": ("*.partner.example", GONE),
        },
    ),
    case(
        "inbound-connector",
        "with Enhanced Filtering of the last hop",
        {"EFSkipLastIP": True},
        {"efSkipLastIp": (True, GONE)},
    ),
    case(
        "inbound-connector",
        "with Enhanced Filtering of an address, for some",
        {"EFSkipIPs": ["203.0.113.1"], "EFUsers": ["probe@bce-demo.com"]},
        {"efSkipIps": (["203.0.113.1"], GONE)},
        {"EFUsers": ["probe@bce-demo.com"]},
    ),
    part("inbound-connector", EFTestMode=True, EFSkipMailGateway=["gateway.example"]),
    part(
        "inbound-connector", TrustedOrganizations=["partner.example"], ClientHostNames=["mx.partner.example"]
    ),
    part(
        "inbound-connector",
        AssociatedAcceptedDomains=["bce-demo.com"],
        ScanAndDropRecipients=["trap@bce-demo.com"],
    ),
]

OUTBOUND_CASES = [
    case(
        "outbound-connector",
        "to another host",
        {"SmartHosts": ["mx.elsewhere.example"]},
        {"smartHosts": (["mx.elsewhere.example"], HOSTS)},
    ),
    case(
        "outbound-connector",
        "to one more host",
        {"SmartHosts": [*HOSTS, "203.0.113.9"]},
        {"smartHosts": ([HOSTS[0], "203.0.113.9", HOSTS[1]], HOSTS)},
    ),
    case(
        "outbound-connector",
        "by MX",
        {"UseMXRecord": True, "SmartHosts": []},
        {"useMxRecord": (True, False), "smartHosts": (GONE, HOSTS)},
    ),
    case(
        "outbound-connector", "without TLS", {"TlsSettings": None}, {"tlsSettings": (GONE, "EncryptionOnly")}
    ),
    case(
        "outbound-connector",
        "with a certificate",
        {"TlsSettings": "CertificateValidation"},
        {"tlsSettings": ("CertificateValidation", "EncryptionOnly")},
    ),
    case(
        "outbound-connector",
        "with a certificate's name",
        {"TlsSettings": "DomainValidation", "TlsDomain": "*.bce-demo.example"},
        {
            "tlsSettings": ("DomainValidation", "EncryptionOnly"),
            "tlsDomain": ("*.bce-demo.example", GONE),
        },
    ),
    case("outbound-connector", "switched off", {"Enabled": False}, {"enabled": (False, True)}),
    case(
        "outbound-connector",
        "for domains",
        {"IsTransportRuleScoped": False, "RecipientDomains": ["*"]},
        {"isTransportRuleScoped": (False, True)},
        {"RecipientDomains": ["*"]},
    ),
    case("outbound-connector", "of another type", {"ConnectorType": "OnPremises"}, BOTH_WAYS),
    *(
        case(
            "outbound-connector",
            f"hybrid with {name}",
            {"ConnectorType": "OnPremises", name: True},
            BOTH_WAYS,
            {name: True},
        )
        for name in HYBRID_OUT
    ),
    case(
        "outbound-connector",
        "hybrid for all domains",
        {"ConnectorType": "OnPremises", "IsTransportRuleScoped": False, "AllAcceptedDomains": True},
        {**BOTH_WAYS, "isTransportRuleScoped": (False, True)},
        {"AllAcceptedDomains": True},
    ),
    part("outbound-connector", MtaStsMode="None", SmtpDaneMode="Mandatory"),
    part("outbound-connector", TestMode=True),
]

# --- rules --------------------------------------------------------------------------------------------------


def rule(
    name: str,
    parameters: Mapping[str, Any],
    *,
    of: str = "outbound-rule",
    secret: bool = False,
    **shown: tuple[Any, Any],
) -> Case:
    lines = [f"{LABELS[of]}: setHeaderValue: differs"] if secret else []
    return case(of, name, parameters, shown, lines=lines)


def state(resource: str, cmdlet: str, shown: tuple[str, str], covers: str) -> Case:
    hand = call(cmdlet, Identity=RULES[resource])
    return Case(f"{resource} {cmdlet}", hand, resource, {"state": shown}, covers=(covers,))


RULE_CASES = [
    rule(
        "from outside", {"FromScope": "NotInOrganization"}, fromScope=("NotInOrganization", "InOrganization")
    ),
    rule("from anywhere", {"FromScope": None}, fromScope=(GONE, "InOrganization")),
    rule("to inside", {"SentToScope": "InOrganization"}, sentToScope=("InOrganization", "NotInOrganization")),
    rule(
        "to a partner",
        {"SentToScope": "ExternalPartner"},
        sentToScope=("ExternalPartner", "NotInOrganization"),
    ),
    rule(
        "of a group only",
        {"FromMemberOf": ["Pilot@bce-demo.com"]},
        fromMemberOf=(["pilot@bce-demo.com"], GONE),
    ),
    rule(
        "but not to a bank",
        {"ExceptIfRecipientDomainIs": ["Bank.example"]},
        exceptIfRecipientDomainIs=(["bank.example"], GONE),
    ),
    rule(
        "by another connector",
        {"RouteMessageOutboundConnector": "To archive"},
        routeMessageOutboundConnector=("To archive", OUTBOUND),
    ),
    rule(
        "by no connector",
        {"RouteMessageOutboundConnector": None},
        routeMessageOutboundConnector=(GONE, OUTBOUND),
    ),
    rule(
        "with another header",
        {"SetHeaderName": "X-OTHER", "SetHeaderValue": SECRET},
        setHeaderName=("X-OTHER", "X-OUTBOUND-AUTH"),
    ),
    rule(
        "with another value",
        {"SetHeaderName": "X-OUTBOUND-AUTH", "SetHeaderValue": "nomoresecret"},
        secret=True,
        setHeaderValue=("nomoresecret", SECRET),
    ),
    rule(
        "without the header",
        {"SetHeaderName": None, "SetHeaderValue": None},
        secret=True,
        setHeaderName=(GONE, "X-OUTBOUND-AUTH"),
        setHeaderValue=("", SECRET),
    ),
    rule("that stops", {"StopRuleProcessing": True}, stopRuleProcessing=(True, False)),
    rule("that only audits", {"Mode": "Audit"}, mode=("Audit", "Enforce")),
    rule("that notifies", {"Mode": "AuditAndNotify"}, mode=("AuditAndNotify", "Enforce")),
    rule("that defers", {"RuleErrorAction": "Defer"}, ruleErrorAction=("Defer", "Ignore")),
    rule("by envelope", {"SenderAddressLocation": "Envelope"}, senderAddressLocation=("Envelope", "Header")),
    rule("with an SCL", {"SetSCL": 0}, setScl=(0, GONE)),
    rule(
        "for addresses",
        {"SenderIpRanges": ["203.0.113.1-203.0.113.9"]},
        senderIpRanges=(["203.0.113.1-203.0.113.9"], GONE),
    ),
    state("outbound-rule", "Disable-TransportRule", ("Disabled", "Enabled"), "TransportRule.State"),
    state("inbound-rule", "Disable-TransportRule", ("Disabled", "Enabled"), "TransportRule.State"),
    rule(
        "for one address",
        {"SenderIpRanges": ADDRESSES[1:]},
        of="inbound-rule",
        senderIpRanges=(ADDRESSES[1:], ADDRESSES),
    ),
    rule("with another SCL", {"SetSCL": 5}, of="inbound-rule", setScl=(5, -1)),
    rule(
        "with a header",
        {"SetHeaderName": "X-A", "SetHeaderValue": "b"},
        of="inbound-rule",
        secret=True,
        setHeaderName=("X-A", GONE),
        setHeaderValue=("b", ""),
    ),
    rule(
        "for mail from inside",
        {"FromScope": "InOrganization"},
        of="inbound-rule",
        fromScope=("InOrganization", GONE),
    ),
    case(
        "inbound-rule",
        "with an exception",
        {"ExceptIfFrom": ["boss@partner.example"]},
        parts={"ExceptIfFrom": ["boss@partner.example"]},
    ),
    Case(
        "inbound-rule above the outbound rule",
        call("Set-TransportRule", Identity=BYPASS, Priority=0),
        "inbound-rule",
        {"position": (f"above the rule «{OUTBOUND}»", "right")},
        after=call("Set-TransportRule", Identity=BYPASS, Priority=5),  # its place below is nobody's wish
        covers=("TransportRule.Priority",),
    ),
    Case(
        "outbound-rule below an enabled foreign rule",
        call("Set-TransportRule", Identity="External mail warning", Priority=0),
        "outbound-rule",
        {"position": ("below the enabled rule «External mail warning»", "right")},
        covers=("TransportRule.Priority",),
    ),
]

# --- every part that a rule can have ------------------------------------------------------------------------

OURS = frozenset({
    "SenderIpRanges", "FromScope", "SentToScope", "SetSCL", "RouteMessageOutboundConnector", "SetHeaderName",
    "SetHeaderValue", "StopRuleProcessing", "Mode", "RuleErrorAction", "SenderAddressLocation",
    "FromMemberOf", "ExceptIfRecipientDomainIs",
})  # fmt: skip
FILLED_IN = (
    ("ApplyHtmlDisclaimerText", "ApplyHtmlDisclaimerLocation", "ApplyHtmlDisclaimerFallbackAction"),
    ("RejectMessageReasonText", "RejectMessageEnhancedStatusCode", "NotifySender"),
)
"""What Exchange adds by itself: given together, so that nothing is."""
ELSEWHERE = frozenset({
    "Comments",  # written with other things, never compared
    # parts without a parameter of their own for us: a case each
    "MessageContainsAllDataClassifications", "ExceptIfMessageContainsAllDataClassifications",
    "IncidentReportOriginalMail",
})  # fmt: skip
BATCH = 24


def _shapes() -> dict[str, Any]:
    """A switch shows as false, a list as none, a text as null."""
    unset = {"list": [], "flag": False, "text": None}
    return {**{name: unset[one.shape] for name, one in PROPERTIES.items()}, **dict.fromkeys(SETTINGS)}


def batches() -> list[dict[str, Any]]:
    """All parts that are not ours, in batches, since each costs a session; what goes together stays so."""
    shapes = _shapes()
    names = [name for name in shapes if name not in OURS | ELSEWHERE]
    groups = [group for group in (*NEED_EACH_OTHER, *FILLED_IN) if not set(group) & OURS]
    alone = {name for group in groups for name in group}
    ordered = [name for group in groups for name in group] + [name for name in names if name not in alone]
    values = {name: something(name, shapes[name]) for name in ordered}
    return [dict(list(values.items())[at : at + BATCH]) for at in range(0, len(values), BATCH)]


PART_CASES = [
    case("outbound-rule", f"parts {number}", values, parts=values)
    for number, values in enumerate(batches(), 1)
]


def unknown(parameter: str, listed: str, carrier: str, value: Any) -> Case:
    """A part whose parameter we do not know: known by the list that a rule gives of its own parts."""
    shown = {f"other/{listed}": (carrier, GONE)}
    lines = (f"{LABELS['outbound-rule']}: {listed}: not ours",)
    hand = call("Set-TransportRule", Identity=OUTBOUND, **{parameter: value})
    return Case(
        f"outbound-rule with {parameter}",
        hand,
        "outbound-rule",
        shown,
        lines,
        covers=(f"TransportRule.{parameter}", f"TransportRule.{listed}"),
    )


SCOPES = "FromScopePredicate, {}SentToScopePredicate"
PART_CASES += [
    unknown(
        "MessageContainsAllDataClassifications",
        "Conditions",
        SCOPES.format("MessageContainsAllDataClassificationsPredicate, "),
        ["Credit Card Number"],
    ),
    unknown(
        "ExceptIfMessageContainsAllDataClassifications",
        "Exceptions",
        "MessageContainsAllDataClassificationsPredicate",
        ["Credit Card Number"],
    ),
    unknown(
        "IncidentReportOriginalMail",
        "Actions",
        "GenerateIncidentReportAction, RouteMessageOutboundConnectorAction, SetHeaderAction",
        "IncludeOriginalMail",
    ),
]


assert {*CONDITIONS, *EXCEPTIONS, *ACTIONS} == set(PROPERTIES)
CASES = [*INBOUND_CASES, *OUTBOUND_CASES, *RULE_CASES, *PART_CASES]
