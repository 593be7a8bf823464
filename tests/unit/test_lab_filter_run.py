"""The lab's message filters really run: each rule, each action, and a plain word where one cannot be run."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from lab.gateway.commands.filters import canonical
from lab.gateway.filter_check import parse
from lab.gateway.filter_words import ACTIONS, FINAL, RULES, Word
from lab.gateway.mail.filter_actions import DONE, Passage
from lab.gateway.mail.filter_rules import RUN, Circumstances
from lab.gateway.mail.filter_run import run_filters
from lab.gateway.state import Configuration, Listener, MessageFilter
from lab.mail.envelope import Envelope, compose

HOW = Circumstances("OutgoingMail", "Data 2", "RELAY_O365", "RELAYED", "203.0.113.40", mid=111, waiting=3)
PLAIN = compose(
    "bob@bce-demo.com",
    ("alice@probe.example", "carol@probe.example"),
    "Say hello",
    body="Nothing secret here.",
    headers={"X-OUTBOUND-AUTH": "mysecretkey", "X-Twice": "one", "Cc": "dora@probe.example"},
)
GUIDE = """office365_outbound: if sendergroup == "RELAY_O365" {
  if header("X-OUTBOUND-AUTH") == "^mysecretkey$" { strip-header("X-OUTBOUND-AUTH"); } else { drop(); }
}"""


NOT_RUN = """
attachment-dictionary-match attachment-filetype attachment-protected attachment-unprotected
body-dictionary-match dictionary-match dkim-authentication dnslist domain-reputation forged-email-detection
geolocation-rule header-dictionary-match header-repeats mail-from-group message-language random rcpt-to-group
signed-certificate smtp-auth-id smtp-auth-id-matches spf-passed spf-status subject-dictionary-match
url-category url-reputation
"""
NOT_DONE = """
add-footer add-heading bounce-profile drop-attachments-by-filetype drop-attachments-where-contains encrypt
encrypt-deferred html-convert notify notify-copy
"""


def attached() -> Envelope:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "bob@bce-demo.com", "alice@probe.example", "With a file"
    mail.set_content("See the file.")
    mail.add_attachment(b"MZ secret" * 100, maintype="application", subtype="x-msdownload", filename="a.exe")
    mail.add_attachment("secret notes", filename="notes.txt")
    content = mail.as_bytes().replace(b"\n", b"\r\n")
    return Envelope("bob@bce-demo.com", ("alice@probe.example",), content)


def tables(*scripts: str) -> Configuration:
    found = [one for script in scripts for one in parse(script)]
    return Configuration(
        listeners=[
            Listener("IncomingMail", "public", "Data 1"),
            Listener("OutgoingMail", "private", "Data 2"),
        ],
        interfaces=["Data 1", "Data 2"],
        filters=[MessageFilter(one.name, canonical(one), one.active) for one in found],
    )


def run(*scripts: str, mail: Envelope = PLAIN) -> Passage:
    return run_filters(tables(*scripts), mail, HOW)


def is_true(rule: str, mail: Envelope = PLAIN) -> bool:
    passage = run(f"a: if {rule} {{ drop(); }}", mail=mail)
    assert not passage.errors
    return passage.verdict == "dropped"


TRUE = [
    "true",
    "valid",
    "no-reputation",
    "not encrypted",
    "not signed",
    "not malformed-header",
    "not duplicate_boundaries",
    'subject == "hello"',
    'subject != "Hello"',
    'subject == "(?i)HELLO"',
    'mail-from == "@bce-demo\\\\.com$"',
    'mail-from == "@bce-demo\\.com$"',
    'rcpt-to == "^carol@"',
    'sendergroup == "RELAY"',
    'sendergroup == "^RELAY_O365$"',
    'not (sendergroup == "^RELAYLIST$")',
    'recv-listener == "OutgoingMail"',
    'recv-int == "Data 2"',
    'header("X-Outbound-Auth")',
    'header("X-OUTBOUND-AUTH") == "secret"',
    'header("X-OUTBOUND-AUTH") != "^secret$"',
    'not header("X-Missing")',
    'header("X-Missing") != "anything"',
    "remote-ip == 203.0.113.40",
    "remote-ip == 203.0.113.0/24",
    "remote-ip == 203.0.113.1-203.0.113.50",
    "remote-ip == 203.0.113.1-50",
    "remote-ip == (10.0.0.0/8, 203.0.113.40)",
    "remote-ip != 10.0.0.0/8",
    "not (reputation < 10)",
    "body-size < 1k",
    "body-size > 100",
    "rcpt-count == 2",
    "rcpt-count >= 2",
    "workqueue-count < 4",
    'addr-count("To", "Cc") == 3',
    'date > "01/01/2020 00:00:00"',
    'body-contains("secret")',
    'not body-contains("secret", 2)',
    'only-body-contains("secret")',
    'not attachment-contains("secret")',
    'not attachment-filename == "exe"',
    "true and true",
    'not (subject == "x" or mail-from == "y")',
]
TRUE_WITH_FILES = [
    'attachment-filename == "\\\\.exe$"',
    'attachment-type == "msdownload"',
    'attachment-mimetype == "^text/plain$"',
    "attachment-size > 800",
    "not attachment-size > 1k",
    'attachment-contains("secret notes")',
    'attachment-binary-contains("^MZ")',
    'every-attachment-contains("secret")',
    'not every-attachment-contains("notes")',
    'body-contains("secret")',
    'not only-body-contains("secret")',
]


@pytest.mark.parametrize("rule", TRUE)
def test_a_rule_is_answered_for_the_message(rule: str) -> None:
    assert is_true(rule)
    assert not is_true(f"not ({rule})")


@pytest.mark.parametrize("rule", TRUE_WITH_FILES)
def test_a_rule_looks_into_attachments(rule: str) -> None:
    assert is_true(rule, attached())
    assert not is_true(f"not ({rule})", attached())


def test_encrypted_signed_and_broken_messages_are_told_apart() -> None:
    head = "From: <a@b.example>\r\nMIME-Version: 1.0\r\n"
    kinds = {
        "encrypted": "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx\r\n",
        "signed": "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx\r\n",
        "malformed-header": "this is no header\r\n\r\nx\r\n",
        "not valid": "Content-Type: multipart/mixed; boundary=b\r\n\r\nno boundary at all\r\n",
    }
    for rule, rest in kinds.items():
        mail = Envelope("a@b.example", ("c@d.example",), (head + rest).encode())
        assert is_true(rule, mail), rule
        others = [other for other in kinds if other not in {rule, "not valid"} and rule != "not valid"]
        assert not [other for other in others if is_true(other, mail)]


def arguments(word: Word, *, regex: str = '"x"') -> str:
    return ", ".join(regex for _ in range(max(word.least, 0)))


def script_of(kind: str, name: str) -> str:
    if kind == "rule":
        word = RULES[name]
        call = f"{name}({arguments(word)})" if word.least else name
        right = {"always": ' == "x"'}.get(word.compared, "")
        return f"a: if {call}{right} {{ drop(); }}"
    return f"a: if true {{ {name}({arguments(ACTIONS[name])}); }}"


@pytest.mark.parametrize("name", sorted(set(RULES) - RUN))
def test_a_rule_that_cannot_be_run_says_so_and_is_not_true(name: str) -> None:
    passage = run(script_of("rule", name))
    assert passage.errors == [f"filter 'a' not emulated: the rule '{name}'"]
    assert passage.verdict == ""


@pytest.mark.parametrize("name", sorted(set(ACTIONS) - set(DONE)))
def test_an_action_that_cannot_be_done_says_so_and_does_nothing(name: str) -> None:
    passage = run(script_of("action", name))
    assert passage.errors == [f"filter 'a' not emulated: the action '{name}'"]
    assert (passage.mail, passage.verdict, passage.ended) == (PLAIN, "", False)


def test_every_word_of_the_grammar_is_run_or_named() -> None:
    assert set(RULES) >= RUN
    assert set(ACTIONS) >= set(DONE)
    assert set(RULES) - RUN == set(NOT_RUN.split())
    assert set(ACTIONS) - set(DONE) == set(NOT_DONE.split())


def test_a_rule_that_cannot_be_run_does_not_matter_where_nobody_asks_for_it() -> None:
    passage = run('a: if (true or dnslist("x")) { drop(); }')
    assert (passage.verdict, passage.errors) == ("dropped", [])


@pytest.mark.parametrize("name", sorted(FINAL - {"encrypt"}))
def test_a_final_action_ends_the_processing(name: str) -> None:
    passage = run(f"above: if true {{ {name}(); insert-header('X-A', '1'); }}", GUIDE)
    assert passage.ended
    assert passage.by == "above"
    assert passage.mail == PLAIN
    assert passage.verdict == {"drop": "dropped", "bounce": "bounced"}.get(name, "")


def test_the_guide_s_filter_strips_the_right_header_and_nothing_else() -> None:
    passage = run(GUIDE)
    assert (passage.verdict, passage.changed) == ("", True)
    assert passage.mail == PLAIN.without_header("X-OUTBOUND-AUTH")


@pytest.mark.parametrize("value", ["wrong", "xmysecretkey", "mysecretkeyx", "MYSECRETKEY", ""])
def test_the_guide_s_filter_drops_a_wrong_header(value: str) -> None:
    mail = PLAIN.without_header("X-OUTBOUND-AUTH").with_header("X-OUTBOUND-AUTH", value)
    passage = run(GUIDE, mail=mail)
    assert (passage.verdict, passage.by) == ("dropped", "office365_outbound")


def test_the_guide_s_filter_drops_a_missing_header() -> None:
    assert run(GUIDE, mail=PLAIN.without_header("X-OUTBOUND-AUTH")).verdict == "dropped"


def test_the_guide_s_filter_copied_literally_never_fires() -> None:
    passage = run(GUIDE.replace("RELAY_O365", "RELAYLIST"), mail=PLAIN)
    assert (passage.verdict, passage.changed) == ("", False)
    assert passage.mail.header("X-OUTBOUND-AUTH") == "mysecretkey"


def test_an_inactive_filter_and_one_that_names_what_is_gone_do_not_run() -> None:
    assert run("a!: if true { drop(); }").verdict == ""
    assert run('a: if recv-listener == "Gone" { drop(); } else { drop(); }').verdict == ""
    assert run('a: if true { alt-src-host("Data 3"); drop(); }').verdict == ""


def test_headers_are_inserted_stripped_and_edited() -> None:
    passage = run(
        'a: if true { insert-header("X-From", "$EnvelopeFrom via $Group"); strip-header("x-twice"); }',
        "b: if true { edit-header-text('Subject', 'hello', 'goodbye'); edit-body-text('secret', '******'); }",
    )
    assert passage.mail.header("X-From") == "bob@bce-demo.com via RELAY_O365"
    assert passage.mail.headers("X-Twice") == []
    assert passage.mail.subject == "Say goodbye"
    assert passage.mail.body == b"Nothing ****** here.\r\n"


def test_a_folded_header_is_stripped_whole() -> None:
    content = PLAIN.content.replace(b"X-Twice: one", b"X-OUTBOUND-AUTH: a\r\n\tb\r\nX-Twice: one")
    mail = Envelope(PLAIN.sender, PLAIN.recipients, content)
    passage = run('a: if true { strip-header("X-OUTBOUND-AUTH"); }', mail=mail)
    assert passage.mail == PLAIN.without_header("X-OUTBOUND-AUTH")


def test_delivery_is_led_elsewhere() -> None:
    passage = run(
        'a: if true { alt-src-host("Data 1"); alt-mailhost("Relay.Example"); tls-required(); }',
        'b: if true { alt-rcpt-to("dora@bank.example"); bcc("copy@bank.example", "Copy of $Subject"); }',
        'c: if true { log-entry("seen $MID"); archive("box"); quarantine("Policy"); tag-message("t"); }',
        'd: if true { duplicate-quarantine("Policy"); no-op(); skip-spamcheck(); }',
    )
    assert (passage.interface, passage.mail_host, passage.tls_required) == ("Data 1", "relay.example", True)
    assert passage.mail.recipients == ("dora@bank.example",)
    assert [copy.subject for copy in passage.copies] == ["Copy of Say hello"]
    assert passage.notes == [
        "Message 111 Custom Log Entry: seen 111",
        "Message 111 archived in box",
        "Message 111 tagged t",
        "Message 111 copied to quarantine Policy",
    ]
    assert (passage.archived, passage.quarantine, passage.errors) == (["box"], "Policy", [])


@pytest.mark.parametrize(
    ("action", "left"),
    [
        ("drop-attachments-by-name('(?i)\\.EXE$')", ["notes.txt"]),
        ("drop-attachments-by-type('application/x-msdownload')", ["notes.txt"]),
        ("drop-attachments-by-mimetype('application/*')", ["notes.txt"]),
        ("drop-attachments-by-size(500)", ["notes.txt"]),
        ("drop-attachments-by-size(1, 500)", ["a.exe"]),
        ("drop-attachments-by-name('nothing')", ["a.exe", "notes.txt"]),
    ],
)
def test_attachments_are_dropped(action: str, left: list[str]) -> None:
    from lab.gateway.mail.message import attachments, parsed

    passage = run(f"a: if true {{ {action}; }}", mail=attached())
    assert [part.get_filename() for part in attachments(passage.mail.content)] == left
    assert parsed(passage.mail.content)["Subject"] == "With a file"
