"""The jobs of pipelines/, read out of each vendor's YAML: what they run, in order, with which variables.

Only as much of each vendor's language as is used there; whatever else comes up is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PIPELINES = Path(__file__).resolve().parent.parent.parent / "pipelines"
Context = Mapping[str, str]
Given = Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """A script, or what is kept of the job, or what is fetched that others kept. `always`: come what may."""

    script: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    always: bool = False
    keeps: str = ""
    fetches: str = ""


@dataclass(frozen=True)
class Job:
    """One job. `needs`: those that have to end well before; `env`: variables of its own."""

    steps: Sequence[Step]
    env: Mapping[str, str]
    needs: tuple[str, ...] = ()


BY_HAND = ("rotate begin", "rotate finish", "offboard")


def load(vendor: str, name: str) -> Any:
    return yaml.safe_load((PIPELINES / vendor / name).read_text(encoding="utf-8"))


# --- GitHub Actions -----------------------------------------------------------------------------------------

GITHUB = {
    "review": ("fleet-review.yml", "review"),
    "test": ("fleet-apply.yml", "test"),
    "prod": ("fleet-apply.yml", "prod"),
    "drift": ("fleet-drift.yml", "drift"),
    "issue": ("fleet-drift.yml", "issue"),
    **dict.fromkeys(BY_HAND, ("fleet-by-hand.yml", "by-hand")),
}
_SET_UP = {
    "actions/checkout": "the runner's clone",
    "actions/cache": "only saves time",
    "azure/login": "`az` is a stand-in",
}


def github(name: str, context: Context) -> Job:
    """`context`: expression → its value, such as `vars.FLEET_VAULT`."""
    file, key = GITHUB[name]
    job = load("github", file)["jobs"][key]
    told = {"inputs.what": name, "github.job": key, **context}
    steps = [_github_step(one, told) for one in job["steps"] if _is_due(one.get("if", ""), told)]
    needs = job.get("needs", ())
    return Job(
        [one for one in steps if one is not None],
        _filled(job.get("env", {}), told),
        (needs,) if isinstance(needs, str) else tuple(needs),
    )


def _is_due(condition: str, told: Context) -> bool:
    if condition in ("", "always()"):
        return True
    found = re.fullmatch(r"([\w.]+) == '([\w ]+)'", condition)
    assert found, condition
    return told[found[1]] == found[2]


def _github_step(said: Mapping[str, Any], told: Context) -> Step | None:
    always = said.get("if") == "always()"
    if "run" in said:
        return Step(_expanded(said["run"], told), _filled(said.get("env", {}), told), always)
    action, given = said["uses"].partition("@")[0], said.get("with", {})
    if action == "actions/upload-artifact":
        assert given["path"] == "out/"
        return Step(keeps=_expanded(given["name"], told), always=always)
    if action == "actions/download-artifact":
        assert given["merge-multiple"]
        return Step(fetches=given["path"])
    assert action in _SET_UP, action
    return None


def _filled(variables: Mapping[str, Any], told: Context) -> dict[str, str]:
    return {name: _expanded(str(value), told) for name, value in variables.items()}


def _expanded(text: str, told: Context) -> str:
    return re.sub(r"\$\{\{ ([^}]+) \}\}", lambda found: told[found[1]], text)


# --- Azure DevOps -------------------------------------------------------------------------------------------

AZURE = {
    "review": ("fleet.yml", "review"),
    "test": ("fleet.yml", "test"),
    "prod": ("fleet.yml", "prod"),
    "drift": ("fleet-drift.yml", "drift"),
    "issue": ("fleet-drift.yml", "issue"),
    **dict.fromkeys(BY_HAND, ("fleet-by-hand.yml", "by_hand")),
}


def azure(name: str, context: Context) -> Job:
    """`context`: what stands in `$(…)`, such as `System.AccessToken`, and `parameters.stack`."""
    file, key = AZURE[name]
    told = {"parameters.what": name, **context}
    said = load("azure-devops", file)
    parents = said.get("stages") or [said]
    [(parent, job)] = [
        (parent, job)
        for parent in parents
        for job in parent["jobs"]
        if key in (job.get("job"), job.get("deployment"))
    ]
    listed = job["steps"] if "job" in job else job["strategy"]["runOnce"]["deploy"]["steps"]
    env = {one["name"]: _expanded(one["value"], told) for one in said["variables"] if "name" in one}
    needs = job.get("dependsOn") or parent.get("dependsOn") or ()
    steps = [_azure_step(one, told) for one in _unfolded(listed, told)]
    return Job(
        [one for one in steps if one is not None], env, (needs,) if isinstance(needs, str) else tuple(needs)
    )


def _unfolded(listed: Sequence[Mapping[str, Any]], told: Context) -> Iterator[Mapping[str, Any]]:
    """With what is inserted on a condition, and the steps of templates with their parameters."""
    for one in listed:
        first = next(iter(one))
        if first.startswith("${{ if"):
            found = re.fullmatch(r"\$\{\{ if eq\(([\w.]+), '([\w ]+)'\) \}\}", first)
            assert found, first
            if told[found[1]] == found[2]:
                yield from _unfolded(one[first], told)
        elif first == "template":
            given = {f"parameters.{key}": value for key, value in one["parameters"].items()}
            for step in load("azure-devops", one["template"])["steps"]:
                yield _with_parameters(step, given)
        else:
            yield one


def _with_parameters(value: Any, given: Context) -> Any:
    if isinstance(value, str):
        return re.sub(r"\$\{\{ (parameters\.run) \}\}", lambda found: given[found[1]], value)
    if isinstance(value, dict):
        return {key: _with_parameters(one, given) for key, one in value.items()}
    return value


def _azure_step(said: Mapping[str, Any], told: Context) -> Step | None:
    always = said.get("condition") == "always()"
    env = {name: _macros(value, told) for name, value in said.get("env", {}).items()}
    if "script" in said:
        return Step(_macros(said["script"], told), env, always)
    if "publish" in said:
        assert said["publish"] == "out"
        return Step(keeps=_macros(said["artifact"], told), always=always)
    if said.get("task") == "AzureCLI@2":
        return Step(_macros(said["inputs"]["inlineScript"], told), env, always)
    if said.get("task") == "DownloadPipelineArtifact@2":
        return Step(fetches=_macros(said["inputs"]["targetPath"], told))
    assert said.get("checkout") == "self" or said.get("task") == "Cache@2", said
    return None


def _macros(text: str, told: Context) -> str:
    return re.sub(r"\$\(([A-Z]\w+\.\w+)\)", lambda found: told[found[1]], text)


# --- GitLab CI ----------------------------------------------------------------------------------------------


def gitlab(name: str, context: Context) -> Job:
    """Its variables are the job's environment."""
    said = load("gitlab", ".gitlab-ci.yml")
    job = _extended(said, name)
    env = {key: one["value"] if isinstance(one, dict) else one for key, one in said["variables"].items()}
    stages = said["stages"]
    before = stages[: stages.index(job["stage"])]
    needs = tuple(one for one in before if (one, name) in (("test", "prod"), ("drift", "issue")))
    assert job["artifacts"] == {"when": "always", "paths": ["out/"], "expire_in": "30 days"}
    script = "\n".join(["set -eo pipefail", *job["before_script"], *job["script"]])
    fetched = [Step(fetches="out/")] if "drift" in needs else []
    return Job(
        [*fetched, Step(script), Step(keeps=f"{name}{context['CI_NODE_INDEX']}", always=True)], env, needs
    )


def _extended(said: Mapping[str, Any], name: str) -> dict[str, Any]:
    job = said[name]
    return {**(_extended(said, job["extends"]) if "extends" in job else {}), **job}
