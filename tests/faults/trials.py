"""One cut tried: the run that is cut, what it leaves, and what the next `up` and `destroy` make of that."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.demo import sections
from lab.estate import EstateSnapshot
from tests.engine.life import wait_until
from tests.faults.cuts import Cut, What, cutting
from tests.faults.event_names import Name, Namer
from tests.faults.fault_engine import FaultEngine, ended
from tests.mini_engine import MiniEngine, Refused, StateFile
from tests.protocol.way_back_life import NOT_COMPARED, Stack, Values, World, changed

TRIES = 4  # of a run that did not come by the event: threads have taken another order
TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)?")
IN_TENANT = ("inbound connector", "outbound connector", "transport rule", "organization")  # headings
SECONDS = (
    20.0  # for the lab to end what it was told before the cut, and for processes to see that they are alone
)


class Wrong(Exception):
    """What is not as it has to be after a cut."""


class NotReached(Wrong):
    """The run never came by the event at which it was to be cut."""


class NotConverged(Wrong):
    """The next `up` has not made it right."""


class NotRestored(Wrong):
    """`destroy` has not put back what was there before us."""


@dataclass(frozen=True)
class Start:
    """An estate and a state to begin at."""

    estate: EstateSnapshot
    state: StateFile


@dataclass
class Operation:
    """One run of the engine, with all that is needed to say whether it was made good after a cut.

    `act`: the run. `settings`: those of the run; `wanted`: those of `again`, the run that makes it good.
    `before`: the dump that `destroy` has to lead back to. `ends`: the run is a `destroy`, which may also be
    run again as it is.
    """

    name: str
    world: World
    begin: Start
    act: Callable[[Stack], object]
    settings: Values
    wanted: Values
    before: str
    again: Callable[[Stack], object] = Stack.up
    kind: type[Stack] = Stack
    ends: bool = False
    begun: str = ""
    after: str = ""
    events: list[Name] = field(default_factory=list)
    outcomes: dict[str, Wrong | None] = field(default_factory=dict)
    """What cuts have left, hashed, and what was wrong with what followed: the same would follow again."""
    known: Path | None = None
    """A folder in which all processes of a run note the outcomes after which nothing was wrong."""

    def record(self) -> None:
        """Run it uncut: its events, and what the estate is to be like after `again`."""
        journal, stack, namer = self.world.estate.journal, self._stack(self.begin), Namer()
        self.begun = self.kind.dump(self.world.estate)
        mark = journal.mark()
        self.act(stack)
        found = [namer.name(event) for event in journal.events(since=mark)]
        self.events = [name for name in found if name is not None]
        self._again(stack)
        self.after = self.kind.dump(self.world.estate)

    def try_cut(self, cut: Cut, environment: dict[str, str] | None = None) -> None:
        """Raises Wrong if it is not made good. `environment`: of all its plugins."""
        self._go_on(self.cut(cut, environment), environment)

    def cut(self, cut: Cut, environment: dict[str, str] | None = None) -> Stack:
        """The run with the cut; the stack as that leaves it."""
        for _ in range(TRIES):
            stack = self._stack(self.begin, environment)
            engine = stack.engine
            assert isinstance(engine, FaultEngine)
            with cutting(self.world.estate, engine, cut) as came:
                with suppress(Refused):
                    self.act(stack)
                self._require_end(engine)
            if came:
                self._look_at_gateway(cut, came[0].number)
                return stack
        raise NotReached(f"not reached in {TRIES} runs")

    def _stack(self, start: Start, environment: dict[str, str] | None = None) -> Stack:
        self.world.estate.reset()
        self.world.estate.restore(start.estate)
        stack = self.kind(self.world, self.settings, FaultEngine)
        stack.engine.environment = {**stack.engine.environment, **(environment or {})}
        stack.engine.load(start.state)
        return stack

    def _again(self, stack: Stack) -> None:
        stack.wanted = self.wanted
        self.again(stack)

    # --- right after the cut --------------------------------------------------------------------------------

    def _require_end(self, engine: FaultEngine) -> None:
        """No process is left, and the lab has done all that it was told."""
        try:
            if not ended(engine.left_running, SECONDS):
                raise Wrong("a plugin runs on without its engine")
        finally:
            engine.clear_away()
        if not wait_until(lambda: self.world.estate.at_rest, SECONDS):
            raise Wrong("the lab is still at work")

    def _look_at_gateway(self, cut: Cut, mark: int) -> None:
        """What is ours there is whole, what is not ours is as it was; and nothing came too late."""
        journal = self.world.estate.journal
        too_late = cut.what is What.ENGINE and cut.event.step == "write"
        if too_late and journal.count("gateway", "commit", since=mark):
            raise Wrong("committed after the engine was gone")
        if cut.what is What.COMMITS and journal.count("gateway", "disconnect", since=mark, pending=True):
            raise Wrong("what was refused stayed pending")
        wrong = half_made(self.kind.dump(self.world.estate), (self.before, self.begun, self.after))
        if wrong:
            raise Wrong(f"neither as it was nor as it is to be: {wrong}")

    # --- what follows ---------------------------------------------------------------------------------------

    def _go_on(self, stack: Stack, environment: dict[str, str] | None) -> None:
        """What follows from an outcome is looked at once: estate and state are all that it depends on."""
        left = f"{self.name}\n{environment}\n{self.kind.dump(self.world.estate)}\n{_told(stack.engine)}"
        outcome = hashlib.sha256(left.encode()).hexdigest()
        if self.known is not None and (self.known / outcome).exists():
            return
        if outcome not in self.outcomes:
            self.outcomes[outcome] = self._what_is_wrong(stack, environment)
        wrong = self.outcomes[outcome]
        if wrong is not None:
            raise wrong
        if self.known is not None:
            (self.known / outcome).touch()

    def _what_is_wrong(self, stack: Stack, environment: dict[str, str] | None) -> Wrong | None:
        try:
            if self.ends:
                found = Start(self.world.estate.snapshot(), stack.engine.saved())
                self._require_restored(stack)
                stack = self._stack(found, environment)
            self._require_converged(stack)
            self._require_restored(stack)
        except Wrong as wrong:
            return wrong
        return None

    def _require_converged(self, stack: Stack) -> None:
        """The run that makes it good, and a preview that says so."""
        mark = self.world.estate.journal.mark()
        try:
            self._again(stack)
            left = stack.engine.preview().operations()
        except Refused as refused:
            raise NotConverged(f"refused: {refused}") from None
        wrong = self._differing(self.kind.dump(self.world.estate))
        if wrong:
            raise NotConverged(f"not right: {wrong}")
        if left:
            raise NotConverged(f"a preview would still do {left}")
        wait_until(lambda: self.world.estate.at_rest, SECONDS)
        if self.world.estate.journal.count("gateway", "disconnect", since=mark, pending=True):
            raise NotConverged("something is left pending on the gateway")

    def _require_restored(self, stack: Stack) -> None:
        """`destroy`, and everything is as it was before us."""
        try:
            stack.destroy()
        except Refused as refused:
            raise NotRestored(f"destroy is refused: {refused}") from None
        now = self.kind.dump(self.world.estate)
        if now != self.before:
            raise NotRestored(f"not as it was: {changed(self.before, now) or 'the order'}")
        if stack.engine.state or stack.engine.condemned:
            raise NotRestored(f"left in the state: {sorted(stack.engine.state)}")

    def _differing(self, dump: str) -> list[str]:
        """What is not as it is to be: objects, and the order of what is not ours."""
        wanted, now, then = things(self.after), things(dump), things(self.before)
        wrong = [heading for heading in {*wanted, *now} if wanted.get(heading) != now.get(heading)]
        others = [heading for heading in then if then[heading] == wanted.get(heading)]
        in_order = [heading for heading in now if heading in others] == others
        return sorted(wrong) or ([] if in_order else ["the order of what is not ours"])


def half_made(now: str, known: Sequence[str]) -> list[str]:
    """What is as none of these dumps has it: others' objects, and ours on the gateway, with their places.

    Of ours in the tenant some take two cmdlets.
    """
    seen, exact = things(now), sections(now)
    versions, exact_versions = [things(one) for one in known], [sections(one) for one in known]
    wrong = []
    for heading in {*seen, *versions[0]}:
        found = [one.get(heading) for one in versions]
        ours = any(one != found[0] for one in found)
        if ours and heading.startswith(IN_TENANT):
            continue
        exactly = [one.get(heading) for one in exact_versions]
        if (exact.get(heading) not in exactly) if ours else (seen.get(heading) not in found):
            wrong.append(heading)
    return sorted(wrong)


def things(dump: str) -> dict[str, list[str]]:
    """What a dump shows, without absolute numbers, which say little while something else comes or goes."""
    return {
        heading: [line for line in lines if not line.startswith(NOT_COMPARED)]
        for heading, lines in sections(dump).items()
    }


def _told(engine: MiniEngine) -> str:
    """A state as text, without the times at which it came about."""
    known = [*(one for _, one in sorted(engine.state.items())), *engine.condemned]
    whole = [[asdict(one) | {"needs": sorted(one.needs)} for one in known], engine.pending]
    return TIMES.sub("", json.dumps(whole, sort_keys=True))
