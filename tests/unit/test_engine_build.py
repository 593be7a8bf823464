"""The set-up builds the engine with Go where there is nothing to download, and gives signs of life."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit import engine_setup_kit as kit
from tests.unit.engine_setup_kit import VERSION, Said, builds
from tools.engine import (
    ROOT,
    chosen_engine,
    engine_folder,
)
from tools.setup import console
from tools.setup.console import SetupError
from tools.setup.engine import engine_version, set_up_engine
from tools.setup.gobuild import NEEDED_GO, SCRIPTS, find_go, go_version, source_key

bin_folder, root, sdk, mirror = kit.bin_folder, kit.root, kit.sdk, kit.mirror


class TestGoBuild:
    def test_engine_host_and_scripts_are_there(self, root: Path, sdk: Path, capsys: Said) -> None:
        set_up_engine(root)
        made = {path.name for path in chosen_engine(root).iterdir()}
        assert made == {"pulumi", "pulumi-language-python"} | {Path(name).name for name in SCRIPTS}
        assert all(os.access(path, os.X_OK) for path in chosen_engine(root).iterdir())
        assert "building Pulumi" in capsys.readouterr().err
        set_up_engine(root)
        assert builds(sdk) == 2, "the second set-up builds nothing"

    def test_changed_module_is_built_anew_and_the_old_one_goes(self, root: Path, sdk: Path) -> None:
        set_up_engine(root)
        with (root / "tools" / "pulumi" / "engine" / "go.sum").open("a", encoding="utf-8") as go_sum:
            go_sum.write("\n")
        set_up_engine(root)
        assert builds(sdk) == 4
        assert [path.name for path in engine_folder(root).glob("build-*")] == [f"build-{source_key(root)}"]

    def test_failure_quotes_go_and_leaves_nothing(
        self, root: Path, sdk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FAKE_GO_FAILS", "1")
        with pytest.raises(SetupError, match="no space left on device"):
            set_up_engine(root)
        assert list(engine_folder(root).iterdir()) == []
        monkeypatch.delenv("FAKE_GO_FAILS")
        set_up_engine(root)
        assert engine_version(chosen_engine(root) / "pulumi") == VERSION

    @pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
    def test_cut_half_way_is_not_taken_for_a_finished_one(
        self, root: Path, sdk: Path, monkeypatch: pytest.MonkeyPatch, end: signal.Signals
    ) -> None:
        gate = root / "gate"
        os.mkfifo(gate)
        monkeypatch.setenv("FAKE_GO_BLOCKS", str(gate))
        code = "import signal, sys, pathlib\nfrom tools.setup.engine import set_up_engine\n"
        code += "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        code += "set_up_engine(pathlib.Path(sys.argv[1]))\n"
        command = [sys.executable, "-c", code, str(root)]
        with (
            subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process,
            gate.open("w", encoding="utf-8"),  # opens when the build has begun to read
        ):
            process.send_signal(end)
        # The gate shuts before we wait: Python heeds a signal that came on its way into `wait` after it only.
        assert builds(sdk) == 1
        assert not chosen_engine(root).exists()
        monkeypatch.delenv("FAKE_GO_BLOCKS")
        set_up_engine(root)
        assert engine_version(chosen_engine(root) / "pulumi") == VERSION
        assert list(engine_folder(root).glob("unfinished-*")) == []

    def test_no_go(self, root: Path) -> None:
        with pytest.raises(SetupError, match=r"no Go to build .* Install Go 1\.25\.11 or newer"):
            set_up_engine(root)

    @pytest.mark.usefixtures("sdk")
    @pytest.mark.parametrize(
        ("version", "policy", "sentence"),
        [
            ("go1.19.8", "auto", r"go1\.19\.8: too old .* Install Go 1\.25\.11"),
            ("go1.25.10", "local", r"GOTOOLCHAIN=local forbids .* Install Go 1\.25\.11"),
        ],
    )
    def test_go_too_old(
        self, monkeypatch: pytest.MonkeyPatch, version: str, policy: str, sentence: str
    ) -> None:
        monkeypatch.setenv("FAKE_GO_VERSION", version)
        monkeypatch.setenv("FAKE_GO_POLICY", policy)
        with pytest.raises(SetupError, match=sentence):
            find_go()

    @pytest.mark.usefixtures("sdk")
    def test_go_that_can_fetch_a_newer_one(self, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
        monkeypatch.setenv("FAKE_GO_VERSION", "go1.22")
        assert find_go().endswith("/go")
        assert "will fetch Go 1.25.11" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("text", "version"),
        [("go1.26.8", (1, 26, 8)), ("go1.27rc1", (1, 27, 0)), ("devel +abc", (0, 0, 0))],
    )
    def test_versions(self, text: str, version: tuple[int, int, int]) -> None:
        assert go_version(text) == version

    def test_both_modules_want_the_go_that_we_ask_for(self) -> None:
        for module in ("engine", "language_host"):
            go_mod = (ROOT / "tools" / "pulumi" / module / "go.mod").read_text(encoding="utf-8")
            assert f"\ngo {'.'.join(map(str, NEEDED_GO))}\n" in go_mod
        engine = (ROOT / "tools" / "pulumi" / "engine" / "go.mod").read_text(encoding="utf-8")
        assert f"github.com/pulumi/pulumi/sdk/v3 v{VERSION}" in engine, "its scripts must fit the engine"


class TestProgress:
    def test_a_long_program_gives_signs_of_life(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
    ) -> None:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        monkeypatch.setattr(console, "PROGRESS_SECONDS", 0.05)

        shut = [gate]

        def describe(lines: int) -> str:
            if lines == 2 and shut:  # it may be asked again before the program has gone on
                shut.pop().write_text("go on\n", encoding="utf-8")
            return f"{lines} packages"

        command = ["/bin/sh", "-c", 'echo one; echo two; read x < "$0"', str(gate)]
        assert console.run(command, "compiling", cwd=tmp_path, env={}, describe=describe) == 2
        assert "… compiling: 0 s, 2 packages" in capsys.readouterr().err

    def test_durations(self) -> None:
        assert [console.elapsed(seconds) for seconds in (3.9, 65, 600)] == [
            "3 s",
            "1 min 05 s",
            "10 min 00 s",
        ]
