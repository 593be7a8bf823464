"""What other administrators do to the things that we manage: make them first, change them, remove them.

They work on the lab's committed configuration itself, so that no dialogue can hide what they did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.estate import Estate
from lab.gateway.commands.filters import canonical
from lab.gateway.filter_check import parse
from lab.gateway.state import (
    Configuration,
    Destination,
    MessageFilter,
    Recipient,
    Sender,
    SenderGroup,
    Target,
)

DOMAIN, SHOP = "bce-demo.com", "shop.bce-demo.com"
INBOUND, OUTBOUND = "Inbound from Cisco CES", "Outbound to Cisco CES"  # the latter is a connector and a rule
BYPASS = "Bypass spam filtering - inbound email from Cisco CES"
GROUP, POLICY, FILTER = "RELAY_O365", "RELAYED", "office365_outbound"
INBOUND_LISTENER, OUTBOUND_LISTENER = "IncomingMail", "OutgoingMail"
THEIR_SECRET = "theirsecretkey"

Hand = Callable[[Estate], None]


@dataclass(frozen=True)
class Thing:
    """One object or table entry that a stack manages, and what hands do to it."""

    resource: str  # its logical name
    heading: str  # in the lab's dump
    take_over: str  # what the setting takeOver calls it
    change: Hand
    remove: Hand | None = None


def _on_gateway(act: Callable[[Configuration], object]) -> Hand:
    def hand(estate: Estate) -> None:
        act(estate.gateway.state.base)
        estate.gateway.state.version += 1

    return hand


def _in_tenant(cmdlet: str, **parameters: Any) -> Hand:
    def hand(estate: Estate) -> None:
        estate.tenant.invoke_by_hand(cmdlet, **parameters)

    return hand


def _put_filter(tables: Configuration, text: str, place: int, *, active: bool = True) -> None:
    one = parse(text)[0]
    tables.filters = [entry for entry in tables.filters if entry.name != one.name]
    tables.filters.insert(place, MessageFilter(one.name, canonical(one), active))


def _drop_filter(tables: Configuration) -> None:
    tables.filters = [entry for entry in tables.filters if entry.name != FILTER]


def _put_recipient(tables: Configuration, entry: Recipient) -> None:
    rows = tables.listener(INBOUND_LISTENER).recipients
    rows[:] = [entry, *(row for row in rows if row.address != entry.address)]


def _drop_recipient(tables: Configuration, address: str) -> None:
    rows = tables.listener(INBOUND_LISTENER).recipients
    rows.remove(tables.listener(INBOUND_LISTENER).recipient(address))


def _put_group(tables: Configuration, group: SenderGroup, place: int) -> None:
    groups = tables.listener(OUTBOUND_LISTENER).groups
    groups[:] = [one for one in groups if one.label != group.name]
    groups.insert(place, group)


def _drop_group(tables: Configuration) -> None:
    groups = tables.listener(OUTBOUND_LISTENER).groups
    groups.remove(tables.listener(OUTBOUND_LISTENER).group(GROUP))


def _policy(tables: Configuration) -> dict[str, str]:
    return tables.listener(OUTBOUND_LISTENER).policies[POLICY].parameters


def _drop_outbound_connector(estate: Estate) -> None:
    """Exchange may let a connector go that a rule names; the rule then names what is not there."""
    held, estate.tenant.switches.connector_in_use = estate.tenant.switches.connector_in_use, "removed"
    estate.tenant.invoke_by_hand("Remove-OutboundConnector", Identity=OUTBOUND)
    estate.tenant.switches.connector_in_use = held


_BY_HAND = f'{FILTER}: if (rcpt-count > 7) {{ log-entry("by hand"); }}'

THINGS: Mapping[str, Thing] = {
    "route": Thing(
        "smtp-routes",
        f"route {DOMAIN}",
        f"smtpRoutes.{DOMAIN}",
        change=_on_gateway(lambda tables: tables.routes.update({DOMAIN: [Target("by-hand.example")]})),
        remove=_on_gateway(lambda tables: tables.routes.pop(DOMAIN)),
    ),
    "recipient": Thing(
        "recipient-access",
        f"recipient {DOMAIN} ({INBOUND_LISTENER})",
        f"recipientAccess.{DOMAIN}",
        change=_on_gateway(lambda tables: _put_recipient(tables, Recipient(DOMAIN, bypass_receiving=True))),
        remove=_on_gateway(lambda tables: _drop_recipient(tables, DOMAIN)),
    ),
    "destination": Thing(
        "destination-controls",
        f"destination {DOMAIN}",
        f"destinationControls.{DOMAIN}",
        change=_on_gateway(
            lambda tables: tables.destinations.update({DOMAIN: Destination(DOMAIN, table_tls="none")})
        ),
        remove=_on_gateway(lambda tables: tables.destinations.pop(DOMAIN)),
    ),
    "sender group": Thing(
        "sender-group",
        f"sender group {GROUP} ({OUTBOUND_LISTENER})",
        "senderGroup",
        change=_on_gateway(
            lambda tables: _put_group(
                tables, SenderGroup(GROUP, "$BLOCKED", [Sender("192.0.2.77", "by hand")]), 1
            )
        ),
        remove=_on_gateway(_drop_group),
    ),
    "mail flow policy": Thing(
        "mail-flow-policy",
        f"policy {POLICY} ({OUTBOUND_LISTENER})",
        "mailFlowPolicy",
        change=_on_gateway(lambda tables: _policy(tables).update(tls="off")),
        remove=_on_gateway(lambda tables: _policy(tables).pop("tls", None)),
    ),
    "filter": Thing(
        "outbound-filter",
        f"filter {FILTER}",
        "filter",
        change=_on_gateway(lambda tables: _put_filter(tables, _BY_HAND, 0)),
        remove=_on_gateway(_drop_filter),
    ),
    "ciphers": Thing(
        "outbound-tls",
        "tls outbound",
        "ciphers",
        change=_on_gateway(lambda tables: setattr(tables.ssl["outbound"], "cipher", "HIGH:-aNULL")),
    ),
    "inbound connector": Thing(
        "inbound-connector",
        f"inbound connector {INBOUND}",
        "inboundConnector",
        change=_in_tenant("Set-InboundConnector", Identity=INBOUND, EFSkipIPs=["203.0.113.99"]),
        remove=_in_tenant("Remove-InboundConnector", Identity=INBOUND),
    ),
    "outbound connector": Thing(
        "outbound-connector",
        f"outbound connector {OUTBOUND}",
        "outboundConnector",
        change=_in_tenant(
            "Set-OutboundConnector", Identity=OUTBOUND, UseMXRecord=False, SmartHosts=["by-hand.example"]
        ),
        remove=_drop_outbound_connector,
    ),
    "inbound rule": Thing(
        "inbound-rule",
        f"transport rule {BYPASS}",
        "inboundRule",
        change=_in_tenant(
            "Set-TransportRule", Identity=BYPASS, SetSCL=6, ExceptIfSenderDomainIs=["x.example"]
        ),
        remove=_in_tenant("Remove-TransportRule", Identity=BYPASS),
    ),
    "outbound rule": Thing(
        "outbound-rule",
        f"transport rule {OUTBOUND}",
        "outboundRule",
        change=_in_tenant("Set-TransportRule", Identity=OUTBOUND, Mode="Audit", Priority=2),
        remove=_in_tenant("Remove-TransportRule", Identity=OUTBOUND),
    ),
}
"""Every kind of thing, of the domain's entries one of each table."""

