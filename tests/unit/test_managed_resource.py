"""The one CRUD shape, on a world in memory: first contact, the record of before, the way back, drift."""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
import pytest
from pydantic import Field

from dynamic_providers import managed_provider as shape
from dynamic_providers import report
from dynamic_providers.entries import ABSENT, Entries, Entry, Place, Props, plain
from dynamic_providers.errors import ManagedError
from dynamic_providers.managed_resource import ObjectProvider, TableProvider
from dynamic_providers.model import Model

WORLD: Entries = {}
WRITES: list[dict[str, Entry | None]] = []
SAID: list[str] = []
LOSES_WRITES = False


class Routes(Model):
    gateway: str
    routes: dict[str, dict[str, Any]]


class Rule(Model):
    tenant: str
    name: str
    value: str
    enabled: bool = True
    other: dict[str, str] = Field(default_factory=dict)


class InMemory(shape.ManagedProvider):
    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        return {key: WORLD[key] for key in keys if key in WORLD}

    def apply(self, place: Place, changes: Mapping[str, Entry | None], live: Entries, context: Props) -> None:
        WRITES.append(dict(changes))
        if LOSES_WRITES:
            return
        for key, entry in changes.items():
            if entry is None:
                WORLD.pop(key)
            else:
                WORLD[key] = entry


class RoutesProvider(InMemory, TableProvider):
    label, model, identity, take_over_key, table_field = (
        "SMTP route",
        Routes,
        ("gateway",),
        "smtpRoutes",
        "routes",
    )


class RuleProvider(InMemory, ObjectProvider):
    label, model, identity, take_over_key = "transport rule", Rule, ("tenant", "name"), "outboundRule"
    secret = frozenset({"value", "other"})


ROUTES, RULE = RoutesProvider(), RuleProvider()
A, B = {"hosts": ["mx.a.example"]}, {"hosts": ["mx.b.example"]}


@pytest.fixture(autouse=True)
def fresh_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for store in (WORLD, WRITES, SAID):
        store.clear()
    monkeypatch.setattr(shape, "_kept", set())
    monkeypatch.setattr(report, "info", SAID.append)
    monkeypatch.setattr(report, "warning", SAID.append)


def routes(*, before: Entries | None = None, take_over: list[str] | None = None, **entries: Entry) -> Props:
    return {
        "gateway": "hc1",
        "routes": entries,
        "takeOver": take_over or [],
        "before": before if before is not None else dict.fromkeys(entries, ABSENT),
    }


def rule(**more: Any) -> Props:
    return {
        "tenant": "t",
        "name": "Out",
        "value": "topsecretvalue",
        "enabled": True,
        "other": {},
        "before": {"Out": ABSENT},
        **more,
    }


