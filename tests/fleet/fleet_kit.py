"""What the tests of fleet share: stack files as short as they may be, and the commands over them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.stack_config import NAMESPACE
from dynamic_providers import errors
from fleet.command import main
from fleet.stacks import StackFile, read_stack
from tests.fleet.fake_engine import FakeEngine


class Fleet:
    """The commands of fleet, over stack files in a folder."""

    def __init__(self, folder: Path, engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.engine, self._capsys = folder, engine, capsys
        self.out = self.err = ""

    def run(self, *words: str) -> int:
        sys.argv = ["fleet", *words]
        code = main()
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, *words: str) -> dict[str, Any]:
        code = self.run(*words, "--json")
        loaded: dict[str, Any] = json.loads(self.out)
        assert loaded["exitCode"] == code
        return loaded

    def states(self, *words: str) -> dict[str, str]:
        return {one["stack"]: one["state"] for one in self.json(*words)["stacks"]}


def project(folder: Path) -> Path:
    """A folder that looks like the project."""
    (folder / "stacks").mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: m365-secure-email\nstackConfigDir: stacks\n", encoding="utf-8")
    return folder


def write(folder: Path, name: str, **settings: Any) -> StackFile:
    """A stack file in a project: what is given, and a customer and a gateway where it is not."""
    values = {
        "customer": {"name": name.title(), "environment": name.rpartition("-")[2]},
        "gateway": gateway(f"of-{name}"),
        **settings,
    }
    path = folder / "stacks" / f"Pulumi.{name}.yaml"
    config = {f"{NAMESPACE}:{key}": value for key, value in values.items()}
    path.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    return read_stack(path)


def gateway(name: str, *hosts: str) -> dict[str, Any]:
    return {"name": name, "members": [{"host": host} for host in hosts or (f"esa1.{name}.example",)]}


def named(stacks: list[StackFile]) -> list[str]:
    return [one.name for one in stacks]


def fleet_in(
    folder: Path,
    environment: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Fleet:
    """The commands in a folder, with this environment and nothing else; their engine is the real one."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(errors, "_secrets", set())
    return Fleet(folder, FakeEngine(folder), capsys)
