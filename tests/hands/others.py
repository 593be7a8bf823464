"""What other administrators made first: neighbours of what is ours, and something else under our names."""

from __future__ import annotations

from lab.estate import Estate
from lab.gateway.state import Configuration, Destination, Recipient, Sender, SenderGroup, Target
from tests.hands.acts import in_tables
from tests.hands.names import (
    BYPASS,
    DOMAIN,
    FILTER,
    GROUP,
    INBOUND,
    OUTBOUND,
    OUTBOUND_LISTENER,
    POLICY,
    SHOP,
)
from tests.hands.tables import policy, put_filter, put_group, put_recipient

THEIR_SECRET = "theirsecretkey"


def crowd(estate: Estate) -> None:
    """More foreign neighbours than the lab starts with, so that a wrong place among them shows."""
    in_tables(_crowd)(estate)


def _crowd(tables: Configuration) -> None:
    groups = tables.listener(OUTBOUND_LISTENER).groups
    groups.insert(1, SenderGroup("PRINTERS", f"${POLICY}", [Sender("10.9.8.0/24", "printers")]))
    put_filter(tables, 'tail_gate: if (rcpt-count > 100) { log-entry("many"); }', len(tables.filters))


def fill_with_others(estate: Estate) -> None:
    """Put something else under every name and key that a stack uses: values, order, state and comments."""
    in_tables(_fill_gateway)(estate)
    for hand in (_fill_connectors, _fill_rules):
        hand(estate)


def _fill_gateway(tables: Configuration) -> None:
    _fill_domain(tables, DOMAIN)
    tables.routes[SHOP] = [Target("b.theirs.example"), Target("a.theirs.example")]  # equals, in their order
    put_recipient(tables, Recipient(SHOP, bypass_receiving=True))
    tables.destinations[SHOP] = Destination(SHOP, recipient_minutes=60, recipient_limit=5)
    members = [
        Sender("10.1.1.1", "old relay"),
        Sender(".partner.example", "a partner"),
        Sender("10.2.0.0/16"),
    ]
    put_group(tables, SenderGroup(GROUP, "$BLOCKED", members, "theirs (since 2019)"), 2)
    policy(tables)["tls"] = "required"
    theirs = (
        f'if (header("X-Theirs") == "^{THEIR_SECRET}$") {{ strip-header("X-Theirs"); }} else {{ bounce(); }}'
    )
    put_filter(tables, f"{FILTER}: {theirs}", 1, active=False)
    tables.ssl["outbound"].cipher = "HIGH:!RC4"


def _fill_domain(tables: Configuration, domain: str) -> None:
    """Something else under one domain's name in all three tables."""
    tables.routes[domain] = [Target("[theirs.example]", 5, 2525), Target("203.0.113.80", 10)]
    put_recipient(tables, Recipient(domain, "REJECT", "550 not here any more"))
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


def fill_domain_with_others(estate: Estate, domain: str) -> None:
    """Put something else under one domain's name in all three tables of the gateway."""
    in_tables(lambda tables: _fill_domain(tables, domain))(estate)
