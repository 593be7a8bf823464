"""What a drift of the tenant does to mail (rows a, b, j, k, and the lock-down)."""

from __future__ import annotations

from collections.abc import Mapping

from dynamic_providers.exchange.rule_parameters import ACTIONS, EXCEPTIONS, PREDICATES
from fleet.effects.severity import Effect, Effects, Thing, cosmetic, past, stops, treatment, whatever

_TAKING_AWAY = (
    "DeleteMessage",
    "Disconnect",
    "ModerateMessageByManager",
    "ModerateMessageByUser",
    "Quarantine",
    "RedirectMessageTo",
    "RejectMessageEnhancedStatusCode",
    "RejectMessageReasonText",
    "SmtpRejectMessageRejectStatusCode",
    "SmtpRejectMessageRejectText",
)
"""Actions after which a message does not go where it was going."""


def _parts(narrower: Effect) -> dict[str, Effect]:
    """Of a rule. `narrower`: what it does to mail that a condition or exception takes some of it out."""
    actions = dict.fromkeys(ACTIONS, treatment("the rule does something to mail that is not ours"))
    taken = dict.fromkeys(_TAKING_AWAY, stops("the rule takes mail away that it should let through"))
    never = past("the rule does nothing outside these dates")
    dates = dict.fromkeys(("ActivationDate", "ExpiryDate"), never)
    return {**dict.fromkeys(PREDICATES | EXCEPTIONS, narrower), **actions, **taken, **dates}


_OFF = past("the outbound rule does nothing: mail leaves past the gateway")
_NOT_ALL = past("mail that the rule does not catch any more leaves past the gateway")
_LOOP = stops("the rule catches mail that is not on its way out, and leads it to the gateway: it may loop")

OUTBOUND_RULE = Thing(
    itself=whatever(_OFF, extra=treatment("a rule that we took away is there again")),
    attributes={
        "senderIpRanges": whatever(_NOT_ALL, missing=treatment("the rule catches mail from everywhere")),
        "fromScope": whatever(_LOOP),
        "sentToScope": whatever(_LOOP),
        "fromMemberOf": whatever(
            past("another group's mail goes over the gateway: the pilot's may leave past it"),
            missing=treatment("everybody's mail goes over the gateway, not only the pilot's"),
        ),
        "exceptIfRecipientDomainIs": whatever(
            past("mail to these domains leaves past the gateway"),
            missing=treatment("mail goes over the gateway that was excepted from it"),
            changed=treatment("mail goes over the gateway that was excepted from it"),
        ),
        "setScl": whatever(treatment("mail gets another spam confidence level")),
        "routeMessageOutboundConnector": whatever(past("mail leaves by another way than to the gateway")),
        "setHeaderName": whatever(stops("mail reaches the gateway without our header: its filter drops it")),
        "setHeaderValue": whatever(stops("mail carries a secret that the gateway's filter drops")),
        "stopRuleProcessing": whatever(treatment("rules below it are not applied to this mail")),
        "mode": whatever(past("the rule only says what it would do: mail leaves past the gateway")),
        "ruleErrorAction": whatever(treatment("where the rule cannot be evaluated, mail is kept waiting")),
        "senderAddressLocation": whatever(treatment("the rule looks for the sender at another place")),
        "state": whatever(_OFF),
        "position": whatever(past("a rule above it may act first, and mail leave past the gateway")),
        "other": whatever(past("the rule has a condition, exception or action that is not ours")),
    },
    parts=_parts(_NOT_ALL),
)

_FILTERS = treatment("Microsoft 365 filters what the gateway has filtered: mail may end in the junk folder")
_NOT_OURS = past("mail that is not the gateway's passes Microsoft 365's spam filter unseen")

INBOUND_RULE = Thing(
    itself=whatever(_FILTERS, extra=_NOT_OURS),
    attributes={
        "senderIpRanges": whatever(_NOT_OURS, changed=_FILTERS),
        "fromScope": whatever(_FILTERS),
        "sentToScope": whatever(_FILTERS),
        "fromMemberOf": whatever(_FILTERS),
        "exceptIfRecipientDomainIs": whatever(_FILTERS),
        "setScl": whatever(treatment("mail from the gateway gets another spam confidence level")),
        "routeMessageOutboundConnector": whatever(stops("mail that comes in is led out again")),
        "setHeaderName": whatever(treatment("mail that comes in gets a header")),
        "setHeaderValue": whatever(treatment("mail that comes in gets a header")),
        "stopRuleProcessing": whatever(treatment("rules below it are not applied to this mail")),
        "mode": whatever(_FILTERS),
        "ruleErrorAction": whatever(treatment("where the rule cannot be evaluated, mail is kept waiting")),
        "senderAddressLocation": whatever(treatment("the rule looks for the sender at another place")),
        "state": whatever(_FILTERS),
        "position": whatever(treatment("rules stand in another order, and another one may win")),
        "other": whatever(treatment("the rule has a condition, exception or action that is not ours")),
    },
    parts=_parts(_FILTERS),
)

