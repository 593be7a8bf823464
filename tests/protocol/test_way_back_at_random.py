"""Whatever happens, in whatever order: after `refresh` and `destroy` nothing is left of us, and nothing lost.

Random lives of one stack: ups with changing settings, refreshes, destroys, hands that change and delete, and
plugins that are killed at any moment of the lab's journal. What no hand has touched ends as it began; what is
not ours is never touched at all.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lab.demo import sections
from lab.estate import Estate
from lab.journal import Event
from tests.engine.life import wait_until
from tests.hands.names import DOMAIN
from tests.hands.things import TAKE_OVER, THINGS, Thing
from tests.mini_engine import Refused
from tests.plugin_nursery import Nursery
from tests.protocol.way_back_life import Before, Stack, World, domains, merged, values

pytestmark = pytest.mark.timeout(600)

BASE = values(takeOver=list(TAKE_OVER))
LESS = merged(
    BASE,
    {
        "domains": domains(DOMAIN),
        "inbound": {"throttle": "none"},
        "outbound": {
            "state": "none",
            "previousSecrets": ["anothersecretkey"],
            "smartHosts": ["relay.example"],
        },
    },
)
NAMES = {
    "inboundConnector": "From IronPort",
    "outboundConnector": "To IronPort",
    "inboundRule": "Bypass for IronPort",
    "outboundRule": "Through IronPort",
    "senderGroup": "FROM_M365",
    "filter": "m365_only",
}
RENAMED = merged(BASE, {"names": NAMES, "outbound": {"ciphers": "check"}})
SETTINGS = {"first": BASE, "less": LESS, "renamed": RENAMED}
MOMENTS = ("connect", "write", "commit-started", "commit", "token", "call", "effect", "answer")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Nursery() as nursery, Estate(tmp_path_factory.mktemp("at-random") / ".lab") as estate:
        yield World(estate, nursery)


class Lives(RuleBasedStateMachine):
    """One stack and everybody else."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.touched: set[str] = set()  # headings of what a hand was at
        self.open: str | None = None  # the settings of an up that did not come to its end: they go first
        self.cut = False  # it was killed, so that only another up can tell what it has done
        self.unsure = False  # whether the state may not be what the estate is: by a hand or a kill

    @initialize(before=st.sampled_from(["absent", "different", "equal"]))
    def begins(self, before: Before) -> None:
        self.start = self.world.begin(before)
        self.stack = Stack(self.world, BASE)

    # --- the stack ------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(sorted(SETTINGS)))
    def up(self, name: str) -> None:
        again = self.open or name
        went_through = self._may_stop(lambda: self.stack.up(SETTINGS[again]))
        self._note_up(again, went_through=went_through)

    @rule()
    def refresh(self) -> None:
        self.stack.engine.refresh()
        self.unsure = False

    @precondition(lambda self: not self.cut)
    @rule()
    def destroy(self) -> None:
        if self._may_stop(self.stack.engine.destroy):
            self.open = None

    @rule(name=st.sampled_from(sorted(SETTINGS)), kind=st.sampled_from(MOMENTS), number=st.integers(1, 12))
    def killed_in_an_up(self, name: str, kind: str, number: int) -> None:
        again = self.open or name
        with self._killing(kind, number) as came:
            went_through = self._may_stop(lambda: self.stack.up(SETTINGS[again]), came)
            self._note_up(again, went_through=went_through)
        self.cut |= came.is_set() and not went_through

    def _note_up(self, name: str, *, went_through: bool) -> None:
        self.open = None if went_through else name
        self.cut &= not went_through

    @precondition(lambda self: not self.cut)
    @rule(kind=st.sampled_from(MOMENTS), number=st.integers(1, 12))
    def killed_in_a_destroy(self, kind: str, number: int) -> None:
        with self._killing(kind, number) as came:
            self._may_stop(self.stack.engine.destroy, came)

    # --- hands ----------------------------------------------------------------------------------------------

    @rule(thing=st.sampled_from(sorted(THINGS)))
    def a_hand_changes(self, thing: str) -> None:
        self._by_hand(THINGS[thing], THINGS[thing].change)

    @rule(thing=st.sampled_from(sorted(name for name, thing in THINGS.items() if thing.remove)))
    def a_hand_deletes(self, thing: str) -> None:
        remove = THINGS[thing].remove
        assert remove is not None
        self._by_hand(THINGS[thing], remove)

    def _by_hand(self, thing: Thing, act: Callable[[Estate], object]) -> None:
        then = sections(self.world.estate.dump())
        if thing.heading in then:
            self.unsure = True
            act(self.world.estate)
            now = sections(self.world.estate.dump())
            # A connector that goes leaves its mark in the rule that names it, which is then the hand's, too.
            changed = {heading for heading in then if counted(then[heading]) != counted(now.get(heading, []))}
            self.touched |= {thing.heading, *changed}

    # --- what must hold -------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        self.stack.engine.refresh()
        if self.cut and self.open:
            self.stack.up(SETTINGS[self.open])
            self.stack.engine.refresh()
        self.stack.engine.destroy()
        assert self.stack.engine.state == {}
        assert self._untouched(self.world.estate.dump()) == self._untouched(self.start)

    def _untouched(self, dump: str) -> list[tuple[str, list[str]]]:
        """All that no hand was at, in its order; absolute numbers say little once something else is gone."""
        return [
            (heading, counted(lines))
            for heading, lines in sections(dump).items()
            if heading not in self.touched
        ]

    def _may_stop(self, act: Callable[[], object], killed: threading.Event | None = None) -> bool:
        """Whether it went through. It only stops at what a hand or half a run has changed since a refresh."""
        try:
            act()
        except Refused as refused:
            note(str(refused))
            known = re.search(r"changed since the last run|cannot go", str(refused))
            if not (killed and killed.is_set()) and not (self.unsure and known):
                raise
            return False
        return True

    @contextmanager
    def _killing(self, kind: str, number: int) -> Iterator[threading.Event]:
        """Kill the plugins at the numberth event of a kind from now on, if there are so many."""
        journal, left, came = self.world.estate.journal, [number], threading.Event()

        def count_down(_event: Event) -> None:
            left[0] -= 1
            if left[0] == 0:
                came.set()
                self.stack.engine.kill()

        journal.when(lambda event: event.kind == kind and event.channel != "by-hand", count_down, once=False)
        mark = journal.mark()
        yield came
        journal.forget_hooks()
        assert wait_until(lambda: self._quiet(mark), 10)
        self.unsure |= came.is_set()

    def _quiet(self, mark: int) -> bool:
        """Whether the lab has done all that it was told before the kill."""
        journal = self.world.estate.journal
        calls, answers = (journal.count("tenant", kind, since=mark) for kind in ("call", "answer"))
        return not self.world.estate.gateway.sessions and calls == answers


def counted(lines: list[str]) -> list[str]:
    """An object's lines without its absolute number."""
    return [line for line in lines if not line.startswith(("Priority:", "order:"))]


def test_any_life_ends_where_it_began(world: World) -> None:
    Lives.world = world
    run_state_machine_as_test(Lives, settings=LIVES)


LIVES = settings(
    max_examples=10,
    stateful_step_count=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
