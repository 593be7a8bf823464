"""A vendor's runner: each job in a clone of its own of a bare repository, with its own variables alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fleet.forge_server import TOKEN, Forge
from tests.fleet.pipeline_jobs import PIPELINES, Step, azure, github, gitlab
from tools.engine import ROOT

READERS = {"github": github, "azure-devops": azure, "gitlab": gitlab}
PROGRAM = ("Pulumi.yaml", "__main__.py", "components", "dynamic_providers", "fleet", "mail_check", "tools")
IGNORED = "/.venv\n/.pulumi-engine\n/out/\n/parts/\n__pycache__/\n"
STAND_INS = {
    # What is made once and cached is linked; all else that `make setup` does is not for a test.
    "make": f'[ "$*" = setup ] && ln -s {ROOT}/.venv {ROOT}/.pulumi-engine .',
    "az": f'[ "$1 $2" != "keyvault secret" ] || echo {TOKEN}',
    "tdnf": ":",
}


@dataclass(frozen=True)
class Done:
    """How a job ended, and what it said. `kept`: the folder that it keeps."""

    code: int
    said: str
    kept: Path

    def result(self, command: str) -> dict[str, Any]:
        """What `fleet COMMAND --json` printed in it."""
        loaded: dict[str, Any] = json.loads((self.kept / f"{command}.json").read_text(encoding="utf-8"))
        return loaded

    def states(self, command: str) -> dict[str, str]:
        return {one["stack"]: one["state"] for one in self.result(command)["stacks"]}


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@provider.example")
    done = subprocess.run(
        ["git", *who, "-c", "init.defaultBranch=main", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@dataclass
class Desk:
    """Where people work: a clone of the bare repository beside it."""

    folder: Path

    @classmethod
    def begun(cls, place: Path) -> Desk:
        """A repository with the program and the pipelines, and no stack yet."""
        origin, folder = place / "origin.git", place / "desk"
        git(place, "init", "--quiet", "--bare", str(origin))
        git(place, "clone", "--quiet", str(origin), str(folder))
        for name in PROGRAM:
            (folder / name).symlink_to(ROOT / name)
        shutil.copytree(PIPELINES, folder / "pipelines")
        (folder / ".gitignore").write_text(IGNORED, encoding="utf-8")
        (folder / "stacks").mkdir()
        desk = cls(folder)
        desk.commit()
        git(folder, "push", "--quiet", "origin", "main")
        return desk

    @property
    def origin(self) -> Path:
        return self.folder.parent / "origin.git"

    def write(self, stack: str, text: str) -> None:
        (self.folder / "stacks" / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")

    def commit(self) -> str:
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "--message", "another commit")
        return git(self.folder, "rev-parse", "HEAD")

    def request(self) -> str:
        """What has been written, as a commit of a branch that is to be merged."""
        if git(self.folder, "branch", "--show-current") == "main":
            git(self.folder, "switch", "--quiet", "--force-create", "request")
        head = self.commit()
        git(self.folder, "push", "--quiet", "--force", "origin", "request")
        return head

    def merge(self) -> str:
        """The request, merged: the commit on main."""
        git(self.folder, "switch", "--quiet", "main")
        git(self.folder, "merge", "--quiet", "--no-ff", "--message", "merged", "request")
        git(self.folder, "push", "--quiet", "origin", "main")
        return git(self.folder, "rev-parse", "HEAD")


@dataclass
class Runner:
    """`environment`: what the agent has of itself: the engine's sandbox, and the lab."""

    vendor: str
    desk: Desk
    forge: Forge
    tokens: str
    environment: Mapping[str, str] = field(default_factory=dict)
    kept: dict[str, Path] = field(default_factory=dict)
    count: int = 0

    def run(self, name: str, commit: str, *, stack: str = "", shard: str = "1/1") -> Done:
        """One job at a commit, to its end."""
        self.count += 1
        folder = self.desk.folder.parent / f"job-{self.count}"
        git(folder.parent, "clone", "--quiet", str(self.desk.origin), str(folder))
        git(folder, "checkout", "--quiet", "--detach", commit)
        job = READERS[self.vendor](name, self._context(name, folder, commit, stack, shard))
        environment = {**job.env, **self._variables(folder, commit, stack, shard)}
        code, said = 0, ""
        for step in job.steps:
            if code == 0 or step.always:
                ended, told = self._step(step, folder, {**environment, **step.env})
                code, said = code or ended, said + told
        return Done(code, said, folder / "out")

    def needs(self, name: str) -> tuple[str, ...]:
        """The jobs that have to end well before this one begins."""
        return READERS[self.vendor](name, self._context(name, Path("/job"), "c0ffee", "", "1/1")).needs

    def _step(self, step: Step, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
        if step.keeps:
            self.kept[step.keeps] = folder / "out"
            return 0, ""
        if step.fetches:
            self._fetch(folder / step.fetches)
            return 0, ""
        options = ["-e"] if self.vendor == "github" else []
        done = subprocess.run(
            ["bash", *options, "-c", step.script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def _fetch(self, to: Path) -> None:
        """What the drift jobs kept: Azure puts each part into a folder of its own."""
        for name, out in self.kept.items():
            if name.startswith("drift"):
                place = to / name if self.vendor == "azure-devops" else to
                shutil.copytree(out, place, dirs_exist_ok=True)

    def _context(self, name: str, folder: Path, commit: str, stack: str, shard: str) -> dict[str, str]:
        """What each vendor puts in place of its expressions."""
        return {
            "vars.PULUMI_BACKEND_URL": self.environment.get("PULUMI_BACKEND_URL", ""),
            "vars.FLEET_VAULT": "",
            "vars.FLEET_LABEL": "environment=test" if name == "test" else "environment!=test",
            "github.workspace": str(folder),
            "github.token": TOKEN,
            "github.event.pull_request.head.sha": commit,
            "inputs.stack": stack,
            "matrix.shard": shard,
            "strategy.job-index": shard.partition("/")[0],
            "System.AccessToken": TOKEN,
            "System.JobPositionInPhase": shard.partition("/")[0],
            "Agent.TempDirectory": str(folder.parent),
            "Pipeline.Workspace": str(folder),
            "parameters.stack": stack,
            "CI_NODE_INDEX": shard.partition("/")[0],
        }

    def _variables(self, folder: Path, commit: str, stack: str, shard: str) -> dict[str, str]:
        """What each vendor sets in every job."""
        bin_ = self.desk.folder.parent / "bin"
        if not bin_.exists():
            bin_.mkdir()
            for program, script in STAND_INS.items():
                (bin_ / program).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
                (bin_ / program).chmod(0o755)
        index, _, total = shard.partition("/")
        common = {**self.environment, "PATH": f"{bin_}:/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)}
        own = {
            "github": {
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.tokens}/github?api-version=2.0",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": TOKEN,
                "GITHUB_BASE_REF": "main",
                "GITHUB_SHA": commit,
                "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            },
            "azure-devops": {
                "SYSTEM_OIDCREQUESTURI": f"{self.tokens}/azure",
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "c0ffee",
                "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main",
                "BUILD_SOURCEVERSION": commit,
                "PIPELINE_WORKSPACE": str(folder),
                "SYSTEM_JOBPOSITIONINPHASE": index,
                "SYSTEM_TOTALJOBSINPHASE": total,
                "FLEET_VAULT": "",
            },
            "gitlab": {
                "FLEET_ID_TOKEN": "header.gitlab.signature",
                "FLEET_STACK": stack,
                "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
                "CI_COMMIT_SHA": commit,
                "CI_NODE_INDEX": index,
                "CI_NODE_TOTAL": total,
            },
        }[self.vendor]
        return {**common, **self.forge.environment(), **own}
