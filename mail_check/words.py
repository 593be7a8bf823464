"""Text of others, servers and senders, made fit to be shown: what cannot be seen is written out."""

import re
from datetime import UTC, datetime

from dynamic_providers.errors import redact

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffc]"
)
_LONGEST = 2000


def seen(text: str) -> str:
    r"""The text with control characters, and those that turn its direction, as `\u202e`; no known secret."""
    return visible(redact(_cut(text)))


def visible(text: str) -> str:
    """The same of a text that holds no secret for certain."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", _cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def one_line(text: str) -> str:
    """The same in one line."""
    return " ".join(seen(text).split())


def moment(text: str) -> str:
    """`2026-09-01T12:00:05Z` as `1 September 2026, 12:00:05 UTC`; what is no such time stays as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return f"{when.day} {when:%B %Y, %H:%M:%S} UTC"


def counted(number: int, what: str) -> str:
    """`1 day`, `2 days`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
