"""The state in a real PostgreSQL: a race, a dead runner, another machine.

What is the backend's own is shown by a program that costs nothing; one test has our program, and the lab.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lab.estate import Estate
from tests.engine.life import processes_of, wait_until
from tests.fleet.postgres_server import PASSWORD, PostgresServer, programs
from tools.engine import ROOT, engine_environment
from tools.pulumi_cli import PASSPHRASE, Failed, Project, kill_group

pytestmark = pytest.mark.timeout(300)

PROGRAM = """
import os, pulumi
inside = os.environ["INSIDE"]
os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # two at once would fail here
gate = os.environ.get("GATE")
if gate:
    open(gate).read()
pulumi.export("by", os.environ["BY"])
os.unlink(inside)
"""
LOCKED = "the stack is currently locked by 1 lock(s)"


@pytest.fixture(scope="module")
def server(pytestconfig: pytest.Config) -> Iterator[PostgresServer]:
    with PostgresServer(programs(pytestconfig.cache.mkdir("postgresql"))) as running:
        yield running


@dataclass(frozen=True)
class Runner:
    """One machine: a folder of its own, a PULUMI_HOME of its own, and the backend that they share."""

    folder: Path
    stack: str
    environment: Mapping[str, str]

    def start(self, *words: str, gate: Path | None = None) -> subprocess.Popen[str]:
        options = () if words[:2] == ("stack", "init") else ("--stack", self.stack)
        return subprocess.Popen(
            ["pulumi", *words, *options, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env={**self.environment, **({"GATE": str(gate)} if gate else {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        said, _ = process.communicate(timeout=120)
        assert PASSWORD not in said
        return process.returncode, said

    def up(self) -> tuple[int, str]:
        return self.run("up", "--yes", "--skip-preview")


@pytest.fixture
def runners(
    server: PostgresServer, tmp_path: Path, warm: Mapping[str, str], request: pytest.FixtureRequest
) -> tuple[Runner, Runner]:
    """Two machines with the same stack file; the stack is made by the first."""
    stack = request.node.name.replace("test_", "")[:40].strip("_")
    made = []
    for number in (1, 2):
        folder = tmp_path / f"machine-{number}"
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text("name: postgres-test\nruntime: python\n")
        (folder / "__main__.py").write_text(PROGRAM)
        environment = {
            **engine_environment(ROOT, home=folder / "home"),
            **warm,
            "PULUMI_BACKEND_URL": server.url,
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "INSIDE": str(tmp_path / "inside"),
            "BY": f"machine {number}",
        }
        made.append(Runner(folder, stack, environment))
    first, second = made
    code, said = first.run("stack", "init", stack)
    assert code == 0, said
    (second.folder / f"Pulumi.{stack}.yaml").write_text((first.folder / f"Pulumi.{stack}.yaml").read_text())
    return first, second


def locks(server: PostgresServer) -> list[str]:
    return server.ask("select key from pulumi_state where key like '%/locks/%'")


def holding(runner: Runner, tmp_path: Path) -> tuple[subprocess.Popen[str], Path]:
    """An `up` that holds the lock and waits, in its program, until somebody writes to the gate."""
    gate, inside = tmp_path / "gate", tmp_path / "inside"
    os.mkfifo(gate)
    process = runner.start("up", "--yes", "--skip-preview", gate=gate)
    assert wait_until(lambda: inside.exists() or process.poll() is not None, 60)
    assert process.poll() is None, process.communicate()[0]
    return process, gate


def test_a_second_runner_is_refused_and_told_by_whom(
    server: PostgresServer, runners: tuple[Runner, Runner], tmp_path: Path
) -> None:
    first, second = runners
    process, gate = holding(first, tmp_path)
    code, said = second.up()
    assert code != 0
    assert LOCKED in said
    assert f"(pid {process.pid})" in said
    gate.write_text("go on")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert locks(server) == []
    assert second.up()[0] == 0
    assert first.run("stack", "output", "by") == (0, "machine 2\n")


def test_of_two_that_start_at_once_one_works_or_both_are_refused(
    server: PostgresServer, runners: tuple[Runner, Runner]
) -> None:
    """The backend looks, writes its lock, and looks again: two may see each other and both step back."""
    both = [runner.start("up", "--yes", "--skip-preview") for runner in runners]
    ends = [(process.communicate(timeout=120)[0], process.returncode) for process in both]
    for said, code in ends:
        assert code == 0 or LOCKED in said, said
        assert "FileExistsError" not in said
    assert locks(server) == []
    assert runners[0].up()[0] == 0


def test_a_runner_that_died_leaves_its_lock_until_somebody_cancels(
    server: PostgresServer, runners: tuple[Runner, Runner], tmp_path: Path
) -> None:
    first, second = runners
    process, _ = holding(first, tmp_path)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    (tmp_path / "inside").unlink()
    code, said = second.up()
    assert code != 0
    assert LOCKED in said
    assert f"(pid {process.pid})" in said
    assert len(locks(server)) == 1
    assert second.run("cancel", "--yes")[0] == 0
    assert locks(server) == []
    assert second.up()[0] == 0


def test_a_low_line_in_a_name_does_not_go_with_a_name_that_differs_in_it_only(
    runners: tuple[Runner, Runner],
) -> None:
    """The backend asks by LIKE and quotes nothing: `_` matches any letter. So docs/state.md warns."""
    first, _ = runners
    other = first.stack.replace("_", "-")
    assert first.up()[0] == 0
    assert first.run("stack", "init", other)[0] == 0
    code, said = first.up()
    assert code != 0
    assert "slice bounds out of range" in said
    assert replace(first, stack=other).up()[0] == 0


def test_another_machine_goes_on_where_the_first_stopped(
    server: PostgresServer, tmp_path: Path, warm: Mapping[str, str]
) -> None:
    """Our program on the lab: up on one machine, killed; looked at, completed and taken away on another."""
    with Estate(tmp_path / ".lab") as estate:
        environment = {**estate.environment, **warm, "PULUMI_BACKEND_URL": server.url}
        before = estate.dump()
        first = Project(tmp_path / "one", "bce-demo-lab", environment)
        (tmp_path / "one" / ".lab").symlink_to(tmp_path / ".lab")
        first.init()
        killed = first.start("up", "--yes", "--skip-preview")
        estate.journal.when(lambda event: event.kind == "effect", lambda _event: kill_group(killed))
        killed.communicate(timeout=120)
        assert wait_until(lambda: not processes_of(first), 20), processes_of(first)
        settings = first.stack_file.read_text(encoding="utf-8")
        second = Project(tmp_path / "two", "bce-demo-lab", environment, settings=settings)
        (tmp_path / "two" / ".lab").symlink_to(tmp_path / ".lab")
        with pytest.raises(Failed, match="currently locked"):
            second.up()
        second.pulumi("cancel", "--yes")
        second.up()
        second.preview("--expect-no-changes", "--refresh")
        assert not list((tmp_path / "two").rglob("*.checkpoint.json"))
        second.pulumi("state", "unprotect", "--all", "--yes")
        second.destroy()
        assert estate.dump() == before
