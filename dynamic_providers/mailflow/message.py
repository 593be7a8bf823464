"""The messages that we send: plain, dated, marked as automatic, known again by a one-time word."""

import email.policy
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

_TEXT = (
    "This message was sent on purpose, to prove that mail flows between Cisco Secure Email and Microsoft\r\n"
    "365. It needs no answer and can be deleted. One-time word: {word}{stack}\r\n"
)


def new_token() -> str:
    """A one-time word of letters and digits: tracking's API takes nothing that would have to be encoded."""
    return "m365se" + secrets.token_hex(6)


@dataclass(frozen=True)
class Probe:
    """One message. `word` is in its subject; several attempts of one check share `token`, as another word."""

    sender: str
    recipient: str
    token: str
    word: str
    sent_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def subject(self) -> str:
        """`Mail flow probe m365se0123 m365se0123n1`: rules match the first word, searches the second."""
        return f"Mail flow probe {self.token} {self.word}"

    @property
    def message_id(self) -> str:
        """Known beforehand where we speak SMTP; Graph gives a message an id of its own."""
        return f"<{self.word}@{self.sender.rpartition('@')[2]}>"

    def text(self, stack: str | None = None) -> str:
        """The body."""
        return _TEXT.format(word=self.word, stack=f"; stack {stack}" if stack else "")

    def content(self, stack: str | None = None) -> bytes:
        """The whole message, lines ended as SMTP wants them."""
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"], message["To"] = self.sender, self.recipient
        message["Subject"], message["Message-ID"] = self.subject, self.message_id
        message["Date"] = format_datetime(self.sent_at)
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(self.text(stack))
        return message.as_bytes()


def probe(sender: str, recipient: str, token: str, attempt: int) -> Probe:
    """The message of one attempt."""
    return Probe(sender, recipient, token, f"{token}n{attempt}")
