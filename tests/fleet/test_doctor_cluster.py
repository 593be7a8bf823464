"""The doctor at a cluster behind a jump host, and `fleet doctor` over stacks that share it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.estate import Estate
from tests.fleet.doctor_kit import Practice, levels, practice
from tests.fleet.fake_engine import FakeEngine
from tests.fleet.fleet_kit import Fleet, project, write
from tests.protocol import estate_kit
from tests.unit.settings_samples import sample

WAY_IN = ("reachable", "host key", "login")
ESA1, ESA2 = "esa1.hc1234-56.c3s2.iphmx.com", "esa2.hc1234-56.c3s2.iphmx.com"
JUMP = "f10-ssh.c3s2.iphmx.com"


@pytest.fixture(scope="module")
def running() -> Iterator[Estate]:
    with estate_kit.running("cluster") as estate:
        yield estate


def settings(estate: Estate) -> dict[str, Any]:
    return {**sample("contoso-prod"), "endpoints": {"caBundle": str(estate.ca_file.resolve())}}


@pytest.fixture
def at(running: Estate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    with practice(running, settings(running), monkeypatch, running.environment) as one:
        yield one


def test_every_member_is_tried_and_the_jump_host_shown(at: Practice) -> None:
    found = at.look(*WAY_IN, "cluster", "delivery addresses")
    assert {one.level for one in found} == {"ok"}
    said = [one.says for one in found]
    assert said[0] == f"{ESA1}, {ESA2}: SSH answers through the jump host {JUMP}"
    assert [text.partition(":")[0] for text in said[1:4]] == [f"jump host {JUMP}", ESA1, ESA2]
    assert "2 members are connected, and none has settings of its own for listenerconfig, smtproutes" in str(
        found
    )


def test_one_member_with_another_key_hides_nothing_of_the_others(at: Practice) -> None:
    members = at.values["gateway"]["members"]
    wrong = [{**members[0]}, {**members[1], "hostKey": members[0]["hostKey"]}]
    found = at.look(*WAY_IN, "listeners", gateway__members=wrong)
    assert levels(found) == {
        "reachable": ["ok"],
        "host key": ["ok", "ok", "error"],
        "login": ["ok", "not looked at"],
        "listeners": ["ok", "ok"],
    }


def test_a_jump_host_that_does_not_know_our_key(at: Practice, tmp_path: Path) -> None:
    at.set(GATEWAY_KEY_FILE=str(at.estate.folder / "no-such-key"))
    found = at.look(*WAY_IN)
    assert levels(found) == {
        "reachable": ["not looked at"],
        "host key": ["not looked at"],
        "login": ["error"],
    }
    assert "GATEWAY_KEY_FILE" in found[2].says


@pytest.mark.parametrize("level", ["machine", "group"])
def test_settings_of_its_own_that_up_would_refuse(at: Practice, level: str) -> None:
    name = ESA2 if level == "machine" else at.estate.gateway.groups[0]
    at.estate.gateway.override((level, name), "smtproutes")
    at.estate.gateway.override((level, name), "filters")
    found = at.look("cluster")
    assert {one.level for one in found} == {"error"}
    said = " ".join(one.says for one in found)
    assert all(f"settings for `{table}`" in said for table in ("smtproutes", "filters"))
    assert f"member {ESA2}" in said
    assert (f"member {ESA1}" in said) == (level == "group")


@pytest.mark.parametrize("enterable", [False, True])
def test_a_member_that_is_cut_off_is_told_once(at: Practice, *, enterable: bool) -> None:
    at.estate.gateway.disconnected = {ESA2}
    at.estate.gateway.disconnected_mode = enterable
    found = at.look("cluster", "listeners", "delivery addresses")
    assert levels(found)["cluster"] == ["error"]
    assert ESA2 in found[0].says
    assert levels(found)["listeners"] == ["ok", "ok"]
    assert levels(found)["delivery addresses"][0] == "ok"


def test_a_member_that_the_settings_forget(at: Practice) -> None:
    found = at.look("cluster", gateway__members=at.values["gateway"]["members"][:1])
    assert [one.level for one in found] == ["warning", "ok"]
    assert f"it also has {ESA2}, which the settings do not name" in found[0].says


def test_a_member_that_sends_from_elsewhere(at: Practice) -> None:
    level = ("machine", ESA2)
    at.estate.gateway.override(level, "deliveryconfig")
    at.estate.gateway.state.own(level).delivery.interface = "Management"
    found = at.look("delivery addresses")
    assert [one.level for one in found] == ["ok", "error"]
    assert found[1].says.startswith(f"{ESA2}: the interface «Management» is where mail leaves from")


def test_the_settings_do_not_say_that_it_is_a_cluster(at: Practice) -> None:
    one = at.values["gateway"]["members"][:1]
    found = at.look(*WAY_IN, "cluster", gateway__cluster=False, gateway__members=one)
    assert levels(found) == {
        "reachable": ["ok"],
        "host key": ["ok", "ok"],
        "login": ["ok"],
        "cluster": ["error"],
    }
    assert "gateway.cluster is not set" in found[4].says


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture
def fleet(at: Practice, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Fleet:
    """Two stacks of one gateway, one of nowhere, and a file that is none."""
    engine = FakeEngine.begun(tmp_path / "bin")
    folder = project(tmp_path / "project")
    values = settings(at.estate)
    for name in ("contoso-prod", "contoso-test"):
        write(folder, name, **values)
    lost = {**values["gateway"]["members"][0], "host": "esa1.lost.example"}
    gateway = {**values["gateway"], "name": "lost", "members": [lost], "cluster": False}
    write(folder, "lost", **{**values, "gateway": gateway})
    (folder / "stacks" / "Pulumi.broken.yaml").write_text("config: [", encoding="utf-8")
    at.monkeypatch.chdir(folder)
    at.monkeypatch.setattr(sys, "argv", ["fleet"])
    environment = {
        **os.environ,
        **engine.environment,
        "CONTOSO_PROD__OUTBOUND_SECRET": "firstsecret1",
        "CONTOSO_TEST__OUTBOUND_SECRET": "secondsecret2",
        "LOST__OUTBOUND_SECRET": "thirdsecret3",
    }
    environment.pop("OUTBOUND_SECRET")
    at.monkeypatch.setattr("fleet.carrying_out.engine_environment", lambda: environment)
    return Fleet(folder, engine, capsys)


def test_stacks_that_share_a_gateway_log_in_once_and_one_that_fails_stops_no_other(
    at: Practice, fleet: Fleet
) -> None:
    since = at.estate.journal.mark()
    stacks = {one["stack"]: one for one in fleet.json("doctor", "--parallel", "2")["stacks"]}
    assert fleet.json("doctor", "broken")["exitCode"] == 1
    assert {name: one["state"] for name, one in stacks.items()} == {
        "broken": "error",
        "contoso-prod": "error",
        "contoso-test": "error",
        "lost": "error",
    }
    for name in ("contoso-prod", "contoso-test"):
        bad = {one["check"] for one in stacks[name]["findings"] if one["level"] == "error"}
        assert bad == {"engine", "backend"}, stacks[name]["findings"]  # the stand-in for `pulumi` is neither
    assert {"login", "listeners"} <= {
        one["check"] for one in stacks["lost"]["findings"] if "not looked at: " in one["says"]
    }
    for host in (ESA1, ESA2):
        assert at.estate.journal.count(f"gateway:{host}", "login", since=since) == 1


def test_what_a_person_reads(fleet: Fleet) -> None:
    assert fleet.run("doctor", "contoso-prod", "--brief") == 1
    assert "contoso-prod: 2 errors, " in fleet.out
    assert "  error   | engine | " in fleet.out
    assert "  ok " not in fleet.out
    assert "firstsecret" not in fleet.out
