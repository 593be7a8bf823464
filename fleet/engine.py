"""One stack's `pulumi`, as a child process that tells what it does.

No secret is an argument: the environment carries them. Never `-v` nor `--logtostderr`: they print every call.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet.children import Children, Ended
from fleet.environment import Environments
from fleet.events import Report

Say = Callable[[str], None]

_EVERY = ("--non-interactive", "--color", "never")


@dataclass(frozen=True)
class Ran:
    """What a command of the engine told, and how it ended."""

    report: Report
    ended: Ended
    stopped: bool = False

    @classmethod
    def without_events(cls, ended: Ended) -> Ran:
        """Of a command that has no stream."""
        return cls(Report(), ended)

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked for."""
        return self.ended.code == 0 and not self.report.errors


@dataclass(frozen=True)
class Engine:
    """The `pulumi` of a project, for any of its stacks."""

    folder: Path
    environments: Environments
    children: Children

    async def preview(self, stack: str, say: Say, *, refresh: bool = False) -> Ran:
        """What `up` would do. Changes nothing, locks nothing. `refresh`: read both sides first."""
        return await self._streaming(stack, say, "preview", *_refreshed(refresh))

    async def up(self, stack: str, say: Say, *, refresh: bool = False) -> Ran:
        """Preview, and then make it so: what a preview refuses is refused before anything is changed."""
        return await self._streaming(stack, say, "up", "--yes", *_refreshed(refresh))

    async def drift(self, stack: str, say: Say) -> Ran:
        """What differs on both sides from what the stack has on record. Changes neither."""
        return await self._streaming(stack, say, "refresh", "--preview-only")

    async def clear_pending(self, stack: str, say: Say) -> Ran:
        """Take note of what is there, and forget what a killed run had begun to create."""
        return await self._streaming(
            stack, say, "refresh", "--yes", "--skip-preview", "--clear-pending-creates"
        )

    async def pending(self, stack: str) -> tuple[list[str], Ended]:
        """The resources that a killed run was at work on. Reads the record only; secrets stay encrypted."""
        said: list[str] = []
        command = ["pulumi", "stack", "export", "--stack", stack, *_EVERY]
        ended = await self.children.run(
            command, folder=self.folder, environment=self.environments.of(stack), on_line=said.append
        )
        state = (json.loads("\n".join(said)) if ended.code == 0 else {}).get("deployment") or {}
        operations = state.get("pending_operations") or []
        return [one["resource"]["urn"].rpartition("::")[2] for one in operations], ended

    async def _streaming(self, stack: str, say: Say, *words: str) -> Ran:
        report = Report()

        def take(line: str) -> None:
            if told := report.take(line):
                say(told)

        command = ["pulumi", *words, "--json", "--stack", stack, *_EVERY]
        environment = self.environments.of(stack)
        ended = await self.children.run(command, folder=self.folder, environment=environment, on_line=take)
        return Ran(report, ended, stopped=bool(self.children.asked and ended.code))


def _refreshed(refresh: bool) -> tuple[str, ...]:  # noqa: FBT001 - the one thing that it is about
    return ("--refresh",) if refresh else ()
