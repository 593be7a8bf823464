"""What happened in the lab, in order: tests and benchmarks count on it.

The journal sees secrets in clear on purpose: a test proves with it that it would find a leak.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

Match = Callable[["Event"], bool]
Action = Callable[["Event"], object]


class Broken(Exception):
    """Raised by a hook: the connection breaks here, and the lab does not go on with what it was about."""


class Hollow(Exception):
    """Raised by a hook: the lab does not do what it was asked for, and answers as if it had."""


@dataclass(frozen=True)
class Event:
    """One thing that happened; `number` counts from 1 without gaps, `at` is seconds since the epoch."""

    number: int
    at: float
    channel: str
    kind: str
    detail: dict[str, Any]

    def as_json(self) -> str:
        """One line of JSON; what JSON has no form for is written as its `repr`."""
        return json.dumps(
            {
                "number": self.number,
                "at": self.at,
                "channel": self.channel,
                "kind": self.kind,
                "detail": self.detail,
            },
            default=repr,
            ensure_ascii=False,
        )


@dataclass
class _Hook:
    match: Match
    action: Action
    once: bool
    late: bool
    spent: bool = False


class Journal:
    """A thread-safe list of events with hooks, optionally written to a JSON-lines file as it grows."""

    def __init__(self, file: Path | None = None) -> None:
        self._events: list[Event] = []
        self._hooks: list[_Hook] = []
        self._late: dict[tuple[str, int], list[tuple[_Hook, Event]]] = {}
        self._grown = threading.Condition(threading.RLock())
        self._file: IO[str] | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("a", encoding="utf-8")

    def record(self, channel: str, kind: str, /, **detail: Any) -> Event:
        """Append an event and run the hooks that it meets, in the caller's thread, before returning.

        Call it before the lab acts or answers wherever a hook must come first.
        """
        with self._grown:
            event = Event(len(self._events) + 1, time.time(), channel, kind, detail)
            self._events.append(event)
            if self._file is not None:
                self._file.write(event.as_json() + "\n")
                self._file.flush()
            self._grown.notify_all()
        for hook in self._met(event):
            if hook.late:
                self._late.setdefault(_line_of_work(channel), []).append((hook, event))
            else:
                hook.action(event)
        return event

    def answering(self, channel: str) -> None:
        """Run the late hooks of what this thread has recorded for a channel: its answer is about to leave."""
        for hook, event in self._late.pop(_line_of_work(channel), []):
            hook.action(event)

    def events(
        self, channel: str | None = None, kind: str | None = None, *, since: int = 0, **detail: Any
    ) -> list[Event]:
        """Events after `since` (a `mark`) whose channel starts with `channel` and whose details are equal."""
        with self._grown:
            later = self._events[since:]
        return [event for event in later if _fits(event, channel, kind, detail)]

    def count(
        self, channel: str | None = None, kind: str | None = None, *, since: int = 0, **detail: Any
    ) -> int:
        """How many events `events` would give."""
        return len(self.events(channel, kind, since=since, **detail))

    def mark(self) -> int:
        """The number of the last event: `since=` this gives only what comes after."""
        with self._grown:
            return len(self._events)

    def when(self, match: Match, action: Action, *, once: bool = True, late: bool = False) -> None:
        """Run `action` when an event to come meets `match`: in the lab's own thread, before it goes on.

        `late`: when the lab has done what follows from the event, and before its answer leaves. An action
        may raise `Broken`.
        """
        with self._grown:
            self._hooks.append(_Hook(match, action, once, late))

    def forget_hooks(self) -> None:
        """Drop all hooks, so that one test's trap does not catch the next."""
        with self._grown:
            self._hooks.clear()
            self._late.clear()

    def wait_for(self, match: Match, timeout: float, *, since: int = 0) -> Event:
        """The first event after `since` that meets `match`, past or to come; TimeoutError if none in time."""
        deadline = time.monotonic() + timeout
        seen = since
        with self._grown:
            while True:
                for event in self._events[seen:]:
                    if match(event):
                        return event
                seen = max(seen, len(self._events))
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"no such event in the lab's journal within {timeout:g} s ({seen} events seen)"
                    )
                self._grown.wait(left)

    def close(self) -> None:
        """Close the file, if there is one; events are still kept in memory."""
        with self._grown:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _met(self, event: Event) -> list[_Hook]:
        """The hooks to run for this event; a `once` hook is given out to one event only."""
        with self._grown:
            hooks = list(self._hooks)
        met: list[_Hook] = []
        for hook in hooks:
            if not hook.match(event):
                continue
            with self._grown:
                if hook.spent:
                    continue
                if hook.once:
                    hook.spent = True
                    if hook in self._hooks:
                        self._hooks.remove(hook)
            met.append(hook)
        return met


def _line_of_work(channel: str) -> tuple[str, int]:
    """The lab works at one thing a thread, and in a gateway's thread at one thing a member."""
    return channel, threading.get_ident()


def _fits(event: Event, channel: str | None, kind: str | None, detail: dict[str, Any]) -> bool:
    if channel is not None and not event.channel.startswith(channel):
        return False
    if kind is not None and event.kind != kind:
        return False
    return all(key in event.detail and event.detail[key] == value for key, value in detail.items())
