"""Get-MessageTraceV2 and Get-MessageTraceDetailV2.

Ten days a query, ninety back, 48 hours unless told; at most 5,000 rows, newest first, and no next link: the
next query takes EndDate and StartingRecipientAddress from the last row, which then comes again. A hundred
queries in five minutes. (Microsoft's pages of the two cmdlets.)
"""

from __future__ import annotations

import fnmatch
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.tenant.errors import CmdletFailure, bad_value, makes_no_sense
from lab.tenant.mail.trace import STATUSES, Shown
from lab.tenant.session import Bound, Session, mandatory
from lab.tenant.store import Record
from lab.tenant.values import Reader, choice, number, text, words

AT_ONCE, BACK = timedelta(days=10), timedelta(days=90)
UNLESS_TOLD = timedelta(hours=48)
WINDOW = 300.0
NOBODY = "<>"
THROTTLED = "Microsoft.Exchange.Management.Tasks.ThrottlingException"


def moment(parameter: str, value: Any) -> datetime | None:
    """A time; one without a zone is UTC."""
    if value is None or value == "":
        return None
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise bad_value(parameter, value, "System.DateTime", "Not recognized as a valid DateTime.") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _guid(parameter: str, value: Any) -> uuid.UUID | None:
    if value is None or value == "":
        return None
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise bad_value(parameter, value, "System.Guid", "Unrecognized Guid format.") from None


def _statuses(parameter: str, value: Any) -> list[str]:
    one = choice("Microsoft.Exchange.Management.MessageTrace.DeliveryStatus", *STATUSES, optional=False)
    return [one(parameter, item) for item in words(parameter, value)]


TRACE: dict[str, Reader] = {
    **dict.fromkeys(("StartDate", "EndDate"), moment),
    **dict.fromkeys(("SenderAddress", "RecipientAddress", "MessageId"), words),
    **dict.fromkeys(("FromIP", "ToIP", "Subject", "StartingRecipientAddress"), text),
    "MessageTraceId": _guid,
    "Status": _statuses,
    "SubjectFilterType": choice("SubjectFilterType", "Contains", "StartsWith", "EndsWith", optional=False),
    "ResultSize": number(1, 5000),
}
DETAIL: dict[str, Reader] = {
    **dict.fromkeys(("StartDate", "EndDate"), moment),
    **dict.fromkeys(("Event", "Action"), words),
    **dict.fromkeys(("RecipientAddress", "SenderAddress", "MessageId"), text),
    "MessageTraceId": _guid,
}


def trace(session: Session, bound: Bound) -> list[Record]:
    """Get-MessageTraceV2."""
    _throttle(session)
    start, end = _span(bound)
    found = [shown for shown in session.mail.traces.shown() if _wanted(shown, bound, start, end)]
    found.sort(key=lambda shown: shown.traced.recipient.lower())
    found.sort(key=lambda shown: shown.traced.received, reverse=True)
    size = bound.get("ResultSize") or 1000
    if len(found) > size:
        last = found[size - 1].traced
        session.warnings.append(
            "There are more results, use the following command to get more. Get-MessageTraceV2 "
            f'-EndDate "{last.received.isoformat()}" -StartingRecipientAddress "{last.recipient}" '
            f"-ResultSize {size}"
        )
    return [_row(session, shown) for shown in found[:size]]


def detail(session: Session, bound: Bound) -> list[Record]:
    """Get-MessageTraceDetailV2: the events of one message for one recipient, the oldest first."""
    _throttle(session)
    wanted, recipient = mandatory(bound, "MessageTraceId"), str(mandatory(bound, "RecipientAddress"))
    _span(bound)
    for shown in session.mail.traces.shown():
        entry = shown.traced
        if entry.trace_id == wanted and entry.recipient.lower() == recipient.lower():
            return [_event_row(session, shown, number) for number in _chosen(shown, bound)]
    return []