def reasons(provider: shape.ManagedProvider, news: Props, olds: Props | None = None) -> list[str]:
    return [failure.reason for failure in provider.check(olds or {}, news).failures]


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run of the plugin: what this process has made is forgotten."""
    monkeypatch.setattr(shape, "_kept", set())


def test_first_contact_with_nothing_there_is_silent() -> None:
    assert reasons(ROUTES, routes(a=A)) == []
    assert SAID == []


def test_first_contact_with_what_is_right_says_that_it_will_be_managed() -> None:
    WORLD["a"] = dict(A)
    assert reasons(ROUTES, routes(a=A, before={"a": A})) == []
    assert SAID == ["hc1: SMTP route «a» exists and is right: will be managed"]


def test_first_contact_with_what_differs_is_refused_with_theirs_ours_and_the_key() -> None:
    WORLD["a"] = {"hosts": ["old.example"]}
    (reason,) = reasons(ROUTES, routes(a=A, b=B, before={}))
    assert "«a» exists and differs: hosts: theirs [«old.example»], ours [«mx.a.example»]" in reason
    assert "add smtpRoutes.a to the setting takeOver" in reason


@pytest.mark.parametrize("allowed", [["a"], ["*"]])
def test_take_over_lets_it_through(allowed: list[str]) -> None:
    WORLD["a"] = {"hosts": ["old.example"]}
    assert reasons(ROUTES, routes(a=A, b=B, before={}, take_over=allowed)) == []


def test_first_contact_never_shows_a_secret() -> None:
    WORLD["Out"] = {"value": "theirsecretvalue", "enabled": False, "other": {"SentTo": "boss@example"}}
    (reason,) = reasons(RULE, rule(before={}))
    assert "value: differs" in reason
    assert "enabled: theirs false, ours true" in reason
    assert "SentTo: not ours" in reason
    assert "secretvalue" not in reason
    assert "boss" not in reason


def test_what_a_cut_run_left_is_ours_and_made_right_without_asking() -> None:
    WORLD["a"] = {"hosts": ["half.done.example"]}
    assert reasons(ROUTES, routes(a=A)) == []
    ROUTES.create(routes(a=A))
    assert WORLD["a"] == A


def test_a_create_is_refused_when_something_appeared_since_the_check() -> None:
    WORLD["a"] = {"hosts": ["old.example"]}
    with pytest.raises(shape.Refused, match="exists and differs"):
        ROUTES.create(routes(a=A, before={"a": WORLD["a"]}))
    assert WRITES == []


def test_create_counts_only_when_it_reads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.LOSES_WRITES", True)
    with pytest.raises(shape.NotAsWritten, match="does not read back"):
        ROUTES.create(routes(a=A))


def test_without_a_record_of_before_nothing_is_written() -> None:
    with pytest.raises(shape.NoRecord):
        ROUTES.create(routes(a=A, before={}))
    assert WRITES == []


def test_what_is_right_already_is_not_written() -> None:
    WORLD["a"] = dict(A)
    ROUTES.create(routes(a=A, before={"a": A}))
    assert WRITES == []


@pytest.mark.parametrize("before", [ABSENT, A, {"hosts": ["old.example"]}])
def test_delete_puts_back_what_was_there(before: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    if before != ABSENT:
        WORLD["a"] = dict(before)
    WORLD["foreign"] = {"hosts": ["foreign.example"]}
    start = dict(WORLD)
    made = ROUTES.create(routes(a=A, before={"a": before}, take_over=["a"]))
    restart(monkeypatch)
    ROUTES.delete("id", made.outs or {})
    assert start == WORLD


@pytest.mark.parametrize(
    ("half_way", "goes_on"),
    [
        ({"value": "theirsecret", "enabled": True, "other": {}}, True),
        ({"value": "topsecretvalue", "enabled": False, "other": {"A": "1"}}, True),
        ({"value": "topsecretvalue", "enabled": False, "other": {"A": "1", "B": "by hand"}}, False),
        ({"value": "by hand", "enabled": False, "other": {}}, False),
    ],
)
def test_a_way_back_that_was_cut_goes_on(
    half_way: Entry,
    goes_on: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An object that takes two writes is half ours, half what was there before us: nobody else was at it."""
    before = {"value": "theirsecret", "enabled": False, "other": {"A": "1", "B": "2"}}
    WORLD["Out"] = dict(before)
    made = RULE.create(rule(before={"Out": before}, takeOver=["*"]))
    WORLD["Out"] = half_way
    restart(monkeypatch)
    if goes_on:
        RULE.delete("id", made.outs or {})
        assert WORLD["Out"] == before
    else:
        with pytest.raises(shape.ChangedSince):
            RULE.delete("id", made.outs or {})


