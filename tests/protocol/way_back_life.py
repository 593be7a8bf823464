"""One customer's stack under the small engine, on an estate that can be set back: for the way-back tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import pytest

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings
from lab.demo import sections
from lab.estate import Estate, EstateSnapshot
from lab.tenant.practice import OUTBOUND_SECRET
from tests.hands.names import DOMAIN, SHOP
from tests.hands.others import crowd, fill_with_others
from tests.hands.things import TAKE_OVER, THINGS
from tests.mini_engine import Run, StateFile
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import running
from tests.unit.settings_samples import sample

Values = dict[str, Any]
Before = Literal["absent", "equal", "different"]
WANTED = (
    f"remove {SHOP}",
    "remove outbound connector",
    *(f"replace names.{key}" for key in ("inboundConnector", "outboundRule", "senderGroup", "filter")),
    "replace names.mailFlowPolicy",
)
OTHER_NAMES = {
    "inboundConnector": "From IronPort",
    "outboundConnector": "To IronPort",
    "inboundRule": "Bypass for IronPort",
    "outboundRule": "Through IronPort",
    "senderGroup": "FROM_M365",
    "filter": "m365_only",
}
"""Of all that can be renamed while it is there."""
NOT_COMPARED = ("Comment:", "Comments:", "Priority:", "ConnectorSource:", "order:")


def values(**changes: Any) -> Values:
    """The guide's stack with a second domain and the ciphers set; sections that are given are merged in."""
    found = sample("bce-demo-lab")
    found["domains"] = domains(DOMAIN, SHOP)
    found["takeOver"] = []
    found["settle"] = {"rule": "1s", "mx": "1s"}
    return merged(merged(found, {"outbound": {"ciphers": "set"}}), changes)


def merged(wanted: Values, changes: Values) -> Values:
    """Settings with some of a section's keys changed; domains and lists as a whole."""

    def section(key: str, value: Any) -> Any:
        whole = key == "domains" or not isinstance(value, Mapping)
        return value if whole else {**wanted.get(key, {}), **value}

    return {**wanted, **{key: section(key, value) for key, value in changes.items()}}


def domains(*names: str) -> Values:
    """The section `domains`."""
    return {one: {"microsoftMx": f"{one.replace('.', '-')}.mail.protection.outlook.com"} for one in names}


class Stack:
    """Settings, the secret from the environment, and an engine with its state."""

    def __init__(self, world: World, wanted: Values, engine: type[NurseryEngine] = NurseryEngine) -> None:
        self.estate, self.wanted, self.secret = world.estate, wanted, OUTBOUND_SECRET
        self.day = date(2999, 1, 1)
        self.engine = engine(world.nursery, self._program, world.estate.environment)

    def _program(self) -> None:
        endpoints = {"caBundle": str(self.estate.ca_file)}
        environment = {**self.estate.environment, "OUTBOUND_SECRET": self.secret}
        given = {**self.wanted, "endpoints": endpoints, "acknowledge": self._acknowledged()}
        settings = Settings.from_config(given, environment)
        SecureEmailIntegration("mail-flow", settings)

    @staticmethod
    def dump(estate: Estate) -> str:
        """All that such a stack manages, and what is beside it."""
        return estate.dump()

    def _acknowledged(self) -> list[Values]:
        """These lives are about what is put back: whatever the guard refuses is wanted, in each run anew."""
        self.day += timedelta(days=1)
        return [{"what": what, "until": self.day.isoformat()} for what in WANTED]

    def up(self, wanted: Values | None = None) -> Run:
        self.wanted = self.wanted if wanted is None else wanted
        return self.engine.up()

    def destroy(self) -> Run:
        """Also while mail flows: what holds it then has tests of its own."""
        return self.engine.destroy(freed=True)

    def refresh_and_destroy(self) -> None:
        self.engine.refresh()
        self.destroy()
        assert self.engine.state == {}
        assert self.engine.condemned == []


@dataclass(frozen=True)
class SetUp:
    """A stack that is up, and what was there before it."""

    before: EstateSnapshot
    before_dump: str
    after: EstateSnapshot
    after_dump: str
    state: StateFile


class World:
    """An estate, and stacks that were brought up on it once for all tests."""

    def __init__(self, estate: Estate, nursery: Nursery) -> None:
        self.estate, self.nursery = estate, nursery
        crowd(estate)
        self._untouched = estate.snapshot()
        self._set_up: dict[Before, SetUp] = {}

    def untouched(self) -> str:
        """The estate as it was; its dump."""
        self.estate.reset()
        self.estate.restore(self._untouched)
        return self.estate.dump()

    def begin(self, before: Before) -> str:
        """The estate with nothing of ours, or with all of it there already; its dump."""
        self.untouched()
        if before == "different":
            fill_with_others(self.estate)
        if before == "equal":
            Stack(self, values()).up()
        return self.estate.dump()

    def stack(self, before: Before) -> tuple[Stack, SetUp]:
        """A stack that is up, on the estate as that left it."""
        known = self._set_up.get(before)
        take_over = list(TAKE_OVER) if before == "different" else []
        stack = Stack(self, values(takeOver=take_over))
        if known is None:
            before_dump, snapshot = self.begin(before), self.estate.snapshot()
            stack.up()
            after = self.estate.snapshot()
            known = SetUp(snapshot, before_dump, after, self.estate.dump(), stack.engine.saved())
            self._set_up[before] = known
        self.estate.reset()
        self.estate.restore(known.after)
        stack.engine.load(known.state)
        return stack, known


def ours(dump: str) -> dict[str, list[str]]:
    """What the dump shows of the things that a stack manages, less comments and absolute numbers."""
    found, headings = sections(dump), [thing.heading for thing in THINGS.values()]
    return {
        heading: [line for line in found[heading] if not line.startswith(NOT_COMPARED)]
        for heading in headings
        if heading in found
    }


def changed(then: str, now: str) -> list[str]:
    """Headings of the objects in which two dumps differ, for a test's message."""
    one, other = sections(then), sections(now)
    return sorted(heading for heading in {*one, *other} if one.get(heading) != other.get(heading))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Nursery() as nursery, running("new") as estate:
        yield World(estate, nursery)


def as_before(world: World, before: str) -> bool:
    """Whether the estate is as it was; if not, pytest shows which objects are not."""
    wrong = changed(before, world.estate.dump())
    assert wrong == []
    return world.estate.dump() == before