def _throttle(session: Session) -> None:
    if not session.by_hand and not session.mail.may_query(session.switches.trace_requests, WINDOW):
        said = "You have exceeded the maximum number of message trace requests. Wait and try again."
        raise CmdletFailure(THROTTLED, said, 429)


def _span(bound: Bound) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    end: datetime = bound.get("EndDate") or now
    start: datetime = bound.get("StartDate") or end - UNLESS_TOLD
    if start > end:
        raise makes_no_sense("Invalid date range: the StartDate must be earlier than the EndDate.")
    if end - start > AT_ONCE:
        raise makes_no_sense("Invalid date range: the StartDate and EndDate must be within 10 days.")
    if start < now - BACK:
        raise makes_no_sense("Invalid StartDate value. The StartDate can't be older than 90 days from today.")
    return start, end


def _wanted(shown: Shown, bound: Bound, start: datetime, end: datetime) -> bool:
    entry = shown.traced
    first = str(bound.get("StartingRecipientAddress") or "").lower()
    if not start <= entry.received <= end or (entry.received == end and entry.recipient.lower() < first):
        return False
    return (
        bound.get("MessageTraceId") in (None, entry.trace_id)
        and _any(bound.get("SenderAddress"), entry.sender or NOBODY)
        and _any(bound.get("RecipientAddress"), entry.recipient)
        and _any_id(bound.get("MessageId"), entry.message_id)
        and (not bound.get("Status") or shown.status in bound["Status"])
        and bound.get("FromIP") in (None, entry.from_ip)
        and bound.get("ToIP") in (None, shown.to_ip)
        and _subject(entry.subject.lower(), bound)
    )


def _any(patterns: Iterable[str] | None, address: str) -> bool:
    """Whether an address is one of these; `*` stands for anything."""
    wanted = [pattern.lower() for pattern in patterns or ()]
    return not wanted or any(fnmatch.fnmatchcase(address.lower(), pattern) for pattern in wanted)


def _any_id(wanted: Iterable[str] | None, message_id: str) -> bool:
    """Message-IDs with or without their angle brackets."""
    bare = [item.strip("<>") for item in wanted or ()]
    return not bare or message_id.strip("<>") in bare


def _subject(subject: str, bound: Bound) -> bool:
    wanted = str(bound.get("Subject") or "").lower()
    how = bound.get("SubjectFilterType") or "Contains"
    if how == "StartsWith":
        return subject.startswith(wanted)
    return subject.endswith(wanted) if how == "EndsWith" else wanted in subject


def _row(session: Session, shown: Shown) -> Record:
    entry = shown.traced
    return {
        "Organization": session.mail.organization.initial_domain,
        "MessageId": entry.message_id,
        "Received": entry.received,
        "SenderAddress": entry.sender or NOBODY,
        "RecipientAddress": entry.recipient,
        "Subject": entry.subject,
        "Status": shown.status,
        "ToIP": shown.to_ip or None,
        "FromIP": entry.from_ip or None,
        "Size": entry.size,
        "MessageTraceId": entry.trace_id,
    }


def _chosen(shown: Shown, bound: Bound) -> list[int]:
    """The numbers of the events that were asked for."""
    events, actions = ([item.lower() for item in bound.get(name) or ()] for name in ("Event", "Action"))
    return [
        number
        for number, event in enumerate(shown.events)
        if (not events or event.event.lower() in events) and (not actions or event.action.lower() in actions)
    ]


def _event_row(session: Session, shown: Shown, number: int) -> Record:
    entry, event = shown.traced, shown.events[number]
    return {
        "Organization": session.mail.organization.initial_domain,
        "MessageId": entry.message_id,
        "MessageTraceId": entry.trace_id,
        "Date": event.at,
        "Event": event.event,
        "Action": event.action or None,
        "Detail": event.detail,
        "Data": event.xml,
        "SenderAddress": entry.sender or NOBODY,
        "RecipientAddress": entry.recipient,
    }
