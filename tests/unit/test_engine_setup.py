"""The set-up: which engine is taken, what it says on the way, and that a cut run leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit import engine_setup_kit as kit
from tests.unit.engine_setup_kit import RELEASE, VERSION, Mirror, Said, builds, fake_pulumi, script
from tools.engine import (
    chosen_engine,
    engine_environment,
    export_lines,
    missing_parts,
)
from tools.setup import release
from tools.setup.console import SetupError
from tools.setup.engine import engine_version, set_up_engine
from tools.setup.gobuild import source_key

bin_folder, root, sdk, mirror = kit.bin_folder, kit.root, kit.sdk, kit.mirror


class TestEngineOnPath:
    def test_is_used_and_named(self, root: Path, bin_folder: Path, capsys: Said) -> None:
        fake_pulumi(bin_folder)
        set_up_engine(root)
        assert f"using {bin_folder}/pulumi {VERSION}\n" in capsys.readouterr().err
        assert not chosen_engine(root).exists()
        assert shutil.which("pulumi", path=engine_environment(root)["PATH"]) == f"{bin_folder}/pulumi"

    def test_older_than_ours_is_used_with_a_warning(self, root: Path, bin_folder: Path, capsys: Said) -> None:
        fake_pulumi(bin_folder, "3.9.1")
        set_up_engine(root)
        assert f"3.9.1: older than {VERSION}" in capsys.readouterr().err

    def test_replaces_the_one_that_we_built(self, root: Path, bin_folder: Path, sdk: Path) -> None:
        set_up_engine(root)
        assert chosen_engine(root).exists()
        fake_pulumi(bin_folder)
        set_up_engine(root)
        assert not chosen_engine(root).exists()
        (bin_folder / "pulumi").unlink()
        set_up_engine(root)
        assert chosen_engine(root).exists()
        assert builds(sdk) == 2, "engine and language host, once"

    @pytest.mark.usefixtures("sdk")
    def test_without_language_host_is_not_used(self, root: Path, bin_folder: Path, capsys: Said) -> None:
        fake_pulumi(bin_folder, host=False)
        set_up_engine(root)
        assert f"{bin_folder}/pulumi is not used: its Python language host" in capsys.readouterr().err
        assert (
            shutil.which("pulumi", path=engine_environment(root)["PATH"]) == f"{chosen_engine(root)}/pulumi"
        )

    @pytest.mark.usefixtures("sdk")
    def test_that_does_not_run_is_not_used(self, root: Path, bin_folder: Path, capsys: Said) -> None:
        fake_pulumi(bin_folder)
        script(bin_folder / "pulumi", "#!/bin/sh\necho 'no version is set' >&2\nexit 126\n")
        set_up_engine(root)
        assert "is not used" in (said := capsys.readouterr().err)
        assert "no version is set" in said
        assert chosen_engine(root).exists()

    def test_finds_the_language_host_beside_the_real_file(
        self, root: Path, bin_folder: Path, tmp_path: Path, capsys: Said
    ) -> None:
        (bin_folder / "pulumi").symlink_to(fake_pulumi(tmp_path / "cellar"))
        set_up_engine(root)
        assert f"using {bin_folder}/pulumi" in capsys.readouterr().err


class TestOfficialRelease:
    def test_is_announced_installed_and_kept(self, root: Path, mirror: Mirror, capsys: Said) -> None:
        mirror.publish(RELEASE)
        set_up_engine(root)
        said = capsys.readouterr().err
        assert f"fetching Pulumi's official release {release.archive_name(VERSION)} from {mirror.url}" in said
        assert engine_version(chosen_engine(root) / "pulumi") == VERSION
        assert sorted(path.name for path in chosen_engine(root).iterdir()) == [
            "pulumi",
            "pulumi-language-python",
            "pulumi-language-python-exec",
            "pulumi-resource-pulumi-python",
        ]
        asked = len(mirror.requests)
        set_up_engine(root)
        assert len(mirror.requests) == asked
        assert not capsys.readouterr().err

    def test_older_layout_with_a_bin_folder(self, root: Path, mirror: Mirror) -> None:
        mirror.publish({path.replace("pulumi/", "pulumi/bin/"): text for path, text in RELEASE.items()})
        set_up_engine(root)
        assert engine_version(chosen_engine(root) / "pulumi") == VERSION

    @pytest.mark.usefixtures("sdk")
    def test_with_another_checksum_is_refused_and_built_instead(
        self, root: Path, mirror: Mirror, capsys: Said
    ) -> None:
        mirror.publish(RELEASE, checksum="f" * 64)
        set_up_engine(root)
        assert "it is not used" in capsys.readouterr().err
        assert chosen_engine(root).readlink() == Path(f"build-{source_key(root)}")

    @pytest.mark.usefixtures("sdk")
    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            ({**RELEASE, "pulumi/pulumi": "#!/bin/sh\necho v3.1.0\n"}, "it says that it is 3.1.0"),
            ({"pulumi/pulumi": RELEASE["pulumi/pulumi"]}, "it came without pulumi-language-python"),
        ],
    )
    def test_that_is_not_what_was_asked_for(
        self, root: Path, mirror: Mirror, capsys: Said, files: dict[str, str], reason: str
    ) -> None:
        mirror.publish(files)
        set_up_engine(root)
        assert reason in capsys.readouterr().err
        assert chosen_engine(root).readlink() == Path(f"build-{source_key(root)}")

    @pytest.mark.usefixtures("sdk")
    def test_page_of_a_proxy_instead_of_checksums(self, root: Path, mirror: Mirror, capsys: Said) -> None:
        page = mirror.folder / f"pulumi-{VERSION}-checksums.txt"
        page.write_text("<html>Please log in</html>", encoding="utf-8")
        set_up_engine(root)
        assert "checksums file does not list" in capsys.readouterr().err

    @pytest.mark.usefixtures("root")
    def test_archive_can_write_nowhere_else(self, tmp_path: Path, mirror: Mirror) -> None:
        outside = {"../../python-outside": "", f"{tmp_path}/python-absolute": "", "pulumi/../../pulumi": ""}
        mirror.publish(outside)
        into = tmp_path / "deep" / "er" / "into"
        into.mkdir(parents=True)
        release.install_release(VERSION, into)
        assert sorted(path.name for path in into.iterdir()) == ["pulumi", "python-absolute", "python-outside"]
        assert not list(tmp_path.glob("python-*"))

    @pytest.mark.usefixtures("sdk")
    def test_out_of_reach_says_so_and_is_built(self, root: Path, capsys: Said) -> None:
        start = time.monotonic()
        set_up_engine(root)
        assert time.monotonic() - start < release.CONNECT_SECONDS
        assert "the official release is not to be had here: http://127.0.0.1:1/" in capsys.readouterr().err
        assert chosen_engine(root).exists()

    def test_host_that_never_answers_is_given_up(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(release, "ANSWER_SECONDS", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            monkeypatch.setenv(release.MIRROR, f"http://127.0.0.1:{silent.getsockname()[1]}")
            with pytest.raises(SetupError, match=r"no answer within 0\.2 s"):
                release.install_release(VERSION, tmp_path)


class TestEnvironment:
    def test_own_engine_and_python_come_first_and_only_once(
        self, root: Path, bin_folder: Path, sdk: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_up_engine(root)
        first = engine_environment(root)
        assert first["PATH"].split(":") == [f"{root}/.venv/bin", str(chosen_engine(root)), str(bin_folder)]
        monkeypatch.setenv("PATH", first["PATH"])
        assert engine_environment(root)["PATH"] == first["PATH"]
        assert builds(sdk) == 2

    def test_what_the_user_has_set_stays(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")
        monkeypatch.setenv("AZURE_CLIENT_SECRET", "theirs")
        environ = engine_environment(root)
        assert (environ["PULUMI_BACKEND_URL"], environ["AZURE_CLIENT_SECRET"]) == ("s3://states", "theirs")

    def test_sandbox_inherits_no_credential_and_keeps_to_its_folder(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        foreign = ("PULUMI_ACCESS_TOKEN", "AZURE_CLIENT_SECRET", "GATEWAY_PASSWORD", "OUTBOUND_SECRET")
        for name in (*foreign, "PULUMI_BACKEND_URL", "PULUMI_HOME"):
            monkeypatch.setenv(name, "theirs")
        home = tmp_path / "home"
        environ = engine_environment(root, home)
        assert "theirs" not in environ.values()
        assert environ["PULUMI_HOME"] == str(home)
        assert environ["PULUMI_BACKEND_URL"] == f"file://{home}/state?metadata=skip"
        assert (home / "state").is_dir()

    def test_lines_survive_a_shell(self, root: Path) -> None:
        environ = engine_environment(root)
        lines = "\n".join(export_lines(environ, os.environ))
        shown = subprocess.run(
            ["/bin/sh", "-c", f'{lines}\nprintf %s "$VIRTUAL_ENV"'],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout == f"{root}/.venv"

    def test_names_what_is_missing(self, root: Path, bin_folder: Path) -> None:
        assert missing_parts(engine_environment(root), root) == [
            "pulumi",
            "pulumi-language-python",
            ".venv/bin/python",
        ]
        fake_pulumi(bin_folder)
        assert missing_parts(engine_environment(root), root) == [".venv/bin/python"]
