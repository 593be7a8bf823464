"""What AsyncOS prints, as screens: prompt learned, pager answered, echo and control characters taken away.

A screen ends where the appliance waits: at the main prompt (learned, then matched literally), at a question
(`[default]> `, or `> ` alone), or where it takes lines without a prompt (a filter's text).
"""

import codecs
import re
import time
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from dynamic_providers.errors import redact
from dynamic_providers.gateway.ssh import GatewayError

SILENCE_SECONDS = 60.0  # without a single byte, where an answer is due
SCREEN_SECONDS = 900.0  # a table of 40,000 routes takes its time, but not for ever
_POLL_SECONDS = 0.5
_LAST_LINES = 6
_TAIL = 16_384  # more than a screen's last line can be
NARROW = 80  # columns of a terminal that does not care what we asked for

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+][0-9A-Za-z]|[=>78cDEHM])")
_PAGER = re.compile(r"-?-\s?Press Any Key For More\s?--?[ \t]*\Z", re.IGNORECASE)
_ERASED = re.compile(r"\r *\r|\r\x1b\[[02]?K|\x08+ *\x08*")
_ERASING = re.compile(r"(?:\r *|\r\x1b(?:\[[02]?)?|\x08+ *)?\Z")
_QUESTION = re.compile(r"(?:\]> ?|\A> ?)\Z")
_TEXT_ENTRY = re.compile(r"on its own\s+line to end\.?[ \t]*\n[ \t\n]*\Z", re.IGNORECASE)
_PASSPHRASE = re.compile(r"\b(?:password|passphrase)\s*: ?\Z", re.IGNORECASE)
# What a filter compares with, or gives to an action; also where it is cut off.
_LITERAL = re.compile(
    r"""([=!]=\s*|[(,]\s*)(?:"(?:[^"\\]|\\[\s\S])*(?:"|\Z)|'(?:[^'\\]|\\[\s\S])*(?:'|\Z))"""
)
_MODE_PROMPT = re.compile(r"\A\((?:Cluster|Group|Machine) [^()\n]+\)> \Z")
_ANY_PROMPT = re.compile(r"\A\S[^\n]{0,200}> \Z")


class ConnectionLostError(GatewayError):
    """The session ended while it was needed: idle for too long, or cut."""


class ScreenTimeoutError(GatewayError):
    """The appliance did not come to the point that was waited for."""


class NoPromptError(GatewayError):
    """What came after the login is no command line that we know."""


class PassphraseWantedError(GatewayError):
    """It asks for a passphrase after the login: the account's has expired."""


class Waits(Enum):
    """What the appliance waits for at the end of a screen."""

    COMMAND = "a command"
    ANSWER = "an answer"
    TEXT = "lines of text"


@dataclass(frozen=True)
class Screen:
    """What was printed since our last line, and what is waited for now.

    `text` holds a question, no main prompt.
    """

    text: str
    waits: Waits
    default: str = ""  # of a question: what an empty answer takes


class Terminal(Protocol):
    """The bytes' way: a paramiko channel, or a test's canned one."""

    def recv(self, nbytes: int, /) -> bytes:
        """At most so many bytes; none when the other side has closed; TimeoutError after `settimeout`."""

    def sendall(self, s: bytes, /) -> None:
        """Send all of it."""

    def recv_ready(self) -> bool:
        """Whether bytes lie ready."""

    def settimeout(self, timeout: float | None, /) -> None:
        """How long `recv` waits."""


