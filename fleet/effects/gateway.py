"""What a drift of the gateway's tables does to mail (rows c, d, e, h, i, l, n of the guide's steps)."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.effects.severity import Thing, cosmetic, past, stops, treatment, whatever

_FILTERED = "the filter is another text than ours, which may drop what it should let pass"

THINGS: Mapping[str, Thing] = {
    "gateway:SmtpRoutes": Thing(
        itself=whatever(
            stops("without its route the gateway delivers the domain's mail by MX: to itself, in a loop"),
            extra=treatment("a route that we took away is there again"),
        ),
        attributes={
            "hosts": whatever(
                stops("the domain's mail goes to another host than its Microsoft 365"),
                changed=stops("a host of the route is gone: what is left may not take the domain's mail"),
            ),
            "hosts.port": whatever(stops("Microsoft 365 takes mail on port 25 only")),
            "hosts.priority": whatever(treatment("the hosts of the route are tried in another order")),
        },
    ),
    "gateway:RecipientAccess": Thing(
        itself=whatever(
            stops("without its entry the inbound listener refuses the domain's mail"),
            extra=treatment("the inbound listener takes mail of a domain that we took away"),
        ),
        attributes={
            "action": whatever(stops("the inbound listener refuses the domain's mail")),
            "other": whatever(treatment("a response of its own, or controls that are passed over")),
        },
    ),
    "gateway:DestinationControls": Thing(
        itself=whatever(
            treatment("the gateway delivers to the domain as fast, and with as much TLS, as to anybody"),
        ),
        attributes={
            "connections": whatever(treatment("the throttle of the domain is another one")),
            "messagesPerConnection": whatever(treatment("the throttle of the domain is another one")),
            "tls": whatever(
                treatment("the gateway delivers with another demand for TLS"),
                values={"None": stops("the inbound connector refuses mail that comes without TLS")},
            ),
            "other": whatever(treatment("the gateway delivers to the domain by another rule beside ours")),
        },
    ),
    "gateway:SenderGroup": Thing(
        itself=whatever(
            stops("no sender group takes Microsoft 365's mail for relaying: the listener refuses it"),
            extra=past("a sender group that we took away relays again"),
        ),
        attributes={
            "policy": whatever(stops("mail from Microsoft 365 meets another policy, which may not relay it")),
            "senders": whatever(
                stops("Microsoft 365's hosts are not in the group: the listener refuses their mail"),
                extra=past("others than Microsoft 365 are relayed by the group"),
            ),
            "senders.comment": whatever(cosmetic("a comment")),
            "comment": whatever(cosmetic("a comment")),
            "order": whatever(
                stops("a group above it may catch Microsoft 365's mail first, and refuse it"),
            ),
            "other": whatever(
                stops("a condition that is not ours may catch Microsoft 365's mail, or let it slip")
            ),
        },
    ),
    "gateway:MailFlowPolicy": Thing(
        itself=whatever(
            stops("the policy's TLS is the default again, which may be off: the connector demands TLS"),
            extra=treatment("the policy has a TLS setting of its own again"),
        ),
        attributes={
            "tls": whatever(
                treatment("the gateway demands another degree of TLS from Microsoft 365"),
                values={
                    "Off": stops("the outbound connector sends by TLS only, and the gateway offers none")
                },
            ),
        },
    ),
    "gateway:OutboundFilter": Thing(
        itself=whatever(
            stops("the filter does not know our secret: it drops mail that carries it"),
            extra=past("the filter lets a secret pass that is no longer ours"),
        ),
        attributes={
            "group": whatever(past("the filter looks at the mail of another sender group")),
            "header": whatever(stops("the filter looks at another header, and drops what has ours")),
            "mismatch": whatever(
                treatment("mail without our secret is quarantined instead of dropped, or the other way round")
            ),
            "other": whatever(stops(_FILTERED)),
        },
        parts={
            "text": stops(_FILTERED),
            "group test": past("the filter looks at the mail of another sender group: anybody's passes ours"),
            "header test": stops("the filter looks at another header, and drops what has ours"),
            "alternatives that match more than themselves": past(
                "the filter lets more than our secrets pass"
            ),
            "active": past(
                "the filter is off: mail without our secret passes, and the header leaves the house"
            ),
            "valid": past("the filter is invalid, so it is off: mail without our secret passes"),
            "filters above that end processing": past("a filter above ours ends processing: ours is not run"),
        },
    ),
    "gateway:OutboundTls": Thing(
        itself=whatever(treatment("the gateway delivers with other ciphers")),
        attributes={"ciphers": whatever(treatment("the gateway delivers with other ciphers"))},
    ),
    "gateway:MadeElsewhere": Thing(
        itself=whatever(
            stops(
                "what the gateway's own stack makes is not right: this tenant's outbound mail may be refused"
            )
        ),
    ),
}
