"""Each stack's processes get what is meant for it, and nothing that is meant for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynamic_providers import errors
from fleet.environment import Environments, WrongVariable
from fleet.stacks import StackFile
from tests.fleet.fleet_kit import project, write

BASE = {
    "PATH": "/usr/bin",
    "PULUMI_CONFIG_PASSPHRASE": "for all of them",
    "CONTOSO_PROD__OUTBOUND_SECRET": "contosoProdSecret",
    "CONTOSO_PROD__PULUMI_CONFIG_PASSPHRASE": "its own",
    "FABRIKAM__GATEWAY_PASSWORD": "fabrikamsPassword",
    "FABRIKAM__X__GATEWAY_PASSWORD": "anotherPassword",
}


def test_what_is_meant_for_one_stack_reaches_it_and_no_other() -> None:
    environments = Environments(BASE, ("contoso-prod", "fabrikam", "fabrikam--x"))
    common = {"PATH": "/usr/bin", "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
    everyones = {**common, "PULUMI_CONFIG_PASSPHRASE": "for all of them"}
    assert environments.of("contoso-prod") == {
        **common,
        "PULUMI_CONFIG_PASSPHRASE": "its own",
        "OUTBOUND_SECRET": "contosoProdSecret",
    }
    assert environments.of("fabrikam") == {**everyones, "GATEWAY_PASSWORD": "fabrikamsPassword"}
    assert environments.of("fabrikam--x") == {**everyones, "GATEWAY_PASSWORD": "anotherPassword"}


def stacks(folder: Path, *names: str) -> list[StackFile]:
    project(folder)
    return [write(folder, name) for name in names]


def test_one_header_secret_for_several_tenants_is_refused(tmp_path: Path) -> None:
    """With it, mail of each of them would pass the filter of the others."""
    chosen = stacks(tmp_path, "contoso-prod", "fabrikam")
    base = {"OUTBOUND_SECRET": "oneForAll123"}
    with pytest.raises(WrongVariable, match=r"secret of 2 stacks.*CONTOSO_PROD__OUTBOUND_SECRET") as caught:
        Environments(base, ("contoso-prod", "fabrikam")).require_unmixed(chosen)
    assert base["OUTBOUND_SECRET"] not in str(caught.value)
    own = {**base, "FABRIKAM__OUTBOUND_SECRET": "fabrikamsOwn1"}
    Environments(own, ("contoso-prod", "fabrikam")).require_unmixed(chosen)
    Environments(base, ("contoso-prod", "fabrikam")).require_unmixed(chosen[:1])


def test_two_stacks_that_would_take_the_same_variables_are_refused() -> None:
    names = ("a-b", "a.b")
    Environments({"PATH": "/usr/bin"}, names).require_unmixed([])
    with pytest.raises(WrongVariable, match=r"A_B__… would be for a-b and a\.b\. Rename one"):
        Environments({"A_B__OUTBOUND_SECRET": "x"}, names).require_unmixed([])


def test_what_any_stack_logs_in_with_is_masked_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "_secrets", set())
    base = {
        **BASE,
        "PULUMI_BACKEND_URL": "postgres://fleet:back%2Fend9@db.example/state",
        "HOME": "/root/home",
    }
    Environments(base, ()).register_secrets()
    shown = errors.clean("contosoProdSecret its own fabrikamsPassword back%2Fend9 back/end9 /root/home")
    assert shown == "[secret] [secret] [secret] [secret] [secret] /root/home"
