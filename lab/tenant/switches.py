"""What a test may turn on the practice tenant: rights, tokens, latencies, lags, and how things are rendered.

Defaults imitate what is known of Exchange Online; what is not known is switchable, and says so.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Literal


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
    """What the authority's clock is ahead of ours."""

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

    rendering: Rendering = field(default_factory=Rendering)


def pause(latency: tuple[float, float]) -> None:
    """Take as long as an answer takes: anything between two numbers of seconds."""
    time.sleep(random.SystemRandom().uniform(*latency))
