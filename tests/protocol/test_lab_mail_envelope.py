"""A message on its way: headers read, added and taken away byte by byte."""

from __future__ import annotations

import email
import email.policy

from hypothesis import given
from hypothesis import strategies as st

from lab.mail.envelope import Envelope, Outcome, compose, domain_of

PLAIN = Envelope(
    "ann@sender.example",
    ("bob@bce-demo.com",),
    b"Received: one\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\nX-Long: a\r\n b\r\n\tc\r\nreceived: two\r\n\r\n"
    b"X-Body: no header\r\n",
)


def test_headers_are_found_whatever_their_case_and_folds() -> None:
    assert PLAIN.headers("Received") == ["one", "two"]
    assert PLAIN.header("x-long") == "a b\tc"
    assert PLAIN.header("X-Body") is None
    assert PLAIN.subject == "Grüße"
    assert PLAIN.body == b"X-Body: no header\r\n"


def test_taking_a_header_away_takes_all_of_its_name_and_folds() -> None:
    left = PLAIN.without_header("RECEIVED").without_header("x-long")
    assert left.content == b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\nX-Body: no header\r\n"
    assert PLAIN.without_header("X-Body") == PLAIN


def test_a_header_goes_on_top_and_the_others_stay() -> None:
    more = PLAIN.with_header("Received", "zero")
    assert more.headers("received") == ["zero", "one", "two"]
    assert more.content.endswith(PLAIN.content)


def test_no_header_and_no_body_are_nothing_special() -> None:
    assert Envelope("", (), b"\r\nbody").body == b"body"
    assert Envelope("", (), b"\r\nbody").header("Subject") is None
    only = Envelope("", (), b"Subject: x\r\n")
    assert (only.subject, only.body) == ("x", b"")
    assert only.without_header("subject").content == b""


def test_a_composed_message_is_what_others_read() -> None:
    made = compose("ann@sender.example", "bob@bce-demo.com", "token 1", headers={"X-Lab-Spam": "yes"})
    read = email.message_from_bytes(made.content, policy=email.policy.default)
    assert read["subject"] == made.subject == "token 1"
    assert read["message-id"] == made.message_id
    assert read["x-lab-spam"] == "yes"
    assert not read.defects


TEXT = st.text("abcXYZ 019-_.", min_size=1, max_size=30).map(str.strip).filter(bool)
NAME = st.from_regex(r"\AX-[A-Za-z]{1,10}\Z")


@given(st.lists(st.tuples(NAME, TEXT), max_size=6), NAME, TEXT, st.binary(max_size=50))
def test_adding_and_taking_away_leave_the_rest_as_it_was(
    headers: list[tuple[str, str]], name: str, value: str, body: bytes
) -> None:
    head = "".join(f"{key}: {text}\r\n" for key, text in headers).encode()
    before = Envelope("", (), head + b"\r\n" + body)
    after = before.with_header(name, value)
    assert after.header(name) == value
    assert after.body == before.body == body
    if before.header(name) is None:
        assert after.without_header(name) == before


def test_what_is_worth_another_try() -> None:
    assert Outcome(250, "ok").delivered
    assert Outcome(451, "later").temporary
    assert Outcome(0, "no answer").temporary
    assert not Outcome(550, "never").temporary
    assert domain_of("Ann@Sender.Example") == "sender.example"
    assert domain_of("") == ""
