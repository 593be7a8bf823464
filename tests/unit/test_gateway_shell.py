"""Bytes to screens: prompts, pager, echo, narrow terminals, and what happens when nothing comes."""

import pytest

from dynamic_providers.errors import register_secret
from dynamic_providers.gateway.question import quote
from dynamic_providers.gateway.screen_text import clean
from dynamic_providers.gateway.shell import ConnectionLostError, ScreenTimeoutError, Shell, Waits
from tests.unit.gateway_canned import BANNER, PROMPT, CannedTerminal, logged_in


def test_prompt_is_learned_and_matched_literally() -> None:
    shell, terminal = logged_in(("version", f"esa2.example.com> is no prompt\r\nCurrent Version\r\n{PROMPT}"))
    assert shell.prompt == PROMPT
    screen = shell.command("version")
    assert screen.waits is Waits.COMMAND
    assert screen.text == "esa2.example.com> is no prompt\nCurrent Version"
    assert terminal.done()


def test_prompt_that_comes_in_pieces_and_after_a_banner_that_looks_like_one() -> None:
    terminal = CannedTerminal(
        "Please be careful> ", [("", ["\r\nesa1.exa", "mple.com", "> "]), ("", f"\r\n{PROMPT}")]
    )
    shell = Shell(terminal, "esa1", silence=0.0)
    shell.log_in()
    assert shell.prompt == PROMPT


@pytest.mark.parametrize("prompt", ["esa1.example.com> ", "(Machine esa1.example.com)> ", "esa1 (SERVICE)> "])
def test_prompts_of_all_sorts(prompt: str) -> None:
    shell, _ = logged_in(prompt=prompt)
    assert shell.prompt == prompt


def test_cluster_mode_is_learned_anew() -> None:
    shell, _ = logged_in(
        ("clustermode cluster", "\r\n(Cluster hc1234)> "),
        ("version", "x\r\n(Cluster hc1234)> "),
        prompt="(Machine esa1)> ",
    )
    assert shell.mode == "Machine esa1"
    assert shell.change_mode("clustermode cluster").text == ""
    assert shell.mode == "Cluster hc1234"
    assert shell.command("version").text == "x"


def test_question_and_default() -> None:
    shell, _ = logged_in(
        ("destconfig", "There are currently 2 entries configured.\r\n\r\nCiphers?\r\n[a[b]:c]> ")
    )
    screen = shell.command("destconfig")
    assert (screen.waits, screen.default) == (Waits.ANSWER, "a[b]:c")


def test_bare_question() -> None:
    shell, _ = logged_in(("certconfig", "Paste the certificate\r\n> "), ("x", f"ok\r\n{PROMPT}"))
    assert shell.command("certconfig").waits is Waits.ANSWER
    assert shell.answer("x").text == "ok"


def test_arrow_in_a_table_is_no_question() -> None:
    shell, _ = logged_in(
        ("smtproutes", ["a.example -> ", "mx.example\r\nb.example -> ", f"mx.example\r\n{PROMPT}"])
    )
    assert shell.command("smtproutes").text == "a.example -> mx.example\nb.example -> mx.example"


@pytest.mark.parametrize(
    "pieces",
    [
        ["\r" + " " * 25 + "\r", "  second\r\n" + PROMPT],
        ["\r", " " * 20, " " * 5 + "\r  sec", "ond\r\n" + PROMPT],
        ["\r\x1b[K  second\r\n" + PROMPT],
        ["\x08" * 25 + " " * 25 + "\x08" * 25 + "  second\r\n" + PROMPT],
    ],
)
def test_pager_is_answered_with_one_space_and_leaves_no_trace(pieces: list[str]) -> None:
    shell, terminal = logged_in(("print", ["first\r\n", "-Press Any Key ", "For More-"]), (" ", pieces))
    assert shell.command("print").text == "first\n  second"
    assert terminal.done()


def test_pager_twice() -> None:
    erase = "\r" + " " * 24 + "\r"
    shell, _ = logged_in(
        ("print", "one\r\n-Press Any Key For More-"),
        (" ", erase + "two\r\n-Press Any Key For More-"),
        (" ", erase + f"three\r\n{PROMPT}"),
    )
    assert shell.command("print").text == "one\ntwo\nthree"


