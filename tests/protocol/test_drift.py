"""Drift: whatever is changed by hand is shown as exactly that, and repaired; nothing else is shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import get_args, get_type_hints

import pytest

from dynamic_providers.managed_provider import ManagedProvider
from lab.tenant.switches import Rendering
from tests.plugin_nursery import Nursery
from tests.protocol import drift_gateway, drift_gone, drift_tenant
from tests.protocol.drift_bench import Bench, Case
from tests.protocol.drift_keys import (
    ELSEWHERE,
    FIELDS_WITHOUT_A_CASE,
    KEYS_WITHOUT_A_CASE,
    MODELS,
    NOT_MANAGED,
    fields_of,
    lab_keys,
    shown_fields,
)
from tests.protocol.drift_silent import (
    FOREIGN,
    PRINTINGS,
    READING,
    RENDERINGS,
    SILENT,
    WARNINGS,
    Printing,
    Silent,
    rendering,
)
from tests.protocol.estate_kit import running

CASES = [*drift_gateway.CASES, *drift_tenant.CASES]


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    with Nursery() as nursery, running("new") as estate:
        yield Bench(estate, nursery)


@pytest.fixture
def bench(shared: Bench) -> Iterator[Bench]:
    yield shared
    shared.reset()


# --- nothing is left out ------------------------------------------------------------------------------------


def test_every_field_of_every_model_has_a_case() -> None:
    fields = {field for model in MODELS.values() for field in fields_of(model)}
    shown = {field for case in CASES for field in shown_fields(case)}
    assert fields - shown == set(FIELDS_WITHOUT_A_CASE)


def test_every_key_of_the_labs_objects_has_a_case(bench: Bench) -> None:
    covered = {key for case in CASES for key in case.covers}
    keys = lab_keys(bench.estate)
    assert covered <= keys
    assert keys - covered == set(KEYS_WITHOUT_A_CASE)


def test_every_way_that_the_tenant_renders_things_is_tried() -> None:
    kinds = get_type_hints(Rendering)
    ways = {(name, way) for name, kind in kinds.items() for way in (get_args(kind) or (True, False))}
    usual = set(dataclasses.asdict(Rendering()).items())
    tried = {turned for looks in RENDERINGS for turned in looks.items()}
    assert {way for way in ways - usual if way[0] not in READING} == tried


def test_every_resource_of_a_stack_is_looked_at(bench: Bench) -> None:
    managed = {provider.model for provider in providers() if hasattr(provider, "model")}
    ours = {model for model in managed if model.__module__.startswith("dynamic_providers.")}
    assert ours == {*MODELS.values(), *ELSEWHERE}
    assert set(bench.engine.state) == {*MODELS, *NOT_MANAGED}
    assert {case.resource for case in CASES} == set(MODELS)


def providers() -> Iterator[type[ManagedProvider]]:
    found: list[type[ManagedProvider]] = ManagedProvider.__subclasses__()
    while found:
        one = found.pop()
        yield one
        found += one.__subclasses__()


# --- changed by hand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_shown_as_exactly_that_and_repaired(bench: Bench, case: Case) -> None:
    bench.prove(case)


@pytest.mark.parametrize("gone", drift_gone.GONE_CASES, ids=[gone.name for gone in drift_gone.GONE_CASES])
def test_what_was_deleted_or_renamed_is_shown_as_gone_and_made_again(
    bench: Bench, gone: drift_gone.Gone
) -> None:
    bench.prove(gone.case(bench))


def test_an_outbound_connector_takes_the_rules_action_with_it(bench: Bench) -> None:
    """Exchange may let a connector go that a rule names: the rule then names what is not there."""
    drift_gone.without_outbound_connector(bench.estate)
    with bench.engine.session():
        bench.engine.refresh()
        both = {"outbound-connector": "update", "outbound-rule": "update"}
        assert bench.engine.preview().operations() == both
        assert bench.engine.up().operations() == both
        bench.is_quiet()
    assert bench.estate.dump() == bench.dump


# --- nothing is shown ---------------------------------------------------------------------------------------


def test_nothing_is_shown_where_nothing_changed(bench: Bench) -> None:
    bench.stays_quiet()


@pytest.mark.parametrize("silent", [*FOREIGN, *SILENT], ids=lambda one: one.name)
def test_what_is_not_ours_is_not_shown(bench: Bench, silent: Silent) -> None:
    silent.by_hand(bench.estate)
    assert bench.estate.dump() != bench.dump or silent.not_in_dump
    bench.stays_quiet()


@pytest.mark.parametrize("looks", RENDERINGS, ids=str)
def test_how_the_tenant_renders_it_is_no_difference(bench: Bench, looks: dict[str, object]) -> None:
    with rendering(bench.estate, looks):
        bench.stays_quiet()


@pytest.mark.parametrize("printing", PRINTINGS, ids=lambda one: one.name)
def test_how_the_gateway_prints_it_is_no_difference(bench: Bench, printing: Printing) -> None:
    with printing.on(bench.estate):
        bench.stays_quiet()


# --- warned of ----------------------------------------------------------------------------------------------


def test_a_filter_without_anchors_round_the_group_counts_as_right_with_a_warning(bench: Bench) -> None:
    drift_gateway.rewritten(drift_gateway.script(group="RELAY_O365"))(bench.estate)
    changed = bench.estate.dump()
    assert changed != bench.dump
    with bench.engine.session():
        assert bench.engine.refresh().lines == [WARNINGS["group"]]
        assert bench.engine.preview().operations() == {}
        assert bench.engine.up().operations() == {}
    assert bench.estate.dump() == changed


def test_other_ciphers_are_warned_of_where_they_are_only_compared(bench: Bench) -> None:
    engine = bench.engine_with(outbound={"ciphers": "check"})
    with engine.session():
        assert engine.up().operations() == {"gateway-before": "update", "outbound-tls": "update"}
    drift_gateway.CIPHERS[0].by_hand(bench.estate)
    changed = bench.estate.dump()
    with engine.session():
        assert engine.refresh().lines == [WARNINGS["ciphers"]]
        assert engine.preview().operations() == {}
        assert engine.up().operations() == {}
    assert bench.estate.dump() == changed
