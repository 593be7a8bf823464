"""What a reply or a situation usually means, and what to do: data.

Sources: Microsoft Learn (codes of non-delivery reports), Cisco, field practice.
A reply is matched from the top, so what is special stands above what is general.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

Side = Literal["gateway", "microsoft", "outside"]


@dataclass(frozen=True)
class Cause:
    """Why it usually happens, and what to do. `may_pass`: Microsoft's side may only be late."""

    cause: str
    advice: str
    may_pass: bool = False


_GATEWAY_AS_SET: Final = (
    "on the gateway: `showchanges` (a change that was never committed counts for nothing) and, in a cluster, "
    "whether the machine or its group overrides this table; then `pulumi up`"
)

_REPLIES: Final[tuple[tuple[Side, str, Cause], ...]] = (
    (
        "microsoft",
        r"5\.7\.64|TenantAttribution; Relay Access Denied",
        Cause(
            "the sending address matched no inbound connector, or the domain is no accepted domain there",
            "compare the address that the gateway delivers from (data 1 or data 2, `deliveryconfig`) "
            "with the "
            "connector's addresses; check that the SMTP route leads to the domain's own Microsoft MX",
            may_pass=True,
        ),
    ),
    (
        "microsoft",
        r"5\.7\.51|TenantInboundAttribution; There is a partner connector",
        Cause(
            "Microsoft 365 takes mail only from the addresses in the inbound connector: the gateway delivers "
            "from another one, or the lock-down was closed before the MX has moved",
            "put the address that the gateway delivers from into the connector, or set `lockdown: "
            "open` until "
            "every MX leads to the gateway",
            may_pass=True,
        ),
    ),
    (
        "microsoft",
        r"5\.7\.68|Direct Send not allowed",
        Cause(
            "RejectDirectSend is on, and the message came from an own domain by none of the connectors",
            "put the address that the gateway delivers from into the inbound connector, or set "
            "`lockdown: open`",
            may_pass=True,
        ),
    ),
    (
        "microsoft",
        r"4\.7\.[56]\d\d|Server busy",
        Cause(
            "Microsoft slows a sending address down that it does not know yet: the inbound connector "
            "does not "
            "match it, or the gateway opens more connections than the destination controls should let it",
            "check the connector's addresses and the domain's destination controls (10 connections, "
            "20 messages)",
            may_pass=True,
        ),
    ),
    (
        "microsoft",
        r"STARTTLS|5\.7\.3\b|5\.7\.10\b|TLS (?:is )?required|require TLS",
        Cause(
            "the inbound connector demands TLS and the gateway delivers without",
            "destination controls of the domain: TLS Preferred (the gateway's default is none); "
            + _GATEWAY_AS_SET,
        ),
    ),
    (
        "microsoft",
        r"5\.4\.14|5\.4\.6|Hop count exceeded|loop",
        Cause(
            "the message goes round in a circle: the SMTP route leads back to the gateway, or rule k also "
            "catches incoming mail",
            "check the domain's SMTP route (its own Microsoft MX) and the scope of the outbound rule",
        ),
    ),
    (
        "microsoft",
        r"5\.1\.10|5\.1\.1\b|5\.4\.1\b|RecipientNotFound|RESOLVER",
        Cause(
            "Microsoft 365 does not know this recipient, or not this domain",
            "check checks.mailbox, and that the domain is an accepted domain of the tenant",
        ),
    ),
    (
        "microsoft",
        r"5\.7\.1\b.*(?:blocked|Spamhaus|block list)|5\.7\.606|banned sending IP|5\.7\.511",
        Cause("the sending address is on a block list", "ask for its removal at sender.office.com"),
    ),
    (
        "gateway",
        r"5\.1\.0|5\.7\.1|[Rr]elay(?:ing)?\b.*denied|[Rr]elaying|[Rr]ecipient.*rejected|[Aa]ddress rej",
        Cause(
            "the recipient access table does not hold the domain, or (from Microsoft 365) the sender "
            "matches no "
            "sender group that relays",
            "recipient access table of the inbound listener; `.protection.outlook.com` in the sender "
            "group at the "
            "top of the outbound listener's HAT; " + _GATEWAY_AS_SET,
        ),
    ),
    (
        "gateway",
        r"^554|SenderBase|reputation|[Bb]lacklist|[Bb]locked|[Cc]onnection not authorized",
        Cause(
            "the gateway's host access table refuses the address that we send from",
            "send the probe from an address with a good name (checks.via), or put it into an "
            "allowing sender group",
        ),
    ),
    (
        "gateway",
        r"STARTTLS|TLS (?:is )?required|[Mm]ust issue",
        Cause(
            "the gateway's mail flow policy demands TLS, and none came about",
            "check the certificate and the TLS setting of the mail flow policy; " + _GATEWAY_AS_SET,
        ),
    ),
    (
        "gateway",
        r"^4\d\d",
        Cause(
            "the gateway is busy, or slows down a sender that it does not know",
            "try again later",
            may_pass=True,
        ),
    ),
)