def test_doubled_carriage_returns_ansi_and_overwriting() -> None:
    assert clean("a\r\r\nb\r\n") == "a\nb\n"
    assert clean("\x1b[1mbold\x1b[0m\x07") == "bold"
    assert clean("wrong\rright") == "right"
    assert clean("ab\x08c") == "ac"


def test_echo_that_a_narrow_terminal_wrapped() -> None:
    line = "commit " + "x" * 90
    shell, _ = logged_in((line, f"{line[:62]} \r{line[62:]}\r\nChanges committed\r\n{PROMPT}"), echo=False)
    assert shell.command(line).text == "Changes committed"


def test_no_echo_at_all() -> None:
    shell, _ = logged_in(("version", f"\r\nCurrent Version\r\n{PROMPT}"), echo=False)
    assert shell.command("version").text.strip() == "Current Version"


def test_text_entry_without_a_prompt() -> None:
    shell, _ = logged_in(
        ("new", "Enter filter script.  Enter '.' on its own line to end.\r\n"),
        ("a: if (true) {\ndrop();\n}\n.", f"1 filters added.\r\n{PROMPT}"),
    )
    assert shell.command("new").waits is Waits.TEXT
    assert "1 filters added." in shell.answer("a: if (true) {\ndrop();\n}\n.").text


def test_interrupt_goes_back_to_the_prompt() -> None:
    shell, terminal = logged_in(
        ("smtproutes", "Enter the domain\r\n[]> "), ("\x03", f"^C\r\n{PROMPT}"), ("", f"\r\n{PROMPT}")
    )
    shell.command("smtproutes")
    assert shell.interrupt().waits is Waits.COMMAND
    assert terminal.done()


def test_time_out_says_what_was_waited_for_and_masks_secrets() -> None:
    register_secret("TopSecretHeader42")
    shell, _ = logged_in(("filters", 'if (header("X") == "^TopSecretHeader42$")\r\nis this the end? '))
    with pytest.raises(
        ScreenTimeoutError, match=r"waited for an answer to «filters».*is this the end\?"
    ) as caught:
        shell.command("filters")
    assert "TopSecretHeader42" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'if (header("X-Auth") == "^TheirSecret9$") {',
        "if (header('X-Auth') != 'TheirSecret9') {",
        'insert-header("X-Auth", "TheirSecret9");',
        'if (header("X-Auth") == "^TheirSe\r\ncret9$") {',
        'if (header("X-Auth") == "^\\"TheirSecret9") {',
        'if (header("X-Auth") == "^TheirSecret9',
    ],
)
def test_others_secrets_in_filters_are_masked_too(text: str) -> None:
    """Nobody has registered them; a session may end in the middle of one."""
    shell, terminal = logged_in(("filters", f"busy with \r\n{text}"))
    with pytest.raises(ScreenTimeoutError, match="busy with") as caught:
        shell.command("filters")
    assert "TheirSe" not in str(caught.value)
    assert "cret9" not in str(caught.value)
    assert "TheirSe" not in quote(text)
    assert "cret9" not in quote(text)
    assert terminal.done()


def test_a_session_that_ends() -> None:
    shell, terminal = logged_in(("version", "Timed out waiting for input\r\n"))
    terminal.closed = False

    def cut(data: bytes, /) -> None:
        terminal.closed = True
        raise OSError

    shell._send("version")
    terminal.closed = True
    with pytest.raises(ConnectionLostError, match="Timed out waiting for input"):
        shell._screen("an answer", learn=False)
    with pytest.raises(ConnectionLostError):
        shell.command("version")
    terminal.sendall = cut  # type: ignore[method-assign]
    with pytest.raises(ConnectionLostError):
        shell.command("version")


@pytest.mark.parametrize(
    ("banner", "narrow"),
    [
        (BANNER, False),
        (
            BANNER.replace("changes will be lost. ", "changes\r\nwill be lost. ").replace(
                "30 minutes. ", "30 minutes.\r\n"
            ),
            True,
        ),
    ],
)
def test_a_terminal_that_stays_narrow_is_noticed(banner: str, *, narrow: bool) -> None:
    shell = Shell(CannedTerminal(banner + PROMPT, [("", f"\r\n{PROMPT}")]), "esa1", silence=0.0)
    shell.log_in()
    assert shell.narrow is narrow
