"""Looking into a message below its headers: body and MIME parts, through the standard library."""

from __future__ import annotations

import re
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import lru_cache

BLANK = re.compile(rb"\r\n\r\n")
Keep = Callable[[EmailMessage], bool]


def split(content: bytes) -> tuple[bytes, bytes]:
    """Headers (their last line ended) and body."""
    if content.startswith(b"\r\n"):
        return b"", content[2:]
    found = BLANK.search(content)
    if found is None:
        return content, b""
    return content[: found.start() + 2], content[found.end() :]


def has_broken_header(content: bytes) -> bool:
    """Whether a line among the headers is none."""
    head, _ = split(content)
    lines = re.sub(rb"\r\n(?=[ \t])", b"", head).split(b"\r\n")
    return any(line and not re.match(rb"[!-9;-~]+[ \t]*:", line) for line in lines)


@lru_cache(maxsize=32)
def parsed(content: bytes) -> EmailMessage:
    """The message as MIME; not to be changed."""
    found = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(found, EmailMessage)
    return found


def parts(content: bytes) -> list[EmailMessage]:
    """All parts that hold something themselves."""
    return [part for part in parsed(content).walk() if not part.is_multipart()]


def attachments(content: bytes) -> list[EmailMessage]:
    """The parts with a file name, or marked as attachments."""
    return [part for part in parts(content) if part.get_filename() or part.is_attachment()]


def text_of(part: EmailMessage) -> str:
    """What a part says; a part that is no text, by its bytes as Latin-1."""
    raw = part.get_payload(decode=True)
    data = raw if isinstance(raw, bytes) else b""
    charset = part.get_content_charset() or "latin-1"
    try:
        return data.decode(charset, "replace")
    except LookupError:  # a charset that nobody knows
        return data.decode("latin-1")


def size_of(part: EmailMessage) -> int:
    """A part's size in bytes, decoded."""
    raw = part.get_payload(decode=True)
    return len(raw) if isinstance(raw, bytes) else 0


def without_attachments(content: bytes, keep: Keep) -> tuple[bytes, list[str]]:
    """The message without the attachments that `keep` does not want, and their names."""
    tree = message_from_bytes(content, policy=policy.SMTP)
    gone: list[str] = []
    for part in list(tree.walk()):
        if part.is_multipart() or keep(part):
            continue
        if part.get_filename() or part.is_attachment():
            gone.append(part.get_filename() or part.get_content_type())
            part.set_content(f"Dropped attachment: {gone[-1]}")
    return (tree.as_bytes(), gone) if gone else (content, gone)
