"""Microsoft 365's message trace: by which connector a message came or left, and where it ended.

Source: Microsoft Learn, Get-MessageTraceV2 and Get-MessageTraceDetailV2; the names in a detail's Data XML as
seen by tools that read it (InboundConnectorData, TenantOutboundConnectorCustomData).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dynamic_providers.errors import clean
from dynamic_providers.exchange.message_trace import CONNECTOR_ID, inbound_connector

Row = Mapping[str, Any]
Run = Callable[[str, Mapping[str, Any]], list[dict[str, Any]]]  # a cmdlet and its parameters → rows

_SLACK: Final = timedelta(minutes=15)  # clocks differ
_OUTBOUND: Final = re.compile(r"TenantOutboundConnectorCustomData=Name=([^;\"<]+)")
_DATA_TLS: Final = re.compile(r"tlsversion=([^;\"<]+)", re.IGNORECASE)
_SENT_TLS: Final = re.compile(r"\bTLS ?v?([\d._]+)", re.IGNORECASE)
_FOLDER: Final = re.compile(r"(?:DefaultFolderType:|to the folder:? ?'?)(?:DefaultFolderType:)?(\w[\w ]*)")
_RULE: Final = re.compile(r"[Tt]ransport rule:? ?'([^']*)'")
_GOING_ON: Final = frozenset({"", "none", "pending", "gettingstatus", "getting status"})
_REASON: Final = re.compile(r"LED=(.*?)\};\{")


@dataclass(frozen=True)
class TraceEvent:
    """One step of a message inside Microsoft 365."""

    at: str
    event: str
    action: str
    detail: str
    data: str

    def is_a(self, word: str) -> bool:
        """Whether its name holds a word: «Send external» and «SendExternal» are the same."""
        return word in self.event.lower().replace(" ", "")


@dataclass(frozen=True)
class Traced:
    """What trace knows of one message to one recipient."""

    id: str
    message_id: str
    status: str
    subject: str
    from_ip: str
    to_ip: str
    received: str
    events: tuple[TraceEvent, ...] = ()

    @property
    def over(self) -> bool:
        """Whether Microsoft 365 is done with it."""
        return self.status.lower() not in _GOING_ON

    @property
    def delivered(self) -> bool:
        """Whether the mailbox, or the next server, has it; junk mail too."""
        return self.status.lower() in ("delivered", "filteredasspam")

    @property
    def inbound_connector(self) -> str | None:
        """The connector that took it: "" for none, None where the trace does not say."""
        return inbound_connector((one.event, one.data) for one in self.events)

    @property
    def outbound_connector(self) -> str | None:
        """The connector that it left by, likewise."""
        for one in self.events:
            found = _OUTBOUND.search(one.data) or (
                CONNECTOR_ID.search(one.data) if one.is_a("send") else None
            )
            if found:
                return found[1].strip()
        return "" if any(one.is_a("send") and "<MEP" in one.data for one in self.events) else None

    @property
    def rules(self) -> tuple[str, ...] | None:
        """The transport rules that acted on it; None where the trace does not say."""
        named = [one for one in self.events if one.is_a("transportrule")]
        found = [name for one in named for name in _RULE.findall(one.detail) if name]
        return tuple(dict.fromkeys(found)) if found else None

    @property
    def folder(self) -> str:
        """«inbox», «junk», «quarantine», or "" where the trace does not say."""
        if self.status.lower() == "filteredasspam":
            return "junk"
        if self.status.lower() == "quarantined":
            return "quarantine"
        for one in self.events:
            found = _FOLDER.search(one.detail) if one.is_a("deliver") else None
            if found:
                name = found[1].lower()
                return "junk" if "junk" in name else "inbox" if "inbox" in name else name.strip()
        return ""

    @property
    def tls(self) -> str:
        """TLS of the connection by which it came or left."""
        for one in self.events:
            told = one.is_a("send") or one.is_a("receive")
            found = _DATA_TLS.search(one.data) or (_SENT_TLS.search(one.detail) if told else None)
            if found:
                return found[1].strip()
        return ""

    @property
    def said(self) -> str:
        """Why it failed or waits, word by word."""
        for word in ("fail", "defer", "drop"):
            for one in self.events:
                if one.is_a(word) and one.detail:
                    reason = _REASON.search(one.detail)
                    return clean(reason[1] if reason else one.detail)
        return ""

    def evidence(self) -> dict[str, str]:
        """What an operator looks for in the admin center's message trace."""
        shown = {
            "trace id": self.id,
            "message id": self.message_id,
            "status": self.status,
            "received": self.received,
            "from IP": self.from_ip,
            "to IP": self.to_ip,
            "TLS": self.tls,
            "rules": ", ".join(self.rules or ()),
        }
        return {label: clean(value) for label, value in shown.items() if value}


class Trace:
    """Asks one tenant's trace by a cmdlet runner; errors are those of `exchange.errors`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def find(self, word: str, recipient: str, since: datetime) -> Traced | None:
        """The message with this word in its subject."""
        span = {
            "StartDate": _utc(since - _SLACK),
            "EndDate": _utc(datetime.now(UTC) + timedelta(minutes=1)),
        }
        asked = {"RecipientAddress": [recipient], "Subject": word, "SubjectFilterType": "Contains"}
        rows = self._run("Get-MessageTraceV2", {**span, **asked})
        row = next((one for one in rows if word in str(one.get("Subject") or "")), None)
        if row is None:
            return None
        identity = {"MessageTraceId": str(row.get("MessageTraceId")), "RecipientAddress": recipient}
        details = self._run("Get-MessageTraceDetailV2", identity)
        return _traced(row, details)


def _traced(row: Row, details: list[dict[str, Any]]) -> Traced:
    events = tuple(
        TraceEvent(*(_text(one, name) for name in ("Date", "Event", "Action", "Detail", "Data")))
        for one in sorted(details, key=lambda one: _text(one, "Date"))
    )
    return Traced(
        id=_text(row, "MessageTraceId"),
        message_id=_text(row, "MessageId"),
        status=_text(row, "Status"),
        subject=_text(row, "Subject"),
        from_ip=_text(row, "FromIP"),
        to_ip=_text(row, "ToIP"),
        received=_text(row, "Received"),
        events=events,
    )


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