class Shell:
    """A command line: `command` and `answer` send a line and give the next screen."""

    def __init__(self, terminal: Terminal, name: str, *, silence: float = SILENCE_SECONDS) -> None:
        self.name = name
        self.prompt = ""
        self.narrow = False  # wraps at 80 columns though we asked for more
        self._terminal = terminal
        self._silence = silence
        self._raw = ""
        self._echo: str | None = None
        self._erasing = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    # --- the main prompt ------------------------------------------------------------------------------------

    def log_in(self) -> str:
        """Read the banner and learn the prompt: what stays the same after an empty line. Gives the banner."""
        banner = self._read_until(
            lambda tail: bool(_ANY_PROMPT.search(tail)), "the prompt after the login", self._silence
        )
        self.narrow = _is_wrapped(banner)
        last = _last_line(banner)
        for _ in range(3):
            self._send("")
            shown = _last_line(
                self._read_until(
                    lambda tail: bool(_ANY_PROMPT.search(tail)), "the prompt again", self._silence
                )
            )
            if shown == last and not _QUESTION.search(shown):
                self.prompt = shown
                return banner.removesuffix(shown)
            last = shown
        raise NoPromptError(
            f"no prompt after the login, but «{_shown(banner)}»",
            where=self.name,
            fix="log in by hand with this user and see what is asked",
        )

    def change_mode(self, command: str) -> Screen:
        """Give a command that may change the prompt (`clustermode …`), and learn it anew."""
        return self._command(command, learn=True)

    @property
    def mode(self) -> str:
        """The cluster mode that the prompt shows: «Cluster hc1234», «Machine esa1»; empty: standalone."""
        return self.prompt[1:-3] if _MODE_PROMPT.match(self.prompt) else ""

    # --- lines ----------------------------------------------------------------------------------------------

    def command(self, line: str) -> Screen:
        """Give a command at the main prompt."""
        return self._command(line, learn=False)

    def answer(self, line: str, *, learn: bool = False, silence: float | None = None) -> Screen:
        """Answer a question, or give several lines where text is taken.

        `learn`: the prompt may change by it.
        """
        self._send(line)
        return self._screen(
            f"what comes after the answer to a question of {self.name}", learn=learn, silence=silence
        )

    def interrupt(self) -> Screen:
        """Ctrl-C: back at the main prompt; what the command had not finished is dropped."""
        self._echo = None
        self._write("\x03")
        screen = self._screen("the prompt after Ctrl-C", learn=False)
        while screen.waits is not Waits.COMMAND:
            self._write("\x03")
            screen = self._screen("the prompt after Ctrl-C", learn=False)
        # A second prompt may follow; an answered empty line tells which output is the last.
        return self._command("", learn=False)

    def _command(self, line: str, *, learn: bool) -> Screen:
        self._send(line)
        return self._screen(f"an answer to «{line.split(' ', maxsplit=1)[0]}»", learn=learn)

    # --- bytes ----------------------------------------------------------------------------------------------

    def _send(self, line: str) -> None:
        self._echo = line
        self._write(line + "\n")

    def _write(self, text: str) -> None:
        try:
            self._terminal.sendall(text.encode())
        except TimeoutError:
            raise ScreenTimeoutError(
                "it takes no more input", where=self.name, fix="try again later"
            ) from None
        except (OSError, EOFError):
            raise self._lost() from None

    def _screen(self, what: str, *, learn: bool, silence: float | None = None) -> Screen:
        def ended(tail: str) -> bool:
            return (
                tail == self.prompt
                or bool(_QUESTION.search(tail))
                or (learn and bool(_MODE_PROMPT.match(tail)))
            )

        text = self._read_until(ended, what, silence or self._silence)
        last = _last_line(text)
        if last == self.prompt or (learn and _MODE_PROMPT.match(last)):
            self.prompt = last
            return Screen(text.removesuffix(last).rstrip("\n"), Waits.COMMAND)
        if _QUESTION.search(last):
            return Screen(text, Waits.ANSWER, _default(text))
        return Screen(text, Waits.TEXT)

    def _read_until(self, ended: "Ended", what: str, silence: float) -> str:
        """Read until the last line says that it is our turn; without echo, pager and control characters."""
        deadline = time.monotonic() + SCREEN_SECONDS
        while True:
            text = self._receive(what, silence, deadline)
            if text:
                self._take(text)
            if self._terminal.recv_ready():
                continue
            tail = clean(self._raw[-_TAIL:])
            if ended(_last_line(tail)) or _TEXT_ENTRY.search(tail):
                break
            if _PASSPHRASE.search(tail):
                raise PassphraseWantedError(
                    f"it asks for a passphrase: «{_shown(tail)}»",
                    where=self.name,
                    fix="log in by hand with this user, set a new passphrase, and put it into "
                    "GATEWAY_PASSWORD",
                )
            self._turn_page()
        raw, self._raw = self._raw, ""
        return clean(_without_echo(_ANSI.sub("", raw), self._echo))

    def _receive(self, what: str, silence: float, deadline: float) -> str:
        quiet_from = time.monotonic()
        self._terminal.settimeout(_POLL_SECONDS)
        while True:
            try:
                data = self._terminal.recv(65_536)
            except TimeoutError:
                now = time.monotonic()
                if now - quiet_from >= silence or now >= deadline:
                    raise ScreenTimeoutError(
                        f"waited for {what}, but nothing came for {now - quiet_from:.0f} s after "
                        f"«{_shown(self._raw)}»",
                        where=self.name,
                        fix="try again; if it stays so, log in by hand and see what the appliance "
                        "is busy with",
                    ) from None
                continue
            except (OSError, EOFError):
                raise self._lost() from None
            if not data:
                raise self._lost()
            return self._decoder.decode(data)

    def _take(self, text: str) -> None:
        """Add what came; what erases the pager's line goes."""
        self._raw += text
        if self._erasing:
            erased = _ERASED.match(self._raw, self._page_end)
            if erased:
                self._raw = self._raw[: self._page_end] + self._raw[erased.end() :]
                self._erasing = False
            elif not _ERASING.match(self._raw, self._page_end):
                self._erasing = False  # it did not erase its line

    def _turn_page(self) -> None:
        pager = _PAGER.search(self._raw[-_TAIL:])
        if not pager:
            return
        self._raw = self._raw[: len(self._raw) - len(pager.group())]
        self._page_end = len(self._raw)
        self._erasing = True
        self._write(" ")

    def _lost(self) -> ConnectionLostError:
        last = _shown(self._raw)
        return ConnectionLostError(
            "the session ended" + (f" after «{last}»" if last else ""),
            where=self.name,
            fix="run it again; gateways end idle sessions, and everything that was not committed "
            "is gone with it",
        )