TAKE_OVER = tuple(
    thing.take_over.partition(".")[0] for thing in THINGS.values() if thing.resource != "outbound-tls"
)


def crowd(estate: Estate) -> None:
    """More foreign neighbours than the lab starts with, so that a wrong place among them shows."""
    _on_gateway(_crowd)(estate)


def _crowd(tables: Configuration) -> None:
    groups = tables.listener(OUTBOUND_LISTENER).groups
    groups.insert(1, SenderGroup("PRINTERS", f"${POLICY}", [Sender("10.9.8.0/24", "printers")]))
    _put_filter(tables, 'tail_gate: if (rcpt-count > 100) { log-entry("many"); }', len(tables.filters))


def fill_with_others(estate: Estate) -> None:
    """Put something else under every name and key that a stack uses: values, order, state and comments."""
    _on_gateway(_fill_gateway)(estate)
    for hand in (_fill_connectors, _fill_rules):
        hand(estate)


def _fill_gateway(tables: Configuration) -> None:
    _fill_domain(tables, DOMAIN)
    tables.routes[SHOP] = [Target("b.theirs.example"), Target("a.theirs.example")]  # equals, in their order
    _put_recipient(tables, Recipient(SHOP, bypass_receiving=True))
    tables.destinations[SHOP] = Destination(SHOP, recipient_minutes=60, recipient_limit=5)
    members = [
        Sender("10.1.1.1", "old relay"),
        Sender(".partner.example", "a partner"),
        Sender("10.2.0.0/16"),
    ]
    _put_group(tables, SenderGroup(GROUP, "$BLOCKED", members, "theirs (since 2019)"), 2)
    _policy(tables)["tls"] = "required"
    theirs = (
        f'if (header("X-Theirs") == "^{THEIR_SECRET}$") {{ strip-header("X-Theirs"); }} else {{ bounce(); }}'
    )
    _put_filter(tables, f"{FILTER}: {theirs}", 1, active=False)
    tables.ssl["outbound"].cipher = "HIGH:!RC4"


