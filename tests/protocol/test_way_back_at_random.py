"""Whatever happens, in whatever order: after `refresh` and `destroy` nothing is left of us, and nothing lost.

Random lives of one stack: ups with changing settings, previews, refreshes, destroys, objects and resources
that get other names, hands that change and delete, and plugins that are killed at any moment of the lab's
journal. What no hand has touched ends as it began; what is not ours is never touched at all. In between, an
up that went through leaves what its settings alone would have made, and nothing to do.

`make test` tries a few lives, always the same. M365SE_LIVES=500 tries so many, each time others.
"""

from __future__ import annotations

import copy
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pulumi
import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from components import inbound_mail_flow, outbound_mail_flow, relay
from dynamic_providers.managed_resource import ManagedResource
from lab.demo import sections
from lab.estate import Estate
from lab.journal import Event
from tests.engine.life import wait_until
from tests.hands.names import BYPASS, DOMAIN, FILTER, GROUP, INBOUND, OUTBOUND
from tests.hands.things import TAKE_OVER, THINGS, Thing
from tests.mini_engine import Refused
from tests.protocol import way_back_life
from tests.protocol.way_back_life import OTHER_NAMES, Before, Stack, World, domains, merged, ours, values

pytestmark = pytest.mark.timeout(0 if os.environ.get("M365SE_LIVES") else 600)

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
BESIDE = [
    f"inbound connector {INBOUND}",
    f"outbound connector {OUTBOUND}",
    f"transport rule {BYPASS}",
    f"transport rule {OUTBOUND}",
    f"sender group {GROUP}",
    f"message filter {FILTER}",
    "transport rule Archive copies",
]
"""What bears our usual names may be somebody's, and stay when ours get other names."""
RENAMED = merged(BASE, {"names": OTHER_NAMES, "leave": BESIDE, "outbound": {"ciphers": "check"}})
SETTINGS = {"first": BASE, "less": LESS, "renamed": RENAMED}
MOMENTS = ("connect", "write", "commit-started", "commit", "token", "call", "effect", "answer")


SUFFIXES = ("", "-renamed")
"""Of all logical names; a resource has the other one as an alias."""


world = way_back_life.world


def named(made: Callable[..., object], suffix: str) -> Callable[..., object]:
    """A kind of resource that gives all its resources another logical name."""

    def make(name: str, /, *arguments: Any, **options: Any) -> object:
        given = options.pop("opts", None)
        *rest, opts = (*arguments, given) if given else arguments
        aliases = [pulumi.Alias(name=f"{name}{other}") for other in SUFFIXES if other != suffix]
        known = pulumi.ResourceOptions(aliases=aliases)
        return made(f"{name}{suffix}", *rest, **options, opts=pulumi.ResourceOptions.merge(opts, known))

    return make


class Lives(RuleBasedStateMachine):
    """One stack and everybody else."""

    world: ClassVar[World]
    made: ClassVar[dict[str, dict[str, list[str]]]]  # by settings alone, where nothing was before

    def __init__(self) -> None:
        super().__init__()
        self.touched: set[str] = set()  # headings of what a hand was at
        self.open: str | None = None  # the settings of an up that did not come to its end: they go first
        self.cut = False  # it was killed, so that only another up can tell what it has done
        self.unsure = False  # whether the state may not be what the estate is: by a hand or a kill
        self.patch = pytest.MonkeyPatch()

    @initialize(
        before=st.sampled_from(["absent", "different", "equal"]), there=st.sampled_from([True, True, False])
    )
    def begins(self, before: Before, *, there: bool) -> None:
        """With a stack that is up, since most can happen to that; or with none yet."""
        if there:
            self.stack, known = self.world.stack(before)
            self.start = known.before_dump
        else:
            self.start = self.world.begin(before)
            self.stack = Stack(self.world, BASE)

    # --- the stack ------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(sorted(SETTINGS)))
    def up(self, name: str) -> None:
        again, sure = self.open or name, not self.unsure and not self.open
        went_through = self._may_stop(lambda: self.stack.up(SETTINGS[again]))
        self._note_up(again, went_through=went_through)
        if went_through and sure:
            assert self.stack.engine.preview().operations() == {}
            self._is_made(again)

    @rule()
    def preview(self) -> None:
        def seen() -> object:
            state = self.stack.engine.state
            return self.world.estate.dump(), {name: (one.inputs, one.outputs) for name, one in state.items()}

        before = copy.deepcopy(seen())
        self._may_stop(self.stack.engine.preview)
        assert seen() == before

    @rule(suffix=st.sampled_from(SUFFIXES))
    def resources_are_renamed(self, suffix: str) -> None:
        """In the program; the next up tells the state."""
        self.patch.undo()
        for module in (inbound_mail_flow, outbound_mail_flow, relay):
            for name, made in vars(module).copy().items():
                if (
                    isinstance(made, type)
                    and issubclass(made, ManagedResource)
                    and made is not ManagedResource
                ):
                    self.patch.setattr(module, name, named(made, suffix))

    @rule()
    def refresh(self) -> None:
        self.stack.engine.refresh()
        self.unsure = False

    @precondition(lambda self: not self.cut)
    @rule()
    def destroy(self) -> None:
        if self._may_stop(self.stack.destroy):
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
            self._may_stop(self.stack.destroy, came)

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
        try:
            if hasattr(self, "stack"):
                self._ends()
        finally:
            self.patch.undo()

    def _ends(self) -> None:
        self.stack.engine.refresh()
        if self.cut and self.open:
            self.stack.up(SETTINGS[self.open])
            self.stack.engine.refresh()
        self.stack.destroy()
        assert self.stack.engine.state == {}
        assert self._untouched(self.world.estate.dump()) == self._untouched(self.start)

    def _is_made(self, name: str) -> None:
        """What the settings alone make is there, whatever came before; what a hand was at is its own.

        The filter is left out: the order of its alternatives is that in which they came.
        """
        now, free = ours(self.world.estate.dump()), {THINGS["filter"].heading, *self.touched}
        for heading, lines in self.made.get(name, {}).items():
            assert heading in free or now.get(heading) == lines

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
    Lives.world, Lives.made = world, {}
    for name in ("first", "less"):
        world.begin("absent")
        Stack(world, SETTINGS[name]).up()
        Lives.made[name] = ours(world.estate.dump())
    run_state_machine_as_test(Lives, settings=LIVES)


MANY = int(os.environ.get("M365SE_LIVES", "0"))
LIVES = settings(
    max_examples=MANY or 10,
    phases=(Phase.generate, Phase.shrink) if MANY else (Phase.generate,),
    stateful_step_count=12 if MANY else 6,
    deadline=None,
    derandomize=not MANY,
    database=None,
    suppress_health_check=list(HealthCheck),
)
