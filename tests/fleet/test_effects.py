"""What a drift does to mail: an entry for every attribute there is, and the words that reach an operator."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import dynamic_providers
from components.model_walk import key_of, part_of
from dynamic_providers.comparing import ComparingProvider
from dynamic_providers.gateway.every_member import DIFFERING
from dynamic_providers.looking import LookingProvider
from dynamic_providers.managed_resource import ObjectProvider, TableProvider
from dynamic_providers.observing import TYPE
from dynamic_providers.snapshot import SnapshotProvider
from fleet.comment import Result, headline, markdown
from fleet.effects.drift import Drift, drifts
from fleet.effects.severity import Thing
from fleet.effects.things import COMPARED, RULE, RULES, THINGS, kind_of
from fleet.events import Line, Step
from tests.fleet.fake_engine import said, step
from tests.fleet.fleet_kit import Fleet

Props = Mapping[str, Any]
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}

ROUTE: Props = {
    "gateway": "g",
    "routes": {"a.example": {"hosts": [{"host": "mx.a", "priority": 0, "port": 25}]}},
}
RULE_K: Props = {
    "tenant": "t",
    "name": "Out",
    "routeMessageOutboundConnector": "Out",
    "state": "Enabled",
    "setHeaderValue": SECRET,
    "other": SECRET,
}
RULE_A: Props = {"tenant": "t", "name": "In", "senderIpRanges": ["192.0.2.1", "192.0.2.2"], "setScl": -1}
GROUP: Props = {
    "gateway": "g",
    "listener": "L",
    "name": "R",
    "policy": "RELAYED",
    "senders": [{"host": ".p.example", "comment": "x"}],
    "order": 1,
    "other": {},
}
FILTER: Props = {"gateway": "g", "name": "f", "group": "R", "header": "X", "alternatives": SECRET}


def providers() -> Iterator[type]:
    """Every provider of a resource that there is."""
    for found in pkgutil.walk_packages(dynamic_providers.__path__, "dynamic_providers."):
        module = importlib.import_module(found.name)
        for _, one in inspect.getmembers(module, inspect.isclass):
            ours = issubclass(one, (ComparingProvider, LookingProvider, SnapshotProvider))
            if ours and one.__module__ == module.__name__ and not inspect.isabstract(one) and _is_whole(one):
                yield one


def _is_whole(provider: type) -> bool:
    return all(hasattr(provider, name) for name in ("identity",)) and (
        hasattr(provider, "model") or issubclass(provider, SnapshotProvider) or hasattr(provider, "known")
    )


def attributes(provider: type[ComparingProvider]) -> set[str]:
    """What of its inputs can differ: not where it is, nor how it behaves."""
    fields = {key_of(name, field): field for name, field in provider.model.model_fields.items()}
    settings = provider.settings if issubclass(provider, ObjectProvider) else frozenset()
    own = {name for name in fields if name not in {*provider.identity, *settings}}
    if not issubclass(provider, TableProvider):
        return own | {one for name in own for one in _inside(name, fields[name].annotation)}
    part = part_of(fields[provider.table_field].annotation)
    assert part is not None
    return (own - {provider.table_field}) | {
        inner
        for name, field in part.model.model_fields.items()
        for inner in (key_of(name, field), *_inside(key_of(name, field), field.annotation))
    }


def _inside(name: str, annotation: object) -> set[str]:
    """Of a list whose members have attributes of their own; they are known by their host."""
    part = part_of(annotation)
    if part is None or part.shape != "list":
        return set()
    return {f"{name}.{key_of(one, field)}" for one, field in part.model.model_fields.items()} - {
        f"{name}.host"
    }


NO_DIFFERENCE = {
    # Facts that must be true before the side entrance is shut: `_settings` is empty, so they are none.
    "exchange:LockDown": {"mx", "gateways", "allow", "acknowledged", "mxSettled", "settle", "certificate"},
    # Whether the tenants' stacks share it is read from the settings, not from the gateway.
    "gateway:OutboundFilter": {"shared"},
    # How long is waited for those who hold the record before.
    "dns:SpfTerms": {"settle"},
}


def kind(provider: type) -> str:
    """As the engine calls its resources: those of both sides that share a name have their room's."""
    return kind_of(provider).replace(":Gateway", ":").replace(":Exchange", ":").replace(":Dns", ":")


def things(name: str) -> tuple[Thing, ...]:
    return RULES if name == RULE else (THINGS[name],)


ALL = {kind(one): one for one in providers()}
MANAGED = {name: one for name, one in ALL.items() if issubclass(one, ComparingProvider)}


def test_every_type_of_resource_has_an_effect_and_no_other() -> None:
    assert len(MANAGED) >= 12
    assert {*THINGS, RULE} == {*ALL}
    assert {*COMPARED} == {*MANAGED}


