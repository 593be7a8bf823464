"""Reading the whole message trace: pages, boundaries, spans; and who of it came past the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dynamic_providers.exchange.errors import Truncated, Unreadable
from dynamic_providers.exchange.message_trace import pages, stamp, when
from dynamic_providers.exchange.past_gateway import Flow, Seen, look

Row = dict[str, Any]
NOW = datetime(2026, 7, 24, 12, tzinfo=UTC)
FLOW = Flow(["bce-demo.com", ".shop.example"], ["192.0.2.105", "198.51.100.0/24"])


def row(number: int, at: datetime = NOW, **changes: Any) -> Row:
    return {
        "MessageTraceId": f"trace-{number:04}",
        "MessageId": f"<{number}@sender.example>",
        "Received": stamp(at - timedelta(seconds=number)),
        "SenderAddress": "anna@sender.example",
        "RecipientAddress": "probe@bce-demo.com",
        "FromIP": "203.0.113.90",
        "Status": "Delivered",
        **changes,
    }


class Exchange:
    """Answers as Get-MessageTraceV2: the newest first, at most so many, the boundary row once more."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = sorted(rows, key=self._order)
        self.asked: list[Mapping[str, Any]] = []

    def ask(self, cmdlet: str, asked: Mapping[str, Any]) -> list[Row]:
        assert cmdlet == "Get-MessageTraceV2"
        self.asked.append(asked)
        first, last = when(asked["StartDate"], ""), when(asked["EndDate"], "")
        assert timedelta() < last - first <= timedelta(days=10)
        start = (-last.timestamp(), asked.get("StartingRecipientAddress", ""))
        found = [one for one in self.rows if first <= when(one["Received"], "") and self._order(one) >= start]
        return found[: asked["ResultSize"]]

    @staticmethod
    def _order(one: Row) -> tuple[float, str]:
        return -when(one["Received"], "").timestamp(), one["RecipientAddress"]


def all_of(exchange: Exchange, days: float = 10, size: int = 4) -> list[str]:
    found = pages(exchange.ask, NOW - timedelta(days=days), NOW, size=size)
    return [one["MessageTraceId"] for page in found for one in page]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 23])
def test_every_row_comes_once(count: int) -> None:
    exchange = Exchange([row(number) for number in range(count)])
    assert all_of(exchange) == [f"trace-{number:04}" for number in range(count)]


def test_several_recipients_of_one_moment_are_told_apart() -> None:
    rows = [row(1, RecipientAddress=f"{letter}@bce-demo.com") for letter in "abcdefghi"]
    assert len(all_of(Exchange(rows))) == 9


def test_a_longer_span_is_asked_in_parts_of_ten_days() -> None:
    exchange = Exchange([row(number, NOW - timedelta(days=2 * number)) for number in range(12)])
    assert len(all_of(exchange, days=25, size=100)) == 12
    assert len({asked["StartDate"] for asked in exchange.asked}) == 3


def test_it_goes_on_from_the_very_text_that_came() -> None:
    exchange = Exchange(
        [row(number, Received=f"2026-07-24T11:00:{30 - number:02}.1234567") for number in range(5)]
    )
    assert len(all_of(exchange)) == 5
    assert exchange.asked[1]["EndDate"] == "2026-07-24T11:00:27.1234567Z"


def test_a_server_that_gives_less_than_asked_for_hides_nothing() -> None:
    exchange = Exchange([row(number) for number in range(23)])
    found = pages(
        lambda cmdlet, asked: exchange.ask(cmdlet, {**asked, "ResultSize": 4}), NOW - timedelta(9), NOW
    )
    assert sum(len(page) for page in found) == 23


def test_the_same_page_for_ever_is_an_error() -> None:
    with pytest.raises(Truncated, match="same page again"):
        list(pages(lambda *_: [row(1), row(2)], NOW - timedelta(days=1), NOW, size=2))


@pytest.mark.parametrize(
    "text", ["2026-07-24T12:00:00.0000000Z", "2026-07-24T14:00:00+02:00", "2026-07-24T12:00:00.0000000"]
)
def test_every_way_in_which_exchange_writes_a_time(text: str) -> None:
    assert when(text, "here") == NOW


@pytest.mark.parametrize("text", [None, "", "yesterday"])
def test_no_time_is_an_error(text: str | None) -> None:
    with pytest.raises(Unreadable, match="here"):
        when(text, "here")


# --- who came past ------------------------------------------------------------------------------------------


def passed(**changes: Any) -> bool:
    seen = Seen(NOW, NOW)
    seen.add(row(1, **changes), FLOW)
    return bool(seen.passers)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Status": "FilteredAsSpam"},
        {"Status": "Quarantined"},
        {"Status": "GettingStatus"},
        {"RecipientAddress": "Someone@BCE-Demo.com"},
        {"RecipientAddress": "someone@eu.shop.example"},
        {"FromIP": "192.0.2.106"},
        {"FromIP": "2001:db8::90"},
        {"SenderAddress": "scanner@bce-demo.com"},
        {"SenderAddress": "<>"},
        {"SenderAddress": None},
    ],
)  # fmt: skip
def test_came_past_the_gateway(changes: dict[str, Any]) -> None:
    assert passed(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"FromIP": "192.0.2.105"},
        {"FromIP": "198.51.100.7"},
        {"FromIP": None},
        {"FromIP": ""},
        {"FromIP": "10.1.2.3"},
        {"FromIP": "fe80::1"},
        {"FromIP": "2001:db8::90", "SenderAddress": "someone@bce-demo.com"},
        {"Status": "Failed"},
        {"RecipientAddress": "someone@elsewhere.example"},
        {"RecipientAddress": "someone@shop.example"},
        {"RecipientAddress": "someone@notbce-demo.com"},
    ],
)  # fmt: skip
def test_did_not(changes: dict[str, Any]) -> None:
    assert not passed(**changes)


def test_they_are_counted_by_address_and_senders_domain_the_busiest_first() -> None:
    seen = Seen(NOW, NOW)
    for number in range(3):
        seen.add(row(number, NOW - timedelta(hours=3 - number)), FLOW)
    seen.add(row(7, SenderAddress="x@bce-demo.com"), FLOW)
    first, second = seen.ordered
    assert (first.address, first.sender_domain, first.own, first.messages) == (
        "203.0.113.90",
        "sender.example",
        False,
        3,
    )
    assert first.example == "<2@sender.example>"
    assert second.own
    assert str(second).startswith(
        "203.0.113.90 (bce-demo.com, one of ours: 1 message, last 2026-07-24 11:59 UTC, e.g. <7@"
    )
    assert seen.told(1).endswith("; and 1 more")


def test_what_a_sender_wrote_steers_no_terminal() -> None:
    seen = Seen(NOW, NOW)
    seen.add(row(1, MessageId="<\x1b[2J\u202e@evil>"), FLOW)
    assert seen.ordered[0].row()["example"] == "< [2J @evil>"


def test_where_there_is_too_much_mail_it_says_how_far_back_it_read() -> None:
    now = datetime.now(UTC)
    exchange = Exchange([row(60 * number, now) for number in range(20)])
    assert look(exchange.ask, FLOW, size=5).complete
    assert look(Exchange(exchange.rows[:9]).ask, FLOW, size=5, most_pages=2).complete
    seen = look(exchange.ask, FLOW, size=5, most_pages=2)
    assert not seen.complete
    assert seen.since == when(exchange.rows[8]["Received"], "")
    assert seen.ordered[0].messages == 9
