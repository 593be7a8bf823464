"""Commit comments, what counts as pending, and what counts as a conflict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamic_providers import connections
from dynamic_providers.gateway import commit as commits
from dynamic_providers.gateway.batch import COMMENT_LENGTH, Change, comment
from dynamic_providers.gateway.commit import (
    CommitRefusedError,
    ConflictError,
    clear,
    commit,
    refuse_foreign_changes,
)
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.ssh import Line
from tests.unit.gateway_canned import PROMPT, CannedTerminal, logged_in


def session(*exchange: tuple[str, str | list[str]]) -> tuple[Session, CannedTerminal]:
    shell, terminal = logged_in(*exchange)
    return Session(Line(terminal, []), shell, ""), terminal  # type: ignore[arg-type]


COMMENT = "\r\nPlease enter some comments describing your changes:\r\n[]> "
ROLLBACK = "\r\nDo you want to save the current configuration for rollback? [Y]> "
DONE = f"\r\nChanges committed: Tue Sep 22 09:05:00 2026 CEST\r\n{PROMPT}"
CLEARS = [
    ("clear", "\r\nAre you sure you want to clear all changes since the last commit? [Y]> "),
    ("Y", f"\r\nChanges cleared: Tue Sep 22 09:05:00 2026\r\n{PROMPT}"),
]
LEFT = [("\x03", f"^C\r\n{PROMPT}"), ("", f"\r\n{PROMPT}")]


@pytest.mark.parametrize("rollback", [True, False])
def test_a_commit_with_and_without_the_rollback_question(*, rollback: bool) -> None:
    end = [("why", ROLLBACK), ("Y", DONE)] if rollback else [("why", DONE)]
    live, terminal = session(("commit", COMMENT), *end)
    commit(live, "why")
    assert terminal.done()


@pytest.mark.parametrize("answer", ["There is no data to commit.\r\n", ""])
def test_a_commit_that_says_nothing_is_left_to_the_read_back(answer: str) -> None:
    live, terminal = session(("commit", answer + PROMPT))
    commit(live, "why")
    assert terminal.done()


def test_a_refused_commit_is_cleared() -> None:
    live, terminal = session(("commit", COMMENT), ("why", f"Error: the disk is full.\r\n{PROMPT}"), *CLEARS)
    with pytest.raises(CommitRefusedError, match="the disk is full"):
        commit(live, "why")
    assert terminal.done()


@pytest.mark.parametrize(
    "question",
    [
        "\r\nThe configuration has been changed by another user. Discard your changes? [Y]> ",
        "\r\nDo you want to overwrite the changes of admin2? [N]> ",
        "\r\nYour changes conflict with a later commit.\r\nGo on? [N]> ",
    ],
)
def test_a_question_about_others_changes_is_a_conflict(question: str) -> None:
    live, terminal = session(("commit", COMMENT), ("why", question), *LEFT, *CLEARS)
    with pytest.raises(ConflictError):
        commit(live, "why")
    assert terminal.done()


def test_an_unknown_question_at_a_commit() -> None:
    live, terminal = session(("commit", "\r\nWhich colour? [blue]> "), *LEFT, *CLEARS)
    with pytest.raises(CommitRefusedError, match="Which colour"):
        commit(live, "why")
    assert terminal.done()


def test_a_comment_that_is_asked_for_again_is_unknown() -> None:
    live, terminal = session(("commit", COMMENT), ("why", f"Too long.\r\n{COMMENT}"), *LEFT, *CLEARS)
    with pytest.raises(CommitRefusedError, match="Too long"):
        commit(live, "why")
    assert terminal.done()


def test_clear_where_nothing_changed() -> None:
    live, terminal = session(("clear", f"No changes have been made.\r\n{PROMPT}"))
    clear(live)
    assert terminal.done()


@pytest.mark.parametrize(
    "text",
    [
        "There are no changes pending since the last commit.",
        "No changes have been made.",
        "There are currently no uncommitted changes",
        "Nothing is pending.",
        "The configuration has not been changed.",
        "",
    ],
)
def test_nothing_pending_in_many_words(text: str) -> None:
    live, terminal = session(("showchanges", f"{text}\r\n{PROMPT}"))
    refuse_foreign_changes(live)
    assert terminal.done()


def test_somebody_elses_changes() -> None:
    printed = 'Changes made by admin2:\r\n+ filter x: header("X") == "^TheirSecret$"\r\n'
    live, _ = session(("showchanges", printed + PROMPT))
    with pytest.raises(commits.ForeignChangesError, match="Changes made by admin2") as caught:
        refuse_foreign_changes(live)
    assert "TheirSecret" not in str(caught.value)


def changes(*resources: str, ticket: str = "") -> list[Change]:
    return [Change(0, "smtproutes", lambda _: None, resource, ticket) for resource in resources]


def test_a_comment_names_stack_ticket_and_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_arguments", {"stack": "contoso-prod"})
    text = comment(
        [*changes("SMTP route a.example", ticket="CHG1"), *changes("sender group G", ticket="CHG1")]
    )
    assert text == "m365-secure-email contoso-prod CHG1: SMTP route a.example, sender group G"


@given(st.lists(st.text(), min_size=1, max_size=30), st.text())
def test_a_comment_is_one_plain_short_line(resources: list[str], ticket: str) -> None:
    text = comment(changes(*resources, ticket=ticket))
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= COMMENT_LENGTH
    assert not set(text) & set("\"'\\$;<>|&`\r\n")
