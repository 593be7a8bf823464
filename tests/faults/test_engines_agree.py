"""The real engine, killed at the same moments as the small one, leaves the same, and is made good as well."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from lab.demo import sections
from lab.journal import Event
from tests.engine.life import Life, living, processes_of, wait_until
from tests.faults.conftest import ALL
from tests.faults.fault_engine import FaultEngine, ended
from tests.faults.operations import Operations
from tests.hands.names import DOMAIN
from tests.hands.things import THINGS
from tests.mini_engine import Refused
from tests.protocol.way_back_life import Stack, values
from tools.pulumi_cli import Project

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not ALL, reason="six lives on the real engine: make test-faults"),
]
SECONDS = 20.0
Standing = tuple[bool, str, bool]  # in the state; operation that is open there; there on the estate

NOT_BEGUN: Standing = (False, "", False)
WITHOUT_EFFECT: Standing = (False, "creating", False)
WITHOUT_CHECKPOINT: Standing = (False, "creating", True)
DONE: Standing = (True, "", True)


def written(table: str, key: str) -> Callable[[Event], bool]:
    return lambda event: (
        event.kind == "write" and event.detail["table"] == table and event.detail["key"] == key
    )


def committing(kind: str, table: str) -> Callable[[Event], bool]:
    return lambda event: event.kind == kind and table in event.detail["tables"]


def called(kind: str, cmdlet: str) -> Callable[[Event], bool]:
    return lambda event: event.kind == kind and event.detail.get("cmdlet") == cmdlet


MOMENTS: Mapping[str, tuple[Callable[[Event], bool], str, Standing]] = {
    "staged": (written("smtproutes", DOMAIN), "route", WITHOUT_EFFECT),
    "before a commit": (committing("commit-started", "smtproutes"), "route", WITHOUT_CHECKPOINT),
    "after a commit": (committing("commit", "smtproutes"), "route", WITHOUT_CHECKPOINT),
    "before a write": (called("call", "New-InboundConnector"), "inbound connector", WITHOUT_CHECKPOINT),
    "after a write": (called("effect", "New-OutboundConnector"), "outbound connector", WITHOUT_CHECKPOINT),
    "after an answer": (called("answer", "New-TransportRule"), "inbound rule", WITHOUT_CHECKPOINT),
}
"""A commit or a write that was asked for while the engine lived is carried out without it."""


@pytest.fixture
def life(tmp_path: Path, operations: Operations, warm: Mapping[str, str]) -> Life:
    """The real engine on the estate of the small one."""
    operations.world.untouched()
    estate = operations.world.estate
    settings = {f"m365-secure-email:{key}": value for key, value in settings_of(operations).items()}
    project = Project(
        tmp_path,
        "bce-demo-lab",
        {**estate.environment, **warm},
        settings=yaml.safe_dump({"config": settings}),
    )
    return living(project, estate)


def settings_of(operations: Operations) -> dict[str, object]:
    return {**values(), "endpoints": {"caBundle": str(operations.world.estate.ca_file)}}


@pytest.mark.parametrize("moment", MOMENTS)
def test_both_leave_the_same_and_both_make_it_good(operations: Operations, life: Life, moment: str) -> None:
    at, thing, expected = MOMENTS[moment]
    assert killed_small_engine(operations, at, thing) == expected
    operations.world.untouched()
    assert killed_real_engine(life, at, thing) == expected
    life.unlock()
    life.project.up()
    life.project.pulumi("preview", "--expect-no-changes", "--refresh")
    life.destroy()
    assert life.estate.dump() == life.before


def killed_small_engine(operations: Operations, at: Callable[[Event], bool], thing: str) -> Standing:
    """How a thing stands afterwards; and it is made good."""
    world = operations.world
    before, stack = world.untouched(), Stack(world, values(), FaultEngine)
    engine = stack.engine
    assert isinstance(engine, FaultEngine)
    world.estate.journal.when(at, lambda _event: engine.die())
    with suppress(Refused):
        stack.up()
    assert ended(engine.left_running, SECONDS)
    assert wait_until(lambda: world.estate.at_rest, SECONDS)
    engine.clear_away()
    pending = {name: {"Create": "creating"}[method] for name, method in engine.pending.items()}
    found = standings(set(engine.state), pending, world.estate.dump())
    stack.up()
    assert stack.engine.preview().operations() == {}
    stack.destroy()
    assert world.estate.dump() == before
    return found[thing]


def killed_real_engine(life: Life, at: Callable[[Event], bool], thing: str) -> Standing:
    life.kill_engine_at(at, "up", "--yes", "--skip-preview")
    assert wait_until(lambda: not processes_of(life.project), SECONDS), processes_of(life.project)
    assert wait_until(lambda: life.estate.at_rest, SECONDS)
    latest = json.loads(life.state_file.read_text(encoding="utf-8"))["checkpoint"]["latest"]
    names = {one["urn"].rpartition("::")[2] for one in latest.get("resources", ())}
    pending = {
        one["resource"]["urn"].rpartition("::")[2]: one["type"]
        for one in latest.get("pending_operations", ())
    }
    return standings(names, pending, life.estate.dump())[thing]


def standings(state: set[str], pending: Mapping[str, str], dump: str) -> dict[str, Standing]:
    """How everything stands. What was there before us, policy and ciphers, is left out."""
    there = sections(dump)
    found = {
        name: (thing.resource in state, pending.get(thing.resource, ""), thing.heading in there)
        for name, thing in THINGS.items()
        if name not in {"mail flow policy", "ciphers"}
    }
    assert set(found.values()) <= {NOT_BEGUN, WITHOUT_EFFECT, WITHOUT_CHECKPOINT, DONE}
    return found
