"""What a server's reply usually means, and what to do: data.

Sources: Microsoft Learn (codes of non-delivery reports), Cisco, field practice.
A reply is matched from the top, so what is special stands above what is general.
"""

import re
from typing import Final, Literal

from dynamic_providers.mailflow.causes import GATEWAY_AS_SET, SITUATIONS, Cause

Side = Literal["gateway", "microsoft", "relay", "outside"]
"""Who answers: the gateway a message from outside, Microsoft 365 the gateway, the gateway Microsoft 365 (as
message trace tells it), and whoever takes the tenant's mail outside."""

_NOBODY: Final = (
    r"[Cc]onnection (?:was )?(?:refused|reset|lost)|[Cc]onnection unexpectedly closed|[Tt]ime(?:d )?-?out"
    r"|[Bb]ad destination host|DNS (?:Hard|Soft)|4\.4\.31[0-6]|10060|10061|unreachable"
)
"""Nobody took the connection, as AsyncOS, Exchange Online (4.4.315, 4.4.316) and sockets word it."""

_MICROSOFT: Final[tuple[tuple[str, Cause], ...]] = (
    (
        r"5\.7\.64|TenantAttribution; Relay Access Denied",
        Cause(
            "the sending address matched no inbound connector, or the domain is no accepted domain there",
            "compare the address that the gateway delivers from (data 1 or data 2, `deliveryconfig`) with "
            "the connector's addresses; check that the SMTP route leads to the domain's own Microsoft MX",
            may_pass=True,
        ),
    ),
    (
        r"5\.7\.51|TenantInboundAttribution; There is a partner connector",
        Cause(
            "Microsoft 365 takes mail only from the addresses in the inbound connector: the gateway delivers "
            "from another one, or the lock-down was closed before the MX has moved",
            "put the address that the gateway delivers from into the connector, or set `lockdown: open` "
            "until every MX leads to the gateway",
            may_pass=True,
        ),
    ),
    (
        r"5\.7\.68|Direct Send not allowed",
        Cause(
            "RejectDirectSend is on, and the message came from an own domain by none of the connectors",
            "put the address that the gateway delivers from into the inbound connector, or set "
            "`lockdown: open`",
            may_pass=True,
        ),
    ),
    (
        r"4\.7\.[56]\d\d|Server busy",
        Cause(
            "Microsoft slows a sending address down that it does not know yet: the inbound connector does "
            "not match it, or the gateway opens more connections than the destination controls should let it",
            "check the connector's addresses and the domain's destination controls (10 connections, "
            "20 messages)",
            may_pass=True,
        ),
    ),
    (
        r"STARTTLS|5\.7\.3\b|5\.7\.10\b|TLS (?:is )?required|require TLS",
        Cause(
            "the inbound connector demands TLS and the gateway delivers without",
            "destination controls of the domain: TLS Preferred (the gateway's default is none); "
            + GATEWAY_AS_SET,
        ),
    ),
    (
        r"5\.4\.14|5\.4\.6|Hop count exceeded|loop|[Tt]oo many hops",
        Cause(
            "the message goes round in a circle: the SMTP route leads back to the gateway, or rule k also "
            "catches incoming mail",
            "check the domain's SMTP route (its own Microsoft MX) and the scope of the outbound rule",
        ),
    ),
    (
        r"5\.1\.10|5\.1\.1\b|5\.4\.1\b|RecipientNotFound|RESOLVER",
        Cause(
            "Microsoft 365 does not know this recipient, or not this domain",
            "check checks.mailbox, and that the domain is an accepted domain of the tenant",
        ),
    ),
    (
        r"5\.7\.1\b.*(?:blocked|Spamhaus|block list)|5\.7\.606|banned sending IP|5\.7\.511",
        Cause("the sending address is on a block list", "ask for its removal at sender.office.com"),
    ),
    (
        _NOBODY,
        Cause(
            "the gateway cannot connect to the host that the SMTP route of the domain leads to: a wrong "
            "host, or a firewall before the gateway that lets nothing out on port 25",
            "SMTP route of the domain: its own Microsoft MX, priority 0; `telnet` or `hoststatus` on the "
            "gateway shows whether it can be reached; " + GATEWAY_AS_SET,
        ),
    ),
)

