"""Six customers on three gateways, one shared by four: all are made, and two made to fail fail alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.many import ManyCustomers
from tests.fleet.fleet_kit import Fleet, fleet_in
from tools.bench.failing import WAYS, spoil, wrong
from tools.bench.fleet import QUICK
from tools.bench.processes import proportional, tree
from tools.bench.sandbox import Sandbox
from tools.bench.table import MIB, Pass, Size, table

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def sandbox(tmp_path: Path, warm: Mapping[str, str]) -> Iterator[Sandbox]:
    many = ManyCustomers(tmp_path / ".lab", 6, 3, alone=2, **QUICK)
    with many.estate:
        yield Sandbox(tmp_path, many, warm)


@pytest.fixture
def fleet(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Fleet:
    return fleet_in(tmp_path, sandbox.environment, monkeypatch, capsys)


def test_all_are_made_and_two_that_fail_fail_alone(fleet: Fleet, sandbox: Sandbox) -> None:
    names, journal = {*sandbox.customers, *sandbox.gateways}, sandbox.many.estate.journal
    assert len(names) == 7
    assert fleet.states("up", "*", "--yes") == dict.fromkeys(names, "done"), fleet.out
    assert sandbox.many.lost() == {}

    spoiled = spoil(sandbox, [one for one in sandbox.many.customers if not one.shared])
    assert len(spoiled) == 2
    mark = journal.mark()
    again = fleet.json("up", *spoiled, "c003-lab", "esa3-lab", "--yes")["stacks"]
    assert len(again) == 4
    assert wrong(again, spoiled) == []
    assert not [one for one in journal.events(since=mark) if one.kind in ("commit", "effect")]
    assert sandbox.many.lost() == {}


def test_mail_that_runs_past_the_gateway_is_seen(tmp_path: Path) -> None:
    many = ManyCustomers(tmp_path, 2, 2, alone=1, **QUICK)
    with many.estate:
        assert many.lost() == dict.fromkeys(("c001", "c002"), "inbound: in inbox, by 203.0.113.90")


def test_a_failure_for_another_reason_is_seen() -> None:
    spoiled = {"down": WAYS[0]}
    right = {"stack": "down", "state": "error", "says": f"esa1: {WAYS[0].says}"}
    assert wrong([right, {"stack": "other", "state": "same", "says": ""}], spoiled) == []
    assert wrong([right | {"says": "esa1: something else"}], spoiled)
    assert wrong([right | {"state": "done"}], spoiled)
    assert wrong([right, {"stack": "other", "state": "done", "says": "1 updated"}], spoiled)
    assert wrong([], spoiled)


def test_the_table_says_how_it_grows() -> None:
    def size(customers: int, seconds: float) -> Size:
        ran = Pass([], seconds, cpu=2 * seconds, peak=300 * MIB, processes=9)
        return Size(customers, 2, 10, MIB, dict.fromkeys(("up", "check", "up again", "drift"), ran))

    _, _, small, large = table([size(10, 40.0), size(20, 100.0)])
    assert small.startswith("| 10 | 2 | 10 | 40.0 | 40.0 | 40.0 | 40.0 | 4.0 | 8.0 |")
    assert large.startswith("| 20 | 2 | 10 | 100 (2.5 x) |")
    assert "| 300 (1.0 x) |" in large


def test_all_that_a_process_has_started_is_counted() -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdout.readline()
        there = tree(one.pid)
        assert (len(there), there[0]) == (2, one.pid)
        assert all(MIB < proportional(pid) < 100 * MIB for pid in there)
        one.communicate(b"\n")
    assert proportional(one.pid) == 0
