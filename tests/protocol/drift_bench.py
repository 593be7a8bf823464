"""What every drift case does: a change by hand, what a refresh finds and a preview shows, the repair.

A case is one engine session with fresh plugins (`plugin_nursery`), as `pulumi up --refresh` is; between cases
estate and state go back to how the first `up` left them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings
from dynamic_providers.comparing import BARE
from lab.estate import Estate
from tests.hands.acts import Hand
from tests.mini_engine import Run, Saved
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery
from tests.unit.settings_samples import sample

SECRET, PREVIOUS = "mysecretkey", "olderSecretKey7"
SECRETS = (SECRET, PREVIOUS, "Practice-Gateway-7!", "Practice~Tenant~Secret~42")
GONE = "nothing"
"""Stands in `shown` for a side that has no such input."""

Shown = dict[str, tuple[Any, Any]]
"""Input, by its path with slashes → (theirs, ours): what the engine's detailed diff would show."""


def values(ca_file: Path) -> dict[str, Any]:
    """The guide's stack and a little more, so that order, case and neighbours can show."""
    found = sample("bce-demo-lab")
    found["domains"]["shop.bce-demo.com"] = {
        "microsoftMx": "shop-bce--demo-com.b-v1.mx.microsoft",
        "subdomains": True,
    }
    found["outbound"] |= {
        "smartHosts": ["198.51.100.186", "relay.bce-demo.example"],
        "previousSecrets": [PREVIOUS],
        "ciphers": "set",
    }
    return {**found, "endpoints": {"caBundle": str(ca_file.resolve())}}


class DriftEngine(NurseryEngine):
    """An engine with sessions of several verbs."""

    def __init__(self, nursery: Nursery, settings: Settings, environment: Mapping[str, str]) -> None:
        super().__init__(nursery, lambda: _integration(settings), environment)
        self._shared: Run | None = None

    @contextmanager
    def session(self) -> Iterator[None]:
        """All verbs within run on the same plugins, as those of `up --refresh` do."""
        with super()._session() as run:
            self._shared = run
            try:
                yield
            finally:
                self._shared = None

    @contextmanager
    def _session(self) -> Iterator[Run]:
        if self._shared is None:
            with super()._session() as run:
                yield run
            return
        said = self._shared.lines
        before = len(said)
        self._run, self._seen = Run(), []
        yield self._run
        self._run.lines = said[before:]


def _integration(settings: Settings) -> None:
    SecureEmailIntegration("mail-flow", settings)


@dataclass(frozen=True)
class Case:
    """One change by hand, and what is to be seen of it."""

    name: str
    by_hand: Hand
    resource: str
    shown: Shown
    lines: tuple[str, ...] = ()
    """What is told besides, word by word."""
    after: Hand | None = None
    """Takes away, after the repair, what is another's and so stays."""
    covers: Sequence[str] = ()
    """What is changed, by the lab's own names."""


class Bench:
    """Estate and engine as the first `up` left them."""

    def __init__(self, estate: Estate, nursery: Nursery) -> None:
        self.estate = estate
        self._nursery = nursery
        self.engine = self._engine(values(estate.ca_file))
        self.first = self.engine.up()
        self.dump = estate.dump()
        self.desired = inputs(self.engine.state)
        self._estate = estate.snapshot()
        self._state = copy.deepcopy(self.engine.state)

    def _engine(self, settings: dict[str, Any]) -> DriftEngine:
        environment = self.estate.environment
        return DriftEngine(self._nursery, Settings.from_config(settings, environment), environment)

    def engine_with(self, **changes: dict[str, Any]) -> DriftEngine:
        """Another engine with the same state, for settings that differ in these sections."""
        settings = values(self.estate.ca_file)
        for section, change in changes.items():
            settings[section] |= change
        engine = self._engine(settings)
        engine.state = copy.deepcopy(self._state)
        return engine

    def reset(self) -> None:
        """Back to how the first `up` left it."""
        self.estate.reset()
        self.estate.restore(self._estate)
        self.engine.state = copy.deepcopy(self._state)

    def prove(self, case: Case) -> None:
        """Changed by hand → shown as exactly that → repaired → nothing to do."""
        case.by_hand(self.estate)
        changed = self.estate.dump()
        with self.engine.session():
            refreshed = self.engine.refresh()
            found = differences(inputs(self.engine.state), self.desired)
            assert found == {f"{case.resource}/{path}": sides for path, sides in case.shown.items()}
            preview = self.engine.preview()
            assert self.estate.dump() == changed, "looking changed something"
            assert preview.operations() == {case.resource: "update"}
            assert sorted(told(refreshed) + told(preview)) == sorted(case.lines)
            assert self.engine.up().operations() == {case.resource: "update"}
            self.is_quiet()
        if case.after:
            case.after(self.estate)
        assert self.estate.dump() == self.dump

    def stays_quiet(self) -> None:
        """Nothing to see, nothing to do, and nothing written."""
        before, mark = self.estate.dump(), self.estate.journal.mark()
        with self.engine.session():
            self.is_quiet()
            assert self.engine.up().operations() == {}
        kinds = {event.kind for event in self.estate.journal.events(since=mark)}
        assert not kinds & {"write", "commit-started", "commit", "effect"}
        assert self.estate.dump() == before

    def is_quiet(self) -> None:
        """Nothing is found, shown or told."""
        refreshed, preview = self.engine.refresh(), self.engine.preview()
        assert differences(inputs(self.engine.state), self.desired) == {}
        assert preview.operations() == {}
        assert told(refreshed) + told(preview) == []


def told(run: Run) -> list[str]:
    """What a run said; a secret in it ends the test."""
    for line in run.lines:
        assert not any(secret in line for secret in SECRETS), "a secret was told"
    return run.lines


def inputs(state: Mapping[str, Saved]) -> dict[str, Any]:
    """All inputs, by resource and path. A list is one value."""
    return {
        f"{name}/{path}": value
        for name, saved in state.items()
        for path, value in _leaves(saved.inputs)
        if path.partition("/")[0] not in (*BARE, "__provider")
    }


def _leaves(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(inner, f"{above}{key}/")
        else:
            yield f"{above}{key}", inner


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Shown:
    """Where two sets of inputs differ. An empty part against a filled one is shown by what fills it."""
    found = {path: (theirs.get(path, GONE), ours.get(path, GONE)) for path in sorted({*theirs, *ours})}
    return {
        path: (a, b)
        for path, (a, b) in found.items()
        if a != b and not (a == {} and _below(path, ours)) and not (b == {} and _below(path, theirs))
    }


def _below(path: str, inputs: Mapping[str, Any]) -> bool:
    return any(one.startswith(f"{path}/") for one in inputs)