_GATEWAY: Final[tuple[tuple[str, Cause], ...]] = (
    (
        r"5\.1\.0|5\.1\.1\b|[Rr]ecipient.*rejected|[Aa]ddress rej",
        Cause(
            "the recipient access table does not hold the domain, or rejects it",
            "recipient access table of the inbound listener: the domain, Accept; " + GATEWAY_AS_SET,
        ),
    ),
    (
        r"5\.7\.1|[Rr]elay(?:ing)?\b.*denied|[Rr]elaying|[Uu]nable to relay",
        Cause(
            "the listener there takes mail for others from nobody it does not know: the recipient access "
            "table does not hold the domain, or this is the outbound listener's address",
            "recipient access table of the inbound listener: the domain, Accept; gateway.members.data1: the "
            "inbound listener's address; " + GATEWAY_AS_SET,
        ),
    ),
    (
        r"^554|SenderBase|reputation|[Bb]lacklist|[Bb]locked|[Cc]onnection not authorized",
        Cause(
            "the gateway's host access table refuses the address that we send from",
            "send the probe from an address with a good name (checks.via), or put it into an allowing sender "
            "group",
        ),
    ),
    (
        r"STARTTLS|TLS (?:is )?required|[Mm]ust issue",
        Cause(
            "the gateway's mail flow policy demands TLS, and none came about",
            "check the certificate and the TLS setting of the mail flow policy; " + GATEWAY_AS_SET,
        ),
    ),
    (
        r"^4\d\d",
        Cause(
            "the gateway is busy, or slows down a sender that it does not know",
            "try again later; its mail flow policy for unknown senders says how many it takes",
            may_pass=True,
        ),
    ),
)

_RELAY: Final[tuple[tuple[str, Cause], ...]] = (
    (
        _NOBODY,
        Cause(
            "nobody takes mail at the connector's smart host: a wrong address, the outbound listener is not "
            "there, or a firewall before the gateway shuts Microsoft 365 out",
            "smart hosts of the outbound connector: data 2, where the outbound listener is; port 25 open "
            "there to Microsoft 365's addresses",
        ),
    ),
    (
        r"4\.7\.320|5\.7\.320|[Cc]ertificate|UntrustedRoot",
        Cause(
            "the outbound connector checks the gateway's certificate, which no public authority has issued",
            "outbound connector: TLS always, with any certificate (EncryptionOnly); `pulumi up`",
        ),
    ),
    (
        r"TLS",
        SITUATIONS["no TLS offered"],
    ),
    (
        r"5\.1\.0|[Aa]ddress rej",
        Cause(
            "the smart host is the inbound listener's address: that one takes mail for its own domains only",
            "smart hosts of the outbound connector: data 2, where the outbound listener is",
        ),
    ),
    (
        r"^(?:421|45\d)\b",
        Cause(
            "the gateway puts Microsoft 365 off: it is busy, or the mail flow policy of the sender group "
            "that caught Microsoft 365 limits connections or recipients",
            "sender group for Microsoft 365's hosts at the top of the outbound listener's HAT, with a "
            "policy that relays without such limits; `status` and `tophosts` on the gateway show its load",
            may_pass=True,
        ),
    ),
)

_OUTSIDE: Final[tuple[tuple[str, Cause], ...]] = (
    (
        r"SPF|DKIM|DMARC|5\.7\.2[0-9]\b|[Uu]nauthenticated|authenticat",
        Cause(
            "the server outside refuses the sender: SPF, DKIM or DMARC of the domain do not pass for the "
            "gateway's addresses",
            "SPF record of every sending domain: the gateway's outbound addresses; DKIM signing in Microsoft "
            "365 or on the gateway",
        ),
    ),
    (
        r"Spamhaus|[Bb]lock ?list|[Bb]lacklist|[Bb]locked|reputation|^554",
        Cause(
            "the server outside refuses the gateway's address for its name",
            "look the address up at the list that the reply names, and ask for its removal",
        ),
    ),
    (
        r"STARTTLS|TLS",
        Cause(
            "TLS between the gateway and the server outside did not come about",
            "destination controls of that domain on the gateway, and what the server outside offers",
        ),
    ),
    (
        r"5\.1\.1\b|5\.1\.10|[Uu]ser unknown|[Nn]o such user|does not exist",
        Cause("the mailbox outside is not known there", "check checks.outside"),
    ),
    (
        _NOBODY,
        Cause(
            "the gateway cannot connect to the server outside: it is down, or a firewall lets the gateway's "
            "data 2 not out on port 25",
            "`hoststatus` of that domain on the gateway; port 25 outward from data 2",
        ),
    ),
    (
        r"\b4\d\d[ -]|[Gg]reylist|try again",
        Cause(
            "the server outside puts the message off (grey-listing, a limit, a full mailbox)",
            "wait: the gateway tries again; see what its answer says",
            may_pass=True,
        ),
    ),
    (
        r"\b5\d\d\b|[Bb]ounced",
        Cause(
            "the server outside refuses the message",
            "see what its answer says; check checks.outside",
        ),
    ),
)

_REPLIES: Final = {"gateway": _GATEWAY, "microsoft": _MICROSOFT, "relay": _RELAY, "outside": _OUTSIDE}


def of_reply(side: Side, reply: str) -> Cause | None:
    """What a reply of the gateway, Microsoft 365 or another server usually means."""
    return next((one for pattern, one in _REPLIES[side] if re.search(pattern, reply)), None)
