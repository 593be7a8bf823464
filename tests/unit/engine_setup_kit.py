"""A checkout, a PATH, a Go and a download site of the set-up's own.

A module takes the fixtures by name: `root, bin_folder, sdk = kit.root, kit.bin_folder, kit.sdk`.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.engine import (
    ROOT,
    pinned_version,
)
from tools.setup import release
from tools.setup.gobuild import SCRIPTS

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
