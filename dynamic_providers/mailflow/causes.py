"""What a situation usually means, and what to do: data. For replies see `replies.py`.

Sources: Microsoft Learn, Cisco, field practice.
"""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class Cause:
    """Why it usually happens, and what to do. `may_pass`: Microsoft's side may only be late."""

    cause: str
    advice: str
    may_pass: bool = False

    def because(self, cause: str) -> "Cause":
        """The same with another reason: one that was seen, where the usual ones would only be guessed."""
        return replace(self, cause=cause)


GATEWAY_AS_SET: Final = (
    "on the gateway: `showchanges` (a change that was never committed counts for nothing) and, in a cluster, "
    "whether the machine or its group overrides this table; then `pulumi up`"
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
    "tracking not asked": Cause(
        "the host of gateway.tracking does not answer as it should, or does not let us in",
        "see what it says: gateway.tracking.url, TRACKING_USER and TRACKING_PASSWORD, the AsyncOS API at "
        "that interface; then run the check again",
    ),
    "no tracking": Cause(
        "gateway.tracking is none", "set gateway.tracking to the Email and Web Manager or the gateway"
    ),
    "wrong route": Cause(
        "the SMTP route of the domain leads to the wrong host, or there is none",
        "SMTP route of the domain: its own Microsoft MX, priority 0; " + GATEWAY_AS_SET,
    ),
    "route in a circle": Cause(
        "the gateway delivers to itself: the domain has no SMTP route, so the gateway follows its MX, or the "
        "route leads back; mail goes round until it bounces (5.4.6, too many hops)",
        "SMTP route of the domain: its own Microsoft MX, priority 0; " + GATEWAY_AS_SET,
    ),
    "trace late": Cause(
        "message trace is late today, which it is at times by hours",
        "run the check again later, or with a longer checks.deadline",
    ),
    "not in trace": Cause(
        "the message did not get to this tenant, or trace is late today",
        "SMTP route of the domain: its own Microsoft MX (else another region or tenant has it)",
    ),
    "gateway quarantines it": Cause(
        "a filter or a policy of the gateway has put the message into a quarantine",
        "look at its processing details in tracking for the filter or policy; the domain's own probe may "
        "need an exception there",
    ),
    "gateway holds it": Cause(
        "the gateway keeps the message in its queue",
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
        "destination controls of the domain: TLS Preferred; " + GATEWAY_AS_SET,
    ),
    "junk": Cause(
        "the rule that sets SCL -1 is not in force yet, off, lacks the address that the gateway "
        "delivers from, or "
        "another rule sets the SCL after it",
        "transport rule a: enabled, with data 1 and data 2 of every member",
        may_pass=True,
    ),
    "mx half moved": Cause(
        "the MX is half moved: some of its hosts are the gateway, and this one, an old host left in, is not; "
        "senders use either",
        "set `mx: gateway` for the domain, or take the old host out of the zone by hand",
    ),
    "mx at a closed door": Cause(
        "the MX leads past the gateway while the lock-down is closed: mail that senders bring there bounces",
        "set `lockdown: open` now; then `mx: gateway`, and close again when all resolvers have the new "
        "record",
    ),
    "old record held": Cause(
        "the zone has been changed, and these resolvers still hold the old record for its TTL; senders "
        "behind them still go where it led",
        "wait the old record's TTL, and leave what the old MX leads to open so long; `lockdown: closed` "
        "is too early",
        may_pass=True,
    ),
    "mx elsewhere": Cause(
        "the MX record still names a host that is not the gateway: it has not been moved, or somebody has "
        "moved it since",
        "set `mx: gateway` for the domain, or correct the zone by hand; wait the old record's TTL",
        may_pass=True,
    ),
    "no mx": Cause("the domain has no MX record", "set it in the zone; check what `mx:` says in the stack"),
    "no dns": Cause(
        "the resolvers cannot be asked from here, or the zone's own servers do not answer them (down, or "
        "DNSSEC broken)",
        "ask another resolver for the MX of the domain: where it answers, set dns.resolvers; else check the "
        "zone and its name servers",
    ),
    "left by mx": Cause(
        "rule k did not send it to the connector: off, not in force yet, in audit mode, without the "
        "connector, "
        "with an exception, or below a rule that stops processing",
        "transport rule «Outbound to Cisco CES»: enabled, Enforce, at the top, routes by the "
        "connector; `pulumi up`",
        may_pass=True,
    ),
    "not handed over yet": Cause(
        "Microsoft 365 still has the message, and message trace gives no reason yet: its side is late, or "
        "the smart host of the outbound connector does not answer",
        "run the check again later, or with a longer checks.deadline; `status` on the gateway "
        "show whether anything comes in",
        may_pass=True,
    ),
    "wrong smart host": Cause(
        "the outbound connector leads to a host that is not the gateway, which now has the message with the "
        "header and its secret in it",
        "smart hosts of the outbound connector: data 2; `pulumi up`; then give the header a new secret, as "
        "that host has seen the old one",
    ),
    "outbound refused": Cause(
        "no sender group of the gateway relays for Microsoft 365: the group is missing or below one "
        "that matches "
        "first, lacks the dot, its policy does not relay, or the smart host is not that listener's address",
        "sender group for Microsoft 365's hosts (`.protection.outlook.com`, or that of its cloud; the dot "
        "matters) at the top of the outbound "
        "listener's HAT; "
        "smart hosts of the connector: data 2; " + GATEWAY_AS_SET,
    ),
    "no TLS offered": Cause(
        "the outbound connector demands TLS, and the gateway offers none to Microsoft 365: the mail flow "
        "policy of the sender group has it off, or another sender group or listener takes Microsoft's mail",
        "mail flow policy of the sender group: TLS Preferred, and a certificate on the listener; the "
        "group at the top of the outbound listener's HAT; " + GATEWAY_AS_SET,
    ),
    "wrong group": Cause(
        "mail from Microsoft 365 came into another sender group: that of the outbound filter is "
        "below one that "
        "matches first, is missing, or the connector leads to the inbound listener",
        "sender group at the top of the outbound listener's HAT; smart hosts of the connector: data 2",
    ),
    "no TLS out": Cause(
        "the outbound connector does not demand TLS, or the mail flow policy has it off",
        "connector: TLS always, any certificate; mail flow policy RELAYED: TLS Preferred; " + GATEWAY_AS_SET,
    ),
    "own filter dropped": Cause(
        "the header does not hold what the filter wants: the secret differs between rule and filter, "
        "another rule "
        "sets the same header after rule k, a filter above strips it, or a new secret is not in force at "
        "Microsoft yet",
        "compare secret and previousSecrets with the filter; look for other rules that set the "
        "header; `pulumi up`",
        may_pass=True,
    ),
    "other filter dropped": Cause(
        "another filter of the gateway dropped or quarantined it",
        "look at that filter (`filters`, `detail`): what it says must not hold for this mail",
    ),
    "header outside": Cause(
        "the filter did not strip it: it is missing, inactive or invalid, it names another sender group "
        "(copied from the guide it says RELAYLIST), or a filter above it ends the processing",
        "`filters`, `list` on the gateway: the filter active and valid, nothing final above it, sendergroup "
        "as the group of the HAT is called, and no mail but that with the secret let pass; " + GATEWAY_AS_SET,
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
        "the filter does not act: it is missing, inactive or invalid, it names another sender group (copied "
        "from the guide it says RELAYLIST), a filter above it ends the processing, it accepts more than the "
        "secret, or does not stop the rest",
        "`filters`, `list` on the gateway: the filter active and valid, nothing final above it, sendergroup "
        "as the group of the HAT is called, and no mail but that with the secret let pass; " + GATEWAY_AS_SET,
    ),
    "open door": Cause(
        "the lock-down is set to closed and does not act (yet): it takes up to 30 minutes, or the "
        "restriction or "
        "RejectDirectSend is off",
        "wait, then `pulumi up`; check RestrictDomainsToIPAddresses of the inbound connector and "
        "RejectDirectSend",
        may_pass=True,
    ),
    "direct send refused": Cause(
        "RejectDirectSend is on, though the lock-down is not closed: mail that claims an own domain is "
        "refused unless a connector takes it (devices, scanners and services that send straight to "
        "Microsoft 365)",
        "if that was not meant: Set-OrganizationConfig -RejectDirectSend $false",
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