SITUATIONS: Final[dict[str, Cause]] = {
    "port 25 shut": Cause(
        "port 25 is shut from this machine to everywhere, as most networks and clouds have it",
        "set checks.via to a host with SSH from which port 25 is open",
    ),
    "gateway not reached": Cause(
        "no listener at that address, a firewall before the gateway, or a wrong data1",
        "check gateway.members.data1 and the inbound listener's interface",
    ),
    "not in tracking": Cause(
        "message tracking is off, the Email and Web Manager has not fetched it yet, or its clock is wrong",
        "on the gateway: Security Services > Message Tracking; on the manager: centralized tracking "
        "of that gateway",
    ),
    "no tracking": Cause(
        "gateway.tracking is none", "set gateway.tracking to the Email and Web Manager or the gateway"
    ),
    "wrong route": Cause(
        "the SMTP route of the domain leads to the wrong host, or there is none",
        "SMTP route of the domain: its own Microsoft MX, priority 0; " + _GATEWAY_AS_SET,
    ),
    "not in trace": Cause(
        "the message did not get to this tenant, or trace is late today",
        "SMTP route of the domain: its own Microsoft MX (else another region or tenant has it)",
    ),
    "gateway holds it": Cause(
        "the gateway keeps the message in its queue or quarantine",
        "look at its processing details in tracking; `tophosts` and `hoststatus` on the gateway show "
        "the queue",
    ),
    "gateway drops it": Cause(
        "a message filter or content filter of the gateway dropped it",
        "look at the filters; mail from outside must not be in the sender group of the outbound filter",
    ),
    "not our connector": Cause(
        "the gateway delivers from an address that is not in the inbound connector, the connector is off, or "
        "another connector matches the address first",
        "compare «from IP» with the connector's addresses: data 1 and data 2 of every member "
        "(`deliveryconfig`)",
        may_pass=True,
    ),
    "came without TLS": Cause(
        "the inbound connector does not demand TLS, and the gateway delivers without",
        "destination controls of the domain: TLS Preferred; " + _GATEWAY_AS_SET,
    ),
    "junk": Cause(
        "the rule that sets SCL -1 is not in force yet, off, lacks the address that the gateway "
        "delivers from, or "
        "another rule sets the SCL after it",
        "transport rule a: enabled, with data 1 and data 2 of every member",
        may_pass=True,
    ),
    "mx elsewhere": Cause(
        "the MX record still names a host that is not the gateway: half moved, an old host left in, or "
        "resolvers that hold the old record",
        "set `mx: gateway` for the domain, or correct the zone by hand; wait the old record's TTL",
        may_pass=True,
    ),
    "no mx": Cause("the domain has no MX record that can be read", "check the zone and its name servers"),
    "left by mx": Cause(
        "rule k did not send it to the connector: off, not in force yet, in audit mode, without the "
        "connector, "
        "with an exception, or below a rule that stops processing",
        "transport rule «Outbound to Cisco CES»: enabled, Enforce, at the top, routes by the "
        "connector; `pulumi up`",
        may_pass=True,
    ),
    "outbound refused": Cause(
        "no sender group of the gateway relays for Microsoft 365: the group is missing or below one "
        "that matches "
        "first, lacks the dot, its policy does not relay, or the smart host is not that listener's address",
        "sender group for `.protection.outlook.com` (the dot matters) at the top of the outbound "
        "listener's HAT; "
        "smart hosts of the connector: data 2; " + _GATEWAY_AS_SET,
    ),
    "no TLS offered": Cause(
        "the outbound connector demands TLS, and the gateway offers none to Microsoft 365",
        "mail flow policy of the sender group: TLS Preferred, and a certificate on the listener; "
        + _GATEWAY_AS_SET,
    ),
    "wrong group": Cause(
        "mail from Microsoft 365 came into another sender group: that of the outbound filter is "
        "below one that "
        "matches first, is missing, or the connector leads to the inbound listener",
        "sender group at the top of the outbound listener's HAT; smart hosts of the connector: data 2",
    ),
    "no TLS out": Cause(
        "the outbound connector does not demand TLS, or the mail flow policy has it off",
        "connector: TLS always, any certificate; mail flow policy RELAYED: TLS Preferred; " + _GATEWAY_AS_SET,
    ),
    "own filter dropped": Cause(
        "the header does not hold what the filter wants: the secret differs between rule and filter, "
        "another rule "
        "sets the same header after rule k, or a new secret is not in force at Microsoft yet",
        "compare secret and previousSecrets with the filter; look for other rules that set the "
        "header; `pulumi up`",
        may_pass=True,
    ),
    "other filter dropped": Cause(
        "another filter of the gateway dropped it", "look at the filters above and below ours"
    ),
    "header outside": Cause(
        "the filter did not strip it: it names another sender group (copied from the guide it says "
        "RELAYLIST), it "
        "is off or invalid, or a filter above it ends the processing",
        "message filter: sendergroup must match the group of the HAT; nothing final above it; "
        + _GATEWAY_AS_SET,
    ),
    "not outside": Cause(
        "the gateway has handed it over, and it is not in the outside mailbox",
        "look into its spam folder; check SPF, DKIM and DMARC of the domain for the gateway's addresses",
    ),
    "past the gateway": Cause(
        "the message arrived outside from an address that is none of the gateway's",
        "look for another rule or connector that sends this mail, and for centralized mail transport",
    ),
    "forged got through": Cause(
        "the filter does not act: it names another sender group (copied from the guide it says "
        "RELAYLIST), it is "
        "off or invalid, a filter above it ends the processing, or it accepts more than the secret",
        "message filter: sendergroup must match the group of the HAT; nothing final above it; "
        + _GATEWAY_AS_SET,
    ),
    "open door": Cause(
        "the lock-down is set to closed and does not act (yet): it takes up to 30 minutes, or the "
        "restriction or "
        "RejectDirectSend is off",
        "wait, then `pulumi up`; check RestrictDomainsToIPAddresses of the inbound connector and "
        "RejectDirectSend",
        may_pass=True,
    ),
    "locked too early": Cause(
        "Microsoft 365 already refuses what comes past the gateway, although the stack says open",
        "while an MX still points at Microsoft this bounces mail: look who restricted the connector or set "
        "RejectDirectSend; `pulumi up` puts it back",
    ),
    "rule not ours": Cause(
        "the message went by rule k, not by the probe's rule: Microsoft's side acts late, or may not at all",
        "run the check again later, with a longer checks.deadline",
        may_pass=True,
    ),
}


def of_reply(side: Side, reply: str) -> Cause | None:
    """What a reply of the gateway, Microsoft 365 or another server usually means."""
    return next(
        (one for where, pattern, one in _REPLIES if where == side and re.search(pattern, reply)),
        None,
    )
