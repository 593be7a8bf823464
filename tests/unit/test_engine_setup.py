"""The set-up: which engine is taken, what it says on the way, and that a cut run leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.engine import (
    ROOT,
    chosen_engine,
    engine_environment,
    engine_folder,
    export_lines,
    missing_parts,
    pinned_version,
)
from tools.setup import console, release, venv
from tools.setup.console import SetupError
from tools.setup.engine import engine_version, set_up_engine
from tools.setup.gobuild import NEEDED_GO, SCRIPTS, find_go, go_version, source_key

VERSION = pinned_version()

FAKE_GO = f"""#!/bin/sh
case "$1" in
env) [ "$2" = GOVERSION ] && echo "${{FAKE_GO_VERSION:-go1.26.8}}" || echo "${{FAKE_GO_POLICY:-auto}}" ;;
list) case "$*" in *"-m -f"*) echo "$FAKE_SDK" ;; *) echo one; echo two ;; esac ;;
build)
  while [ "$1" != -o ]; do shift; done
  echo "$2" >> "$FAKE_SDK/built"
  printf '#!/bin/sh\\necho v{VERSION}\\n' > "$2"
  [ -z "$FAKE_GO_BLOCKS" ] || read nothing < "$FAKE_GO_BLOCKS"
  [ -z "$FAKE_GO_FAILS" ] || {{ echo "no space left on device"; exit 1; }}
  chmod +x "$2" ;;
esac
"""

Said = pytest.CaptureFixture[str]


def script(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def fake_pulumi(folder: Path, version: str = VERSION, *, host: bool = True) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    if host:
        script(folder / "pulumi-language-python", "#!/bin/sh\n")
    return script(folder / "pulumi", f"#!/bin/sh\necho v{version}\n")


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that is on PATH: a shell and a few tools, no Go, no Pulumi."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "chmod", "sleep"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def root(tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with our go.mod files, in a folder with a blank in its name; the release is out of reach."""
    folder = tmp_path / "a project"
    shutil.copytree(ROOT / "tools" / "pulumi", folder / "tools" / "pulumi")
    monkeypatch.setenv(release.MIRROR, "http://127.0.0.1:1")
    return folder


@pytest.fixture
def sdk(tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` that builds in no time, and the sdk module that it names."""
    folder = tmp_path / "sdk"
    for name in SCRIPTS:
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("#!/bin/sh\n", encoding="utf-8")
    script(bin_folder / "go", FAKE_GO)
    monkeypatch.setenv("FAKE_SDK", str(folder))
    return folder


def builds(sdk: Path) -> int:
    record = sdk / "built"
    return len(record.read_text(encoding="utf-8").splitlines()) if record.exists() else 0


class Mirror:
    """A stand-in for Pulumi's site: a folder served over HTTP, and the requests that it got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        mirror = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
                mirror.requests.append(self.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, files: dict[str, str], *, checksum: str | None = None) -> None:
        name = release.archive_name(VERSION)
        with tarfile.open(self.folder / name, "w:gz") as tar:
            for path, text in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        actual = hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
        listing = f"{'0' * 64}  pulumi-v{VERSION}-plan9-x64.tar.gz\n{checksum or actual}  {name}\n"
        (self.folder / f"pulumi-{VERSION}-checksums.txt").write_text(listing, encoding="utf-8")


@pytest.fixture
def mirror(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    folder = tmp_path / "mirror"
    folder.mkdir()
    mirror = Mirror(folder)
    monkeypatch.setenv(release.MIRROR, mirror.url)
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


RELEASE = {
    "pulumi/pulumi": f"#!/bin/sh\necho v{VERSION}\n",
    "pulumi/pulumi-language-python": "#!/bin/sh\n",
    "pulumi/pulumi-language-python-exec": "#!/bin/sh\n",
    "pulumi/pulumi-resource-pulumi-python": "#!/bin/sh\n",
    "pulumi/pulumi-language-go": "#!/bin/sh\n",
}


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
        with (
            subprocess.Popen(
                [sys.executable, "-c", code, str(root)], cwd=ROOT, stderr=subprocess.DEVNULL
            ) as process,
            gate.open("w", encoding="utf-8"),
        ):  # opens when the build has begun to read
            process.send_signal(end)
            process.wait()
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
        assert environ["PULUMI_BACKEND_URL"] == f"file://{home}/state"
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
        assert re.findall(r"^  make (\w+) +\S", shown, re.MULTILINE) == targets.group(1).split()
