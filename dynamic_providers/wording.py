"""Checks of names and texts.

What passes may be typed at a gateway's question, stand in a filter, or name an object of Exchange.
"""

import re
import unicodedata
from uuid import UUID

from dynamic_providers.refusal import refuse

NAME_LENGTH = 64
"""Longest name of a transport rule (Microsoft Learn, New-TransportRule); kept for every object of ours."""

TEXT_LENGTH = 200
"""Longest comment of ours: it goes into a commit's comment and a connector's."""

HEADER_VALUE_LEAST, HEADER_VALUE_MOST = 8, 128
"""Length of the secret in the header: eight is what cannot be met by chance, 128 holds any generated key."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
"""Unicode categories of what cannot be seen: control, format, line separators, surrogates, unused."""


def refuse_unseen(text: str) -> None:
    """Refuse line breaks, control characters and whatever else cannot be seen."""
    if not text.isprintable() and any(unicodedata.category(one) in _UNSEEN for one in text):
        refuse("holds a line break, a control character or one that cannot be seen: take it out")


def one_line(text: str, longest: int) -> str:
    """Refuse what is not one line of readable text, or longer than `longest` characters."""
    refuse_unseen(text)
    if not text.strip():
        refuse("is empty: give a value or leave the setting out")
    if text != text.strip():
        refuse("starts or ends with a blank: take it out")
    if len(text) > longest:
        refuse(f"is longer than {longest} characters: shorten it")
    return text


def listener(text: str) -> str:
    """A listener's name as on the gateway (case counts): letters, digits, single blanks, dot, _ and -."""
    one_line(text, NAME_LENGTH)
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*( [A-Za-z0-9_.-]+)*", text):
        refuse("is not a listener name: letters, digits, single blanks, dot, _ and - only, no quotes")
    return text


def _word(text: str, kind: str, reserved: frozenset[str]) -> str:
    one_line(text, NAME_LENGTH)
    if not _WORD.fullmatch(text):
        refuse(f"is not a {kind} name: a letter first, then letters, digits, _ and - only")
    if text.lower() in reserved:
        refuse(f"is a word of the gateway's own, no {kind} name: choose another")
    return text


_HAT_WORDS = frozenset({"all", "accept", "relay", "reject", "tcprefuse", "continue", "default", "policy"})
# The filter language's own words (Cisco's user guide, message filter rules and actions).
_FILTER_WORDS = frozenset(
    {
        "add-footer",
        "add-heading",
        "addr-count",
        "all",
        "alt-mailhost",
        "alt-rcpt-to",
        "alt-src-host",
        "and",
        "archive",
        "attachment-contains",
        "attachment-filename",
        "attachment-size",
        "attachment-type",
        "bcc",
        "bcc-scan",
        "body",
        "body-contains",
        "body-size",
        "bounce",
        "date",
        "deliver",
        "dictionary-match",
        "drop",
        "duplicate-quarantine",
        "edit-body-text",
        "edit-header-text",
        "else",
        "encrypt",
        "encrypt-deferred",
        "false",
        "header",
        "html-convert",
        "if",
        "insert-header",
        "log",
        "mail-from",
        "mail-from-group",
        "no-op",
        "no-reputation",
        "not",
        "notify",
        "notify-copy",
        "or",
        "quarantine",
        "random",
        "rcpt-count",
        "rcpt-to",
        "rcpt-to-group",
        "recv-int",
        "recv-listener",
        "remote-ip",
        "reputation",
        "sendergroup",
        "signed",
        "signed-certificate",
        "size",
        "skip-filters",
        "skip-spamcheck",
        "skip-viruscheck",
        "skip-vofcheck",
        "smtp-auth-id-matches",
        "spf-passed",
        "spf-status",
        "strip-header",
        "subject",
        "tag-message",
        "true",
        "valid",
        "workqueue-count",
    }
)


