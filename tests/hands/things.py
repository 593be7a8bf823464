"""Each thing that a stack manages, and what hands do to it: change it, remove it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.estate import Estate
from lab.gateway.state import Destination, Recipient, Sender, SenderGroup, Target
from tests.hands.acts import Hand, call, in_tables
from tests.hands.names import (
    BYPASS,
    DOMAIN,
    FILTER,
    GROUP,
    INBOUND,
    INBOUND_LISTENER,
    OUTBOUND,
    OUTBOUND_LISTENER,
    POLICY,
)
from tests.hands.tables import (
    drop_filter,
    drop_group,
    drop_recipient,
    policy,
    put_filter,
    put_group,
    put_recipient,
)


@dataclass(frozen=True)
class Thing:
    """One object or table entry that a stack manages, and what hands do to it."""

    resource: str  # its logical name
    heading: str  # in the lab's dump
    take_over: str  # what the setting takeOver calls it
    change: Hand
    remove: Hand | None = None


def _drop_outbound_connector(estate: Estate) -> None:
    """Exchange may let a connector go that a rule names; the rule then names what is not there."""
    held, estate.tenant.switches.connector_in_use = estate.tenant.switches.connector_in_use, "removed"
    call("Remove-OutboundConnector", Identity=OUTBOUND)(estate)
    estate.tenant.switches.connector_in_use = held


_BY_HAND = f'{FILTER}: if (rcpt-count > 7) {{ log-entry("by hand"); }}'

THINGS: Mapping[str, Thing] = {
    "route": Thing(
        "smtp-routes",
        f"route {DOMAIN}",
        f"smtpRoutes.{DOMAIN}",
        change=in_tables(lambda tables: tables.routes.update({DOMAIN: [Target("by-hand.example")]})),
        remove=in_tables(lambda tables: tables.routes.pop(DOMAIN)),
    ),
    "recipient": Thing(
        "recipient-access",
        f"recipient {DOMAIN} ({INBOUND_LISTENER})",
        f"recipientAccess.{DOMAIN}",
        change=in_tables(lambda tables: put_recipient(tables, Recipient(DOMAIN, bypass_receiving=True))),
        remove=in_tables(lambda tables: drop_recipient(tables, DOMAIN)),
    ),
    "destination": Thing(
        "destination-controls",
        f"destination {DOMAIN}",
        f"destinationControls.{DOMAIN}",
        change=in_tables(
            lambda tables: tables.destinations.update({DOMAIN: Destination(DOMAIN, table_tls="none")})
        ),
        remove=in_tables(lambda tables: tables.destinations.pop(DOMAIN)),
    ),
    "sender group": Thing(
        "sender-group",
        f"sender group {GROUP} ({OUTBOUND_LISTENER})",
        "senderGroup",
        change=in_tables(
            lambda tables: put_group(
                tables, SenderGroup(GROUP, "$BLOCKED", [Sender("192.0.2.77", "by hand")]), 1
            )
        ),
        remove=in_tables(drop_group),
    ),
    "mail flow policy": Thing(
        "mail-flow-policy",
        f"policy {POLICY} ({OUTBOUND_LISTENER})",
        "mailFlowPolicy",
        change=in_tables(lambda tables: policy(tables).update(tls="off")),
        remove=in_tables(lambda tables: policy(tables).pop("tls", None)),
    ),
    "filter": Thing(
        "outbound-filter",
        f"filter {FILTER}",
        "filter",
        change=in_tables(lambda tables: put_filter(tables, _BY_HAND, 0)),
        remove=in_tables(drop_filter),
    ),
    "ciphers": Thing(
        "outbound-tls",
        "tls outbound",
        "ciphers",
        change=in_tables(lambda tables: setattr(tables.ssl["outbound"], "cipher", "HIGH:-aNULL")),
    ),
    "inbound connector": Thing(
        "inbound-connector",
        f"inbound connector {INBOUND}",
        "inboundConnector",
        change=call("Set-InboundConnector", Identity=INBOUND, EFSkipIPs=["203.0.113.99"]),
        remove=call("Remove-InboundConnector", Identity=INBOUND),
    ),
    "outbound connector": Thing(
        "outbound-connector",
        f"outbound connector {OUTBOUND}",
        "outboundConnector",
        change=call(
            "Set-OutboundConnector", Identity=OUTBOUND, UseMXRecord=False, SmartHosts=["by-hand.example"]
        ),
        remove=_drop_outbound_connector,
    ),
    "inbound rule": Thing(
        "inbound-rule",
        f"transport rule {BYPASS}",
        "inboundRule",
        change=call("Set-TransportRule", Identity=BYPASS, SetSCL=6, ExceptIfSenderDomainIs=["x.example"]),
        remove=call("Remove-TransportRule", Identity=BYPASS),
    ),
    "outbound rule": Thing(
        "outbound-rule",
        f"transport rule {OUTBOUND}",
        "outboundRule",
        change=call("Set-TransportRule", Identity=OUTBOUND, Mode="Audit", Priority=2),
        remove=call("Remove-TransportRule", Identity=OUTBOUND),
    ),
}
"""Every kind of thing, of the domain's entries one of each table."""

TAKE_OVER = tuple(
    thing.take_over.partition(".")[0] for thing in THINGS.values() if thing.resource != "outbound-tls"
)
"""The keys by which a stack may take over whatever is there (ciphers need none)."""
