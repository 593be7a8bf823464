"""A cut: at which event of a run, just before or just after it, and what breaks there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from lab.estate import Estate
from lab.journal import Broken, Event, Hollow
from tests.faults.event_names import Name, Namer
from tests.faults.fault_engine import FaultEngine

REFUSAL = "the disk is full."
WRITES = ("New-", "Set-", "Remove-", "Enable-", "Disable-")


class Side(StrEnum):
    """Before: what the lab was told there does not count. After: it does, and no answer comes."""

    BEFORE = "before"
    AFTER = "after"


class What(StrEnum):
    """What breaks there."""

    CONNECTION = "connection"
    PLUGIN = "plugin"
    ENGINE = "engine"
    """The engine is gone; its plugins run on, until they see it."""
    TRUTH = "truth"
    """What is asked for is not done, and the answer says that it was."""
    COMMITS = "commits"
    """From there on every commit is refused."""


@dataclass(frozen=True)
class Cut:
    """One cut of one run."""

    event: Name
    what: What
    side: Side = Side.BEFORE

    def __str__(self) -> str:
        return f"{self.what} {self.side} {self.event}"


def cuts_of(event: Name) -> list[Cut]:
    """All that there are: connection and plugin on both sides, and what else can go wrong with a write.

    A question of a dialogue changes nothing by itself: there the plugin is killed on one side, by turns.
    """
    cuts = [Cut(event, What.CONNECTION, side) for side in Side]
    sides = list(Side)
    turn = (len(event.step) + event.nth) % 2
    in_dialogue = event.kind == "answer" and event.channel != "tenant" and event.resource != "commit"
    cuts += [Cut(event, What.PLUGIN, side) for side in (sides[turn : turn + 1] if in_dialogue else sides)]
    if event.step in {"write", "commit-started", "commit", "effect"}:
        cuts.append(Cut(event, What.ENGINE))
    if event.step == "commit-started":
        cuts += [Cut(event, What.TRUTH), Cut(event, What.COMMITS)]
    if event.step == "call" and event.resource.startswith(WRITES):
        cuts.append(Cut(event, What.TRUTH))
    return cuts


@contextmanager
def cutting(estate: Estate, engine: FaultEngine, cut: Cut) -> Iterator[list[Event]]:
    """Within it the cut comes; what is given holds its event when it has come."""
    namer, came, tools = Namer(), list[Event](), _Tools(estate, engine)

    def is_it(event: Event) -> bool:
        return namer.name(event) == cut.event

    def act(event: Event) -> None:
        came.append(event)
        ACTS[cut.what](tools, event)
        if cut.what in {What.CONNECTION, What.PLUGIN} and cut.side is Side.BEFORE:
            raise Broken

    late = cut.what is What.CONNECTION and cut.side is Side.AFTER
    estate.journal.when(is_it, act, late=late)
    try:
        yield came
    finally:
        estate.journal.forget_hooks()
        estate.gateway.refuse_commit = None


@dataclass(frozen=True)
class _Tools:
    estate: Estate
    engine: FaultEngine

    def break_connection(self, event: Event) -> None:
        raise Broken

    def kill_plugin(self, event: Event) -> None:
        self.engine.kill_plugin(PROCESSES.get(event.channel, "gateway"))

    def kill_engine(self, event: Event) -> None:
        self.engine.die()

    def lie(self, event: Event) -> None:
        if event.channel == "tenant":
            raise Hollow
        for session in self.estate.gateway.sessions:
            session.pending.drop()

    def refuse_commits(self, event: Event) -> None:
        self.estate.gateway.refuse_commit = REFUSAL


PROCESSES = {"tenant": "exchange", "dns": "dns"}
"""Which process of a stack speaks on a channel of the journal; on all others, the gateway's."""

ACTS: Mapping[What, Callable[[_Tools, Event], None]] = {
    What.CONNECTION: _Tools.break_connection,
    What.PLUGIN: _Tools.kill_plugin,
    What.ENGINE: _Tools.kill_engine,
    What.TRUTH: _Tools.lie,
    What.COMMITS: _Tools.refuse_commits,
}
