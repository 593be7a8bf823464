"""What is to show nothing: others' objects, what is not ours to say, and how either side renders things."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.estate import Estate
from lab.gateway.profile import load_profile
from lab.gateway.state import Configuration
from lab.tenant.server import LabTenant
from tests.hands.acts import Hand, all_of, answer, call, in_tables, type_in
from tests.hands.names import BYPASS, FILTER, INBOUND, OUTBOUND
from tests.protocol.drift_bench import PREVIOUS, SECRET
from tests.protocol.drift_gateway import AS_IT_IS, THE_GUIDES, rewritten, script

HAT = "listenerconfig edit OutgoingMail hostaccess"
RAT = "listenerconfig edit IncomingMail rcptaccess"


@dataclass(frozen=True)
class Silent:
    """A change that is none of a stack's business."""

    name: str
    by_hand: Hand
    not_in_dump: bool = False
    """It is no configuration, so the lab's dump leaves it out."""


def _turned(tables: Configuration) -> None:
    rows = tables.listener("IncomingMail").recipients
    rows[:-1] = rows[-2::-1]


# --- others' objects ----------------------------------------------------------------------------------------

FOREIGN = [
    Silent(
        "others' routes",
        type_in(
            "smtproutes new ALL mx.theirs.example",
            "smtproutes new .bce-demo.com mx.theirs.example",
            "smtproutes new mail.bce-demo.com mx.theirs.example",
            "smtproutes edit fabrikam.example 203.0.113.77",
            "smtproutes delete .tailspin.example",
        ),
    ),
    Silent(
        "others' destination controls",
        all_of(
            answer(
                "destconfig edit fabrikam.example",
                "destconfig.edit",
                **AS_IT_IS,
            ),
            type_in("destconfig delete slow.tailspin.example"),
            in_tables(lambda tables: setattr(tables.destinations["DEFAULT"], "max_host_concurrency", 100)),
        ),
    ),
    Silent(
        "others' recipients",
        all_of(
            type_in(f"{RAT} delete fabrikam.example", f"{RAT} delete .tailspin.example"),
            answer(f"{RAT} new", "rcptaccess.new", address="postmaster@bce-demo.com", action="REJECT"),
            answer(f"{RAT} new", "rcptaccess.new", address="another.example", action="ACCEPT", bypass="yes"),
        ),
    ),
    Silent("recipients in another order", in_tables(_turned), not_in_dump=True),
    Silent(
        "others' sender groups",
        type_in(
            f"{HAT} delete sendergroup RELAYLIST",
            *(f"{HAT} new sendergroup", "PRINTERS", "10.9.8.0/24", "", "1", "", "printers"),
        ),
    ),
    Silent(
        "others' filters",
        type_in(
            *("filters new", 'above: if (rcpt-count > 9) { log-entry("many"); }', "."),
            *("filters move above first", "filters delete partner_gate"),
            *("filters new", "below: if (rcpt-count > 99) { drop(); }", "."),
            *("filters new", "off: if (rcpt-count > 999) { drop(); }", ".", "filters set off inactive"),
            "filters move off first",
        ),
    ),
    Silent("another stack's value", rewritten(script(value=f"^(another7Key|{SECRET}|{PREVIOUS})$"))),
    Silent("the values in another order", rewritten(script(value=f"^({PREVIOUS}|{SECRET})$"))),
    Silent(
        "others' rules",
        all_of(
            call("Remove-TransportRule", Identity="Old disclaimer"),
            call("Set-TransportRule", Identity="No executables", Priority=1),
            call("New-TransportRule", Name="Theirs", SetSCL=0, ExceptIfFrom=["boss@bce-demo.com"]),
            call("Set-TransportRule", Identity=BYPASS, Priority=2),
        ),
    ),
    Silent(
        "a disabled foreign rule above",
        call("New-TransportRule", Name="Theirs", SetSCL=0, Enabled=False, Priority=0),
    ),
    Silent(
        "others' connectors",
        all_of(
            call("Remove-InboundConnector", Identity="From payroll service"),
            call("Set-OutboundConnector", Identity="To archive", SmartHosts=["other.archive.example"]),
            call(
                "New-OutboundConnector",
                Name="Theirs",
                SmartHosts=["198.51.100.186"],
                UseMXRecord=False,
                IsTransportRuleScoped=True,
            ),
        ),
    ),
    Silent("the organization", call("Set-OrganizationConfig", RejectDirectSend=True)),
]

