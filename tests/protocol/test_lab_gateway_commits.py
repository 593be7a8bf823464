"""Commits of the lab's gateway: pending changes, comments, conflicts, refusals, journal."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import asyncssh
import pytest

from lab.gateway.hand import Stuck
from lab.gateway.server import LabGateway
from tests.protocol import lab_gateway_kit as kit

ADD = "smtproutes new mine.example mx.mine.example"
OTHER = "smtproutes new other.example mx.other.example"
release, running_gateway, gateway = kit.release, kit.running_gateway, kit.gateway


def has(gateway: LabGateway, domain: str) -> bool:
    return f"route {domain}\n" in gateway.dump()


def test_a_commit_asks_for_a_comment_and_for_rollback(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand([ADD, "commit", "CHG 1", ""])
    assert "\nPlease enter some comments describing your changes:\n[]> CHG 1\n" in seen
    assert "\nDo you want to save the current configuration for rollback? [Y]> \n" in seen
    assert re.search(r"\nChanges committed: \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4} GMT\n", seen)
    assert gateway.commits[-1].comment == "CHG 1"
    assert has(gateway, "mine.example")


def test_the_rollback_question_can_be_missing(gateway: LabGateway) -> None:
    gateway.rollback_question = False
    seen = gateway.type_by_hand([ADD, "commit", "CHG 1"])
    assert "rollback" not in seen
    assert "Changes committed:" in seen


def test_a_commit_in_one_line_is_silent(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand([ADD, 'commit "two words" Y', "version"])
    assert '> commit "two words" Y\nesa1.bce-demo.example> version' in seen
    assert gateway.commits[-1].comment == "two words"


def test_nothing_pending_nothing_committed(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    seen = gateway.type_by_hand(["commit", "clear", "showchanges", "commitdetail"])
    assert "There is no data to commit." in seen
    assert "No changes have been made." in seen
    assert "There have been no commits in this session." in seen
    assert gateway.journal.count("gateway", "commit-started", since=mark) == 0


def test_changes_are_shown_cleared_and_remembered(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(
        [ADD, "showchanges", "clear", "", "showchanges", ADD, 'commit "it" Y', "commitdetail"]
    )
    assert "smtproutes: mine.example added" in seen
    assert "Are you sure you want to clear all changes since the last commit? [Y]> " in seen
    assert "Changes cleared: " in seen
    assert "Comment: it\nsmtproutes: mine.example added" in seen


def test_pending_changes_are_seen_in_their_own_session_alone(gateway: LabGateway) -> None:
    assert "mine.example" in gateway.type_by_hand([ADD, "smtproutes print"]).split(ADD)[1]
    assert "mine.example" not in gateway.type_by_hand(["smtproutes print"])


def test_the_journal_tells_of_a_commit_in_this_order(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    gateway.type_by_hand([ADD, 'commit "CHG 1" Y', "exit"])
    gateway.journal.wait_for(lambda event: event.kind == "disconnect", 10, since=mark)
    events = gateway.journal.events("gateway:esa1.bce-demo.example", since=mark)
    assert [event.kind for event in events] == [
        "connect",
        "login",
        "command",
        "write",
        "command",
        "commit-started",
        "commit",
        "command",
        "disconnect",
    ]
    commit = next(event for event in events if event.kind == "commit")
    assert commit.detail == {"comment": "CHG 1", "tables": ["smtproutes"]}


def conflict(gateway: LabGateway, *answers: str) -> str:
    """Somebody else commits after our first change and before our commit."""
    gateway.journal.when(
        lambda event: event.kind == "command" and event.detail["line"] == "showchanges",
        lambda _: others_commit(gateway),
    )
    return gateway.type_by_hand([ADD, "showchanges", "commit", "ours", "", *answers])


def others_commit(gateway: LabGateway) -> None:
    """A commit of somebody else: the hook runs in the gateway's own thread, which cannot type at itself."""
    before = gateway.snapshot()
    before.state.base.routes["other.example"] = before.state.base.routes["fabrikam.example"]
    gateway.restore(before)


def test_a_conflict_asks_about_discarding_by_default_yes(gateway: LabGateway) -> None:
    seen = conflict(gateway, "")
    assert "Do you want to discard your changes? [Y]> " in seen
    assert not has(gateway, "mine.example")
    assert has(gateway, "other.example")


