"""The lab's journal: what tests and benchmarks count on."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from lab.journal import Broken, Event, Journal


def test_events_are_numbered_and_found_by_channel_kind_and_detail() -> None:
    journal = Journal()
    journal.record("gateway:esa1.example", "command", line="commit")
    journal.record("gateway:esa2.example", "command", line="version")
    journal.record("tenant", "call", cmdlet="Get-TransportRule")
    assert [event.number for event in journal.events()] == [1, 2, 3]
    assert journal.count("gateway") == 2
    assert journal.count("gateway:esa1.example") == 1
    assert journal.count(kind="call", cmdlet="Get-TransportRule") == 1
    assert journal.count(kind="call", cmdlet="New-TransportRule") == 0
    assert journal.count(kind="call", nothing="of the kind") == 0


def test_a_mark_leaves_out_what_was_before() -> None:
    journal = Journal()
    journal.record("tenant", "token", ok=True)
    mark = journal.mark()
    journal.record("tenant", "token", ok=False)
    assert [event.detail["ok"] for event in journal.events(kind="token", since=mark)] == [False]


def test_a_hook_runs_once_before_record_returns_and_may_record_itself() -> None:
    journal = Journal()
    journal.when(
        lambda event: event.kind == "commit", lambda event: note(journal, f"saw {event.detail['comment']}")
    )
    journal.record("gateway:esa1.example", "commit", comment="first")
    assert [event.detail["text"] for event in journal.events("hook")] == ["saw first"]
    journal.record("gateway:esa1.example", "commit", comment="second")
    assert journal.count("hook") == 1


def test_a_lasting_hook_runs_each_time_until_forgotten() -> None:
    journal = Journal()
    journal.when(lambda event: event.kind == "x", lambda event: note(journal, str(event.number)), once=False)
    journal.record("tenant", "x")
    journal.record("tenant", "x")
    assert journal.count("hook") == 2
    journal.forget_hooks()
    journal.record("tenant", "x")
    assert journal.count("hook") == 2


def test_a_late_hook_runs_when_the_answer_is_about_to_leave() -> None:
    journal = Journal()
    journal.when(lambda event: event.kind == "x", lambda event: note(journal, "late"), late=True)
    journal.record("tenant", "x")
    assert journal.count("hook") == 0
    journal.answering("gateway")
    assert journal.count("hook") == 0
    journal.answering("tenant")
    journal.answering("tenant")
    assert journal.count("hook") == 1


def test_a_late_hook_waits_for_the_answer_of_its_own_thread() -> None:
    journal = Journal()
    journal.when(lambda event: event.kind == "x", lambda event: note(journal, "late"), late=True)
    journal.record("tenant", "x")
    another = threading.Thread(target=journal.answering, args=["tenant"])
    another.start()
    another.join()
    assert journal.count("hook") == 0
    journal.answering("tenant")
    assert journal.count("hook") == 1


def test_a_hook_may_break_the_connection() -> None:
    def cut(_event: Event) -> None:
        raise Broken

    journal = Journal()
    journal.when(lambda event: True, cut)
    with pytest.raises(Broken):
        journal.record("tenant", "x")
    assert journal.count("tenant", "x") == 1


def test_wait_for_sees_the_past_and_what_another_thread_brings() -> None:
    journal = Journal()
    journal.record("jump", "connect")
    assert journal.wait_for(lambda event: event.kind == "connect", 0).number == 1
    mark = journal.mark()
    thread = threading.Thread(target=lambda: journal.record("jump", "connect"))
    thread.start()
    assert journal.wait_for(lambda event: event.kind == "connect", 5, since=mark).number == 2
    thread.join()


def test_wait_for_gives_up() -> None:
    with pytest.raises(TimeoutError, match="no such event"):
        Journal().wait_for(lambda event: event.kind == "never", 0.01)


def test_a_hook_set_by_many_threads_at_once_fires_once() -> None:
    journal = Journal()
    journal.when(lambda event: event.kind == "x", lambda event: note(journal, str(event.number)))
    threads = [threading.Thread(target=lambda: journal.record("tenant", "x")) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.count("hook") == 1
    assert sorted(event.number for event in journal.events()) == list(range(1, 18))


def test_the_file_has_a_json_line_an_event(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(file)
    journal.record("tenant", "call", cmdlet="New-TransportRule", parameters={"SetHeaderValue": "sécret"})
    journal.record("tenant", "odd", value=b"\0")
    journal.close()
    first, second = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    assert (first["number"], first["channel"], first["kind"]) == (1, "tenant", "call")
    assert first["detail"]["parameters"] == {"SetHeaderValue": "sécret"}
    assert second["detail"] == {"value": "b'\\x00'"}


def note(journal: Journal, text: str) -> None:
    journal.record("hook", "note", text=text)


def test_an_event_keeps_what_it_was_given() -> None:
    event = Journal().record("tenant", "answer", cmdlet="Get-TransportRule", status=200)
    assert isinstance(event, Event)
    assert event.detail == {"cmdlet": "Get-TransportRule", "status": 200}
