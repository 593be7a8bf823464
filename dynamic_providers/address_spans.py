"""IPv4 addresses in every form that a gateway or Exchange writes them in, as spans that can be compared."""

import ipaddress
import re
from collections.abc import Iterable

Span = tuple[int, int]
"""First and last address, as numbers."""

_NUMBERS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}\.?")


def span(text: str) -> Span | None:
    """`1.2.3.4`, `1.2.3.0/24`, `1.2.3.4-9`, `1.2.3.4-1.2.3.9` or `1.2.3.`; None for a name, or IPv6.

    Source: Cisco's user guide, sender group syntax; Microsoft Learn, New-TransportRule, SenderIpRanges.
    """
    text = text.strip().strip("[]")
    address, slash, length = text.partition("/")
    if slash:
        return _network(address, length)
    first, dash, last = text.partition("-")
    if not _NUMBERS.fullmatch(first) or (dash and not _NUMBERS.fullmatch(last)):
        return None
    low, ahead = first.rstrip(".").split("."), last.split(".")
    high = [*low[: len(low) - len(ahead)], *ahead] if dash else low  # a short end replaces that of the first
    return _between(low, high)


def overlapping(texts: Iterable[str], others: Iterable[str]) -> list[str]:
    """Those of `texts` that share an address with one of `others`."""
    spans = [one for one in map(span, others) if one is not None]
    return [text for text in texts if any(_meet(span(text), one) for one in spans)]


def outside(texts: Iterable[str], others: Iterable[str]) -> list[str]:
    """Those of `texts` that do not lie wholly within one of `others`."""
    spans = [one for one in map(span, others) if one is not None]
    return [text for text in texts if not any(_within(span(text), one) for one in spans)]


def _network(address: str, length: str) -> Span | None:
    try:
        network = ipaddress.IPv4Network(f"{address}/{length}", strict=False)
    except ValueError:
        return None
    return int(network.network_address), int(network.broadcast_address)


def _between(low: list[str], high: list[str]) -> Span | None:
    try:
        first = ipaddress.IPv4Address(".".join([*low, *["0"] * (4 - len(low))]))
        last = ipaddress.IPv4Address(".".join([*high, *["255"] * (4 - len(high))]))
    except ValueError:
        return None
    return (int(first), int(last)) if first <= last else None


def _meet(one: Span | None, other: Span) -> bool:
    return one is not None and one[0] <= other[1] and other[0] <= one[1]


def _within(one: Span | None, other: Span) -> bool:
    return one is not None and other[0] <= one[0] and one[1] <= other[1]
