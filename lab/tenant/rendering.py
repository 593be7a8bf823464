"""Objects as they go over the wire: annotations, dates, and the variants that mean nothing."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lab.tenant.store import Record
from lab.tenant.switches import Rendering

CASE_BLIND = re.compile(
    r"(ExceptIf)?(SenderDomainIs|RecipientDomainIs)|SenderDomains|RecipientDomains|SmartHosts|TlsDomain"
    r"|TlsSenderCertificateName|AssociatedAcceptedDomains|ValidationRecipients|DomainName"
)
ADDRESSES = re.compile(r"(ExceptIf)?SenderIpRanges|SenderIPAddresses|EFSkipIPs")
SINGLE_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+")
SCL = ("SetSCL", "SCLOver", "ExceptIfSCLOver")
WITHOUT_ZONE = ("LastValidationTimestamp",)
OF_TRACE = ("Received", "Date")


def document(rows: Iterable[Record], rendering: Rendering, *, nulls: bool) -> list[dict[str, Any]]:
    """All rows; `nulls`: unset lists are null, as on rules."""
    shown = [row_as_sent(row, rendering, nulls=nulls) for row in rows]
    return shown[::-1] if rendering.row_order == "reversed" else shown


def row_as_sent(row: Record, rendering: Rendering, *, nulls: bool) -> dict[str, Any]:
    """One object with each annotation before its property."""
    sent: dict[str, Any] = {}
    for name, value in row.items():
        varied = _varied(name, value, rendering, nulls=nulls)
        if rendering.annotations:
            sent.update({f"{name}@{key}": kind for key, kind in _annotations(value, varied).items()})
        sent[name] = varied
    return sent


def _annotations(value: Any, varied: Any) -> dict[str, str]:
    """By the property's own type, where it is written as such: text, truth values and null have none."""
    if isinstance(value, uuid.UUID):
        return {"data.type": "System.Guid", "odata.type": "#Guid"}
    if isinstance(value, datetime):
        return {"data.type": "System.DateTime"}
    if isinstance(varied, list):
        return {"odata.type": "#Collection(String)"}
    if isinstance(varied, int) and not isinstance(varied, bool):
        return {"data.type": "System.Int32"}
    return {}


def _varied(name: str, value: Any, rendering: Rendering, *, nulls: bool) -> Any:
    if isinstance(value, list):
        return _list(name, value, rendering, nulls=nulls)
    if value is None or value == "":
        return {"facts": value, "null": None, "blank": ""}[rendering.unset_text]
    if isinstance(value, datetime):
        return _date(name, value, rendering)
    if value is False:
        return None if rendering.unset_flag == "null" else False
    as_text = name in SCL and rendering.scl == "text"
    return str(value) if as_text or isinstance(value, uuid.UUID) else _cased(name, value, rendering)


def _list(name: str, value: list[Any], rendering: Rendering, *, nulls: bool) -> Any:
    if not value:
        unset = rendering.unset_list
        if unset == "facts":
            return None if nulls else []
        return {"null": None, "empty": [], "blank": ""}[unset]
    items = [_cased(name, _item(name, item, rendering), rendering) for item in value]
    if rendering.list_order == "sorted":
        return sorted(items, key=str)
    return items[::-1] if rendering.list_order == "reversed" else items


def _item(name: str, item: Any, rendering: Rendering) -> Any:
    if not isinstance(item, str):
        return item
    if name == "SenderDomains" and rendering.sender_domain == "bare":
        return item.removeprefix("smtp:").rsplit(";", 1)[0]
    if name == "SmartHosts" and rendering.smart_host_brackets and SINGLE_IPV4.fullmatch(item):
        return f"[{item}]"
    if ADDRESSES.fullmatch(name) and rendering.address_mask and SINGLE_IPV4.fullmatch(item):
        return f"{item}/32"
    return item


def _cased(name: str, value: Any, rendering: Rendering) -> Any:
    if rendering.letter_case == "as given" or not isinstance(value, str) or not CASE_BLIND.fullmatch(name):
        return value
    return value.upper() if rendering.letter_case == "upper" else value.lower()


def _date(name: str, value: datetime, rendering: Rendering) -> str:
    seconds = value.strftime("%Y-%m-%dT%H:%M:%S") + f".{value.microsecond:06d}0"
    if name in OF_TRACE:
        return seconds + {"Z": "Z", "offset": "+00:00", "none": ""}[rendering.trace_zone]
    if name in WITHOUT_ZONE:
        return seconds
    return seconds + ("Z" if name.endswith("UTC") else "+00:00")
