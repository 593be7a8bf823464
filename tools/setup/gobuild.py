"""The engine and its Python language host, built from Pulumi's published Go modules.

`tools/pulumi` holds one Go module for each: the language host left the sdk module after v3.79.0, so both
cannot be had from the same one. Go's own checksum database vouches for every line that is compiled.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import time
from pathlib import Path

from tools.engine import ENGINE, LANGUAGE_HOST
from tools.setup.console import SetupError, capture, elapsed, run, say

SDK = "github.com/pulumi/pulumi/sdk/v3"
PACKAGES = {
    "engine": f"github.com/pulumi/pulumi/pkg/v3/cmd/{ENGINE}",
    "language_host": f"{SDK}/python/cmd/{LANGUAGE_HOST}",
}
"""Go module under `tools/pulumi`, and the command that it builds."""

SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
"""Shell and Python scripts of the sdk module, which the language host looks for beside itself."""

NEEDED_GO = (1, 25, 11)
FETCHING_GO = (1, 21, 0)
"""From here on, Go can fetch the toolchain that go.mod asks for, unless GOTOOLCHAIN forbids it."""

_RECIPE = "1"
"""Part of the key: count up when this file builds something else from the same modules."""


def source_key(root: Path) -> str:
    """Names a build by what it is made from; changes with any go.mod or go.sum and with the machine."""
    digest = hashlib.sha256(f"{_RECIPE} {platform.system()} {platform.machine()}".encode())
    folder = root / "tools" / "pulumi"
    for path in sorted(folder.rglob("go.*")):
        digest.update(f"\0{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def build_engine(root: Path, version: str, into: Path) -> None:
    """Build both programs and copy both scripts into the empty folder `into`; minutes on two cores."""
    go = find_go()
    start = time.monotonic()
    say(f"building Pulumi {version} from Go modules: 4 to 8 minutes on two cores, once")
    for module, package in PACKAGES.items():
        _build(go, root / "tools" / "pulumi" / module, package, version, into)
    _copy_scripts(go, root / "tools" / "pulumi" / "engine", into)
    say(f"engine and Python language host are built ({elapsed(time.monotonic() - start)})")


def find_go() -> str:
    """The `go` to build with; SetupError, saying what to install, if none will do."""
    needed = ".".join(map(str, NEEDED_GO))
    advice = (
        f"Install Go {needed} or newer (https://go.dev/dl) and put its `bin` on PATH; from Debian 13 and "
        "Ubuntu 24.04 on, `apt-get install golang-go` will do, it fetches the rest. Or put `pulumi` and "
        f"`{LANGUAGE_HOST}` on PATH. Then run the same command again."
    )
    go = shutil.which("go")
    if go is None:
        raise SetupError(f"no Go to build the Pulumi engine with. {advice}")
    # Outside our modules and with the local toolchain: else this very question would fetch another one.
    local = {**_go_environment(), "GOTOOLCHAIN": "local"}
    answer = capture([go, "env", "GOVERSION"], cwd=Path("/"), env=local, seconds=30)
    version = go_version(answer)
    if version >= NEEDED_GO:
        return go
    policy = capture([go, "env", "GOTOOLCHAIN"], cwd=Path("/"), env=_go_environment(), seconds=30)
    if version < FETCHING_GO:
        raise SetupError(
            f"{go} is {answer}: too old for the Pulumi engine, and for fetching a newer Go. {advice}"
        )
    if policy == "local":
        raise SetupError(f"{go} is {answer}, and GOTOOLCHAIN=local forbids it to fetch Go {needed}. {advice}")
    say(f"{go} is {answer}: it will fetch Go {needed} first")
    return go


def go_version(text: str) -> tuple[int, int, int]:
    """`go1.26.8` → (1, 26, 8); a development build counts as 0."""
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _go_environment() -> dict[str, str]:
    """One build on every machine: no C compiler, no workspace of the user's."""
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}


def _build(go: str, module: Path, package: str, version: str, into: Path) -> None:
    name, env = package.rsplit("/", 1)[1], _go_environment()
    listing = [go, "list", "-mod=readonly", "-deps", package]
    total = run(listing, f"{name}: fetching modules", cwd=module, env=env)
    stamp = f"-X {SDK}/go/common/version.Version={version}"
    # -v names each package as it is compiled: the only sign of life that go build can give.
    command = [go, "build", "-v", "-mod=readonly", "-buildvcs=false", "-trimpath"]
    command += ["-ldflags", f"-s -w {stamp}", "-o", str(into / name), package]
    run(
        command,
        f"{name}: compiling",
        cwd=module,
        env=env,
        describe=lambda lines: f"{lines} of {total} packages",
    )


def _copy_scripts(go: str, module: Path, into: Path) -> None:
    where = [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", SDK]
    sdk = Path(capture(where, cwd=module, env=_go_environment(), seconds=120))
    for script in SCRIPTS:
        target = into / Path(script).name
        try:
            shutil.copyfile(sdk / script, target)
        except OSError as error:
            raise SetupError(f"Pulumi's sdk module has no {script}: {error}") from None
        target.chmod(0o755)