@pytest.mark.parametrize("name", sorted(MANAGED))
def test_every_attribute_has_an_effect_and_no_other(name: str) -> None:
    for thing in things(name):
        assert {*thing.attributes} == attributes(MANAGED[name]) - NO_DIFFERENCE.get(name, set())


def test_every_reason_is_a_clause() -> None:
    every = [one for name in ALL for one in things(name)]
    told = [thing.itself for thing in every] + [one for thing in every for one in thing.attributes.values()]
    effects = [one for of in told for one in (of.missing, of.changed, of.extra, *of.values.values())]
    for effect in [*effects, *(one for thing in every for one in thing.parts.values())]:
        assert len(effect.because) > 5
        assert effect.because[0].islower() or effect.because.startswith(("Microsoft", "MX"))
        assert not effect.because.endswith(".")


def changed(kind: str, old: Props, new: Props, *lines: str, op: str = "update") -> list[Drift]:
    one = Step(op, "it", f"pulumi-python:dynamic/{kind}", (), old, new)
    return drifts([one], [Line("info", text) for text in lines])


def told(found: list[Drift]) -> list[tuple[str, str, str]]:
    return [(one.severity.value, one.what, one.attribute) for one in found]


def with_(given: Props, **other: Any) -> Props:
    return {**given, **other}


def test_a_route_that_is_gone_or_leads_elsewhere_stops_mail() -> None:
    [gone] = changed("gateway:SmtpRoutes", ROUTE, {"gateway": "g", "routes": {}})
    assert (gone.severity.value, gone.way) == ("stops mail", "missing")
    assert str(gone).startswith("stops mail: SMTP route «a.example» is gone: without its route")
    other = {"a.example": {"hosts": [{"host": "mx.b", "priority": 0, "port": 25}]}}
    assert told(changed("gateway:SmtpRoutes", ROUTE, with_(ROUTE, routes=other))) == [
        ("stops mail", "SMTP route «a.example»", "hosts")
    ]
    later = {"a.example": {"hosts": [{"host": "mx.a", "priority": 5, "port": 25}]}}
    assert told(changed("gateway:SmtpRoutes", ROUTE, with_(ROUTE, routes=later))) == [
        ("changes treatment", "SMTP route «a.example»", "hosts.priority")
    ]


def test_what_is_there_instead_makes_the_difference() -> None:
    policy = {"gateway": "g", "listener": "L", "name": "P", "tls": "Preferred"}
    for tls, severity in (("Off", "stops mail"), ("Required", "changes treatment")):
        [one] = changed("gateway:MailFlowPolicy", policy, with_(policy, tls=tls))
        assert one.severity == severity
        assert (one.theirs, one.ours) == (f"«{tls}»", "«Preferred»")


def test_a_comment_is_cosmetic_and_a_stranger_in_the_group_is_not() -> None:
    senders = [{"host": ".p.example", "comment": "y"}]
    assert told(changed("gateway:SenderGroup", GROUP, with_(GROUP, senders=senders))) == [
        ("cosmetic", "sender group «R»", "senders.comment")
    ]
    more = [*GROUP["senders"], {"host": "evil.example"}]
    assert [
        one.severity.value for one in changed("gateway:SenderGroup", GROUP, with_(GROUP, senders=more))
    ] == ["lets mail past"]
    bare = {name: GROUP[name] for name in ("gateway", "listener", "name")}
    assert told(changed("gateway:SenderGroup", GROUP, bare)) == [("stops mail", "sender group «R»", "")]
    assert told(changed("gateway:SenderGroup", GROUP, {}, op="delete")) == [
        ("stops mail", "sender group", "")
    ]


def test_the_same_attribute_of_the_two_rules_does_different_things() -> None:
    off = {"state": "Disabled"}
    [k] = changed(RULE, RULE_K, with_(RULE_K, **off))
    [a] = changed(RULE, with_(RULE_A, state="Enabled"), with_(RULE_A, **off))
    assert (k.severity.value, a.severity.value) == ("lets mail past", "changes treatment")
    wider = with_(RULE_A, senderIpRanges=[*RULE_A["senderIpRanges"], "203.0.113.9"])
    fewer = with_(RULE_A, senderIpRanges=["192.0.2.1"])
    assert [changed(RULE, RULE_A, one)[0].severity.value for one in (wider, fewer)] == [
        "lets mail past",
        "changes treatment",
    ]


