"""Typing at the lab's gateway: what a terminal and a client see."""

from __future__ import annotations

import re

import asyncssh
import pytest

from lab.gateway.hand import Stuck
from lab.gateway.server import LabGateway
from lab.gateway.terminal import PAGER
from tests.protocol import lab_gateway_kit as kit
from tests.protocol.lab_gateway_kit import PROMPT, at_a_terminal, execute, rest, typed, until

release, running_gateway, gateway = kit.release, kit.running_gateway, kit.gateway


# The greeting.


def test_the_greeting_is_the_published_one(gateway: LabGateway) -> None:
    seen = at_a_terminal(gateway, typed(), size=(400, 50))
    lines = seen.split("\r\n")
    assert lines[0].startswith("Last login: ")
    assert re.fullmatch(r"AsyncOS \S+ for Cisco \S+ build \d+", lines[1])
    assert lines[2] == ""
    assert re.fullmatch(r"Welcome to the Cisco \S+ Email Security Virtual Appliance", lines[3])
    assert lines[5] == (
        "NOTE: This session will expire if left idle for 30 minutes. Any uncommitted configuration changes"
        " will be lost. Commit the configuration changes as soon as they are made."
    )
    assert lines[6:] == ["", PROMPT]


def test_text_wraps_at_the_width_that_was_asked_for(gateway: LabGateway) -> None:
    assert max(map(len, at_a_terminal(gateway, typed(), size=(60, 50)).split("\r\n"))) <= 60
    assert max(map(len, at_a_terminal(gateway, typed(), size=(300, 50)).split("\r\n"))) > 150


def test_a_switch_forces_the_width(gateway: LabGateway) -> None:
    gateway.columns = 80
    assert max(map(len, at_a_terminal(gateway, typed(), size=(300, 50)).split("\r\n"))) <= 80


def test_hard_wrapping_breaks_words(gateway: LabGateway) -> None:
    gateway.columns, gateway.wrap = 50, "hard"
    lines = at_a_terminal(gateway, typed(), size=(300, 50)).split("\r\n")
    assert "NOTE: This session will expire if left idle for 30" in lines
    assert " minutes. Any uncommitted configuration changes wi" in lines


def test_line_ends_can_have_a_second_carriage_return(gateway: LabGateway) -> None:
    gateway.newline = "\r\r\n"
    seen = at_a_terminal(gateway, typed("version"))
    assert seen.count("\r\r\n") == seen.count("\n") > 5


# Typing.


def test_what_is_typed_is_echoed(gateway: LabGateway) -> None:
    assert f"{PROMPT}version\r\n" in at_a_terminal(gateway, typed("version"))


def test_echo_can_be_off(gateway: LabGateway) -> None:
    gateway.echo = False
    assert f"{PROMPT}\r\n" in at_a_terminal(gateway, typed("version"))


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_ends_one_line(gateway: LabGateway, end: str) -> None:
    async def talk(process: asyncssh.SSHClientProcess[str]) -> str:
        await until(process, PROMPT)
        process.stdin.write(f"bogus{end}other{end}")
        return await until(process, PROMPT, 2)

    seen = at_a_terminal(gateway, talk)
    assert seen.count("Unknown command") == 2
    assert seen.count(PROMPT) == 2


