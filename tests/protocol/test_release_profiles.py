"""The same life on every release profile of the gateway: real provider processes under the small engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.estate import Estate
from tests.hands.everything import EVERYTHING, change_everything
from tests.hands.things import TAKE_OVER
from tests.mini_engine import MiniEngine, Props, Refused
from tests.profile_stacks import RELEASES, Stacks, complete_profiles, domain_of, refused_profiles
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
    """Up, nothing to do, one drift a resource, repaired; taken over from others and put back; gone."""
    before, engine = estate.dump(), stacks.engine(estate)
    assert set(engine.up().operations().values()) == {"create"}
    made, ours, mark = estate.dump(), estate.snapshot(), estate.journal.mark()

    assert engine.up().operations() == {}
    assert written(estate, mark) == set()

    change_everything(estate, domain(estate))
    known, changed, theirs = all_inputs(engine), estate.dump(), estate.snapshot()
    shown = {name for kind, name in engine.refresh().steps if kind != "same"}
    assert shown == set(EVERYTHING)
    drift = {name: changed_paths(known[name], inputs) for name, inputs in all_inputs(engine).items()}
    wanted = {
        name: {path.format(domain=domain(estate)) for path in paths} for name, paths in EVERYTHING.items()
    }
    assert {name: paths for name, paths in drift.items() if paths} == wanted

    assert engine.up().operations() == dict.fromkeys(EVERYTHING, "update")
    assert estate.dump() == made

    estate.restore(theirs)
    owner = stacks.engine(estate, take_over=TAKE_OVER)
    owner.up()
    assert estate.dump() == made
    owner.destroy(freed=True)
    assert estate.dump() == changed

    estate.restore(ours)
    engine.destroy(freed=True)
    assert estate.dump() == before


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> Iterator[Estate]:
    with running(request.param) as estate:
        yield estate


def test_what_a_preview_shows(stacks: Stacks, release: Estate) -> None:
    """To its owner: what it would repair. To a stranger: that it is not to be touched, unless taken over."""
    engine = stacks.engine(release)
    engine.up()
    change_everything(release, domain(release))
    theirs, mark = release.dump(), release.journal.mark()
    engine.refresh()
    assert engine.preview().operations() == dict.fromkeys(EVERYTHING, "update")
    with pytest.raises(Refused, match=r"exists and differs.*to the setting takeOver"):
        stacks.engine(release).preview()
    assert release.dump() == theirs
    assert written(release, mark) == set()


ANY = ("",)
REFUSALS = {
    "asks-at-clear": (r"could not be taken back \(«Enter a name under which to keep a copy", ANY),
    "asks-at-commit": (r"asks what no answer is known for: «.*Enter the change request number", ANY),
    "disconnected": (r"member esa2\.hc1234-56\.c3s2\.iphmx\.com cannot be reached from the cluster", ANY),
    "group-override": (r"member esa2\..*: a group has its own settings for `filters`", ("filters",)),
    "machine-override": (
        r"member esa2\..*: this machine has its own settings for `listenerconfig`",
        ("hostaccess", "rcptaccess"),
    ),
    "password-expired": (r"Log in by hand with this user, set a new passphrase", ANY),
}
"""Profiles on which no stack can be set up → what the operator is told, and which tables are left alone."""

ELSEWHERE = {"strange", "no-messages-limit"}
"""Their tests are in `test_strange_questions`."""


def test_every_refused_profile_is_tried() -> None:
    assert {*REFUSALS, *ELSEWHERE} == set(refused_profiles())


@pytest.mark.parametrize("profile", REFUSALS)
def test_what_cannot_be_set_up_is_refused(stacks: Stacks, profile: str) -> None:
    """One clear line; nothing is committed where it would be without effect, and nothing is left pending."""
    says, alone = REFUSALS[profile]
    with running(profile) as estate:
        own = estate.gateway.dump().partition("# override")[2]
        with pytest.raises(Refused, match=says) as caught:
            stacks.engine(estate).up()
        assert "Traceback" not in str(caught.value)
        commits = estate.journal.events("gateway", "commit")
        assert not [table for one in commits for table in one.detail["tables"] if table.startswith(alone)]
        assert estate.gateway.dump().partition("# override")[2] == own
        assert not any(session.pending for session in estate.gateway.sessions)
