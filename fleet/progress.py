"""What is seen while a run goes on: a few living lines on a terminal, plain lines in a pipeline's log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dynamic_providers.errors import clean
from fleet.outcome import Outcome, State
from fleet.words import MARKS, elapsed, few

HEARTBEAT_SECONDS = 60.0
"""How often a log is told that somebody is still at work; several pipelines end a job that says nothing."""

_STOPPING = (
    "Ctrl-C: nothing new begins; each stack finishes what it is doing, and has it on record. Again: at once",
    "Ctrl-C again: leaving off at once. What was begun is found again by the next `fleet up`",
    "Ctrl-C a third time: killed. `pulumi cancel` frees the stacks, the next `fleet up` finds what was begun",
)


class Progress:
    """Keeps who is at work on what. A subclass shows it."""

    def __init__(self, console: Console, total: int) -> None:
        self.console, self.total = console, total
        self.working: dict[str, tuple[float, str]] = {}
        self.ended_so_far: dict[State, int] = {}
        self._lock = threading.Lock()  # a terminal is drawn by a thread of its own

    def began(self, stack: str) -> None:
        with self._lock:
            self.working[stack] = (time.monotonic(), "begins")

    def said(self, stack: str, text: str) -> None:
        with self._lock:
            since, _ = self.working[stack]
            self.working[stack] = (since, clean(text))

    def ended(self, outcome: Outcome) -> None:
        with self._lock:
            self.working.pop(outcome.stack, None)
            self.ended_so_far[outcome.state] = self.ended_so_far.get(outcome.state, 0) + 1

    def stopping(self, asked: int) -> None:
        self.console.print(_STOPPING[min(asked, len(_STOPPING)) - 1], style="bold", markup=False)

    def at_work(self) -> list[tuple[str, float, str]]:
        """Who has been at work for how long, and on what; the longest first."""
        now = time.monotonic()
        with self._lock:
            rows = [(stack, now - since, text) for stack, (since, text) in self.working.items()]
        return sorted(rows, key=lambda row: -row[1])


class Lines(Progress):
    """For a log: a line where a stack begins, ends, and once a minute."""

    def began(self, stack: str) -> None:
        super().began(stack)
        self._print(f"{stack}: begins")

    def ended(self, outcome: Outcome) -> None:
        super().ended(outcome)
        self._print(f"{outcome.stack}: {outcome.state}, {elapsed(outcome.seconds)}: {outcome.says}")

    def heartbeat(self) -> None:
        """Say who is still at work."""
        for stack, seconds, text in self.at_work():
            self._print(f"{stack}: at work for {elapsed(seconds)}: {text}")

    def _print(self, text: str) -> None:
        now = datetime.now().astimezone()
        self.console.print(f"{now:%H:%M:%S} {text}", markup=False)


class Screen(Progress):
    """For a terminal: how many have ended how, and who is at work on what."""

    def __rich__(self) -> Group:
        """What is drawn, four times a second."""
        with self._lock:
            ended = dict(self.ended_so_far)
        left = self.total - sum(ended.values()) - len(self.working)
        counts = [
            (f"{MARKS[state].sign} {count} {MARKS[state].told}", MARKS[state].style)
            for state, count in ended.items()
        ]
        head = Text("  ").join(Text(text, style=style) for text, style in counts)
        if left:
            head.append(f"{'  ' if counts else ''}{left} to come", style="dim")
        table = Table.grid(padding=(0, 2))
        for stack, seconds, text in self.at_work():
            table.add_row(stack, elapsed(seconds), Text(few(text, self.console.width), style="dim"))
        return Group(head, table)

    def ended(self, outcome: Outcome) -> None:
        super().ended(outcome)
        if outcome.needs_somebody:
            mark = MARKS[outcome.state]
            text = f"{mark.sign} {outcome.stack}: {outcome.says}"
            self.console.print(text, style=mark.style, markup=False)


@contextmanager
def shown(stacks: Sequence[object], console: Console) -> Iterator[Progress]:
    """A watcher for a run over these stacks, fit for where it is seen."""
    if console.is_terminal:
        screen = Screen(console, len(stacks))
        with Live(screen, console=console, transient=True):
            yield screen
        return
    lines = Lines(console, len(stacks))
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(lines, over), daemon=True)
    beating.start()
    try:
        yield lines
    finally:
        over.set()
        beating.join()


def _beat(lines: Lines, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT_SECONDS):
        lines.heartbeat()
