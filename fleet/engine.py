"""One stack's `pulumi`, as a child process that tells what it does.

No secret is an argument: the environment carries them. Never `-v` nor `--logtostderr`: they print every call.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    async def up(self, stack: str, say: Say, *, refresh: bool = False, previewed: bool = False) -> Ran:
        """Preview, and then make it so: what a preview refuses is refused before anything is changed.

        `previewed`: that was done a moment ago.
        """
        skip = ("--skip-preview",) if previewed else ()
        return await self._streaming(stack, say, "up", "--yes", *skip, *_refreshed(refresh))

    async def config(self, stack: str) -> tuple[dict[str, Any], Ended]:
        """The settings of a stack, secrets in clear: for this process only."""
        said: list[str] = []
        ended = await self._said(said.append, "config", "--json", "--show-secrets", stack=stack)
        return json.loads("\n".join(said)) if ended.code == 0 else {}, ended

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

    # --- leaving --------------------------------------------------------------------------------------------

    async def export(self, stack: str, *words: str) -> tuple[dict[str, Any], Ended]:
        """The stack's record; what is secret in it encrypted, unless the words say otherwise."""
        said: list[str] = []
        ended = await self._said(said.append, "stack", "export", *words, stack=stack)
        return json.loads("\n".join(said)) if ended.code == 0 else {}, ended

    async def history(self, stack: str, most: int) -> list[dict[str, Any]]:
        """The last runs, the latest first: kind, times, result. None where there is no list of them."""
        said: list[str] = []
        words = ("stack", "history", "--json", "--page-size", str(most))
        ended = await self._said(said.append, *words, stack=stack)
        return json.loads("\n".join(said) or "[]") if ended.code == 0 else []

    async def up_by(self, stack: str, say: Say, config: Path) -> Ran:
        """`up` by another stack file than the committed one, which stays as it is."""
        return await self._streaming(stack, say, "up", "--yes", "--config-file", str(config))

    async def destroy(self, stack: str, say: Say) -> Ran:
        """Take away all that the stack has made; its providers put back what was there before."""
        return await self._streaming(stack, say, "destroy", "--yes")

    async def remove(self, stack: str, say: Say, *words: str) -> Ran:
        """Forget the stack; its file stays. While it has resources, only by the words that say so."""
        ended = await self._said(say, "stack", "rm", "--yes", "--preserve-config", *words, stack=stack)
        return Ran(Report(), ended, stopped=bool(self.children.asked and ended.code))

    async def _said(self, on_line: Say, *words: str, stack: str) -> Ended:
        command = ["pulumi", *words, "--stack", stack, *_EVERY]
        environment = self.environments.of(stack)
        return await self.children.run(command, folder=self.folder, environment=environment, on_line=on_line)


def _refreshed(refresh: bool) -> tuple[str, ...]:  # noqa: FBT001 - the one thing that it is about
    return ("--refresh",) if refresh else ()
