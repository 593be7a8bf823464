"""An administrator at a keyboard: a real SSH client that types lines and waits for each prompt."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import asyncssh

from lab.gateway.terminal import PAGER

SCRIPT = "Enter filter script"
PATIENCE = 30.0


class Stuck(Exception):
    """No prompt came; with the transcript so far."""


async def type_lines(port: int, user: str, password: str, lines: Sequence[str], prompts: str) -> str:
    """Log in on 127.0.0.1, type the lines at a wide terminal, hang up without logging out."""
    connection = await asyncssh.connect(
        "127.0.0.1",
        port,
        client_factory=lambda: _Login(password),
        username=user,
        password=password,
        known_hosts=None,
        client_keys=None,
        agent_path=None,
        config=None,
        preferred_auth="password,keyboard-interactive",
    )
    try:
        process = await connection.create_process(
            term_type="vt100", term_size=(500, 10_000), encoding="utf-8", errors="replace"
        )
        return await _Hand(process, re.compile(prompts)).type(lines)
    finally:
        connection.close()
        await connection.wait_closed()


class _Login(asyncssh.SSHClient):
    """Gives the password whatever the prompt says; asyncssh by itself wants the word in it."""

    def __init__(self, password: str) -> None:
        self._password = password

    def kbdint_auth_requested(self) -> str:
        return ""

    def kbdint_challenge_received(
        self,
        name: str,  # noqa: ARG002 - asyncssh's signature
        instructions: str,  # noqa: ARG002 - asyncssh's signature
        lang: str,  # noqa: ARG002 - asyncssh's signature
        prompts: Sequence[tuple[str, bool]],
    ) -> list[str]:
        return [self._password for _ in prompts]


class _Hand:
    def __init__(self, process: asyncssh.SSHClientProcess[str], prompts: re.Pattern[str]) -> None:
        self._process = process
        self._prompts = prompts
        self._seen = ""

    async def type(self, lines: Sequence[str]) -> str:
        scripting = False
        await self._prompt()
        while self._seen.endswith("]> "):  # the login asks something: as it is preset
            start = len(self._seen)
            self._process.stdin.write("\n")
            await self._prompt(start)
        for line in lines:
            start = len(self._seen)
            self._process.stdin.write("\x03" if line == "^C" else line + "\n")
            scripting = (scripting or self._asked_for_script(start)) and line != "."
            if not await (self._echo(start) if scripting else self._prompt(start)) and line != lines[-1]:
                raise Stuck(f"the session ended at «{line}»:\n{self._seen[-2000:]}")
        return self._seen.replace("\r\r\n", "\n").replace("\r\n", "\n")

    def _asked_for_script(self, start: int) -> bool:
        return SCRIPT in self._seen[max(0, start - 200) : start] and not self._prompts.search(self._seen)

    async def _prompt(self, start: int = 0) -> bool:
        """Wait for a prompt, or for where a filter script begins; False when the session has ended."""
        paged = start
        while True:
            new = self._seen[start:]
            if (start < len(self._seen) and self._prompts.search(new)) or self._script_begins(new):
                return True
            if PAGER in self._seen[paged:]:
                paged = len(self._seen)
                self._process.stdin.write(" ")
            if not await self._more():
                return False

    def _script_begins(self, new: str) -> bool:
        tail = new.rpartition(SCRIPT)
        return bool(tail[1]) and "\n" in tail[2]

    async def _echo(self, start: int) -> bool:
        while "\n" not in self._seen[start:]:
            if not await self._more():
                return False
        return True

    async def _more(self) -> bool:
        try:
            data = await asyncio.wait_for(self._process.stdout.read(65536), PATIENCE)
        except TimeoutError:
            raise Stuck(f"no prompt within {PATIENCE:g} s after:\n{self._seen[-2000:]}") from None
        self._seen += data
        return bool(data)
