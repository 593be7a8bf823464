"""Messages as Microsoft Graph writes and shows them: JSON to MIME, and a folder's item back to JSON."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

from lab.mail.envelope import Envelope
from lab.tenant.mail.mailboxes import Item
from lab.tenant.mail.transport import header_fields

RECIPIENTS = (("To", "toRecipients"), ("Cc", "ccRecipients"), ("Bcc", "bccRecipients"))
FIELDS = (
    *("id", "createdDateTime", "receivedDateTime", "subject", "bodyPreview", "internetMessageId"),
    *("parentFolderId", "from", "toRecipients", "isRead", "hasAttachments"),
)
"""What a message shows unless `$select` names others; headers come only when they are named."""


class NotAMessage(Exception):
    """The body of a request is not what Graph takes; `code` is Graph's word for it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def from_json(sender: str, given: Any) -> Envelope:
    """A message resource as it is sent from a mailbox."""
    try:
        text = given.get("body", {})
        made = EmailMessage(policy=policy.SMTP)
        made["From"] = sender
        people = {header: _addresses(given.get(field, [])) for header, field in RECIPIENTS}
        for header in ("To", "Cc"):
            if people[header]:
                made[header] = ", ".join(people[header])
        made["Subject"] = str(given.get("subject") or "")
        _dated(made)
        for item in given.get("internetMessageHeaders", []):
            if not str(item["name"]).lower().startswith("x-"):
                raise NotAMessage(
                    "InvalidInternetMessageHeader",
                    f"The internet message header name '{item['name']}' should start with 'x-' or 'X-'.",
                )
            made[str(item["name"])] = str(item["value"])
        html = str(text.get("contentType", "text")).lower() == "html"
        made.set_content(str(text.get("content") or "") + "\n", subtype="html" if html else "plain")
    except (AttributeError, KeyError, TypeError):
        raise NotAMessage("ErrorInvalidRequest", "The message is not well-formed.") from None
    return _envelope(sender, [address for some in people.values() for address in some], made.as_bytes())


def from_mime(sender: str, body: bytes) -> Envelope:
    """A whole message in base64, as `Content-Type: text/plain` brings it."""
    try:
        content = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise NotAMessage("ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME.") from None
    made = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(made, EmailMessage)
    values = [str(value) for header, _field in RECIPIENTS for value in made.get_all(header, [])]
    del made["Bcc"]
    if "Message-ID" not in made:
        _dated(made)
    return _envelope(sender, [address for _name, address in getaddresses(values)], made.as_bytes())


def as_json(item: Item, select: str | None) -> dict[str, Any]:
    """One item of a folder; `select`: the value of `$select`."""
    envelope = item.envelope
    found = dict(header_fields(envelope))
    text = envelope.body.decode("utf-8", "replace")
    at = item.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    shown: dict[str, Any] = {
        "id": item.id,
        "createdDateTime": at,
        "receivedDateTime": at,
        "subject": envelope.subject,
        "bodyPreview": text[:255],
        "internetMessageId": envelope.message_id,
        "parentFolderId": folder_id(item.mailbox, item.folder),
        "from": next(iter(_people(found.get("From", ""))), None),
        "toRecipients": _people(found.get("To", "")),
        "isRead": False,
        "hasAttachments": False,
        "body": {"contentType": "text", "content": text},
        "internetMessageHeaders": [{"name": name, "value": value} for name, value in header_fields(envelope)],
    }
    names = [name.strip() for name in select.split(",")] if select else list(FIELDS)
    return {name: shown[name] for name in dict.fromkeys(["id", *names]) if name in shown}


def folder_id(mailbox: str, folder: str) -> str:
    """The opaque id of a folder."""
    return "AQMkA" + uuid.uuid5(uuid.NAMESPACE_DNS, f"{folder}.{mailbox}").hex + "="


def _envelope(sender: str, recipients: list[str], content: bytes) -> Envelope:
    if not recipients:
        raise NotAMessage("ErrorInvalidRecipients", "At least one recipient is not valid.")
    return Envelope(sender, tuple(dict.fromkeys(recipients)), content)


def _dated(made: EmailMessage) -> None:
    made["Message-ID"] = f"<{uuid.uuid4().hex.upper()[:24]}@AM6PR05MB0001.eurprd05.prod.outlook.com>"
    made["Date"] = datetime.now(UTC)


def _addresses(given: list[Mapping[str, Any]]) -> list[str]:
    return [str(item["emailAddress"]["address"]) for item in given]


def _people(value: str) -> list[dict[str, Any]]:
    pairs = getaddresses([value])
    return [
        {"emailAddress": {"name": name or address, "address": address}} for name, address in pairs if address
    ]
