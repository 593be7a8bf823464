"""Who delivers straight to Microsoft 365, past the gateway: read from the message trace.

`lockdown: report` tells of them, and `lockdown: closed` waits for them: it would refuse their mail.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from dynamic_providers.errors import clean
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.message_trace import LARGEST_PAGE, LONGEST_SPAN, Ask, pages, received, stamp

MOST_PAGES: Final = 60  # of 5,000 rows: below the 100 requests that Microsoft allows in five minutes
_REFUSED: Final = frozenset({"failed"})  # never came in
# An address in one of these is a hop inside a network, Microsoft's too: nobody delivers from there.
_INSIDE: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Flow:
    """Whose mail is looked at (`.domain`: all under it), and who may deliver it (addresses, networks)."""

    domains: Sequence[str]
    known: Sequence[str]

    def is_ours(self, address: str) -> bool:
        """Whether a mail address is of one of the domains."""
        domain = domain_of(address)
        return any(domain == one or (one[:1] == "." and domain.endswith(one)) for one in self._domains)

    def is_known(self, address: _Address) -> bool:
        """Whether the gateways, or who else may, deliver from there."""
        return any(address in ipaddress.ip_network(one) for one in self.known)

    @property
    def _domains(self) -> list[str]:
        return [one.casefold() for one in self.domains]


@dataclass
class Passer:
    """One address that delivered past the gateway, for one domain of senders."""

    address: str
    sender_domain: str
    own: bool  # the sender's domain is one of ours: a scanner or service, or forged
    messages: int
    last: datetime
    example: str  # message id of the last one

    def __str__(self) -> str:
        of_ours = ", one of ours" if self.own else ""
        count = f"{self.messages} message{'s' if self.messages > 1 else ''}"
        who, last = f"{self.sender_domain or 'no sender'}{of_ours}", f"{self.last:%Y-%m-%d %H:%M} UTC"
        return f"{self.address} ({who}: {count}, last {last}, e.g. {self.example})"

    def row(self) -> dict[str, Any]:
        """As an output of a resource."""
        return {
            "address": self.address,
            "senderDomain": clean(self.sender_domain),
            "ownDomain": self.own,
            "messages": self.messages,
            "last": stamp(self.last),
            "example": clean(self.example),
        }


@dataclass
class Seen:
    """What the trace shows of a span: who came past, those with most messages first."""

    since: datetime
    until: datetime
    passers: dict[tuple[str, str], Passer] = field(default_factory=dict)
    complete: bool = True  # false: there is so much mail that only that from `since` on was read

    @property
    def ordered(self) -> list[Passer]:
        """Those with most messages first."""
        return sorted(self.passers.values(), key=lambda one: (-one.messages, one.address, one.sender_domain))

    def add(self, row: Row, flow: Flow) -> None:
        """Count one row of the trace."""
        address = _delivered_from(row, flow)
        if address is None:
            return
        sender, at = domain_of(str(row.get("SenderAddress") or "")), received(row)
        one = self.passers.setdefault(
            (str(address), sender),
            Passer(str(address), sender, flow.is_ours(str(row.get("SenderAddress"))), 0, at, ""),
        )
        one.messages += 1
        if at >= one.last:
            one.last, one.example = at, str(row.get("MessageId") or "")

    def told(self, most: int) -> str:
        """The first of them in words."""
        ordered = self.ordered
        rest = len(ordered) - most
        return "; ".join(map(str, ordered[:most])) + (f"; and {rest} more" if rest > 0 else "")


def look(ask: Ask, flow: Flow, *, size: int = LARGEST_PAGE, most_pages: int = MOST_PAGES) -> Seen:
    """Who came past the gateway in the last ten days; `size`: rows of a page."""
    until = oldest = datetime.now(UTC)
    seen = Seen(until - LONGEST_SPAN, until)
    for number, page in enumerate(pages(ask, seen.since, until, size=size), 1):
        if number > most_pages:
            seen.complete, seen.since = False, oldest
            break
        for row in page:
            seen.add(row, flow)
            oldest = received(row)
    return seen


def domain_of(address: str) -> str:
    """The domain of a mail address; «» where it has none (a bounce, say)."""
    return address.rpartition("@")[2].strip().casefold().rstrip(".") if "@" in address else ""


def _delivered_from(row: Row, flow: Flow) -> _Address | None:
    """Where a message to us was delivered from, past the gateway; None where it was not."""
    came_in = str(row.get("Status") or "").casefold() not in _REFUSED
    if not came_in or not flow.is_ours(str(row.get("RecipientAddress") or "")):
        return None
    address = _address(row.get("FromIP"))
    if address is None or flow.is_known(address) or _within(address, row, flow):
        return None
    return address


def _within(address: _Address, row: Row, flow: Flow) -> bool:
    """Whether it is mail inside the organization, whose trace may name a server of Microsoft's or none.

    Known: outgoing and internal mail has no FromIP. Guessed: where an internal one has, it is IPv6.
    """
    inside = any(address in network for network in _INSIDE)
    return inside or (address.version == 6 and flow.is_ours(str(row.get("SenderAddress") or "")))


def _address(value: object) -> _Address | None:
    try:
        return ipaddress.ip_address(str(value).strip().strip("[]"))
    except ValueError:
        return None


def each_once(*given: Iterable[str]) -> list[str]:
    """What is in several lists, each once."""
    return list(dict.fromkeys(one for some in given for one in some))
