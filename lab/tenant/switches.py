"""What a test may turn on the practice tenant: rights, tokens, latencies, lags, and how things are rendered.

Defaults imitate what is known of Exchange Online; what is not known is switchable, and says so.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Seconds = float | tuple[float, float]
"""A number of seconds, or anything between two."""


@dataclass
class Rendering:
    """How the same state may look on the wire; none of it means anything."""

    annotations: bool = True
    list_order: Literal["as given", "reversed", "sorted"] = "as given"
    row_order: Literal["as stored", "reversed"] = "as stored"
    letter_case: Literal["as given", "upper", "lower"] = "as given"
    """Of domains, hosts and addresses."""
    unset_list: Literal["facts", "null", "empty", "blank"] = "facts"
    """«facts»: null on rules, [] on connectors."""
    unset_text: Literal["facts", "null", "blank"] = "facts"
    unset_flag: Literal["facts", "null"] = "facts"
    sender_domain: Literal["smtp", "bare"] = "smtp"
    """`smtp:*;1`, or `*`."""
    smart_host_brackets: bool = False
    """Not known: whether an address reads back as `[192.0.2.1]`."""
    address_mask: bool = False
    """Not known: whether a single address reads back with `/32`."""
    scl: Literal["text", "number"] = "text"
    """Not known: whether an SCL is a string or an Int32."""
    no_rows: Literal["empty", "null", "absent", "204"] = "empty"
    trace_zone: Literal["Z", "offset", "none"] = "Z"
    """Not known: how the UTC times of a message trace are marked."""
    error_message: Literal["hash", "no hash", "json", "plain"] = "hash"
    """How details[0].message is written."""
    error_place: Literal["details", "innererror", "message"] = "details"


@dataclass
class Switches:
    """Everything that can be turned, but for forced faults (see `faults.py`). Times are seconds."""

    # rights of the application; read when a token is issued, so a new role needs a new token
    app_role: bool = True
    directory_role: Literal["none", "reader", "admin"] = "admin"
    exchange_in_tenant: bool = True
    conditional_access_blocks: bool = False
    secret_expired: bool = False
    certificate_registered: bool = True
    clock_offset: float = 0.0
    """What the tenant's clock is ahead of ours: assertions are judged by it, and answers carry its time."""

    token_form: Literal["jwt", "opaque"] = "jwt"
    token_lifetime: float = 3599.0
    anchor_needed: bool = True
    """A write without X-AnchorMailbox gets a bare 403."""

    # time
    token_latency: tuple[float, float] = (0.02, 0.04)
    read_latency: tuple[float, float] = (0.03, 0.05)
    write_latency: tuple[float, float] = (0.04, 0.06)
    lag_reads: int = 0
    """After a write, so many reads of its table still show the old state."""
    lag_seconds: float = 0.02
    """And so long; less than a read's latency is never seen."""

    forbidden_body: Literal["empty", "nul"] = "empty"

    # lists
    page_rows: int = 1000
    paging_broken: bool = False
    rule_limit: int = 300
    rule_characters: int = 8192

    # behaviour that differs in the field, or is not known
    unknown_rule_returns_all: bool = True
    unknown_connector_returns_all: bool = False
    not_found_status: Literal[400, 404, 500] = 404
    header_pair: Literal["strict", "merged"] = "strict"
    """Whether Set- with only one of SetHeaderName and SetHeaderValue is refused."""
    inbound_false_refused: bool = False
    """Not known: whether an OnPremises-only parameter as `false` is refused on an inbound Partner."""
    connector_in_use: Literal["refused", "removed"] = "refused"
    """What Remove-OutboundConnector does while a rule names the connector."""

    # mail: see lab/tenant/mail/
    propagation_seconds: Seconds | Mapping[str, Seconds] = 0.0
    """How long ago configuration has to be set to count for mail; also per table («rules», «inbound» …)."""
    trace_latency: float = 0.0
    """What the message trace is behind; two to three minutes at best in the field."""
    trace_requests: int = 100
    """Queries of a message trace within five minutes; more are throttled."""
    unsettled_status: Literal["Pending", "GettingStatus"] = "Pending"
    """Not known: how the trace shows a message that has just come in and is not delivered yet."""
    junk_status: Literal["Delivered", "FilteredAsSpam"] = "Delivered"
    """Not known: how the trace shows a message that went into the junk folder."""
    attribution_stage: Literal["recipient", "data"] = "data"
    """Not known: whether the front door refuses by connector at RCPT, or at the end of the data."""
    attribution_prefers: Literal["address", "domain"] = "address"
    """Not known: whether a connector that names the address wins over one with a narrower sender domain."""
    routed_twice: Literal["last", "first"] = "last"
    """Not known: which rule wins where two route one message through connectors."""
    front_door_latency: Seconds = 0.0
    """How long the front door takes over a message."""
    throttled_above: int = 0
    """Connections at once from an address in no connector, above which mail is put off; 0: never."""
    no_mailbox: tuple[str, ...] = ("nobody",)
    """Local parts that no mailbox has; every other address of an accepted domain is one."""
    graph_roles: tuple[str, ...] = ("Mail.Send", "Mail.Read")
    """The application's roles at Graph; read when a token is issued."""
    graph_mailboxes: tuple[str, ...] = ()
    """The mailboxes that an access policy leaves to the application; () means all."""
    retry_seconds: float = 0.3
    """How long a deferred message waits before the second attempt; then twice as long each time."""
    retry_at_most: float = 3.0
    """The longest wait between two attempts."""
    expire_seconds: float = 120.0
    """How long a message is tried before it fails."""
    trusted_certificates: tuple[str, ...] = ()
    """Smart hosts and mail hosts whose certificate a public authority has issued, by the name or address that
    leads to them or by a name in the certificate; the lab's own has none."""
    tls_domain: Literal["paired", "loose"] = "paired"
    """Not known: whether TlsDomain is refused without DomainValidation, and DomainValidation without it.
    «loose» takes both; without a TlsDomain the recipient's domain has to be in the certificate."""
    sender_certificate: Literal["public", "any"] = "public"
    """Not known: whether a sending server's certificate must come from a public authority to count."""
    sender_certificate_names: Literal["all", "subject"] = "all"
    """Not known: whether its alternative names count, or the subject alone, as the page has it."""
    certificate_without_tls: Literal["refused", "taken"] = "refused"
    """Not known: RestrictDomainsToCertificate without RequireTls is refused; if taken, nothing matches."""
    judges_direct_mail: bool = False
    """Whether SPF counts for mail that comes over no connector. It does at Microsoft; here mail is only
    judged by its source where Enhanced Filtering has found one, unless a test wants more."""
    rules_see: Literal["connecting", "source"] = "connecting"
    """Not known: which address a rule's SenderIpRanges compares where Enhanced Filtering is on."""
    allow_list_sees: Literal["connecting", "source"] = "connecting"
    """Not known: which address the connection filter's IP allow list compares there."""
    validation_leaves_connector: bool = False
    """Whether Validate-OutboundConnector leaves a `<name>_Test_<time>` connector behind."""

    rendering: Rendering = field(default_factory=Rendering)

    def propagation(self, table: str) -> tuple[float, float]:
        """Least and most seconds until a change of this table counts for mail."""
        chosen = self.propagation_seconds
        if isinstance(chosen, Mapping):
            chosen = chosen.get(table, 0.0)
        return bounds(chosen)


def bounds(seconds: Seconds) -> tuple[float, float]:
    """The least and the most of a time."""
    return seconds if isinstance(seconds, tuple) else (seconds, seconds)


def pause(latency: Seconds) -> None:
    """Take as long as an answer takes."""
    time.sleep(random.SystemRandom().uniform(*bounds(latency)))