def group_name(text: str) -> str:
    """A sender group of the host access table; safe as a regular expression, which a filter matches it by."""
    return _word(text, "sender group", _HAT_WORDS)


def policy_name(text: str) -> str:
    """A mail flow policy of the host access table, without its `$`."""
    return _word(text, "mail flow policy", _HAT_WORDS)


def filter_name(text: str) -> str:
    """A message filter's name: no number, no range and no word of the filter language."""
    return _word(text, "message filter", _FILTER_WORDS)


def exchange_name(text: str) -> str:
    """A connector's or transport rule's name. Exchange reads a backslash as a path and `*` as a pattern."""
    one_line(text, NAME_LENGTH)
    if "\\" in text or "*" in text:
        refuse("holds \\ or *, which Exchange reads as a path or a pattern in a name: choose another")
    return text


def header_name(text: str) -> str:
    """A message header's name, `X-OUTBOUND-AUTH`."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", text):
        refuse("is not a header name: a letter first, then letters, digits and hyphens, at most 64")
    return text


def header_value(text: str) -> str:
    """The secret in the header: letters and digits only, since the filter matches it as a regular expression.

    Source: the guide's note under the message filter, to avoid special characters in the key.
    """
    if not re.fullmatch(r"[A-Za-z0-9]*", text):
        refuse(
            "has characters other than letters and digits: the gateway's filter reads it as a regular"
            " expression; take A-Z, a-z and 0-9 only"
        )
    if not HEADER_VALUE_LEAST <= len(text) <= HEADER_VALUE_MOST:
        refuse(f"has the wrong length: take {HEADER_VALUE_LEAST} to {HEADER_VALUE_MOST} letters and digits")
    return text


def gateway_text(text: str) -> str:
    """One line that is typed at a gateway's question: plain ASCII without quotes, backslash, `;` or `?`."""
    one_line(text, TEXT_LENGTH)
    if not re.fullmatch(r"[A-Za-z0-9 !#%&()*+,./:<=>@\[\]^_{|}~-]+", text):
        refuse(
            "has characters that the gateway could misread: take plain letters, digits and punctuation,"
            " no quotes, semicolon, question mark, dollar or backslash"
        )
    return text


def plain_text(text: str) -> str:
    """One line of readable text in any script."""
    return one_line(text, TEXT_LENGTH)


def label(text: str) -> str:
    """A short name of ours for a gateway or an environment: letters, digits, dot, _ and -."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", text):
        refuse("is not a short name: a letter or digit first, then letters, digits, dot, _ and -, at most 63")
    return text


def user_name(text: str) -> str:
    """An account on a gateway or jump host."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}", text):
        refuse("is not a user name: letters, digits, dot, _, @ and - only, at most 64")
    return text


def host_key(text: str) -> str:
    """A pinned SSH host key: its SHA256 fingerprint, as `ssh-keygen -lf` prints it."""
    if not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text):
        refuse("is not a host key fingerprint: SHA256: and 43 characters, as `ssh-keygen -lf` prints it")
    return text


def guid(text: str) -> str:
    """A directory (tenant) or application (client) id."""
    if not re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", text):
        refuse("is not an id: 32 hexadecimal digits as 8-4-4-4-12")
    return str(UUID(text))


def managed_identity(text: str) -> str:
    """Which identity of the machine that we run on: `system`, or the client id of one assigned to it."""
    if text == "system":
        return text
    if not re.fullmatch(r"[0-9A-Fa-f-]{36}", text):
        refuse(
            "is no managed identity: write system, or the client id of one that is assigned to the machine"
        )
    return guid(text)


def file_path(text: str) -> str:
    """A file's path, from the project's folder where it is relative."""
    return one_line(text, 1024)


def cipher_string(text: str) -> str:
    """A cipher list in OpenSSL's form."""
    if not re.fullmatch(r"[A-Za-z0-9:!+@_=.-]{1,2000}", text):
        refuse("is not a cipher list: names with : between and !, + or @ before, no blanks")
    return text
