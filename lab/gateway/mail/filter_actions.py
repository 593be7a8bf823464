"""The actions of message filters, done to one message (AsyncOS user guide, «Message Filter Actions»).

An action that needs what the lab has not (text resources, encryption …) is `NotEmulated`: its filter stops.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lab.gateway.filter_language import Call, Value
from lab.gateway.mail import message
from lab.gateway.mail.filter_rules import Circumstances, NotEmulated, unquoted
from lab.mail.envelope import Envelope

VARIABLE = re.compile(r"\$Header\['([^']+)'\]|\$([A-Za-z]+)")


@dataclass
class Passage:
    """A message on its way through the filters, and what they have decided so far.

    `verdict` is "" (it passes), dropped or bounced; `by` names the filter that ended the processing,
    `held_by` the one that asked for the quarantine. `notes` are the lines for tracking, `copies` what `bcc`
    and the like have made of it.
    """

    mail: Envelope
    how: Circumstances
    verdict: str = ""
    by: str = ""
    ended: bool = False
    changed: bool = False
    interface: str = ""
    mail_host: str = ""
    tls_required: bool = False
    quarantine: str = ""
    held_by: str = ""
    copies: list[Envelope] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    archived: list[str] = field(default_factory=list)

    def change(self, mail: Envelope) -> None:
        """Go on with another form of the message."""
        self.changed = self.changed or mail != self.mail
        self.mail = mail

    def end(self, verdict: str = "") -> None:
        """A final action: no filter after this one runs."""
        self.verdict, self.ended = verdict, True


def act(call: Call, passage: Passage) -> None:
    """Do what an action says."""
    if call.name not in DONE:
        raise NotEmulated("action", call.name)
    DONE[call.name](passage, list(call.arguments))


def filled(value: Value, passage: Passage) -> str:
    """A string with its action variables replaced; unknown ones stay as they are."""
    mail, how = passage.mail, passage.how
    known = {
        "Subject": mail.subject,
        "EnvelopeFrom": mail.sender,
        "EnvelopeRecipients": ", ".join(mail.recipients),
        "Group": how.sender_group,
        "Policy": how.policy,
        "RemoteIP": how.peer,
        "RecvListener": how.listener,
        "RecvInt": how.interface,
        "MID": str(how.mid),
        "Date": datetime.now(UTC).strftime("%m/%d/%Y"),
        "BodySize": str(len(mail.content)),
    }

    def one(found: re.Match[str]) -> str:
        if found[1]:
            return mail.header(found[1]) or ""
        return known.get(found[2], found[0])

    return VARIABLE.sub(one, unquoted(value))


def _strip(passage: Passage, values: list[Value]) -> None:
    passage.change(passage.mail.without_header(unquoted(values[0])))


def _insert(passage: Passage, values: list[Value]) -> None:
    passage.change(passage.mail.with_header(unquoted(values[0]), filled(values[1], passage)))


def _edit_header(passage: Passage, values: list[Value]) -> None:
    name, pattern, new = (unquoted(value) for value in values)
    for old in passage.mail.headers(name)[:1]:
        passage.change(passage.mail.without_header(name).with_header(name, re.sub(pattern, new, old)))


def _edit_body(passage: Passage, values: list[Value]) -> None:
    coded = (passage.mail.header("Content-Transfer-Encoding") or "7bit").lower()
    if coded not in {"7bit", "8bit", "binary"}:
        raise NotEmulated("action", f"edit-body-text of {coded}")
    head, body = message.split(passage.mail.content)
    pattern, new = (unquoted(value).encode() for value in values)
    passage.change(replace(passage.mail, content=head + b"\r\n" + re.sub(pattern, new, body)))


def _reroute(passage: Passage, values: list[Value]) -> None:
    passage.change(replace(passage.mail, recipients=(filled(values[0], passage),)))


def _interface(passage: Passage, values: list[Value]) -> None:
    passage.interface = unquoted(values[0])


def _mail_host(passage: Passage, values: list[Value]) -> None:
    passage.mail_host = unquoted(values[0]).lower()


def _tls(passage: Passage, _: list[Value]) -> None:
    passage.tls_required = True


def _log(passage: Passage, values: list[Value]) -> None:
    passage.notes.append(f"Message {passage.how.mid} Custom Log Entry: {filled(values[0], passage)}")


def _tag(passage: Passage, values: list[Value]) -> None:
    passage.notes.append(f"Message {passage.how.mid} tagged {unquoted(values[0])}")


def _archive(passage: Passage, values: list[Value]) -> None:
    passage.archived.append(unquoted(values[0]))
    passage.notes.append(f"Message {passage.how.mid} archived in {unquoted(values[0])}")


def _quarantine(passage: Passage, values: list[Value]) -> None:
    passage.quarantine = unquoted(values[0])


def _duplicate_quarantine(passage: Passage, values: list[Value]) -> None:
    passage.notes.append(f"Message {passage.how.mid} copied to quarantine {unquoted(values[0])}")


def _copy(passage: Passage, values: list[Value]) -> None:
    """bcc(address, subject, return address, host): a host of its own is not emulated."""
    if len(values) > 3:
        raise NotEmulated("action", "bcc by a host of its own")
    copy = replace(passage.mail, recipients=(filled(values[0], passage),))
    if len(values) > 1 and values[1].text:
        copy = copy.without_header("Subject").with_header("Subject", filled(values[1], passage))
    if len(values) > 2:
        copy = replace(copy, sender=filled(values[2], passage))
    passage.copies.append(copy)


def _drop_attachments(passage: Passage, keep: message.Keep) -> None:
    content, gone = message.without_attachments(passage.mail.content, keep)
    passage.change(replace(passage.mail, content=content))
    passage.notes += [f"Message {passage.how.mid} attachment dropped: {name}" for name in gone]


def _drop_by_name(passage: Passage, values: list[Value]) -> None:
    pattern = unquoted(values[0])
    _drop_attachments(passage, lambda part: not re.search(pattern, part.get_filename() or ""))


def _drop_by_type(passage: Passage, values: list[Value]) -> None:
    wanted = unquoted(values[0]).lower().replace("/*", "/.*")
    _drop_attachments(passage, lambda part: not re.match(wanted, part.get_content_type()))


def _drop_by_size(passage: Passage, values: list[Value]) -> None:
    least, most = (int(unquoted(value)) for value in [*values, *values][:2])
    most = most if len(values) > 1 else 2**63
    _drop_attachments(passage, lambda part: not least <= message.size_of(part) <= most)


def _nothing(_: Passage, __: list[Value]) -> None:
    """Scanners that the lab has not are skipped without loss."""


DONE: dict[str, Callable[[Passage, list[Value]], None]] = {
    "drop": lambda passage, _: passage.end("dropped"),
    "bounce": lambda passage, _: passage.end("bounced"),
    "deliver": lambda passage, _: passage.end(),
    "skip-filters": lambda passage, _: passage.end(),
    **dict.fromkeys(("no-op", "skip-spamcheck", "skip-viruscheck", "skip-vofcheck"), _nothing),
    **dict.fromkeys(("skip-ampcheck", "skip-marketingcheck", "skip-socialcheck", "skip-bulkcheck"), _nothing),
    **dict.fromkeys(("bcc", "bcc-scan"), _copy),
    **dict.fromkeys(("drop-attachments-by-type", "drop-attachments-by-mimetype"), _drop_by_type),
    "drop-attachments-by-name": _drop_by_name,
    "drop-attachments-by-size": _drop_by_size,
    "strip-header": _strip,
    "insert-header": _insert,
    "edit-header-text": _edit_header,
    "edit-body-text": _edit_body,
    "alt-rcpt-to": _reroute,
    "alt-src-host": _interface,
    "alt-mailhost": _mail_host,
    "tls-required": _tls,
    "log-entry": _log,
    "tag-message": _tag,
    "archive": _archive,
    "quarantine": _quarantine,
    "duplicate-quarantine": _duplicate_quarantine,
}
"""The actions that the lab does."""