def _fill_domain(tables: Configuration, domain: str) -> None:
    """Something else under one domain's name in all three tables."""
    tables.routes[domain] = [Target("[theirs.example]", 5, 2525), Target("203.0.113.80", 10)]
    _put_recipient(tables, Recipient(domain, "REJECT", "550 not here any more"))
    tables.destinations[domain] = Destination(
        domain,
        max_host_concurrency=3,
        max_messages_per_connection=7,
        recipient_minutes=30,
        recipient_limit=100,
        limit_type="MXIP",
        limit_apply="VG",
        table_tls="required",
        dane="opportunistic",
        bounce_validation="yes",
        ip_sort_pref="REQUIRE_V4",
    )


def _fill_connectors(estate: Estate) -> None:
    hand = estate.tenant.invoke_by_hand
    hand(
        "New-InboundConnector",
        Name=INBOUND,
        ConnectorType="OnPremises",
        SenderDomains=["theirs.example", "*.theirs.example"],
        SenderIPAddresses=["203.0.113.1"],
        TlsSenderCertificateName="*.theirs.example",
        CloudServicesMailEnabled=True,
        EFSkipLastIP=True,
        RequireTls=False,
        Comment="Do not touch: Bob",
    )
    hand(
        "New-OutboundConnector",
        Name=OUTBOUND,
        ConnectorType="OnPremises",
        RecipientDomains=["theirs.example"],
        UseMXRecord=True,
        TlsSettings="DomainValidation",
        TlsDomain="*.theirs.example",
        RouteAllMessagesViaOnPremises=True,
        Enabled=False,
        Comment="Hybrid, Bob",
    )


def _fill_rules(estate: Estate) -> None:
    hand = estate.tenant.invoke_by_hand
    hand(
        "New-TransportRule",
        Name=BYPASS,
        SubjectContainsWords=["invoice"],
        ExceptIfSenderDomainIs=["theirs.example"],
        SetSCL=7,
        PrependSubject="[Bob] ",
        Comments="Bob's bypass",
        Priority=1,
        Enabled=False,
    )
    hand(
        "New-TransportRule",
        Name=OUTBOUND,
        FromMemberOf=["all@bce-demo.com"],
        ExceptIfRecipientDomainIs=["theirs.example"],
        SetHeaderName="X-Theirs",
        SetHeaderValue=THEIR_SECRET,
        BlindCopyTo=["bob@bce-demo.com"],
        Mode="AuditAndNotify",
        RuleErrorAction="Defer",
        SetAuditSeverity="Low",
        StopRuleProcessing=True,
        Comments="Bob's rule",
        Priority=3,
        Enabled=False,
    )


def put_filter(estate: Estate, text: str, place: int, *, active: bool) -> None:
    """Put a message filter in place of the one of its name."""
    _on_gateway(lambda tables: _put_filter(tables, text, place, active=active))(estate)


def fill_domain_with_others(estate: Estate, domain: str) -> None:
    """Put something else under one domain's name in all three tables of the gateway."""
    _on_gateway(lambda tables: _fill_domain(tables, domain))(estate)
