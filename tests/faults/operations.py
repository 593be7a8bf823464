"""The runs that are cut: each begins where a stack has come to, on an estate that others use, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import NamedTemporaryFile

from lab.estate import Estate
from tests.faults.event_names import Name
from tests.faults.fault_engine import FaultEngine
from tests.faults.lock_stack import OPEN, SHUT, LockStack, mail_comes_by_the_gateway
from tests.faults.mx_stack import MX_BACK, MX_HERE, MxStack
from tests.faults.trials import Operation, Start
from tests.hands.acts import in_tables
from tests.hands.names import DOMAIN, FILTER, GROUP, SHOP
from tests.hands.others import THEIR_SECRET, fill_with_others
from tests.hands.tables import put_filter
from tests.hands.things import TAKE_OVER, THINGS
from tests.mini_engine import StateFile
from tests.protocol.way_back_life import OTHER_NAMES, Stack, Values, World, domains, merged, values

THEIR_FILTER = (
    f'{FILTER}: if (sendergroup == "^{GROUP}$") {{ if (header("X-OUTBOUND-AUTH") == "^{THEIR_SECRET}$")'
    ' { strip-header("X-OUTBOUND-AUTH"); } else { drop(); } }'
)
NOTHING: StateFile = ({}, [], {}, {})
BASE = values(domains=domains(DOMAIN))
OVER_OTHERS = values(domains=domains(DOMAIN), takeOver=list(TAKE_OVER))
UPDATED = merged(
    BASE,
    {
        "domains": domains(DOMAIN, SHOP),
        "inbound": {
            "throttle": {"connections": 2, "messagesPerConnection": 3},
            "senderAddresses": ["192.0.2.200", "192.0.2.128/25"],
        },
        "outbound": {
            "smartHosts": ["192.0.2.105", "198.51.100.186"],
            "previousSecrets": ["anothersecretkey"],
            "except": {"recipientDomains": ["bank.example"]},
        },
    },
)
RENAMED = merged(BASE, {"names": OTHER_NAMES})
CHANGED_BY_HAND = ("sender group", "mail flow policy", "ciphers")  # what no setting updates


def beside_another_tenant(estate: Estate) -> None:
    """The gateway's filter lets another tenant's secret pass already."""
    in_tables(lambda tables: put_filter(tables, THEIR_FILTER, 1))(estate)


def agreed(file: Path, events: list[Name]) -> list[Name]:
    """The events that the first process of a run has recorded: all share out the same list."""
    with NamedTemporaryFile("w", dir=file.parent, encoding="utf-8") as ours:
        json.dump([asdict(event) for event in events], ours)
        ours.flush()
        with suppress(FileExistsError):
            file.hardlink_to(ours.name)
    return [Name(**event) for event in json.loads(file.read_text(encoding="utf-8"))]


class Operations:
    """Makes them on one estate, each when it is asked for."""

    def __init__(self, world: World, known: Path | None = None) -> None:
        """`known`: see `Operation.known`."""
        self.world, self._known = world, known
        self._made: dict[str, Operation] = {}

    def get(self, name: str) -> Operation:
        """The operation, recorded."""
        if name not in self._made:
            self._made[name] = replace(NAMES[name](self), known=self._known)
            self._made[name].record()
            if self._known is not None:
                self._made[name].events = agreed(self._known / f"{name}.json", self._made[name].events)
        return self._made[name]

    def up(self) -> Operation:
        return self._operation("up", beside_another_tenant, BASE, then=None, act=Stack.up)

    def up_over_others(self) -> Operation:
        return self._operation("up over others", fill_with_others, OVER_OTHERS, then=None, act=Stack.up)

    def update(self) -> Operation:
        return self._later("update", self._by_hand, lambda stack: stack.up(UPDATED), UPDATED)

    def rename(self) -> Operation:
        return self._later("rename", _as_it_is, lambda stack: stack.up(RENAMED), RENAMED)

    def refresh(self) -> Operation:
        return self._later("refresh", _as_it_is, lambda stack: stack.engine.refresh(), BASE)

    def destroy(self) -> Operation:
        made = self._later("destroy", _as_it_is, Stack.destroy, BASE)
        return replace(made, again=refresh_and_up, ends=True)

    def destroy_over_others(self) -> Operation:
        made = self._operation(
            "destroy over others", fill_with_others, OVER_OTHERS, then=_as_it_is, act=Stack.destroy
        )
        return replace(made, again=refresh_and_up, ends=True)

    def _later(
        self, name: str, then: Callable[[Stack], object], act: Callable[[Stack], object], wanted: Values
    ) -> Operation:
        """A run of the stack that `up` has made."""
        return self._operation(name, beside_another_tenant, BASE, then=then, act=act, wanted=wanted)

    def move_mx(self) -> Operation:
        return self._operation("move MX", _nothing, MX_HERE, then=None, act=Stack.up, kind=MxStack)

    def move_mx_back(self) -> Operation:
        return self._operation(
            "move MX back",
            _nothing,
            MX_HERE,
            then=_as_it_is,
            act=lambda stack: stack.up(MX_BACK),
            wanted=MX_BACK,
            kind=MxStack,
        )

    def destroy_mx(self) -> Operation:
        made = self._operation(
            "destroy MX", _nothing, MX_HERE, then=_as_it_is, act=Stack.destroy, kind=MxStack
        )
        return replace(made, again=refresh_and_up, ends=True)

    def shut(self) -> Operation:
        return self._at_the_side("shut the side entrance", None, Stack.up, SHUT)

    def open(self) -> Operation:
        return self._at_the_side("open the side entrance", _as_it_is, lambda stack: stack.up(OPEN), OPEN)

    def destroy_shut(self) -> Operation:
        made = self._at_the_side("destroy while it is shut", _as_it_is, Stack.destroy, SHUT)
        return replace(made, again=refresh_and_up, ends=True)

    def _at_the_side(
        self,
        name: str,
        then: Callable[[Stack], object] | None,
        act: Callable[[Stack], object],
        wanted: Values,
    ) -> Operation:
        furnish = mail_comes_by_the_gateway
        return self._operation(name, furnish, SHUT, then=then, act=act, wanted=wanted, kind=LockStack)

    def _operation(
        self,
        name: str,
        furnish: Callable[[Estate], None],
        settings: Values,
        *,
        then: Callable[[Stack], object] | None,
        act: Callable[[Stack], object],
        wanted: Values | None = None,
        kind: type[Stack] = Stack,
    ) -> Operation:
        """`then`: what comes between the stack's first `up` and the run; None: the run is the first."""
        world = self.world
        world.untouched()
        furnish(world.estate)
        before, state = kind.dump(world.estate), NOTHING
        if then is not None:
            stack = kind(world, settings, FaultEngine)
            stack.up()
            then(stack)
            state = stack.engine.saved()
        begin = Start(world.estate.snapshot(), state)
        return Operation(name, world, begin, act, settings, wanted or settings, before, kind=kind)

    def _by_hand(self, stack: Stack) -> None:
        for thing in CHANGED_BY_HAND:
            THINGS[thing].change(self.world.estate)
        stack.engine.refresh()


def _nothing(_estate: Estate) -> None:
    """What the practice estate has by itself is enough."""


def refresh_and_up(stack: Stack) -> None:
    """For who wants back what a cut `destroy` has left: an `up` alone believes the state."""
    stack.engine.refresh()
    stack.up()


def _as_it_is(_stack: Stack) -> None:
    """The run begins where `up` has ended."""


NAMES: dict[str, Callable[[Operations], Operation]] = {
    "up": Operations.up,
    "up over others": Operations.up_over_others,
    "update": Operations.update,
    "rename": Operations.rename,
    "refresh": Operations.refresh,
    "destroy": Operations.destroy,
    "destroy over others": Operations.destroy_over_others,
    "move MX": Operations.move_mx,
    "move MX back": Operations.move_mx_back,
    "destroy MX": Operations.destroy_mx,
    "shut the side entrance": Operations.shut,
    "open the side entrance": Operations.open,
    "destroy while it is shut": Operations.destroy_shut,
}
