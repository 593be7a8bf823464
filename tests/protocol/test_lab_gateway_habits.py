"""What the lab's gateway can do otherwise, by a switch or a profile: logins, the line, menus, clusters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncssh
import pytest

from lab.gateway.profile import load_profile
from lab.gateway.server import LabGateway
from lab.gateway.switches import Switches
from lab.gateway.terminal import Terminal
from lab.journal import Journal
from tests.protocol import lab_gateway_kit as kit
from tests.protocol.lab_gateway_kit import PROMPT, at_a_terminal, typed, until

release, running_gateway, gateway = kit.release, kit.running_gateway, kit.gateway
ONE, TWO = "esa1.hc1234-56.c3s2.iphmx.com", "esa2.hc1234-56.c3s2.iphmx.com"


class Client(asyncssh.SSHClient):
    """Remembers what is said while logging in, and answers with the password, once."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.said: list[tuple[str, str, list[str]]] = []
        self.banner = ""

    def auth_banner_received(self, msg: str, lang: str) -> None:
        self.banner += msg

    def kbdint_auth_requested(self) -> str:
        return ""

    def kbdint_challenge_received(
        self,
        name: str,
        instructions: str,
        lang: str,
        prompts: Sequence[tuple[str, bool]],
    ) -> list[str] | None:
        if prompts and self.said:
            return None
        self.said.append((name, instructions, [prompt for prompt, _ in prompts]))
        return [self.password for _ in prompts]


def made(profile: str, folder: Path) -> LabGateway:
    return LabGateway(load_profile(profile), Journal(), folder)


# Logging in.


def test_at_the_keyboard_only_with_a_message_that_wants_no_answer(tmp_path: Path) -> None:
    with made("keyboard-interactive", tmp_path) as gateway:
        client = Client(gateway.password)
        with pytest.raises(asyncssh.PermissionDenied):
            at_a_terminal(gateway, typed(), preferred_auth="password")
        at_a_terminal(gateway, lambda process: until(process, "[N]> "), client_factory=lambda: client)
        assert [prompts for _, _, prompts in client.said] == [
            [f"(admin@{gateway.members[0].host}) Passphrase: "],
            [],
        ]
        assert client.said[1][1] == "Your passphrase will expire in 3 days."
        assert "Current Version" in gateway.type_by_hand(["version"]), (
            "a hand leaves the question as it is preset"
        )


def test_a_wrong_word_at_the_keyboard_is_refused(tmp_path: Path) -> None:
    with made("keyboard-interactive", tmp_path) as gateway:
        with pytest.raises(asyncssh.PermissionDenied):
            at_a_terminal(gateway, typed(), client_factory=lambda: Client("wrong"))
        assert gateway.journal.count("gateway", "login") == 0


def test_a_passphrase_that_expires_soon_can_be_changed_at_once(gateway: LabGateway) -> None:
    async def talk(process: asyncssh.SSHClientProcess[str]) -> str:
        seen = await until(process, "[N]> ")
        for answer in ("y", "Another-One-8", "Another-One-8"):
            process.stdin.write(answer + "\r")
            seen += await until(process, ": " if answer == "y" or "again" not in seen else PROMPT)
        return seen

    gateway.password_days, gateway.password_question = 5, True
    assert "Your passphrase will expire in 5 days." in at_a_terminal(gateway, talk)
    assert gateway.password == "Another-One-8"
    assert "passphrase" not in at_a_terminal(gateway, typed()), "the new one is fresh"


def test_a_message_before_the_login_and_one_after_it(tmp_path: Path) -> None:
    with made("banner", tmp_path) as gateway:
        client = Client(gateway.password)
        seen = at_a_terminal(gateway, lambda process: until(process, "More-"), client_factory=lambda: client)
    assert "Sistemas de correio eletrónico" in client.banner
    assert f"Message of the day for {gateway.members[0].host}" in seen
    assert "\n> \r\n" in seen, "a line that looks like a question"


# The line.


class Process:
    """As much of a channel as a terminal writes to; `written` is what left at a time."""

    term_type = "vt100"
    term_size = (80, 24, 0, 0)

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.stdout = self

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False


def test_text_is_cut_anywhere_into_pieces() -> None:
    process = Process()
    terminal = Terminal(process, Switches(line_pieces=(3, 1, 8)))  # type: ignore[arg-type] # enough of one
    asyncio.run(terminal.show("abcdé\nfghijkl"))
    assert b"".join(process.written).decode() == "abcdé\r\nfghijkl\r\n"
    assert process.written == [b"abc", b"d", b"\xc3\xa9\r\n", b"fghi", b"jkl", b"\r", b"\n"]


