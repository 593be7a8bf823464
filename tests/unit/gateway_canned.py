"""A terminal that plays back what an appliance sent, and checks what is typed."""

from collections.abc import Iterable

from dynamic_providers.gateway.dialogue import Conversation
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.shell import Shell

PROMPT = "esa1.example.com> "
BANNER = (
    "Last login: Mon Nov 23 10:00:00 2026 from 192.0.2.9\r\nAsyncOS 15.0.0 for Cisco C300V build 104\r\n\r\n"
    "Welcome to the Cisco C300V Email Security Virtual Appliance\r\n\r\n"
    "NOTE: This session will expire if left idle for 30 minutes. Any uncommitted configuration "
    "changes will be lost. "
    "Commit the configuration changes as soon as they are made.\r\n\r\n"
)


class CannedTerminal:
    """`exchange` is a list of what is typed and what comes back, in chunks; what is typed is echoed."""

    def __init__(
        self, first: str, exchange: Iterable[tuple[str, str | list[str]]], *, echo: bool = True
    ) -> None:
        self._exchange = list(exchange)
        self._echo = echo
        self._ready: list[bytes] = [first.encode()]
        self._typed = ""
        self.closed = False

    def recv(self, nbytes: int, /) -> bytes:
        if not self._ready:
            if self.closed:
                return b""
            raise TimeoutError
        first, self._ready[0] = self._ready[0][:nbytes], self._ready[0][nbytes:]
        if not self._ready[0]:
            self._ready.pop(0)
        return first

    def recv_ready(self) -> bool:
        return False  # chunks come one at a time, as over a slow line

    def settimeout(self, timeout: float | None, /) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def sendall(self, s: bytes, /) -> None:
        if self.closed:
            raise OSError("closed")
        self._typed += s.decode()
        assert self._exchange, f"nothing expected, but typed: {self._typed!r}"
        wanted, answer = self._exchange[0]
        if self._typed in {wanted + "\n", wanted}:
            self._exchange.pop(0)
            self._typed = ""
            chunks = [answer] if isinstance(answer, str) else answer
            if self._echo and wanted.isprintable() and s.endswith(b"\n"):
                self._ready.append((wanted + "\r\n").encode())
            self._ready += [chunk.encode() for chunk in chunks]
            return
        assert (wanted + "\n").startswith(self._typed), f"expected {wanted!r}, typed {self._typed!r}"

    def done(self) -> bool:
        return not self._exchange and not any(self._ready)


def logged_in(
    *exchange: tuple[str, str | list[str]], prompt: str = PROMPT, echo: bool = True
) -> tuple[Shell, CannedTerminal]:
    """A shell that has learned its prompt."""
    terminal = CannedTerminal(BANNER + prompt, [("", f"\r\n{prompt}"), *exchange], echo=echo)
    shell = Shell(terminal, "esa1.example.com", silence=0.0)
    shell.log_in()
    return shell, terminal


def play(script: Script, *exchange: tuple[str, str | list[str]]) -> list[str]:
    """Run a script against canned answers, all of which have to be used."""
    shell, terminal = logged_in(*exchange)
    printed = Conversation(shell, script).run()
    assert terminal.done(), "not everything that was expected was typed"
    return printed