_STRANGER = stops(
    "Microsoft 365 takes the gateway for a stranger: its mail is filtered, and refused where that is shut"
)
_JUDGED = treatment("Microsoft 365 judges the gateway, or another hop, in place of who really sent the mail")
_OPEN = "the side entrance is open: mail past the gateway is taken"
_RESTRICTION = whatever(
    past(_OPEN),
    values={
        "true": stops("mail that the restriction does not know is refused, and the stack did not ask it")
    },
)
_CHECKED = stops("the gateway's certificate is checked, and mail waits where it does not fit")
_NO_WAY_OUT = stops("the outbound rule sends mail to this connector, and it leads nowhere")


def _switch(because: str) -> Effects:
    """One that shuts the side entrance."""
    return whatever(past(because), extra=stops("the side entrance is shut, and nobody has asked for that"))


THINGS: Mapping[str, Thing] = {
    "exchange:InboundConnector": Thing(
        itself=whatever(_STRANGER, extra=past("a connector that we took away lets senders in again")),
        attributes={
            "connectorType": whatever(_STRANGER),
            "senderDomains": whatever(_STRANGER),
            "senderIpAddresses": whatever(
                _STRANGER, extra=past("others than the gateways come in as the gateways do")
            ),
            "requireTls": whatever(past("mail is taken without TLS: anybody on the way can read it")),
            "tlsSenderCertificateName": whatever(_STRANGER),
            "restrictDomainsToIpAddresses": _RESTRICTION,
            "restrictDomainsToCertificate": _RESTRICTION,
            "efSkipLastIp": whatever(_JUDGED),
            "efSkipIps": whatever(
                _JUDGED, extra=past("strangers' hosts are skipped when Microsoft 365 looks for the sender")
            ),
            "enabled": whatever(_STRANGER),
            "other": whatever(treatment("the connector does something that is not ours")),
        },
        parts={
            "ScanAndDropRecipients": stops("mail to some recipients is dropped"),
            "CloudServicesMailEnabled": past("headers of strangers are trusted as a hybrid server's"),
            "TreatMessagesAsInternal": past("mail from outside counts as internal"),
            "TrustedOrganizations": past("mail of other organizations is trusted"),
        },
    ),
    "exchange:OutboundConnector": Thing(
        itself=whatever(_NO_WAY_OUT, extra=treatment("a connector that we took away is there again")),
        attributes={
            "connectorType": whatever(_NO_WAY_OUT),
            "isTransportRuleScoped": whatever(
                stops(
                    "mail comes to the gateway without the rule, so without our header: its filter drops it"
                )
            ),
            "useMxRecord": whatever(past("mail leaves by the recipients' MX, past the gateway")),
            "smartHosts": whatever(
                stops("mail goes to another host than the gateway"),
                changed=stops("a gateway is not among the smart hosts: mail waits where the others are down"),
            ),
            "tlsSettings": whatever(
                treatment("Microsoft 365 demands another degree of TLS of the gateway"),
                missing=past("mail goes to the gateway without TLS: anybody on the way can read it"),
                values={
                    "CertificateValidation": _CHECKED,
                    "DomainValidation": _CHECKED,
                },
            ),
            "tlsDomain": whatever(
                stops("the gateway's certificate must have this name: mail waits if it has not"),
                missing=treatment("the gateway's certificate may have any name"),
            ),
            "enabled": whatever(_NO_WAY_OUT),
            "other": whatever(treatment("the connector does something that is not ours")),
        },
        parts={
            "RecipientDomains": stops("mail to these domains comes without our header: the filter drops it"),
            "AllAcceptedDomains": stops("mail to our own domains is led to the gateway: it may loop"),
            "RouteAllMessagesViaOnPremises": stops("all mail is led through it, without our header"),
            "TestMode": stops("a connector in test mode sends nothing"),
        },
    ),
    "exchange:LockDown": Thing(
        itself=_switch(_OPEN),
        attributes={
            "restrictDomainsToIpAddresses": _switch(_OPEN),
            "restrictDomainsToCertificate": _switch(_OPEN),
            "rejectDirectSend": _switch(
                "anybody may send to the tenant in its own domains' name, unverified"
            ),
        },
    ),
    "exchange:ConnectionFilter": Thing(
        itself=whatever(
            treatment("Microsoft 365 filters mail of this address again: it may end in the junk folder"),
            extra=past("mail of this address passes Microsoft 365's spam filter unseen"),
        )
    ),
    "exchange:ConnectorValidation": Thing(
        itself=whatever(
            cosmetic("the admin center shows the connector as not validated; it works all the same")
        )
    ),
}