# --- of our own, but not ours to say ------------------------------------------------------------------------

PARAMETERS = {
    "max_message_size": "20M",
    "max_concurrency": "7",
    "max_msgs_per_session": "77",
    "max_rcpts_per_msg": "777",
    "override_banner": "yes",
    "banner_host": "mail.theirs.example",
    "custom_accept": "yes",
    "custom_smtp_banner": "hello",
    "rate_limiting": "yes",
    "max_rcpts_per_hour": "99",
    "use_sb": "yes",
    "dhap": "yes",
    "dhap_limit": "9",
    "tls": "preferred",
    "verify_client_cert": "yes",
    "smtp_auth": "required",
    "require_tls_for_auth": "yes",
    "spam_check": "yes",
    "virus_check": "no",
    "dkim_signing": "yes",
    "dkim_verification": "yes",
    "spf_verification": "yes",
    "envelope_sender_verification": "yes",
}

SILENT = [
    Silent(
        "every other parameter of the policy",
        answer(f"{HAT} edit policy RELAYED", "policy.edit", **PARAMETERS),
    ),
    Silent(
        "the listener's defaults",
        in_tables(lambda tables: tables.listener("OutgoingMail").defaults.update(tls="required")),
    ),
    Silent(
        "the outbound method", in_tables(lambda tables: setattr(tables.ssl["outbound"], "method", "TLS v1.1"))
    ),
    Silent("the inbound ciphers", in_tables(lambda tables: setattr(tables.ssl["inbound"], "cipher", "HIGH"))),
    Silent(
        "the delivery interface", in_tables(lambda tables: setattr(tables.delivery, "interface", "Data 1"))
    ),
    Silent(
        "comments",
        all_of(
            call("Set-TransportRule", Identity=BYPASS, Comments="Bob was here"),
            call("Set-TransportRule", Identity=OUTBOUND, Comments=None),
            call("Set-InboundConnector", Identity=INBOUND, Comment="Bob was here"),
            call("Set-OutboundConnector", Identity=OUTBOUND, Comment=None),
        ),
    ),
    Silent(
        "validation and source",
        all_of(
            call(
                "Set-OutboundConnector",
                Identity=OUTBOUND,
                IsValidated=True,
                LastValidationTimestamp="2026-07-24T18:59:12",
                ValidationRecipients=["probe@example.com"],
            ),
            call("Set-InboundConnector", Identity=INBOUND, ConnectorSource="AdminUI"),
        ),
    ),
]


# --- how the tenant renders things --------------------------------------------------------------------------

RENDERINGS: list[dict[str, object]] = [
    {"annotations": False},
    {"list_order": "reversed"},
    {"list_order": "sorted"},
    {"row_order": "reversed"},
    {"letter_case": "upper"},
    {"letter_case": "lower"},
    {"unset_list": "null"},
    {"unset_list": "empty"},
    {"unset_list": "blank"},
    {"unset_text": "null"},
    {"unset_text": "blank"},
    {"unset_flag": "null"},
    {"sender_domain": "bare"},
    {"smart_host_brackets": True},
    {"address_mask": True},
    {"scl": "number"},
    {
        "unset_list": "null",
        "unset_text": "null",
        "unset_flag": "null",
        "list_order": "reversed",
        "letter_case": "upper",
    },
    {
        "unset_list": "blank",
        "unset_text": "blank",
        "smart_host_brackets": True,
        "address_mask": True,
        "scl": "number",
    },
]
READING = ("no_rows", "error_message", "error_place", "trace_zone")
"""Switches of how an answer without rows, an error, or a trace looks: other tests'."""


