"""Names of the journal's events that stay the same however threads are scheduled.

(channel, resource, step, nth): a table or a cmdlet, what is asked or done there, and for which time in a run.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from lab.journal import Event

MENU = "Choose the operation"
LISTENER = "name or number of the listener"
ENDS = ("disconnect", "broken", "clear")  # what the lab notes by itself when something has ended


@dataclass(frozen=True, order=True)
class Name:
    """One event of a run."""

    channel: str
    resource: str
    step: str
    nth: int
    kind: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.channel} · {self.resource} · {self.step} · {self.nth}"


class Namer:
    """Gives the events of one run their names, in the order in which the journal has them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._where: dict[str, str] = {}  # by channel: the command, the listener and its table
        self._listener: dict[str, str] = {}
        self._seen: Counter[tuple[str, str, str]] = Counter()

    def name(self, event: Event) -> Name | None:
        """None for what is no part of our protocols: hands, and the lab's own notes."""
        if event.channel == "by-hand" or event.kind in ENDS:
            return None
        with self._lock:
            resource, step = self._place(event)
            self._seen[event.channel, resource, step] += 1
            return Name(event.channel, resource, step, self._seen[event.channel, resource, step], event.kind)

    def _place(self, event: Event) -> tuple[str, str]:
        detail = event.detail
        if "cmdlet" in detail:
            return str(detail["cmdlet"]), event.kind
        if event.kind == "command":
            self._where[event.channel] = str(detail["line"]).split()[0] if detail["line"] else "(empty line)"
            return self._where[event.channel], "command"
        if event.kind == "answer":
            return self._answer(event.channel, str(detail["question"]), str(detail["answer"]))
        if "table" in detail:
            return f"{detail['table']} {detail.get('key', '')}".strip(), event.kind
        return str(detail.get("zone", "")), event.kind

    def _answer(self, channel: str, question: str, answer: str) -> tuple[str, str]:
        where = self._where.get(channel, "")
        if MENU not in question:
            if LISTENER in question:
                self._listener[channel] = answer
            return where, question.split("\n", maxsplit=1)[0] or "(menu without words)"
        if answer in {"HOSTACCESS", "RCPTACCESS"}:
            self._where[channel] = f"{where} {self._listener.get(channel, '')} {answer}"
        return where, f"menu {answer or '(leave)'}"
