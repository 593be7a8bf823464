"""What AsyncOS prints, as screens: prompt learned, pager answered, echo and control characters taken away.

A screen ends where the appliance waits: at the main prompt (learned, then matched literally), at a question
(`[default]> `, or `> ` alone), or where it takes lines without a prompt (a filter's text).
"""

import codecs
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from dynamic_providers.gateway.screen_text import (
    clean,
    flat,
    is_wrapped,
    last_line,
    shown,
    split_default,
    without_codes,
    without_echo,
)
from dynamic_providers.gateway.ssh import GatewayError

SILENCE_SECONDS = 60.0  # without a single byte, where an answer is due
SCREEN_SECONDS = 900.0  # a table of 40,000 routes takes its time, but not for ever
SCREEN_CHARACTERS = 16_000_000  # three times those routes
SAME_ANSWERS = 20  # of one question, one after the other: no dialogue of a release asks so often
_POLL_SECONDS = 0.5
_TELLING = 6  # letters of a line that stand in no table by chance
_TAIL = 16_384  # more than a screen's last line can be

_PAGER = re.compile(r"-?-\s?Press Any Key For More\s?--?[ \t]*\Z", re.IGNORECASE)
_ERASED = re.compile(r"\r *\r|\r\x1b\[[02]?K|\x08+ *\x08*")
_ERASING = re.compile(r"(?:\r *|\r\x1b(?:\[[02]?)?|\x08+ *)?\Z")
_QUESTION = re.compile(r"(?:\]> ?|\A> ?)\Z")
_TEXT_ENTRY = re.compile(r"on its own\s+line to end\.?[ \t]*\n[ \t\n]*\Z", re.IGNORECASE)
_PASSPHRASE = re.compile(r"\b(?:password|passphrase)\s*: ?\Z", re.IGNORECASE)
_MODE_PROMPT = re.compile(r"\A\((?:Cluster|Group|Machine) [^()\n]+\)> \Z")
_ANY_PROMPT = re.compile(r"\A\S[^\n]{0,200}> \Z")


class ConnectionLostError(GatewayError):
    """The session ended while it was needed: idle for too long, or cut."""


