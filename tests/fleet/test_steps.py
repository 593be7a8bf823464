"""The three pipelines at work: their very commands, read out of their files, in the same order.

Each with the real engine, gateways of the lab, and a bare repository; the forge is a stand-in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack_config import NAMESPACE
from lab.estate import Estate
from lab.tenant.practice import OUTBOUND_SECRET
from tests.engine.life import begin
from tests.fleet.forge_server import (
    AzureDevOpsServer,
    Forge,
    GitHubServer,
    GitLabServer,
    Listening,
    TokenServer,
)
from tests.fleet.pipeline_runner import Desk, Done, Runner, git
from tests.hands.acts import type_in
from tests.shared_stacks import gateway_values
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)

FORGES: Mapping[str, type[Forge]] = {
    "github": GitHubServer,
    "gitlab": GitLabServer,
    "azure-devops": AzureDevOpsServer,
}
TEST, PROD = "first-test", "hub-prod"


@dataclass
class World:
    """A provider with two gateways, each a stack of its own: one to try things on, one that counts."""

    runner: Runner
    estate: Estate
    files: Mapping[str, str]

    @property
    def forge(self) -> Forge:
        return self.runner.forge

    def request(self, *stacks: str, **changed: Mapping[str, Any]) -> str:
        """Stack files as a request, both if none is named; `changed`: settings, by `test` and `prod`."""
        for stack in stacks or self.files:
            whole = yaml.safe_load(self.files[stack])
            for key, value in changed.get(stack.rpartition("-")[2], {}).items():
                whole["config"][f"{NAMESPACE}:{key}"] = value
            self.runner.desk.write(stack, yaml.safe_dump(whole))
        return self.runner.desk.request()

    def review(self, head: str) -> Done:
        """The review, and what the forge keeps of it."""
        done = self.runner.run("review", head)
        [(name, kept)] = self.runner.kept.items()
        plan = (kept / "approved.json").read_text(encoding="utf-8")
        run = {"head_sha": head}
        self.forge.artifacts = [
            {"id": 1, "name": name, "expired": False, "created_at": "", "workflow_run": run, "holds": plan}
        ]
        self.forge.head, self.forge.plan = head, plan.encode()
        self.runner.kept.clear()
        return done

    def merge(self) -> str:
        """The request, merged."""
        self.forge.merged = self.runner.desk.merge()
        return self.forge.merged

    def night(self, parts: int) -> list[dict[str, Any]]:
        """Drift by so many machines, then the issues that are open."""
        commit = git(self.runner.desk.folder, "rev-parse", "main")
        self.runner.kept.clear()
        for part in range(1, parts + 1):
            done = self.runner.run("drift", commit, shard=f"{part}/{parts}")
            assert done.code == 0, done.said
        done = self.runner.run("issue", commit)
        assert done.code == 0, done.said
        issues = self.forge.issues.values()
        return [
            one for one in issues if {one["state"], one.get("System.State")}.isdisjoint({"closed", "Done"})
        ]


@contextmanager
def a_runner(vendor: str, folder: Path) -> Iterator[Runner]:
    """An agent of this vendor, with its forge, and a repository."""
    with Listening(FORGES[vendor]()) as forge, Listening(TokenServer()) as tokens:
        yield Runner(vendor, Desk.begun(folder), forge, tokens.url)


def stack_text(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump({"config": {f"{NAMESPACE}:{key}": value for key, value in values.items()}})


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path, warm: Mapping[str, str]) -> Iterator[World]:
    with ExitStack() as running:
        estate = running.enter_context(Estate(tmp_path / ".lab", more_gateways=1))
        runner = running.enter_context(a_runner(request.param, tmp_path))
        files = {}
        for stack, gateway in zip((TEST, PROD), estate.gateways, strict=True):
            values = gateway_values(estate)
            [member], there = values["gateway"]["members"], gateway.members[0]
            member |= {name: getattr(there, name) for name in ("host", "data1", "data2")}
            member["hostKey"] = there.host_key
            values["gateway"]["name"] = stack.partition("-")[0]
            values["customer"]["environment"] = stack.rpartition("-")[2]
            project = Project(tmp_path / "admin", stack, warm, settings=stack_text(values))
            begin(project)
            project.pulumi("config", "set", "--secret", "approvalKey", "a-key-for-practice-only-" * 2)
            files[stack] = project.stack_file.read_text(encoding="utf-8")
            runner.environment = {**project.environment, **estate.environment}
        yield World(runner, estate, files)


@pytest.mark.parametrize("world", ["github"], indirect=True)
def test_from_a_request_to_a_customer_who_leaves(world: World) -> None:
    runner, forge, estate = world.runner, world.forge, world.estate
    first, second = estate.gateways
    before = first.dump(), second.dump()

    head = world.request()
    done = world.review(head)
    assert done.code == 0, done.said
    assert (first.dump(), second.dump()) == before
    [comment] = forge.comments.values()
    assert "## doctor: 2 done" in comment
    assert "## preview: 2 changes" in comment
    head = world.request(prod={"labels": {"ring": "last"}})
    assert world.review(head).code == 0
    assert len(forge.comments) == 1

    merged = world.merge()
    assert runner.needs("prod") == ("test",)
    done = runner.run("test", merged)
    assert (done.code, done.states("up")) == (0, {TEST: "done"}), done.said
    assert first.dump() != before[0]
    assert second.dump() == before[1]
    done = runner.run("prod", merged)
    assert (done.code, done.states("up")) == (0, {PROD: "done"}), done.said
    assert second.dump() != before[1]

    made = first.snapshot()
    type_in("listenerconfig edit OutgoingMail hostaccess delete sendergroup RELAY_O365")(estate)
    for _ in ("opened", "written anew"):
        [issue] = world.night(1)
        assert "drift: 1 drift (1 stops mail), 1 same" in str(issue)
    first.restore(made)
    assert world.night(1) == []

    done = runner.run("offboard", merged, stack=PROD)
    assert (done.code, done.states("offboard")) == (0, {PROD: "done"}), done.said
    assert second.dump() == before[1]


@pytest.mark.parametrize("world", ["azure-devops"], indirect=True)
def test_what_fails_is_red_and_changes_nothing(world: World) -> None:
    runner, estate = world.runner, world.estate
    before = estate.dump()

    right = dict(runner.environment)
    runner.environment = {**right, "GATEWAY_PASSWORD": "not-the-one"}
    done = runner.run("review", world.request())
    assert done.code == 1, done.said
    assert "## doctor: 2 error" in world.forge.comments[1]
    runner.environment = right
    runner.kept.clear()

    over = {"ticket": "T-1", "window": "2026-01-03 20:00-2026-01-04 02:00 UTC"}
    assert world.review(world.request(test={"change": over})).code == 0
    # Somebody adds to the request after it was reviewed, and merges that.
    world.request(test={"change": over}, prod={"names": {"senderGroup": "RELAY_OTHER"}})
    merged = world.merge()
    for job, stack, why in (
        ("test", TEST, "the change window is shut"),
        ("prod", PROD, "not what was approved"),
    ):
        done = runner.run(job, merged)
        assert (done.code, done.states("up")) == (1, {stack: "refused"}), done.said
        assert why in done.said
    assert world.night(2) == []
    done = runner.run("offboard", merged, stack=PROD)
    assert (done.code, done.states("offboard")) == (0, {PROD: "done"}), done.said
    assert estate.dump() == before


@pytest.mark.parametrize("world", ["gitlab"], indirect=True)
def test_a_request_that_is_about_one_stack_only(world: World) -> None:
    """That of the other environment is on main, and was made: nobody touches it."""
    runner, forge = world.runner, world.forge
    second = world.estate.gateways[1]
    before, untouched = second.dump(), world.estate.gateway.dump()
    world.request(TEST)
    world.runner.desk.merge()
    done = world.review(world.request(PROD))
    assert done.code == 0, done.said
    assert "## preview: 1 changes" in forge.comments[1]
    merged = world.merge()
    done = runner.run("test", merged)
    assert (done.code, done.states("up")) == (0, {}), done.said
    done = runner.run("prod", merged)
    assert (done.code, done.states("up")) == (0, {PROD: "done"}), done.said

    made = second.snapshot()
    second.type_by_hand(
        ["listenerconfig edit OutgoingMail hostaccess delete sendergroup RELAY_O365", "commit x Y"]
    )
    [issue] = world.night(2)
    assert "drift: 1 drift (1 stops mail), 1 same" in str(issue)
    second.restore(made)
    assert world.night(2) == []
    done = runner.run("offboard", merged, stack=PROD)
    assert (done.code, done.states("offboard")) == (0, {PROD: "done"}), done.said
    assert (second.dump(), world.estate.gateway.dump()) == (before, untouched)


@pytest.mark.parametrize("vendor", FORGES)
def test_a_rotation_is_two_requests(vendor: str, tmp_path: Path) -> None:
    """Each job leaves a branch on origin with the stack's file; that is merged, and an hour goes by."""
    with a_runner(vendor, tmp_path) as runner:
        project = Project(tmp_path / "admin", "bce-demo-lab", {})
        begin(project)
        project.pulumi("config", "set", "--secret", "--path", "outbound.secret", OUTBOUND_SECRET)
        runner.environment, desk = project.environment, runner.desk
        desk.write(project.stack, project.stack_file.read_text(encoding="utf-8"))
        desk.request()
        found = []
        for part in ("begin", "finish"):
            done = runner.run(f"rotate {part}", desk.merge(), stack=project.stack)
            assert done.code == 0, done.said
            git(desk.folder, "fetch", "--quiet", "origin")
            git(
                desk.folder,
                "switch",
                "--quiet",
                "--force-create",
                "request",
                f"origin/rotate-{project.stack}-{part}",
            )
            changed = git(desk.folder, "diff", "--name-only", "main")
            assert changed == f"stacks/Pulumi.{project.stack}.yaml"
            settings = yaml.safe_load((desk.folder / changed).read_text(encoding="utf-8"))
            found.append(settings["config"][f"{NAMESPACE}:outbound"])
        begun, finished = found
        assert len(begun["previousSecrets"]) == 1
        assert finished == {**begun, "previousSecrets": []}
