"""The whole message trace of a tenant, page by page: who sent what to whom, and from which address.

Get-MessageTraceV2 gives at most 5,000 rows, the newest first, and no link to the rest: one goes on with the
last row's time and recipient, and that row comes twice. A query spans ten days at most, and 100 requests in
five minutes are allowed. New mail shows after some minutes. Source: Microsoft Learn, Get-MessageTraceV2.
To find one message by its subject, or its details, see `mailflow.trace`, which takes `ExchangeClient.ask`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.errors import Truncated, Unreadable

Ask = Callable[[str, Mapping[str, Any]], list[Row]]  # `ExchangeClient.ask`

LONGEST_SPAN: Final = timedelta(days=10)  # of one query
LARGEST_PAGE: Final = 5000
_CMDLET: Final = "Get-MessageTraceV2"
_INBOUND: Final = re.compile(r"InboundConnectorData=Name=([^;\"<]+)")
# A server's own connectors, «SERVER\Default SERVER» or «Default SERVER», are none of the tenant's.
CONNECTOR_ID: Final = re.compile(r'Name="ConnectorId" String="(?!Default )([^"\\]+)"')


def pages(
    ask: Ask, since: datetime, until: datetime, *, size: int = LARGEST_PAGE, **asked: Any
) -> Iterator[list[Row]]:
    """The rows of a span, the newest first, each once; `asked`: filters, by the cmdlet's names.

    Who has seen enough stops taking pages. Truncated if Exchange gives the same page again and again.
    """
    last = until
    while last > since:
        first = max(since, last - LONGEST_SPAN)
        yield from _window(ask, {**asked, "StartDate": stamp(first), "ResultSize": size}, stamp(last), size)
        last = first


def _window(ask: Ask, asked: dict[str, Any], end: str, size: int) -> Iterator[list[Row]]:
    seen: set[tuple[str, str]] = set()
    go_on = {"EndDate": end}
    while True:
        page = ask(_CMDLET, {**asked, **go_on})
        fresh = [row for row in page if _key(row) not in seen]
        if not fresh:
            break
        yield fresh
        # A page may be shorter than asked for though there are more: only one without news is the last.
        seen = {_key(row) for row in page}  # only what stands at the boundary comes twice
        go_on = {"EndDate": _as_utc(page[-1]), "StartingRecipientAddress": str(page[-1]["RecipientAddress"])}
    if len(page) == size:
        raise Truncated(
            "the message trace gives the same page again, so the rest of it cannot be read",
            where=_CMDLET,
            fix="run it again; if it stays so, please report it",
        )


def taken_by(ask: Ask, row: Row) -> str | None:
    """The inbound connector that took a message of the trace: "" for none, None where it does not say."""
    asked = {name: str(row.get(name)) for name in ("MessageTraceId", "RecipientAddress")}
    events = [
        (str(one.get("Event")), str(one.get("Data") or "")) for one in ask("Get-MessageTraceDetailV2", asked)
    ]
    return inbound_connector(events)


def inbound_connector(events: Iterable[tuple[str, str]]) -> str | None:
    """The same from a message's events, each its name and its Data."""
    told = False
    for event, data in events:
        is_receive = "receive" in event.lower()
        found = _INBOUND.search(data) or (CONNECTOR_ID.search(data) if is_receive else None)
        if found:
            return found[1].strip()
        told = told or (is_receive and "<MEP" in data)
    return "" if told else None


def received(row: Row) -> datetime:
    """When Microsoft 365 took a message."""
    return when(row.get("Received"), f"{_CMDLET}, Received")


def when(text: object, where: str) -> datetime:
    """A time as Exchange writes it: with Z, with +00:00, or without a zone, which is UTC as well."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise Unreadable("the answer holds no time that can be read", where=where) from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def stamp(at: datetime) -> str:
    """A time as Exchange takes it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _as_utc(row: Row) -> str:
    """The very text that came: it has a seventh digit, without which the boundary would move."""
    received(row)
    text = str(row["Received"])
    return text if text[-1:] in "Zz" or "+" in text else f"{text}Z"


def _key(row: Row) -> tuple[str, str]:
    return str(row.get("MessageTraceId")), str(row.get("RecipientAddress")).casefold()
