"""Bytes of one SSH channel: echo, line ends, wrapping, pager, Ctrl-C. It knows nothing of questions."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable

import asyncssh

from lab.gateway.switches import Switches

PAGER = "-Press Any Key For More-"
CTRL_C, CTRL_D, BACKSPACE, KILL_LINE = 0x03, 0x04, (0x08, 0x7F), 0x15
CR, LF = 0x0D, 0x0A


class Interrupted(Exception):
    """Ctrl-C: back to the main prompt, what the command had not finished is dropped."""


class Disconnected(Exception):
    """The other side is gone, or was sent away."""


class IdleTooLong(Exception):
    """Nothing was typed for longer than the session may idle."""


class Terminal:
    """A line terminal on a channel; with a PTY it echoes, wraps and pages, without one it does none of it."""

    def __init__(
        self,
        process: asyncssh.SSHServerProcess[bytes],
        switches: Switches,
        answering: Callable[[], None] = lambda: None,
    ) -> None:
        """`answering` is called before anything but an echo leaves."""
        self._process = process
        self._switches = switches
        self._answering = answering
        self._typed = bytearray()
        self._after_cr = False
        self._rows = 0
        self._pieces = 0
        self._piece = 0  # bytes of the present piece that are still to come
        self._shown = bytearray()
        self.pty = process.term_type is not None
        self._columns, self._height = process.term_size[:2]

    @property
    def width(self) -> int:
        """Columns that text is wrapped at; 0 = not at all."""
        if not self.pty or self._switches.wrap == "off":
            return 0
        return self._switches.columns or self._columns

    @property
    def page(self) -> int:
        """Lines before the pager stops; 0 = no pager."""
        lines = self._switches.pager_lines
        if not self.pty or lines == 0:
            return 0
        return lines if lines > 0 else max(self._height - 1, 0)

    async def show(self, text: str) -> None:
        """Write whole lines, wrapped and paged."""
        for line in text.split("\n"):
            for piece in self.wrapped(line):
                if self.page and self._rows >= self.page:
                    await self._pause()
                await self._write(piece + self._switches.newline)
                self._rows += 1

    async def read_line(self, prompt: str = "", *, hidden: bool = False) -> str:
        """Show a prompt and read a line. Raises Interrupted, Disconnected or IdleTooLong."""
        if prompt and self._switches.prompt_seconds:
            self.flush()
            await asyncio.sleep(self._switches.prompt_seconds)
        await self._write(prompt)
        self._rows = 0
        line = bytearray()
        echo = self.pty and self._switches.echo and not hidden
        while True:
            key = await self._key()
            if key == LF and self._after_cr:
                self._after_cr = False
                continue
            self._after_cr = key == CR
            if key in {CR, LF}:
                if self.pty:
                    await self._write(self._switches.newline)
                return line.decode("utf-8", "replace")
            await self._edit(line, key, echo=echo)

    async def _edit(self, line: bytearray, key: int, *, echo: bool) -> None:
        if key == CTRL_C and self.pty:
            await self._write("^C" + self._switches.newline)
            raise Interrupted
        if key == CTRL_D and self.pty:
            if not line:
                raise Disconnected
        elif key in BACKSPACE and self.pty:
            if line:
                del line[-1]
                await self._write("\b \b" if echo else "")
        elif key == KILL_LINE and self.pty:
            await self._write("\b \b" * len(line) if echo else "")
            line.clear()
        else:
            line.append(key)
            if echo:
                self._shown.append(key)

    async def _pause(self) -> None:
        await self._write(PAGER)
        key = await self._key()
        await self._write("\r" + " " * len(PAGER) + "\r")
        self._rows = 0
        if key == CTRL_C:
            raise Interrupted

    async def _key(self) -> int:
        while not self._typed:
            self._typed += await self._receive()
        return self._typed.pop(0)

    async def _receive(self) -> bytes:
        limit = self._switches.idle_seconds or None
        self.flush()
        try:
            await self._process.stdout.drain()
            data = await asyncio.wait_for(self._process.stdin.read(4096), limit)
        except TimeoutError:
            raise IdleTooLong from None
        except asyncssh.TerminalSizeChanged as changed:
            self._columns, self._height = changed.width, changed.height
            return b""
        except asyncssh.SignalReceived as received:
            if received.signal == "INT":
                raise Interrupted from None
            return b""
        except asyncssh.BreakReceived:
            raise Interrupted from None
        except (asyncssh.Error, OSError):
            raise Disconnected from None
        if not data:
            raise Disconnected
        return data

    async def _write(self, text: str) -> None:
        self._answering()
        if not text or self._process.stdout.is_closing():
            return
        data = text.encode()
        if not self.pty or not self._switches.line_pieces:
            self._shown += data
            return
        self.flush()
        while data and not self._process.stdout.is_closing():
            if not self._piece:
                await asyncio.sleep(self._switches.line_seconds)
                self._piece = self._switches.line_pieces[self._pieces % len(self._switches.line_pieces)]
                self._pieces += 1
            part = data[: self._piece]
            self._process.stdout.write(part)
            self._piece -= len(part)
            data = data[len(part) :]

    def flush(self) -> None:
        """Send what was shown; it waits till something is read, or each letter's echo is a packet."""
        if self._shown and not self._process.stdout.is_closing():
            self._process.stdout.write(bytes(self._shown))
        self._shown.clear()

    def wrapped(self, line: str) -> list[str]:
        """The line as it is broken at the width. A prompt never is: the terminal itself breaks it."""
        width = self.width
        if not width or len(line) <= width:
            return [line]
        if self._switches.wrap == "hard":
            return [line[start : start + width] for start in range(0, len(line), width)]
        return textwrap.wrap(line, width, break_on_hyphens=False) or [""]
