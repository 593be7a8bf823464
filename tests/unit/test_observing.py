"""`mode: observe` on a world in memory: what is seen and told of each attribute; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from pulumi.dynamic import CheckResult
from pydantic import Field

from dynamic_providers import connections, report
from dynamic_providers.entries import ABSENT, Entries, Entry, Place, Props
from dynamic_providers.errors import ManagedError
from dynamic_providers.managed_provider import ManagedProvider, OnlyLooking
from dynamic_providers.managed_resource import ObjectProvider, TableProvider
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation
from dynamic_providers.observing import FOUND, ObservingProvider
from dynamic_providers.snapshot import Keys, Record, SnapshotProvider

WORLD: Entries = {}
SAID: list[tuple[str, str]] = []
SECRET = "ourSecretValue7"


class Routes(Model):
    gateway: str
    routes: dict[str, dict[str, Any]]


class Rule(Model):
    tenant: str
    name: str
    value: str
    mode: str = "Enforce"
    enabled: bool = True
    other: dict[str, str] = Field(default_factory=dict)


class InMemory(ManagedProvider):
    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        return {key: WORLD[key] for key in keys if key in WORLD}

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        raise AssertionError("written")


class RoutesProvider(InMemory, TableProvider):
    label, model, identity = "SMTP route", Routes, ("gateway",)
    take_over_key, table_field = "smtpRoutes", "routes"


class RuleProvider(InMemory, ObjectProvider):
    label, model, identity, take_over_key = "transport rule", Rule, ("tenant", "name"), "outboundRule"
    secret = frozenset({"value", "other"})


class Before(SnapshotProvider):
    identity = ("gateway",)

    def record(self, place: Place, keys: Keys) -> Record:
        return {kind: dict.fromkeys(names, ABSENT) for kind, names in keys.items()}


ROUTES, RULE = ObservingProvider(RoutesProvider()), ObservingProvider(RuleProvider())
A, B = {"hosts": ["mx.a.example"]}, {"hosts": ["mx.b.example"]}
WANTED: Props = {"gateway": "hc1", "routes": {"a.example": A, "b.example": B}}
RULE_WANTED: Props = {"tenant": "t.onmicrosoft.com", "name": "Out", "value": SECRET, "other": {}}


@pytest.fixture(autouse=True)
def fresh_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for store in (WORLD, SAID):
        store.clear()
    monkeypatch.setattr(report, "info", lambda text: SAID.append(("info", text)))
    monkeypatch.setattr(report, "warning", lambda text: SAID.append(("warning", text)))
    monkeypatch.setattr(connections, "_arguments", {})


def told(observer: ObservingProvider, wanted: Props) -> list[tuple[str, str]]:
    """What a preview says, which refuses nothing."""
    SAID.clear()
    checked: CheckResult = observer.check({}, wanted)
    assert checked.failures == []
    return list(SAID)


def test_what_is_right_is_one_line() -> None:
    WORLD.update({"a.example": A, "b.example": B})
    assert told(ROUTES, WANTED) == [
        ("info", "hc1: SMTP route «a.example», SMTP route «b.example»: right"),
    ]


def test_what_is_absent_and_what_differs_are_a_line_each() -> None:
    WORLD["a.example"] = {"hosts": ["mx.theirs.example"]}
    assert told(ROUTES, WANTED) == [
        (
            "warning",
            "hc1: SMTP route «a.example»: hosts: theirs [«mx.theirs.example»], ours [«mx.a.example»]",
        ),
        ("warning", "hc1: SMTP route «b.example» is not there"),
    ]


def test_every_attribute_is_told_and_no_secret() -> None:
    WORLD["Out"] = {"value": "theirs", "enabled": True, "other": {"BlindCopyTo": "bob"}}
    where, what = "t.onmicrosoft.com", "transport rule «Out»"
    assert RULE.look(RULE_WANTED) == [
        Observation(where, what, "mode", "absent", "nothing", "«Enforce»"),
        Observation(where, what, "BlindCopyTo", "differs", "not ours"),
        Observation(where, what, "value", "differs", "differs"),
        Observation(where, what, "enabled", "right", "true", "true"),
    ]
    lines = [text for _, text in told(RULE, RULE_WANTED)]
    assert f"{where}: {what}: value: differs" in lines
    WORLD["Out"]["value"] = SECRET
    [right] = [one for one in RULE.look(RULE_WANTED) if one.attribute == "value"]
    assert right == Observation(where, what, "value", "right")


def test_what_was_seen_is_recorded_and_a_later_change_is_an_update() -> None:
    WORLD.update({"a.example": A, "b.example": B})
    state = ROUTES.create(WANTED).outs or {}
    assert {one["state"] for one in state[FOUND]} == {"right"}
    assert not ROUTES.diff("", state, WANTED).changes
    del WORLD["b.example"]
    assert ROUTES.diff("", state, WANTED).changes
    refreshed = ROUTES.read("id", state)
    assert refreshed.outs != state
    assert refreshed.inputs == WANTED
    assert not ROUTES.diff("", refreshed.outs or {}, WANTED).changes
    assert ROUTES.diff("", refreshed.outs or {}, {**WANTED, "routes": {"a.example": B}}).changes
    assert ROUTES.update("id", state, WANTED).outs == refreshed.outs
    ROUTES.delete("id", state)


def test_a_mistake_in_the_inputs_is_refused_as_for_every_resource() -> None:
    assert [one.reason for one in ROUTES.check({}, {"gateway": "hc1"}).failures] == ["routes: Field required"]
    with pytest.raises(ManagedError, match="Field required"):
        ROUTES.look({"gateway": "hc1"})


def test_a_process_of_an_observing_stack_writes_nothing_whatever_it_is_asked_for() -> None:
    connections.set_arguments({"mode": "observe"})
    props = {**WANTED, "before": dict.fromkeys(WANTED["routes"], ABSENT)}
    with pytest.raises(OnlyLooking, match=r"mode: observe.*Set mode: manage"):
        RoutesProvider().create(props)
    WORLD.update({"a.example": A, "b.example": B})
    with pytest.raises(OnlyLooking):
        RoutesProvider().delete("id", props)


@pytest.mark.parametrize(
    ("had", "has", "refused"),
    [
        ({}, {}, False),
        ({}, {"smtpRoutes": ["a.example"]}, False),
        ({"smtpRoutes": ["a.example"]}, {"smtpRoutes": []}, True),
        ({"smtpRoutes": ["a.example"]}, {}, True),
        ({"smtpRoutes": []}, {}, False),
    ],
)
def test_a_stack_that_manages_may_not_only_look(had: Keys, has: Keys, refused: bool) -> None:  # noqa: FBT001
    olds = {"gateway": "hc1", "keys": had}
    failures = Before().check(olds, {"gateway": "hc1", "keys": has}).failures
    assert [one.property for one in failures] == (["gateway"] if refused else [])
    for one in failures:
        assert one.reason.startswith("hc1: this stack manages what is there, so mode: observe would take all")
    assert Before().check({}, {"gateway": "hc1", "keys": has}).failures == []