def test_a_conflict_that_is_not_discarded_joins_both(gateway: LabGateway) -> None:
    assert "Changes committed:" in conflict(gateway, "n")
    assert has(gateway, "mine.example")
    assert has(gateway, "other.example")


def test_a_conflict_can_be_refused_and_the_changes_stay_pending(gateway: LabGateway) -> None:
    gateway.conflict = "refuse"
    mark = gateway.journal.mark()
    seen = conflict(gateway, "showchanges")
    assert "Error: the changes could not be committed. Another user has committed" in seen
    assert seen.count("mine.example added") == 2
    assert not has(gateway, "mine.example")
    assert gateway.journal.count("gateway", "commit-refused", since=mark) == 1


def test_a_conflict_can_be_merged_without_a_word(gateway: LabGateway) -> None:
    gateway.conflict = "merge"
    assert "Changes committed:" in conflict(gateway)
    assert has(gateway, "mine.example")
    assert has(gateway, "other.example")


def test_a_change_that_no_longer_fits_is_refused(gateway: LabGateway) -> None:
    def remove_group(_: object) -> None:
        before = gateway.snapshot()
        del before.state.base.listener("OutgoingMail").groups[0]
        gateway.restore(before)

    gateway.conflict = "merge"
    gateway.journal.when(lambda event: event.kind == "commit-started", remove_group)
    change = "listenerconfig edit OutgoingMail hostaccess edit sendergroup RELAYLIST new 192.0.2.9"
    seen = gateway.type_by_hand([change, "commit", "x", ""])
    assert "There is no sender group named RELAYLIST." in seen


def test_a_commit_can_be_refused_with_a_reason(gateway: LabGateway) -> None:
    gateway.refuse_commit = "the disk is full"
    seen = gateway.type_by_hand([ADD, "commit", "x", "", "showchanges"])
    assert "Error: the changes could not be committed. the disk is full" in seen
    assert "mine.example added" in seen
    assert not has(gateway, "mine.example")


def test_a_refusal_can_look_at_what_is_pending(gateway: LabGateway) -> None:
    def refuse(changes: object) -> str | None:
        return "not that one" if ("smtproutes", "mine.example") in list(changes) else None  # type: ignore[call-overload] # any sequence

    gateway.refuse_commit = refuse
    gateway.type_by_hand([ADD, 'commit "x" Y'])
    gateway.type_by_hand([OTHER, 'commit "x" Y'])
    assert not has(gateway, "mine.example")
    assert has(gateway, "other.example")


def test_a_commit_waits_while_it_is_held(gateway: LabGateway) -> None:
    gateway.commit_hold = threading.Event()
    mark = gateway.journal.mark()
    with ThreadPoolExecutor(1) as pool:
        typing = pool.submit(gateway.type_by_hand, [ADD, 'commit "held" Y'])
        gateway.journal.wait_for(lambda event: event.kind == "commit-started", 10, since=mark)
        assert not has(gateway, "mine.example")
        gateway.commit_hold.set()
        typing.result(20)
    assert has(gateway, "mine.example")


@pytest.mark.parametrize("survives", [True, False])
def test_whether_a_commit_outlives_its_connection_is_a_switch(gateway: LabGateway, survives: bool) -> None:  # noqa: FBT001 - a case of the test
    gateway.commit_survives_disconnect = survives
    gateway.journal.when(lambda event: event.kind == "commit-started", lambda _: gateway.drop_connections())
    mark = gateway.journal.mark()
    with pytest.raises((asyncssh.Error, OSError, Stuck)):
        gateway.type_by_hand([ADD, 'commit "cut" Y', "version"])
    gateway.journal.wait_for(lambda event: event.kind == "disconnect", 10, since=mark)
    assert has(gateway, "mine.example") is survives


def test_a_commit_takes_as_long_as_it_is_told(gateway: LabGateway) -> None:
    gateway.commit_seconds = 0.2
    mark = gateway.journal.mark()
    gateway.type_by_hand([ADD, 'commit "slow" Y'])
    events = gateway.journal.events("gateway", since=mark)
    at = {event.kind: event.at for event in events}
    assert at["commit"] - at["commit-started"] >= 0.2