@contextmanager
def rendering(estate: Estate, looks: Mapping[str, object]) -> Iterator[None]:
    """The tenant shows the same state in another way."""
    tenant: LabTenant = estate.tenant
    before = copy.copy(tenant.switches.rendering)
    for name, value in looks.items():
        assert getattr(before, name) != value, f"{name} is {value} anyway"
        setattr(tenant.switches.rendering, name, value)
    try:
        yield
    finally:
        for name in looks:
            setattr(tenant.switches.rendering, name, getattr(before, name))


# --- how the gateway prints things --------------------------------------------------------------------------


@dataclass(frozen=True)
class Printing:
    """The gateway prints the same state in another way: in a release's formats, or by its own switches."""

    name: str
    formats: str = ""
    """A release profile."""
    table: str = ""
    """One table's format: what is changed of it."""
    change: tuple[tuple[str, Any], ...] = ()
    switches: tuple[tuple[str, Any], ...] = ()

    @contextmanager
    def on(self, estate: Estate) -> Iterator[None]:
        data = estate.gateway.profile.data
        held = data["formats"]
        data["formats"] = copy.deepcopy(load_profile(self.formats).data["formats"] if self.formats else held)
        if self.table:
            data["formats"][self.table] |= dict(self.change)
        assert data["formats"] != held or self.switches, "that is how it prints anyway"
        for name, value in self.switches:
            assert getattr(estate.gateway, name) != value, f"{name} is {value} anyway"
            setattr(estate.gateway, name, value)
        try:
            yield
        finally:
            data["formats"] = held  # switches go back with the bench


LAYOUT = {
    "indent": 4,
    "aligned": True,
    "brackets": True,
    "quote": '"',
    "else_on_new_line": False,
    "inactive_mark": False,
}

PRINTINGS = [
    Printing("as the old release", formats="old"),
    Printing("as the cloud release", formats="cluster"),
    Printing("with every priority", switches=(("print_priority_zero", True),)),
    Printing("80 columns, wrapped by words", switches=(("columns", 80),)),
    Printing("80 columns, wrapped anywhere", switches=(("columns", 80), ("wrap", "hard"))),
    Printing("a pager every ten lines", switches=(("pager_lines", 10),)),
    Printing("line ends of a capture", switches=(("newline", "\r\r\n"),)),
    Printing(
        "routes with an arrow and a heading",
        table="smtproutes",
        change=(
            ("line", "{domain} -> {hosts}"),
            ("heading", ["Domain   Destination hosts", "======   ================="]),
        ),
    ),
    Printing(
        "groups with the policy on the name's line",
        table="hostaccess",
        change=(
            ("behaviour_on_name_line", True),
            ("indent", 8),
            ("blank_between", True),
            ("sorted_parameters", True),
            ("empty_braces", False),
        ),
    ),
    Printing(
        "recipients with spaces",
        table="rcptaccess",
        change=(
            ("line", "{address:<40} {action}"),
            ("heading", ["Default Access List", "==================="]),
        ),
    ),
    Printing(
        "filters without brackets",
        table="filters",
        change=(("layout", {**LAYOUT, "brackets": False, "aligned": False}),),
    ),
    Printing(
        "filters in single quotes",
        table="filters",
        change=(("layout", {**LAYOUT, "quote": "'", "else_on_new_line": True, "indent": 2}),),
    ),
    Printing(
        "filters listed in words",
        table="filters",
        change=(("yes", "yes"), ("no", "no"), ("heading", "Num  Active  Valid  Name")),
    ),
    Printing("ciphers on one line", table="sslconfig", change=(("one_part_a_line", False),)),
]

WARNINGS = {
    "group": f"bce-demo: the filter «{FILTER}» matches the group without ^ and $, so also longer names that "
    "hold it",
    "ciphers": f"bce-demo: outbound SMTP ciphers are «HIGH:MEDIUM:LOW», the guide's are «{THE_GUIDES}»; "
    "the setting `outbound.ciphers: set` writes them",
}