class Ended(Protocol):
    """Whether this last line says that it is our turn."""

    def __call__(self, tail: str, /) -> bool: ...


def clean(raw: str) -> str:
    """Text as a terminal would show it: carriage returns and backspaces done, no control characters."""
    text = re.sub(r"\r+\n", "\n", _ANSI.sub("", raw))
    if "\r" in text or "\x08" in text:
        text = "\n".join(_overwritten(line) for line in text.split("\n"))
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)


def _overwritten(line: str) -> str:
    shown: list[str] = []
    column = 0
    for char in line:
        if char == "\r":
            column = 0
        elif char == "\x08":
            column = max(0, column - 1)
        else:
            shown[column : column + 1] = char
            column += 1
    return "".join(shown)


def _without_echo(raw: str, sent: str | None) -> str:
    """Without the echo of what we sent, however a narrow terminal wrapped it."""
    if sent is None:
        return raw
    wanted = "".join(sent.split())
    at = 0
    for char in wanted:
        while at < len(raw) and raw[at] in " \t\r\n\x08":
            at += 1
        if at == len(raw) or raw[at] != char:
            return raw  # no echo
        at += 1
    end = re.compile(r"[ \t\r]*\n?").match(raw, at)
    return raw[end.end() :] if end else raw


def _default(text: str) -> str:
    """What stands in the brackets of a question; it may hold brackets itself, and be wrapped."""
    paragraph = text.rstrip()[: -len("]>")] if text.rstrip().endswith("]>") else ""
    depth = 0
    for at in range(len(paragraph) - 1, -1, -1):
        if paragraph[at] == "]":
            depth += 1
        elif paragraph[at] == "[":
            if not depth:
                return paragraph[at + 1 :].replace("\n", "")
            depth -= 1
    return ""


def _last_line(text: str) -> str:
    return text[text.rfind("\n") + 1 :]


def _is_wrapped(banner: str) -> bool:
    """Whether the login's long NOTE was wrapped."""
    note = re.search(r"^NOTE:.*(?:\n(?!\s*$).+)*", banner, re.MULTILINE)
    return bool(note) and all(len(line) <= NARROW for line in note.group().split("\n")) if note else False


def masked(text: str) -> str:
    """Without secrets: ours, and whatever filters compare with or insert, where others' stand in clear."""
    return redact(_LITERAL.sub(r'\1"[…]"', text))


def _shown(raw: str) -> str:
    """The last lines, fit for an error: secrets masked, no control characters."""
    lines = [line.strip() for line in masked(clean(raw)).split("\n") if line.strip()]
    return " / ".join(lines[-_LAST_LINES:])
