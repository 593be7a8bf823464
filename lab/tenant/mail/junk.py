"""Spam filtering, as far as it decides between inbox and junk: a header says what the filter would find.

`X-Lab-Spam: yes` is an SCL of 6, a number from 5 to 9 is that SCL, and `phish` is high-confidence phish, for
which a rule's SCL -1 counts only while the domain's MX points somewhere else than at Microsoft.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.mail.envelope import Envelope
from lab.tenant.mail.mailboxes import Folder

HEADER = "X-Lab-Spam"
SPAM, PHISH, CLEAN, BYPASS = 6, 9, 1, -1


@dataclass(frozen=True)
class SpamVerdict:
    """What the filter finds, before rules have their say."""

    scl: int
    phish: bool = False

    @property
    def spam(self) -> bool:
        """Whether it would go into the junk folder."""
        return self.scl >= 5


def verdict(envelope: Envelope) -> SpamVerdict:
    """What the filter finds in a message from outside."""
    said = (envelope.header(HEADER) or "").lower()
    if said == "phish":
        return SpamVerdict(PHISH, phish=True)
    if said in ("5", "6", "7", "8", "9"):
        return SpamVerdict(int(said))
    return SpamVerdict(SPAM if said == "yes" else CLEAN)


def folder(
    found: SpamVerdict, by_rule: int | None, *, elsewhere: bool
) -> tuple[int, Folder | Literal["quarantine"]]:
    """The SCL that counts and where the message goes; `elsewhere`: the MX does not point at Microsoft."""
    if found.phish and not (by_rule == BYPASS and elsewhere):
        return found.scl, "quarantine"
    scl = found.scl if by_rule is None else by_rule
    return scl, "junkemail" if scl >= 5 else "inbox"