def test_prompts_come_late(gateway: LabGateway) -> None:
    """The text is there, the prompt is not: who takes silence for the end of an answer is mistaken."""

    async def talk(process: asyncssh.SSHClientProcess[str]) -> str:
        await until(process, PROMPT)
        gateway.prompt_seconds = 30.0
        process.stdin.write("version\r")
        seen = ""
        while not seen.endswith(f"{gateway.members[0].serial}\r\n"):
            seen += await process.stdout.read(4096)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.stdout.read(1), 0.05)
        return seen

    assert at_a_terminal(gateway, talk)


# Menus and dialogues.


def test_clear_need_not_ask(gateway: LabGateway) -> None:
    gateway.clear_asks = False
    seen = gateway.type_by_hand(["smtproutes new a.example b.example", "clear", "showchanges"])
    assert "Are you sure" not in seen
    assert "Changes cleared:" in seen
    assert gateway.profile.text("no_changes") in seen


def test_policies_can_stand_first(gateway: LabGateway) -> None:
    gateway.policies_first = True
    seen = gateway.type_by_hand(
        [
            "listenerconfig edit OutgoingMail hostaccess",
            "new",
            "2",
            "G",
            "192.0.2.9",
            "",
            "2",
            "",
            "",
            "",
            "",
            "",
        ]
    )
    assert "1. New Policy\n2. New Sender Group" in seen
    assert "1. Policy: BLOCKED\n2. Policy: RELAYED\n3. Accept" in seen
    assert "sender group" in seen


def test_what_the_lab_does_not_have_is_said(tmp_path: Path) -> None:
    with made("talkative", tmp_path) as gateway:
        seen = gateway.type_by_hand(["listenerconfig edit IncomingMail", "masquerade", "", ""])
    assert "The practice gateway has no MASQUERADE." in seen
    assert gateway.state.version == 0


def test_more_can_be_asked_and_is_kept(tmp_path: Path) -> None:
    with made("talkative", tmp_path) as gateway:
        gateway.type_by_hand(
            [
                "deliveryconfig setup",
                "50",
                "9000",
                "y",
                "2",
                "listenerconfig edit IncomingMail rcptaccess new new.example",
                "y",
                "n",
                "n",
                "1",
                "n",
                'commit "more" Y',
            ]
        )
        shown = gateway.type_by_hand(["listenerconfig edit IncomingMail rcptaccess print"])
    assert "  concurrency: 9000, with TLS 50\n" in gateway.dump()
    assert "  bypass call-ahead: yes\n" in gateway.dump()
    assert "ACCEPT bypass_callahead" in shown


# Clusters.


def test_groups_and_their_own_settings_come_from_the_profile(tmp_path: Path) -> None:
    with made("group-override", tmp_path) as gateway:
        seen = gateway.type_by_hand(
            ["clusterconfig list", "clustermode group Branch_Office", "filters list", "smtproutes print"]
        )
    assert f"Group Branch_Office:\n  Machine {TWO} (Serial #:" in seen
    assert seen.count("NOTICE") == 1, "filters has settings there, smtproutes has none"
    assert "# override group Branch_Office\n" in gateway.dump()


@pytest.mark.parametrize(("gone", "own"), [(TWO, ONE), (ONE, ONE)], ids=["another", "the one logged in to"])
def test_a_member_that_is_not_connected(tmp_path: Path, gone: str, own: str) -> None:
    with made("disconnected", tmp_path) as gateway:
        gateway.disconnected = {gone}
        seen = gateway.type_by_hand([f"clustermode machine {TWO}", "clusterconfig connstatus"])
        assert f"Error: {TWO} cannot be reached." in seen
        assert "disconnected since Mon Nov 16" in seen
        assert f"(Machine {own})> clusterconfig" in seen
        gateway.disconnected_mode = True
        assert f"(Machine {TWO})> " in gateway.type_by_hand([f"clustermode machine {TWO}", "version"])


def test_a_hand_waits_for_the_end_of_a_slow_line(tmp_path: Path) -> None:
    with made("slow-line", tmp_path) as gateway:
        assert "fabrikam.example : mail.fabrikam.example" in gateway.type_by_hand(["smtproutes print"])
