"""Many stacks at once: as many as asked, those that share a gateway in turn, none stops another."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from dynamic_providers.errors import ManagedError, clean
from fleet.children import Children, NoProgram, Stopped
from fleet.outcome import Outcome, State
from fleet.sharing import groups
from fleet.stacks import StackFile

Say = Callable[[str], None]
Work = Callable[[StackFile, Say], Awaitable[Outcome]]
"""What is done for one stack. `Say` tells those who watch what it is at."""


class Watcher(Protocol):
    """Whoever watches a run."""

    def began(self, stack: str) -> None:
        """Work on it begins."""

    def said(self, stack: str, text: str) -> None:
        """What it is at."""

    def ended(self, outcome: Outcome) -> None:
        """How it went."""

    def stopping(self, asked: int) -> None:
        """The operator wants it to end, for the first, second or third time."""


def run(
    stacks: Sequence[StackFile],
    work: Work,
    *,
    parallel: int,
    watcher: Watcher,
    children: Children,
    tenants_first: bool = False,
) -> list[Outcome]:
    """Do the work for all stacks; their outcomes in the order of the stacks."""
    in_groups = groups(stacks, tenants_first=tenants_first)
    return asyncio.run(_Run(work, parallel, watcher, children).all_of(stacks, in_groups))


class _Run:
    def __init__(self, work: Work, parallel: int, watcher: Watcher, children: Children) -> None:
        self._work, self._watcher, self._children = work, watcher, children
        self._places = asyncio.Semaphore(parallel)
        self._outcomes: dict[str, Outcome] = {}

    async def all_of(
        self, stacks: Sequence[StackFile], in_groups: Sequence[Sequence[StackFile]]
    ) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            await asyncio.gather(*(self._one_after_the_other(group) for group in in_groups))
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        return [self._outcomes[stack.name] for stack in stacks]

    async def _one_after_the_other(self, group: Sequence[StackFile]) -> None:
        async with (
            self._places
        ):  # for the whole group: the longest, which begins first, is never kept waiting
            for stack in group:
                outcome = await self._one(stack)
                self._outcomes[stack.name] = outcome
                self._watcher.ended(outcome)

    async def _one(self, stack: StackFile) -> Outcome:
        if stack.problem:
            return Outcome(stack.name, State.ERROR, f"{stack.problem}. Put the file right")
        if self._children.asked:
            return _not_started(stack)
        self._watcher.began(stack.name)
        begin = time.monotonic()
        task = asyncio.ensure_future(self._work(stack, lambda text: self._watcher.said(stack.name, text)))
        await asyncio.wait([task])
        error = task.exception()
        outcome = task.result() if error is None else _failed(stack, error)
        return replace(outcome, seconds=time.monotonic() - begin)

    def _stop(self) -> None:
        self._children.stop()
        self._watcher.stopping(self._children.asked)


def _not_started(stack: StackFile) -> Outcome:
    return Outcome(stack.name, State.NOT_STARTED, "interrupted before its turn came: nothing was done")


def _failed(stack: StackFile, error: BaseException) -> Outcome:
    """An outcome for what the work itself did not expect."""
    if isinstance(error, Stopped):
        return Outcome(stack.name, State.ERROR, "interrupted. Run it again")
    if isinstance(error, NoProgram):
        return Outcome(stack.name, State.ERROR, f"there is no `{error}` on PATH. Run `make setup`")
    if isinstance(error, ManagedError):
        return Outcome(stack.name, State.ERROR, str(error))
    if isinstance(error, Exception):
        says = f"unexpected {type(error).__name__}: {error}. Please report this"
        return Outcome(stack.name, State.ERROR, clean(says))
    raise error
