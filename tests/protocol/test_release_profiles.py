"""The same life on every release profile of the gateway: real provider processes under the small engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.estate import Estate
from tests.hands.everything import EVERYTHING, change_everything
from tests.hands.things import TAKE_OVER
from tests.mini_engine import MiniEngine, Props, Refused
from tests.profile_stacks import Stacks, complete_profiles, domain_of
from tests.protocol import estate_kit
from tests.protocol.estate_kit import put_back, running

WRITES = {"write", "commit-started", "commit", "effect"}


stacks = estate_kit.stacks


@pytest.fixture(scope="module", params=complete_profiles())
def whole(request: pytest.FixtureRequest) -> Iterator[Estate]:
    with running(request.param) as estate:
        yield estate


@pytest.fixture
def estate(whole: Estate) -> Iterator[Estate]:
    with put_back(whole) as estate:
        yield estate


def domain(estate: Estate) -> str:
    return domain_of(estate.gateway.profile.name)


def written(estate: Estate, since: int) -> set[str]:
    return WRITES & {event.kind for event in estate.journal.events(since=since)}


def all_inputs(engine: MiniEngine) -> dict[str, Props]:
    """What the state says of each resource, less what only the way back needs."""
    return {
        name: {key: value for key, value in saved.inputs.items() if key != "before"}
        for name, saved in engine.state.items()
    }


def changed_paths(then: Any, now: Any, path: str = "") -> set[str]:
    """Where two properties differ: paths of keys; a list counts as one value."""
    if not isinstance(then, dict) or not isinstance(now, dict):
        return set() if then == now else {path}
    keys = {*then, *now}
    return {
        found
        for key in keys
        for found in changed_paths(then.get(key), now.get(key), f"{path}.{key}".removeprefix("."))
    }


def test_a_whole_life(stacks: Stacks, estate: Estate) -> None:
    before, engine = estate.dump(), stacks.engine(estate)
    assert set(engine.up().operations().values()) == {"create"}
    made, mark = estate.dump(), estate.journal.mark()

    assert engine.up().operations() == {}
    assert written(estate, mark) == set()

    change_everything(estate, domain(estate))
    known, changed = all_inputs(engine), estate.dump()
    shown = {name for kind, name in engine.refresh().steps if kind != "same"}
    assert shown == set(EVERYTHING)
    drift = {name: changed_paths(known[name], inputs) for name, inputs in all_inputs(engine).items()}
    wanted = {
        name: {path.format(domain=domain(estate)) for path in paths} for name, paths in EVERYTHING.items()
    }
    assert {name: paths for name, paths in drift.items() if paths} == wanted
    assert engine.preview().operations() == dict.fromkeys(EVERYTHING, "update")
    assert estate.dump() == changed

    assert engine.up().operations() == dict.fromkeys(EVERYTHING, "update")
    assert estate.dump() == made
    assert {kind for kind, _ in engine.refresh().steps} == {"same"}

    engine.destroy()
    assert estate.dump() == before


def test_everything_there_and_different(stacks: Stacks, estate: Estate) -> None:
    stacks.engine(estate).up()
    made = estate.dump()
    change_everything(estate, domain(estate))
    theirs, mark = estate.dump(), estate.journal.mark()

    stranger = stacks.engine(estate)
    with pytest.raises(Refused, match=r"exists and differs.*to the setting takeOver"):
        stranger.preview()
    assert estate.dump() == theirs
    assert written(estate, mark) == set()

    owner = stacks.engine(estate, take_over=TAKE_OVER)
    owner.up()
    assert estate.dump() == made
    assert owner.up().operations() == {}
    owner.destroy()
    assert estate.dump() == theirs
