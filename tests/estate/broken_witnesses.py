"""Estates in which mail flows, and a check cannot see it: it never says «ok», and says what it lacks."""

from __future__ import annotations

from collections.abc import Mapping

from dynamic_providers.mailflow.proof import CheckName
from tests.estate.broken_bed import Bed, Broken
from tests.estate.broken_hands import gateway_switch, tenant_switch, variable

SENT, RULE = "mailbox → Microsoft 365", "Microsoft 365: one-time rule"
ACCEPTED, INBOX = "gateway: accepted", "Microsoft 365: inbox"
ROUTE, TO_GATEWAY, FILTERED = (
    "Microsoft 365: rule and connector",
    "Microsoft 365 → gateway",
    "gateway: filter",
)
STRIPPED = "outside: header"
IN: tuple[CheckName, ...] = ("direct",)


def remembers_nothing(bed: Bed) -> None:
    """Microsoft's side acts as it was set a minute ago, for rules."""
    bed.estate.tenant.switches.propagation_seconds = {"rules": 60.0}


WITNESSES: Mapping[str, Broken] = {
    "tracking down": Broken(
        gateway_switch(tracking_down=True),
        "direct",
        ACCEPTED,
        ("tracking of esa1.bce-demo.example:4431", "503"),
        ("gateway.tracking does not answer",),
        ("TRACKING_USER",),
        verdict="notProven",
        waits=True,
    ),
    "tracking down, outbound": Broken(
        gateway_switch(tracking_down=True),
        "outbound",
        TO_GATEWAY,
        ("tracking of esa1.bce-demo.example:4431", "503"),
        ("gateway.tracking does not answer",),
        verdict="notProven",
        waits=True,
    ),
    "tracking down, forged": Broken(
        gateway_switch(tracking_down=True),
        "forged",
        FILTERED,
        ("503",),
        ("gateway.tracking does not answer",),
        verdict="notProven",
        waits=True,
    ),
    "tracking lets us not in": Broken(
        variable("TRACKING_PASSWORD", "wrong-one"),
        "direct",
        ACCEPTED,
        ("the user «admin» is not let in (401",),
        ("does not let us in",),
        ("TRACKING_PASSWORD",),
        verdict="notProven",
        fine=(),
        waits=True,
    ),
    "trace late": Broken(
        tenant_switch(trace_latency=60.0),
        "direct",
        INBOX,
        ("message trace does not show it by",),
        ("message trace is late",),
        ("checks.deadline",),
        verdict="notProven",
        waits=True,
    ),
    "trace late, outbound": Broken(
        tenant_switch(trace_latency=60.0),
        "outbound",
        ROUTE,
        ("message trace does not show it by",),
        ("message trace is late",),
        verdict="notProven",
        waits=True,
    ),
    "no right to trace": Broken(
        tenant_switch(directory_role="none"),
        "direct",
        INBOX,
        ("message trace cannot be read", "not allowed (403)", "directory role"),
        verdict="notProven",
    ),
    "no right to write rules": Broken(
        tenant_switch(directory_role="reader"),
        "forged",
        RULE,
        ("New-TransportRule: not allowed (403)",),
        verdict="notProven",
        fine=("outbound", *IN),
    ),
    "rules act late": Broken(
        remembers_nothing,
        "forged",
        FILTERED,
        ("went by Outbound to Cisco CES",),
        ("Microsoft's side acts late",),
        ("longer checks.deadline",),
        verdict="notProven",
        fine=("outbound", *IN),
        waits=True,
    ),
    "Graph without Mail.Send": Broken(
        tenant_switch(graph_roles=("Mail.Read",)),
        "outbound",
        SENT,
        ("not allowed to send as probe@bce-demo.com (403 ErrorAccessDenied", "Mail.Send"),
        verdict="notProven",
        fine=IN,
    ),
    "Graph may use another mailbox only": Broken(
        tenant_switch(graph_mailboxes=("someone@bce-demo.com",)),
        "outbound",
        SENT,
        ("403 ErrorAccessDenied", "limited to that mailbox"),
        verdict="notProven",
        fine=IN,
    ),
    "mailbox missing": Broken(
        tenant_switch(no_mailbox=("probe",)),
        "outbound",
        SENT,
        ("there is no mailbox probe@bce-demo.com (404", "checks.mailbox"),
        verdict="notProven",
    ),
    "app registration's secret expired": Broken(
        tenant_switch(secret_expired=True),
        "outbound",
        SENT,
        ("has expired (AADSTS7000222)", "AZURE_CLIENT_SECRET"),
        verdict="notProven",
    ),
    "IMAP password wrong": Broken(
        variable("PROBE_IMAP_PASSWORD", "wrong-one"),
        "outbound",
        STRIPPED,
        ("outside mailbox probe@probe.example", "the login is refused", "PROBE_IMAP_PASSWORD"),
        verdict="notProven",
        fine=(*IN, "forged"),
    ),
    "IMAP server not there": Broken(
        lambda _bed: None,
        "outbound",
        STRIPPED,
        ("no connection", "checks.imap"),
        verdict="notProven",
        fine=(*IN, "forged"),
        changes={"imap": {"host": "127.0.0.1", "port": 9, "user": "probe@probe.example"}},
    ),
}