def test_backspace_and_kill_line_edit(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    at_a_terminal(gateway, typed("rubbish\x15versiom\x7fn"))
    assert gateway.journal.count("gateway", "command", since=mark, line="version") == 1


def test_an_unknown_command_is_named(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["smtprouts"])
    assert "Unknown command or missing feature key: smtprouts\n" in seen


def test_commands_and_verbs_ignore_case_listener_names_do_not(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(
        ["SmtpRoutes PRINT", "LISTENERCONFIG", "Edit", "incomingmail", "IncomingMail", "^C"]
    )
    assert "fabrikam.example" in seen
    assert '"incomingmail" is not one of the names or numbers listed.' in seen
    assert "Name: IncomingMail" in seen
    assert "There is no listener named incomingmail." in gateway.type_by_hand(
        ["listenerconfig edit incomingmail"]
    )


def test_an_empty_line_leaves_a_menu_by_one_level(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["listenerconfig", "edit", "1", "hostaccess", "", "", "", "version"])
    assert seen.count("sender groups.") == 1
    assert seen.count("Name: IncomingMail") == 2
    assert seen.count("Currently configured listeners") == 2
    assert f"{PROMPT}version" in seen


def test_ctrl_c_goes_back_to_the_prompt_and_drops_the_unfinished(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["smtproutes", "new", "half.example", "^C", "showchanges"])
    assert "There are no changes pending" in seen
    seen = gateway.type_by_hand(
        ["smtproutes", "new", "done.example", "mx.done.example", "new", "half.example", "^C", "showchanges"]
    )
    assert "done.example added" in seen
    assert "half.example added" not in seen


def test_a_wrong_answer_is_explained_and_asked_again(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(
        ["destconfig", "new", "not a domain", "ok.example", "maybe", "y", "0", "20", "^C"]
    )
    assert "not a domain is not a valid domain name." in seen
    assert seen.count("Enter the domain you wish to configure.") == 2
    assert "Please answer Yes or No." in seen
    assert "The value must be an integer from 1 to 1000." in seen
    assert seen.count("Enter the maximum number of messages per connection for ok.example.") == 2


def test_a_switch_makes_a_wrong_answer_end_the_dialogue(gateway: LabGateway) -> None:
    gateway.asks_again = False
    seen = gateway.type_by_hand(["destconfig", "new", "not a domain", ""])
    assert seen.count("Enter the domain you wish to configure.") == 1
    assert seen.count("Choose the operation") == 2


def test_a_yes_no_question_keeps_its_prompt_on_its_line(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["smtproutes new a.example b.example", "clear", "n"])
    assert "\nAre you sure you want to clear all changes since the last commit? [Y]> n\n" in seen


# The pager.


def test_the_pager_waits_for_a_key_and_is_erased(gateway: LabGateway) -> None:
    async def talk(process: asyncssh.SSHClientProcess[str]) -> str:
        await until(process, PROMPT)
        process.stdin.write("help\r")
        seen = await until(process, PAGER)
        process.stdin.write(" ")
        return seen + await until(process, PROMPT)

    gateway.pager_lines = 12
    seen = at_a_terminal(gateway, talk)
    before, _, after = seen.partition(PAGER)
    assert before.split("\r\n", 1)[1].count("\r\n") == 12
    assert after.startswith("\r" + " " * len(PAGER) + "\r")
    assert not after.split("\r", 2)[2].startswith("\n"), "text goes on in the same line"


def test_the_pager_follows_the_height_that_was_asked_for(gateway: LabGateway) -> None:
    gateway.pager_lines = -1
    assert PAGER not in at_a_terminal(gateway, typed("help"), size=(80, 100))


def test_by_hand_the_pager_is_answered(gateway: LabGateway) -> None:
    gateway.pager_lines = 5
    seen = gateway.type_by_hand(["listenerconfig edit IncomingMail hostaccess print", "version"])
    assert PAGER in seen
    assert "Everyone else" in seen
    assert "Current Version" in seen


# Leaving.


def test_leaving_with_pending_changes_asks(gateway: LabGateway) -> None:
    seen = gateway.type_by_hand(["smtproutes new a.example b.example", "exit", "", "quit", "y"])
    assert seen.count("Are you sure you want to exit?") == 2
    assert "a.example" not in gateway.dump()


def test_changes_die_with_their_session(gateway: LabGateway) -> None:
    mark = gateway.journal.mark()
    gateway.type_by_hand(["smtproutes new a.example b.example"])
    gone = gateway.journal.wait_for(lambda event: event.kind == "disconnect", 10, since=mark)
    assert gone.detail == {"pending": True}
    assert "There are no changes pending" in gateway.type_by_hand(["showchanges"])


def test_an_idle_session_is_logged_out(gateway: LabGateway) -> None:
    async def talk(process: asyncssh.SSHClientProcess[str]) -> str:
        return await rest(process)

    gateway.idle_seconds = 0.05
    assert "This session has been idle for too long." in at_a_terminal(gateway, talk)


def test_typing_on_after_the_end_is_an_error(gateway: LabGateway) -> None:
    with pytest.raises(Stuck, match="the session ended at «exit»"):
        gateway.type_by_hand(["exit", "version"])


def test_a_connection_can_be_cut_at_a_journal_event(gateway: LabGateway) -> None:
    gateway.journal.when(lambda event: event.kind == "write", lambda _: gateway.drop_connections())
    mark = gateway.journal.mark()
    with pytest.raises((asyncssh.Error, OSError, Stuck)):
        gateway.type_by_hand(
            ["smtproutes", "new", "a.example", "b.example", "", "commit", "x", "", "version"]
        )
    gateway.journal.wait_for(lambda event: event.kind == "disconnect", 10, since=mark)
    assert gateway.journal.count("gateway", "commit", since=mark) == 0


# The exec channel.


def test_exec_takes_one_line_of_several_commands(gateway: LabGateway) -> None:
    seen = execute(gateway, "version; listenerconfig EDIT IncomingMail RCPTACCESS PRINT")
    assert "Current Version" in seen
    assert ".tailspin.example ACCEPT" in seen
    assert "NOTE:" not in seen
    assert PROMPT not in seen


def test_exec_commits_in_one_line(gateway: LabGateway) -> None:
    assert execute(gateway, 'smtproutes new a.example "b.example"; commit "a; b" Y').strip() == ""
    assert "route a.example\n  hosts: b.example" in gateway.dump()
    assert gateway.commits[-1].comment == "a; b"


def test_exec_that_needs_an_answer_ends(gateway: LabGateway) -> None:
    assert "Choose the operation" in execute(gateway, "smtproutes")
