"""One login: its mode, its pending changes, and the loop that takes commands."""

from __future__ import annotations

import asyncio
import copy
import re
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import asyncssh

from lab.gateway.console import Console
from lab.gateway.dialogue import Abandoned, Dialogue, Disliked
from lab.gateway.gateway import Gateway
from lab.gateway.member import Member
from lab.gateway.pending import OVERRIDE, Change, Mutation, Pending
from lab.gateway.state import BASE, Configuration, Level, State
from lab.gateway.terminal import Disconnected, IdleTooLong, Interrupted, Terminal

Command = Callable[["Session", list[str]], Awaitable[None]]
"""Gets the words that follow the command's name."""


class LoggedOut(Exception):
    """The user has left."""


def now() -> str:
    """The date as AsyncOS writes it."""
    return datetime.now(UTC).strftime("%a %b %d %H:%M:%S %Y GMT")


class Session:
    """A user at the command line of one member, with its commands. Pending changes die with it.

    `all_sessions` are those of the gateway, this one among them.
    """

    def __init__(
        self,
        gateway: Gateway,
        member: Member,
        process: asyncssh.SSHServerProcess[bytes],
        commands: Mapping[str, Command],
        all_sessions: Sequence[Session],
    ) -> None:
        self.commands = commands
        self.all_sessions = all_sessions
        self.gateway = gateway
        self.member = member
        self.profile = gateway.profile
        self.user = str(process.get_extra_info("username"))
        self.peer = str((process.get_extra_info("peername") or ("127.0.0.1",))[0])
        self.since = time.time()
        self.terminal = Terminal(process, gateway, lambda: gateway.journal.answering(member.channel))
        self.console = Console(self.terminal, self.profile, gateway, self.record)
        self.mode: Level = ("machine", member.host) if self.profile.cluster else BASE
        self.pending = Pending(gateway)
        self.last_commit: str = ""
        self._process = process
        self._borrowed: Level | None = None

    # What it sees and changes.

    def record(self, kind: str, **detail: object) -> None:
        """Write to the journal under this member's channel."""
        self.gateway.journal.record(self.member.channel, kind, **detail)

    @property
    def state(self) -> State:
        """The pending state if there is one, else what is committed now."""
        return self.pending.state

    @property
    def level(self) -> Level:
        """Which level a command reads and writes in the present mode."""
        return BASE if self.mode[0] in {"base", "cluster"} else self.mode

    @property
    def tables(self) -> Configuration:
        """The tables of the present mode, pending changes included; only to read, `write` changes them."""
        kind, name = self.level
        if kind == "machine":
            return self.state.effective(name, self.gateway.group_of(name))
        return self.state.effective("", name) if kind == "group" else self.state.base

    def read(self, table: str) -> None:
        """Record that a table is about to be shown."""
        self.record("read", table=table)

    def write(self, table: str, key: str, what: str, mutate: Mutation) -> None:
        """Change the pending configuration and record it."""
        self.pending.change(Change(self.level, table, key, what, mutate))
        self.record("write", table=table, key=key)

    def override(self, command: str, *, copied: bool) -> None:
        """Give the present group or machine settings of its own for a command, as a pending change."""
        self.pending.override(self.mode, command, copy.copy(self.tables) if copied else None)
        self.record("write", table=command, key=OVERRIDE)

    # The loop.

    @property
    def prompt(self) -> str:
        """The main prompt of the present mode."""
        kind, name = self.mode
        formats = self.profile.setting("prompts")
        if self.gateway.service_mode:
            kind = "service"
        return str(formats[kind]).format(host=self.member.host, name=name or self.profile.cluster)

    async def shell(self) -> None:
        """Greet, then take commands until the user leaves or is gone."""
        try:
            await self._welcome()
            while True:
                await self._one_line()
        except IdleTooLong:
            await self.console.tell("idle_logout")
        except (LoggedOut, Disconnected):
            pass

    async def execute(self, line: str) -> None:
        """An exec channel: one line, commands separated by semicolons."""
        if self.gateway.password_expired:
            await self.console.tell("password_expired")
            return
        try:
            for part in _semicolons(line):
                await self.command(part)
        except (Interrupted, LoggedOut, Disconnected, IdleTooLong):
            pass

    async def _one_line(self) -> None:
        try:
            line = await self.terminal.read_line(self.prompt)
            if line.strip():
                await self.command(line.strip())
        except Interrupted:
            await self.console.say()

    async def command(self, line: str) -> None:
        """Run one command line."""
        self.record("command", line=line)
        try:
            words = shlex.split(line)
        except ValueError as broken:
            await self.console.tell("bad_quotes", reason=broken)
            return
        if not words:
            return
        await self.pause(words[0].lower())
        handler = self.commands.get(words[0].lower())
        if handler is None:
            await self.console.tell("unknown_command", word=words[0])
            return
        try:
            await handler(self, words[1:])
        except Disliked as disliked:
            await self.console.say(str(disliked))
        except Abandoned:
            await self.console.say()
        finally:
            self._give_back()

    def _give_back(self) -> None:
        if self._borrowed is not None:
            self.mode, self._borrowed = self._borrowed, None

    async def pause(self, command: str) -> None:
        """Take as long as the release's latency for that command."""
        latency = self.gateway.latency.get(command, self.gateway.latency.get("*", 0.0))
        if latency:
            await asyncio.sleep(latency)

    async def ask(self, name: str, **arguments: object) -> dict[str, str]:
        """Run a dialogue of the profile; arguments as `Dialogue` takes them."""
        return await Dialogue(self.console, name, **arguments).run()  # type: ignore[arg-type] # passed on

    async def notice(self, command: str, moment: str) -> bool:
        """In a mode without settings of its own: say so and ask what to do. True if it was asked."""
        if self.gateway.notice != moment or self.state.has(self.level, command):
            return False
        kind, name = self.mode
        await self.console.tell("notice", kind=kind.capitalize(), name=name)
        above = self._above(command)
        target = f"{above[0].capitalize()} {above[1]}"
        choices = [
            words.format(kind=kind.capitalize(), name=name, target=target)
            for words in self.profile.setting("notice_choices")
        ]
        chosen = await self.console.choose(self.profile.text("notice_question"), choices)
        if chosen:
            self.override(command, copied=chosen == 2)
            return True
        if not self.gateway.notice_switch_lasts:
            self._borrowed = self.mode
        self.mode = above
        return True

    def _above(self, command: str) -> Level:
        """The nearest level above the present one that has settings for a command."""
        group: Level = ("group", self.gateway.group_of(self.mode[1]))
        if self.mode[0] == "machine" and self.state.has(group, command):
            return group
        return ("cluster", self.profile.cluster)

    async def _welcome(self) -> None:
        release = self.profile.setting("release")
        await self.console.tell("login_banner", host=self.member.host)
        await self.console.tell("last_login", date=now(), peer=self.peer)
        await self.console.tell("welcome", **release)
        await self.console.say()
        if self.gateway.password_expired:
            await self.console.tell("password_expired")
            await self._renew_password()
        elif self.gateway.password_days:
            await self._warn_of_expiry()

    async def _warn_of_expiry(self) -> None:
        days = self.gateway.password_days
        await self.console.tell("password_expires", days=days)
        if self.gateway.password_question and await self.console.confirm(
            self.profile.text("password_now"), default=False
        ):
            await self._renew_password()

    async def _renew_password(self) -> None:
        while True:
            new = await self.terminal.read_line(self.profile.text("new_password"), hidden=True)
            again = await self.terminal.read_line(self.profile.text("new_password_again"), hidden=True)
            if new == again and len(new) >= 8 and new != self.gateway.password:
                self.gateway.password = new
                self.gateway.password_expired = False
                self.gateway.password_days = 0
                return
            await self.console.tell("password_refused")

    @property
    def closing(self) -> bool:
        """Whether the other side has gone away."""
        return self._process.is_closing()


def _semicolons(line: str) -> list[str]:
    """Split at semicolons outside quotes."""
    parts = re.findall(r"""(?:"[^"]*"|'[^']*'|[^;"'])+""", line)
    return [part.strip() for part in parts if part.strip()]
