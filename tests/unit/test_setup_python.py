"""The set-up's Python side: virtual environment, locked requirements, and what `make` alone explains."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.engine_setup_kit import Said, script
from tools.engine import (
    ROOT,
)
from tools.setup import venv
from tools.setup.console import SetupError


class TestVirtualEnvironment:
    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        (tmp_path / venv.LOCK_FILE).write_text("# nothing is locked\n", encoding="utf-8")
        return tmp_path

    def test_is_made_once_and_anew_when_the_lock_changes(self, project: Path, capsys: Said) -> None:
        venv.set_up_venv(project)
        assert "making .venv" in capsys.readouterr().err
        mark = project / ".venv" / "of the first one"
        mark.touch()
        venv.set_up_venv(project)
        assert not capsys.readouterr().err
        assert mark.exists()
        (project / venv.LOCK_FILE).write_text("./unhashed\n", encoding="utf-8")
        with pytest.raises(SetupError, match=r"pip: .*failed"):
            venv.set_up_venv(project)
        assert not mark.exists()
        assert not (project / ".venv" / "setup.stamp").exists(), "it would be taken for a finished one"

    def test_fleet_is_a_command_of_it(self, tmp_path: Path) -> None:
        bin_folder = tmp_path / "it's here" / ".venv" / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder / "python").symlink_to(sys.executable)
        room = bin_folder.parent.parent / "fleet"
        room.mkdir()
        (room / "command.py").write_text(
            "import sys\ndef main(): print(*sys.argv[1:]); return 2\n", encoding="utf-8"
        )
        venv.set_up_command(bin_folder.parent.parent)
        done = subprocess.run(
            [bin_folder / "fleet", "up", "a b"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.returncode) == ("up a b\n", 2), done.stderr

    @pytest.fixture
    def no_ensurepip(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Debian's Python without its venv package, and an `apt-get` that brings it."""
        installed = tmp_path / "installed"
        monkeypatch.setattr(venv, "_has_ensurepip", installed.exists)
        folder = tmp_path / "bin"
        folder.mkdir()
        script(folder / "apt-get", f'#!/bin/sh\n[ "$1" = update ] || echo "$*" > "{installed}"\n')
        monkeypatch.setenv("PATH", str(folder))
        return installed

    def test_debian_package_is_installed_as_root_and_said(
        self, no_ensurepip: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        venv.ensure_venv_module()
        package = f"python3.{sys.version_info.minor}-venv"
        assert no_ensurepip.read_text(encoding="utf-8").endswith(f" {package}\n")
        assert f"installing the Debian package {package}" in capsys.readouterr().err

    def test_debian_package_is_named_to_who_is_not_root(
        self, no_ensurepip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(SetupError, match=r"sudo apt-get install python3\.\d+-venv"):
            venv.ensure_venv_module()
        assert not no_ensurepip.exists()


class TestPackaging:
    @pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
    def test_lock_is_pinned_hashed_and_names_no_index(self, name: str) -> None:
        lock = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
        assert "://" not in lock
        assert "--index-url" not in lock
        entries = re.split(r"\n(?=[a-z])", lock.partition("\n\n")[0])
        for entry in [entry for entry in entries if not entry.startswith("#")]:
            assert re.match(r"[a-z0-9.-]+==\S+ ", entry), entry
            assert "--hash=sha256:" in entry, entry

    @pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
    def test_everything_asked_for_is_locked(self, name: str) -> None:
        asked = re.findall(
            r"^[A-Za-z][\w-]*", (ROOT / f"{name}.in").read_text(encoding="utf-8"), re.MULTILINE
        )
        locked = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
        assert asked
        for requirement in asked:
            assert f"\n{requirement.lower()}==" in locked

    def test_runtime_versions_are_the_same_in_both_locks(self) -> None:
        versions: Callable[[str], dict[str, str]] = lambda name: dict(  # noqa: E731 - used twice, here
            re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        )
        assert versions("requirements.txt").items() <= versions("requirements-dev.txt").items()

    def test_make_alone_explains_every_target(self) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
        assert targets is not None
        shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert re.findall(r"^  make ([\w-]+) +\S", shown, re.MULTILINE) == targets.group(1).split()
