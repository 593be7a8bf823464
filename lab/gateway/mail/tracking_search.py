"""What a search in the tracking API asks for, and which messages fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.gateway.mail.tracking import Tracked
from lab.gateway.mail.tracking_forms import status_word

WHOLE_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z")
FILTERS: dict[str, Callable[[Tracked], list[str]]] = {
    "envelopeSenderfilter": lambda message: [message.sender],
    "envelopeRecipientfilter": lambda message: message.everybody,
    "subjectfilter": lambda message: [message.subject],
}
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "is": lambda text, wanted: text == wanted,
    "begins_with": lambda text, wanted: text.startswith(wanted),
    "ends_with": lambda text, wanted: text.endswith(wanted),
    "contains": lambda text, wanted: wanted in text,
}
OTHERS = {
    "startDate", "endDate", "searchOption", "offset", "limit", "ciscoHost", "ciscoMid", "messageDirection",
    "deliveryStatus", "messageIdHeader", "senderIp", "serialNumber", "mid", "icid",
}  # fmt: skip


class BadSearch(Exception):
    """A search that the API refuses, with the HTTP status and the words of the refusal."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(explanation)
        self.status = status


@dataclass(frozen=True)
class Period:
    """From when to when, in seconds since the epoch."""

    start: float
    end: float


def period(query: Mapping[str, str]) -> Period:
    """The times of a search. They need whole minutes, or the API answers 404 and says so."""
    moments = []
    for name in ("startDate", "endDate"):
        text = query.get(name, "")
        if not WHOLE_MINUTE.fullmatch(text):
            raise BadSearch(
                404, f"{name} has to be YYYY-MM-DDThh:mm:00.000Z, with whole minutes, not «{text}»"
            )
        moments.append(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp())
    if moments[1] <= moments[0]:
        raise BadSearch(400, "endDate has to be later than startDate")
    return Period(*moments)


def check_names(query: Mapping[str, str]) -> None:
    """Refuse what the lab does not know: a filter that is overlooked would find too much."""
    known = OTHERS | {f"{name}{part}" for name in FILTERS for part in ("Operator", "Value")}
    for name in query:
        if name not in known:
            raise BadSearch(400, f"unknown parameter «{name}»; the lab knows {', '.join(sorted(known))}")
    for name in FILTERS:
        operator = query.get(f"{name}Operator", "is")
        if operator not in OPERATORS:
            raise BadSearch(400, f"unknown operator «{operator}» of {name}: {', '.join(OPERATORS)}")


def fits(message: Tracked, query: Mapping[str, str], moment: float) -> bool:
    """Whether a message is one of those that a search asks for, as it was known at `moment`."""
    return all(
        [
            _text_fits(message, query),
            query.get("ciscoMid", "") in {"", *(str(mid) for mid in message.recipients)},
            query.get("ciscoHost", "") in {"", "All_Hosts", message.gateway},
            query.get("messageIdHeader", "") in {"", message.message_id, message.message_id.strip("<>")},
            query.get("senderIp", "") in {"", message.arrival.peer},
            query.get("messageDirection", "") in {"", "outgoing" if message.arrival.outgoing else "incoming"},
            _status_fits(message, query.get("deliveryStatus", ""), moment),
        ]
    )


def _text_fits(message: Tracked, query: Mapping[str, str]) -> bool:
    for name, texts in FILTERS.items():
        wanted = query.get(f"{name}Value", "").lower()
        compare = OPERATORS[query.get(f"{name}Operator", "is")]
        if wanted and not any(compare(text.lower(), wanted) for text in texts(message)):
            return False
    return True


def _status_fits(message: Tracked, wanted: str, moment: float) -> bool:
    words = {status_word(status) for status in message.statuses(moment).values()}
    return not wanted or bool(words & {status_word(part) for part in wanted.split(",")})