def test_what_differs_in_a_secret_is_known_by_its_line() -> None:
    of = "transport rule «Out»: "
    lines = (f"{of}setHeaderValue: differs", f"{of}ExceptIfSentTo: not ours, DeleteMessage: not ours")
    assert told(changed(RULE, RULE_K, RULE_K, *lines, "transport rule «Other»: Quarantine: not ours")) == [
        ("stops mail", "transport rule «Out»", "DeleteMessage"),
        ("stops mail", "transport rule «Out»", "setHeaderValue"),
        ("lets mail past", "transport rule «Out»", "ExceptIfSentTo"),
    ]
    for line, severity, attribute in (
        ("outbound filter: 1 alternative missing", "stops mail", ""),
        ("outbound filter: 2 alternatives too many", "lets mail past", ""),
        ("outbound filter: active: not ours", "lets mail past", "active"),
        ("outbound filter: mismatch: theirs «quarantine», ours nothing", "changes treatment", "mismatch"),
    ):
        [one] = changed("gateway:OutboundFilter", FILTER, FILTER, line)
        assert (one.severity.value, one.attribute) == (severity, attribute)


def test_of_several_gateways_the_one_is_named() -> None:
    entry = dict(ROUTE["routes"]["a.example"])
    new = with_(ROUTE, routes={"a.example": {**entry, DIFFERING: {"esa2.example": {"absent": True}}}})
    assert told(changed("gateway:SmtpRoutes", ROUTE, new)) == [
        ("stops mail", "esa2.example: SMTP route «a.example»", "")
    ]


def test_the_side_entrance_and_the_mx() -> None:
    shut = {"tenant": "t", "connector": "c", "restrictDomainsToIpAddresses": True, "rejectDirectSend": True}
    assert told(changed("exchange:LockDown", shut, with_(shut, rejectDirectSend=False))) == [
        ("lets mail past", "lock-down", "rejectDirectSend")
    ]
    mx: Props = {"domain": "a.example", "hosts": [{"host": "mx1", "preference": 10}], "ttl": 60}
    for kind in ("dns:MxRecords", "dns:MxCheck"):
        [beside] = changed(kind, mx, with_(mx, hosts=[*mx["hosts"], {"host": "mx9", "preference": 1}]))
        assert (beside.severity.value, beside.attribute) == ("lets mail past", "hosts")


def test_a_stack_that_only_looks_says_what_it_sees_now() -> None:
    row = {"where": "g", "what": "SMTP route «a.example»", "attribute": "hosts", "state": "differs"}
    one = Step(
        "update",
        "observed-smtp-routes",
        f"{TYPE}SmtpRoutes",
        (),
        ROUTE,
        ROUTE,
        ({**row, "theirs": "x", "ours": "y"},),
    )
    assert told(drifts([one], ())) == [("stops mail", "SMTP route «a.example»", "hosts")]
    right = Step("update", "observed-smtp-routes", f"{TYPE}SmtpRoutes", (), ROUTE, ROUTE)
    assert [found.severity.value for found in drifts([right], ())] == ["cosmetic"]


def test_what_nobody_can_name_is_not_called_harmless() -> None:
    for kind, severity in (
        ("gateway:OutboundFilter", "stops mail"),
        ("gateway:Unheard", "changes treatment"),
    ):
        assert [one.severity.value for one in changed(kind, FILTER, FILTER)] == [severity]


class TestFleetDrift:
    def drifted(self, fleet: Fleet, stack: str, kind: str, old: Props, new: Props) -> None:
        found = step("update", "it", kind="resOutputsEvent", old={"inputs": old}, new={"inputs": new})
        rule = "pulumi-python:dynamic/exchange:TransportRule"
        fleet.engine.answer(stack, "refresh", found.replace(rule, f"pulumi-python:dynamic/{kind}"))

    def test_the_worst_is_in_the_row_and_comes_last(self, fleet: Fleet) -> None:
        comment = with_(GROUP, senders=[{"host": ".p.example", "comment": "y"}])
        self.drifted(fleet, "alpha", "gateway:SmtpRoutes", ROUTE, with_(ROUTE, routes={}))
        self.drifted(fleet, "beta", "gateway:SenderGroup", GROUP, comment)
        fleet.engine.answer("gamma", "refresh", said("error", "m365-secure-email: g: gone"), code=255)
        result = fleet.json("drift")
        alpha = result["stacks"][0]
        assert alpha["severity"] == "stops mail"
        assert alpha["says"].startswith("stops mail: SMTP route «a.example» is gone: without its route")
        assert [one["way"] for one in alpha["drift"]] == ["missing"]
        assert fleet.run("drift") == 1
        rows = [line.split()[0] for line in fleet.out.splitlines() if " s" in line][-5:]
        assert rows.index("beta") < rows.index("alpha") < rows.index("gamma"), fleet.out
        found = Result("drift", 2, 1.0, [{**alpha, "stack": "zulu"}, *result["stacks"][1:]])
        assert headline(found) == "drift: 1 error, 2 drift (1 stops mail)"
        page = markdown([found])
        assert page.index("| gamma") < page.index("| zulu") < page.index("| beta")
        assert "stops mail: SMTP route" in page