def test_delete_does_not_overwrite_what_someone_changed_since(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ROUTES.create(routes(a=A))
    WORLD["a"] = {"hosts": ["by.hand.example"]}
    restart(monkeypatch)
    with pytest.raises(shape.ChangedSince, match=r"by\.hand\.example.*pulumi refresh"):
        ROUTES.delete("id", made.outs or {})
    assert WORLD["a"] == {"hosts": ["by.hand.example"]}


@pytest.mark.parametrize("before", [ABSENT, B])
def test_after_a_refresh_delete_puts_back_even_what_is_gone(
    before: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ROUTES.create(routes(a=A, before={"a": before}, take_over=["a"]))
    WORLD.pop("a")
    restart(monkeypatch)
    read = ROUTES.read("id", made.outs or {})
    assert read.id == "id"
    assert (read.outs or {})["routes"] == {}
    ROUTES.delete("id", read.outs or {})
    assert ({} if before == ABSENT else {"a": before}) == WORLD


def test_a_key_added_later_and_removed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    WORLD["b"] = {"hosts": ["old.example"]}
    first = ROUTES.create(routes(a=A)).outs or {}
    both = routes(a=A, b=B, before={"a": {"hosts": ["wrong"]}, "b": WORLD["b"]}, take_over=["b"])
    second = ROUTES.update("id", first, both).outs or {}
    assert second["before"]["a"] == ABSENT  # what we own already keeps its first record
    assert WORLD == {"a": A, "b": B}
    ROUTES.update("id", second, routes(a=A))
    assert WORLD == {"a": A, "b": {"hosts": ["old.example"]}}


def test_a_renamed_resource_without_alias_does_not_remove_what_it_has_just_adopted() -> None:
    made = ROUTES.create(routes(a=A)).outs or {}
    ROUTES.create(routes(a=A))
    with pytest.raises(shape.SameProcess, match="aliases"):
        ROUTES.delete("id", made)
    assert WORLD == {"a": A}


def test_nor_one_that_a_later_run_finds_in_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ROUTES.create(routes(a=A)).outs or {}
    restart(monkeypatch)
    assert ROUTES.diff("id", made, routes(a=A)).changes is False
    with pytest.raises(shape.SameProcess, match="another logical name"):
        ROUTES.delete("id", made)
    assert WORLD == {"a": A}


def test_diff_ignores_before_take_over_and_change() -> None:
    olds, news = routes(a=A), routes(a=A, before={"a": B}, take_over=["a"]) | {"change": {"ticket": "CHG1"}}
    assert ROUTES.diff("id", olds, news).changes is False


def test_diff_names_a_changed_secret_and_shows_none() -> None:
    result = RULE.diff("id", rule(value="theirsecretvalue", other={"SentTo": "boss@example"}), rule())
    assert result.changes is True
    assert SAID == ["transport rule «Out»: SentTo: not ours", "transport rule «Out»: value: differs"]


def test_diff_says_that_an_object_is_gone() -> None:
    gone = RULE.read("id", rule()).inputs or {}
    assert gone["value"] == ""
    assert gone["other"] == {}
    assert RULE.diff("id", gone, rule()).changes is True
    assert SAID == ["transport rule «Out»: is gone"]


def test_a_changed_natural_key_replaces_and_deletes_first() -> None:
    result = RULE.diff("id", rule(), rule(name="Other"))
    assert (result.changes, result.replaces, result.delete_before_replace) == (True, ["name"], True)


def test_floats_and_none_from_the_engine_are_put_right() -> None:
    assert plain({"a": 10.0, "b": None, "c": [1.5, 2.0, True]}) == {"a": 10, "c": [1.5, 2, True]}


def test_unknown_values_of_a_preview_are_let_through() -> None:
    unknown = pulumi.output.UNKNOWN
    assert ROUTES.check({}, {"gateway": "hc1", "routes": unknown, "before": unknown}).failures == []
    WORLD["a"] = {"hosts": ["old.example"]}
    assert len(reasons(ROUTES, {**routes(a=A), "before": unknown})) == 1


def test_a_wrong_input_is_a_failure_that_names_its_place_and_no_value() -> None:
    (failure,) = RULE.check({}, rule(value=["not", "a", "text"])).failures
    assert failure.property == "tenant"
    assert failure.reason.startswith("value: ")


def test_what_a_library_throws_comes_out_as_one_clean_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def boom(self: Any, place: Place, keys: Iterable[str]) -> Entries:
        raise RuntimeError("cmd --value topsecretvalue\nfailed")

    monkeypatch.setattr(InMemory, "live", boom)
    with pytest.raises(ManagedError) as caught:
        RULE.create(rule())
    assert str(caught.value).startswith("unexpected RuntimeError: cmd --value [secret] failed")
    assert caught.value.__cause__ is None
