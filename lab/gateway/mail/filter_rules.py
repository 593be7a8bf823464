"""The rules of message filters, answered for one message (AsyncOS user guide, «Using Message Filters»).

A rule that needs what the lab has not (dictionaries, LDAP, reputations …) is `NotEmulated`, never true
without a word. Regular expressions are not anchored and mind case unless they say `(?i)`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses

from lab.gateway.filter_language import Call, Combined, Comparison, Test, Value
from lab.gateway.mail import message
from lab.gateway.mail.host_access import in_range
from lab.mail.envelope import Envelope

UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
ORDER: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
DATE = "%m/%d/%Y %H:%M:%S"


class NotEmulated(Exception):
    """The lab takes this filter, but cannot run what it says."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"not emulated: the {kind} '{name}'")


@dataclass(frozen=True)
class Circumstances:
    """How a message came, as filters can ask about it; `sender_group` as in the host access table."""

    listener: str
    interface: str
    sender_group: str
    policy: str
    peer: str
    host: str = ""
    mid: int = 0
    waiting: int = 0
    """How many messages wait in the work queue."""


def unquoted(value: Value) -> str:
    """What a literal means: in strings, two backslashes are one, and a quote may be escaped."""
    return re.sub(r'\\([\\"])', r"\1", value.text) if value.quoted else value.text


def holds(test: Test, mail: Envelope, how: Circumstances) -> bool:
    """Whether a test is true; its parts are asked from the left, no more than needed."""
    if isinstance(test, Combined):
        if test.word == "not":
            return not holds(test.parts[0], mail, how)
        answers = (holds(part, mail, how) for part in test.parts)
        return all(answers) if test.word == "and" else any(answers)
    return _compared(test, mail, how)


def _compared(test: Comparison, mail: Envelope, how: Circumstances) -> bool:
    name = test.rule.name
    if name in PLAIN:
        return PLAIN[name](mail)
    if name in TEXTS:
        return _matches(TEXTS[name](test.rule, mail, how), test)
    if name in NUMBERS:
        return _in_order(NUMBERS[name](test.rule, mail, how), test)
    if name in CONTENTS:
        return _contains(test.rule, CONTENTS[name](mail))
    if name in OTHERS:
        return OTHERS[name](test, mail, how)
    raise NotEmulated("rule", name)


def _matches(texts: list[str], test: Comparison) -> bool:
    """A regular expression against several texts: `==` when any has it, `!=` when none has."""
    if not test.operator:
        return bool(texts)
    found = any(re.search(unquoted(value), text) for value in test.values for text in texts)
    return found == (test.operator == "==")


def _number(value: Value) -> float:
    digits = re.fullmatch(r"(-?[\d.]+)([kKmMgG]?)", unquoted(value))
    if digits is None:
        raise NotEmulated("comparison with", value.text)
    return float(digits[1]) * UNITS[digits[2].lower()]


def _in_order(numbers: list[float], test: Comparison) -> bool:
    compare = ORDER[test.operator]
    return any(compare(number, _number(value)) for value in test.values for number in numbers)


def _contains(rule: Call, texts: list[str]) -> bool:
    """Whether a pattern is there, as often as a second argument asks."""
    wanted = int(rule.arguments[1].text) if len(rule.arguments) > 1 else 1
    pattern = re.compile(unquoted(rule.arguments[0]))
    return sum(len(pattern.findall(text)) for text in texts) >= wanted


def _all_contain(test: Comparison, mail: Envelope, _: Circumstances) -> bool:
    found = message.attachments(mail.content)
    return bool(found) and all(_contains(test.rule, [message.text_of(part)]) for part in found)


def _from_address(test: Comparison, _: Envelope, how: Circumstances) -> bool:
    inside = any(in_range(unquoted(value), how.peer) for value in test.values)
    return inside == (test.operator == "==")


def _dated(test: Comparison, _: Envelope, __: Circumstances) -> bool:
    now = datetime.now(UTC).timestamp()
    try:
        times = [datetime.strptime(unquoted(value), DATE).replace(tzinfo=UTC) for value in test.values]
    except ValueError:
        raise NotEmulated("date", test.values[0].text) from None
    return any(ORDER[test.operator](now, time.timestamp()) for time in times)