class OutOfStepError(ConnectionLostError):
    """What looked like its prompt was none: what it printed went on. The session is of no more use."""


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
        self._echoes = False  # what we type comes back, as far as we have seen
        self._page_end: int | None = None  # where a pager's line was; what erases it may yet come
        self._asked = ("", 0)  # the last question and our answer to it, and how often they came
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    # --- the main prompt ------------------------------------------------------------------------------------

    def log_in(self) -> str:
        """Read the banner and learn the prompt: what stays the same after an empty line. Gives the banner."""

        def ended(tail: str) -> bool:
            return bool(_ANY_PROMPT.search(tail))

        banner = self._read_until(ended, "the prompt after the login", self._silence)
        self.narrow = is_wrapped(banner)
        before = last_line(banner)
        for _ in range(3):
            self._send("")
            last = last_line(self._read_until(ended, "the prompt again", self._silence))
            if last == before and not _QUESTION.search(last):
                self.prompt = last
                return banner.removesuffix(last)
            before = last
        raise NoPromptError(
            f"no prompt after the login, but «{shown(banner)}»",
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
        screen = self._screen(
            f"what comes after the answer to a question of {self.name}", learn=learn, silence=silence
        )
        self._refuse_circle(f"{line}\n{screen.text}", screen)
        return screen

    def interrupt(self) -> Screen:
        """Ctrl-C: back at the main prompt; what the command had not finished is dropped."""
        self._echo = None
        screen = Screen("", Waits.ANSWER)
        while screen.waits is not Waits.COMMAND:
            self._write("\x03")
            screen = self._screen("the prompt after Ctrl-C", learn=False)
            self._refuse_circle(f"\x03\n{screen.text}", screen)
        # A second prompt may follow; an answered empty line tells which output is the last.
        return self._command("", learn=False)

    def _refuse_circle(self, exchanged: str, screen: Screen) -> None:
        """Stop where the same answer brings the same question for ever."""
        times = self._asked[1] + 1 if exchanged == self._asked[0] else 1
        self._asked = (exchanged, 0 if screen.waits is Waits.COMMAND else times)
        if self._asked[1] >= SAME_ANSWERS:
            raise ScreenTimeoutError(
                f"it asks the same again after {SAME_ANSWERS} answers: «{shown(screen.text)}»",
                where=self.name,
                fix="log in by hand and see what it wants; please report the question and the release",
            )

    def confirm(self) -> None:
        """Make sure that the last screen was whole: an empty line brings the prompt again, nothing else.

        A comment that somebody wrote may look like the prompt, and end a line where the bytes stop a while.
        """
        screen = self._command("", learn=False)
        if screen.waits is not Waits.COMMAND or screen.text.strip():
            raise self._out_of_step(screen.text)

    def _command(self, line: str, *, learn: bool) -> Screen:
        self._send(line)
        return self._screen(f"an answer to «{line.split(' ', maxsplit=1)[0]}»", learn=learn)

    # --- bytes ----------------------------------------------------------------------------------------------

    def _send(self, line: str) -> None:
        self._echo = line
        self._write(line + "\n")

    def _write(self, text: str) -> None:
        self._terminal.settimeout(self._silence)
        try:
            self._terminal.sendall(text.encode())
        except TimeoutError:
            raise ScreenTimeoutError(
                f"it takes no more input for {self._silence:g} s", where=self.name, fix="try again later"
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
        last = last_line(text)
        if last == self.prompt or (learn and _MODE_PROMPT.match(last)):
            self.prompt = last
            return Screen(text.removesuffix(last).rstrip("\n"), Waits.COMMAND)
        if _QUESTION.search(last):
            return Screen(text, Waits.ANSWER, split_default(text)[1])
        return Screen(text, Waits.TEXT)

    def _read_until(self, ended: Callable[[str], bool], what: str, silence: float) -> str:
        """Read until the last line says that it is our turn; without echo, pager and control characters."""
        deadline = time.monotonic() + SCREEN_SECONDS
        while True:
            text = self._receive(what, silence, deadline)
            if text:
                self._take(text)
            self._refuse_endless(what, deadline)
            if self._terminal.recv_ready():
                continue
            tail = clean(self._raw[-_TAIL:])
            if (ended(last_line(tail)) or _TEXT_ENTRY.search(tail)) and not self._within_echo():
                break
            if _PASSPHRASE.search(tail):
                raise PassphraseWantedError(
                    f"it asks for a passphrase: «{shown(tail)}»",
                    where=self.name,
                    fix="log in by hand with this user, set a new passphrase, and put it into "
                    "GATEWAY_PASSWORD",
                )
            self._turn_page()
        raw, self._raw = without_codes(self._raw), ""
        text = without_echo(raw, self._echo)
        if len(flat(self._echo or "")) >= _TELLING:
            self._echoes |= text is not raw
            if text is raw and self._echoes and self._echoed_late(raw):
                raise self._out_of_step(raw)
        return clean(text)

    def _within_echo(self) -> bool:
        """Whether all that came is the beginning of what we typed, which may look like a question itself."""
        sent = flat(self._echo or "")
        return len(self._raw) < 4 * len(sent) and sent.removeprefix(flat(self._raw)) not in ("", sent)

    def _echoed_late(self, raw: str) -> bool:
        """Whether our line's echo stands behind something that was still to come, other than the prompt."""
        before, found, _ = flat(raw).partition(flat(self._echo or ""))
        return bool(found) and bool(before.replace(flat(self.prompt), ""))

    def _out_of_step(self, raw: str) -> OutOfStepError:
        return OutOfStepError(
            f"what looked like its prompt was none, it went on with «{shown(raw)}»",
            where=self.name,
            fix="look for something in its tables or comments that looks like the prompt; then run it again",
        )

    def _refuse_endless(self, what: str, deadline: float) -> None:
        if time.monotonic() < deadline and len(self._raw) <= SCREEN_CHARACTERS:
            return
        raise ScreenTimeoutError(
            f"waited for {what}, but it goes on and on: {len(self._raw)} characters, the last "
            f"«{shown(self._raw)}»",
            where=self.name,
            fix="log in by hand and see what the appliance prints",
        )

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
                        f"«{shown(self._raw)}»",
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
        at = self._page_end
        if at is None:
            return
        if erased := _ERASED.match(self._raw, at):
            self._raw = self._raw[:at] + self._raw[erased.end() :]
            self._page_end = None
        elif not _ERASING.match(self._raw, at):
            self._page_end = None  # it did not erase its line

    def _turn_page(self) -> None:
        pager = _PAGER.search(self._raw[-_TAIL:])
        if not pager:
            return
        self._raw = self._raw[: len(self._raw) - len(pager.group())]
        self._page_end = len(self._raw)
        self._write(" ")

    def _lost(self) -> ConnectionLostError:
        last = shown(self._raw)
        return ConnectionLostError(
            "the session ended" + (f" after «{last}»" if last else ""),
            where=self.name,
            fix="run it again; gateways end idle sessions, and everything that was not committed "
            "is gone with it",
        )
