"""Spam filtering, as far as it decides between inbox and junk: a header says what the filter would find.

`X-Lab-Spam: yes` is an SCL of 6, a number from 5 to 9 is that SCL, and `phish` is high-confidence phish, for
which a rule's SCL -1 counts only while the domain's MX points somewhere else than at Microsoft, and the IP
allow list never. A sender whom SPF gives the lie is a spoofed one, where the address that is judged is the
source's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.mail.envelope import Envelope
from lab.tenant.mail.mailboxes import Folder

HEADER = "X-Lab-Spam"
SPAM, PHISH, SPOOF, CLEAN, BYPASS = 6, 9, 5, 1, -1


@dataclass(frozen=True)
class SpamVerdict:
    """What the filter finds, before rules have their say; `skipped`: it was not asked, by the allow list."""

    scl: int
    phish: bool = False
    spoof: bool = False
    skipped: bool = False

    @property
    def spam(self) -> bool:
        """Whether it would go into the junk folder."""
        return self.scl >= 5

    @property
    def category(self) -> str:
        """CAT of `X-Forefront-Antispam-Report`."""
        if self.phish:
            return "HPHISH"
        return "SPOOF" if self.spoof else "SPM" if self.spam else "NONE"


def verdict(envelope: Envelope, *, spf: str = "none", allowed: bool = False) -> SpamVerdict:
    """What the filter finds in a message from outside.

    `spf`: what it says of the source, "none" where the source is not known; `allowed`: by the IP allow list.
    """
    found = _found(envelope)
    if allowed and not found.phish:
        return SpamVerdict(BYPASS, skipped=True)
    if spf in ("fail", "softfail") and not found.spam:
        return SpamVerdict(SPOOF, spoof=True)
    return found


def _found(envelope: Envelope) -> SpamVerdict:
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
