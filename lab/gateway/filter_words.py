"""The words of the message filter language: which rules and actions there are, and what they take."""

from __future__ import annotations

from dataclasses import dataclass

MANY = 9


@dataclass(frozen=True)
class Word:
    """A rule or an action: how many arguments, and for a rule whether it is compared with something."""

    least: int = 0
    most: int = 0
    compared: str = "never"
    """never | always | may"""
    regex: int = -1
    """Which argument is a regular expression; -1 = none."""


PLAIN = Word()
ALWAYS = Word(compared="always")
PATTERN = Word(1, 2, regex=0)

RULES: dict[str, Word] = {
    **dict.fromkeys(("true", "valid", "encrypted", "signed", "no-reputation", "attachment-protected"), PLAIN),
    **dict.fromkeys(("attachment-unprotected", "malformed-header", "duplicate_boundaries"), PLAIN),
    **dict.fromkeys(("subject", "mail-from", "rcpt-to", "sendergroup", "recv-listener", "recv-int"), ALWAYS),
    **dict.fromkeys(("mail-from-group", "rcpt-to-group", "remote-ip", "reputation", "body-size"), ALWAYS),
    **dict.fromkeys(("date", "random", "rcpt-count", "workqueue-count", "dkim-authentication"), ALWAYS),
    **dict.fromkeys(("attachment-filename", "attachment-type", "attachment-filetype"), ALWAYS),
    **dict.fromkeys(("attachment-mimetype", "attachment-size", "smtp-auth-id", "domain-reputation"), ALWAYS),
    **dict.fromkeys(("body-contains", "only-body-contains", "attachment-contains"), PATTERN),
    **dict.fromkeys(("attachment-binary-contains", "every-attachment-contains"), PATTERN),
    **dict.fromkeys(("dictionary-match", "body-dictionary-match", "subject-dictionary-match"), Word(1, 2)),
    **dict.fromkeys(("attachment-dictionary-match", "header-dictionary-match"), Word(1, 3)),
    **dict.fromkeys(("dnslist", "geolocation-rule", "message-language", "url-category"), Word(1, MANY)),
    "header": Word(1, 1, compared="may"),
    "addr-count": Word(1, 2, compared="always"),
    "spf-status": Word(0, 1, compared="always"),
    "spf-passed": Word(0, 1),
    "header-repeats": Word(2, 3),
    "url-reputation": Word(2, MANY),
    "forged-email-detection": Word(2, 3),
    "signed-certificate": Word(1, 1, compared="always"),
    "smtp-auth-id-matches": Word(1, 2),
}

PATTERN_RULES = {
    "subject", "mail-from", "rcpt-to", "sendergroup", "header", "attachment-filename", "attachment-type",
    "attachment-mimetype", "signed-certificate",
}  # fmt: skip
"""Rules whose right side is a regular expression."""

ACTIONS: dict[str, Word] = {
    **dict.fromkeys(("drop", "deliver", "skip-filters", "bounce", "no-op", "skip-spamcheck"), PLAIN),
    **dict.fromkeys(("skip-viruscheck", "skip-vofcheck", "skip-ampcheck", "skip-marketingcheck"), PLAIN),
    **dict.fromkeys(("skip-socialcheck", "skip-bulkcheck", "html-convert"), PLAIN),
    **dict.fromkeys(("strip-header", "alt-src-host", "alt-mailhost", "alt-rcpt-to"), Word(1, 1)),
    **dict.fromkeys(("quarantine", "duplicate-quarantine", "bounce-profile", "tag-message"), Word(1, 1)),
    **dict.fromkeys(("archive", "log-entry", "add-footer", "add-heading"), Word(1, 1)),
    **dict.fromkeys(("insert-header",), Word(2, 2)),
    **dict.fromkeys(("bcc", "bcc-scan", "notify", "notify-copy"), Word(1, 5)),
    **dict.fromkeys(("drop-attachments-by-name", "drop-attachments-by-type"), Word(1, 2, regex=0)),
    **dict.fromkeys(("drop-attachments-by-filetype", "drop-attachments-by-size"), Word(1, 2)),
    **dict.fromkeys(("drop-attachments-by-mimetype",), Word(1, 2)),
    **dict.fromkeys(("drop-attachments-where-contains",), Word(1, 3, regex=0)),
    **dict.fromkeys(("encrypt", "encrypt-deferred"), Word(1, 2)),
    "edit-header-text": Word(3, 3, regex=1),
    "edit-body-text": Word(2, 2, regex=0),
    "tls-required": PLAIN,
}

FINAL = {"drop", "deliver", "skip-filters", "bounce", "encrypt"}
"""Actions that end the processing of filters."""

RESERVED = {"if", "else", "and", "or", "not", *RULES, *ACTIONS}
