"""A message on its way, and what became of handing it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.header import decode_header, make_header
from email.utils import formatdate, make_msgid
from types import MappingProxyType

CRLF = b"\r\n"
NO_ONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Envelope:
    """Sender ("" for a bounce), recipients, and content: headers and body, every line ended by CRLF."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, unfolded but not decoded; None if there is none."""
        return next(iter(self.headers(name)), None)

    def headers(self, name: str) -> list[str]:
        """All headers of that name, from the top."""
        return [_value(lines) for lines in self._fields() if _name(lines) == name.lower()]

    def with_header(self, name: str, value: str) -> Envelope:
        """With one header more, on top; others of that name stay (see `without_header`)."""
        line = f"{name}: {value}".encode("utf-8", "surrogateescape")
        return replace(self, content=line + CRLF + self.content)

    def without_header(self, name: str) -> Envelope:
        """Without any header of that name."""
        kept = b"".join(lines for lines in self._fields() if _name(lines) != name.lower())
        return replace(self, content=kept + self.content[len(self._head()) :])

    @property
    def subject(self) -> str:
        """The subject, decoded; "" without one."""
        return str(make_header(decode_header(self.header("Subject") or "")))

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets; "" without one."""
        return self.header("Message-ID") or ""

    @property
    def body(self) -> bytes:
        """What comes after the empty line."""
        return self.content[len(self._head()) :].removeprefix(CRLF)

    def _head(self) -> bytes:
        """All headers with their line ends, without the empty line after them."""
        if self.content.startswith(CRLF):
            return b""
        head, found, _ = self.content.partition(CRLF + CRLF)
        return head + CRLF if found else self.content

    def _fields(self) -> list[bytes]:
        """The headers, each with its continuation lines."""
        found: list[bytes] = []
        for line in self._head().splitlines(keepends=True):
            if line[:1] in (b" ", b"\t") and found:
                found[-1] += line
            else:
                found.append(line)
        return found


@dataclass(frozen=True)
class Outcome:
    """What the next server answered.

    `code` 0: no answer at all (no connection, cut, no TLS where it is required); `text` says why.
    `tls` is "" or a version such as «TLSv1.3», `cipher` its cipher. `refused` names recipients that were
    refused although the message was taken for others.
    """

    code: int
    text: str
    tls: str = ""
    cipher: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def delivered(self) -> bool:
        """The other side has taken the message, for one recipient at least."""
        return 200 <= self.code < 300

    @property
    def temporary(self) -> bool:
        """Worth another try: a 4xx, or no answer."""
        return self.code == 0 or 400 <= self.code < 500


def compose(
    sender: str,
    recipients: str | tuple[str, ...],
    subject: str,
    body: str = "A message of the practice lab.",
    headers: Mapping[str, str] = NO_ONE,
) -> Envelope:
    """A small well-formed message, ready to send."""
    to = (recipients,) if isinstance(recipients, str) else recipients
    domain = sender.rpartition("@")[2] or "lab.example"
    lines = [
        f"From: <{sender}>",
        f"To: {', '.join(f'<{recipient}>' for recipient in to)}",
        f"Subject: {subject}",
        f"Date: {formatdate(usegmt=True)}",
        f"Message-ID: {make_msgid(domain=domain)}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        *body.splitlines(),
        "",
    ]
    return Envelope(sender, to, "\r\n".join(lines).encode())


def domain_of(address: str) -> str:
    """The domain of a mail address in lower case; "" for the empty sender."""
    return address.rpartition("@")[2].lower()


def _name(lines: bytes) -> str:
    return lines.partition(b":")[0].strip().decode("utf-8", "surrogateescape").lower()


def _value(lines: bytes) -> str:
    value = lines.partition(b":")[2].replace(CRLF, b"")
    return value.strip().decode("utf-8", "surrogateescape")