def _encrypted(mail: Envelope) -> bool:
    kind = message.parsed(mail.content).get_content_type()
    smime = message.parsed(mail.content).get_param("smime-type", "")
    pgp = b"-----BEGIN PGP MESSAGE-----" in mail.content
    return kind == "multipart/encrypted" or (kind.endswith("pkcs7-mime") and smime != "signed-data") or pgp


def _signed(mail: Envelope) -> bool:
    kind = message.parsed(mail.content).get_content_type()
    smime = message.parsed(mail.content).get_param("smime-type", "")
    return kind == "multipart/signed" or (kind.endswith("pkcs7-mime") and smime == "signed-data")


def _repeated_boundaries(mail: Envelope) -> bool:
    found = [part.get_boundary() for part in message.parsed(mail.content).walk() if part.is_multipart()]
    return len(found) != len(set(found))


def _addresses(rule: Call, mail: Envelope) -> list[float]:
    names = [unquoted(argument) for argument in rule.arguments]
    texts = [text for name in names for text in mail.headers(name)]
    return [float(len([address for _, address in getaddresses(texts) if address]))]


def _bodies(mail: Envelope, *, attached: bool) -> list[str]:
    found = message.attachments(mail.content)
    return [
        message.text_of(part)
        for part in message.parts(mail.content)
        if part.get_content_maintype() == "text" and (attached or part not in found)
    ]


PLAIN: dict[str, Callable[[Envelope], bool]] = {
    "true": lambda _: True,
    "valid": lambda mail: not any(part.defects for part in message.parsed(mail.content).walk()),
    "malformed-header": lambda mail: message.has_broken_header(mail.content),
    "no-reputation": lambda _: True,
    "encrypted": _encrypted,
    "signed": _signed,
    "duplicate_boundaries": _repeated_boundaries,
}
TEXTS: dict[str, Callable[[Call, Envelope, Circumstances], list[str]]] = {
    "subject": lambda _, mail, __: [mail.subject],
    "mail-from": lambda _, mail, __: [mail.sender],
    "rcpt-to": lambda _, mail, __: list(mail.recipients),
    "sendergroup": lambda _, __, how: [how.sender_group],
    "recv-listener": lambda _, __, how: [how.listener],
    "recv-int": lambda _, __, how: [how.interface],
    "header": lambda rule, mail, _: mail.headers(unquoted(rule.arguments[0])),
    "attachment-filename": lambda _, mail, __: [
        part.get_filename() or "" for part in message.attachments(mail.content)
    ],
    "attachment-type": lambda _, mail, __: [
        part.get_content_type() for part in message.attachments(mail.content)
    ],
    "attachment-mimetype": lambda _, mail, __: [
        part.get_content_type() for part in message.attachments(mail.content)
    ],
}
NUMBERS: dict[str, Callable[[Call, Envelope, Circumstances], list[float]]] = {
    "reputation": lambda _, __, ___: [],
    "body-size": lambda _, mail, __: [float(len(mail.content))],
    "rcpt-count": lambda _, mail, __: [float(len(mail.recipients))],
    "workqueue-count": lambda _, __, how: [float(how.waiting)],
    "attachment-size": lambda _, mail, __: [
        float(message.size_of(part)) for part in message.attachments(mail.content)
    ],
    "addr-count": lambda rule, mail, _: _addresses(rule, mail),
}
CONTENTS: dict[str, Callable[[Envelope], list[str]]] = {
    "body-contains": lambda mail: _bodies(mail, attached=True),
    "only-body-contains": lambda mail: _bodies(mail, attached=False),
    "attachment-contains": lambda mail: [message.text_of(part) for part in message.attachments(mail.content)],
    "attachment-binary-contains": lambda mail: [
        message.text_of(part) for part in message.attachments(mail.content)
    ],
}
OTHERS: dict[str, Callable[[Comparison, Envelope, Circumstances], bool]] = {
    "every-attachment-contains": _all_contain,
    "remote-ip": _from_address,
    "date": _dated,
}
RUN = {*PLAIN, *TEXTS, *NUMBERS, *CONTENTS, *OTHERS}
"""The rules that the lab runs."""
