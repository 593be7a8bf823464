"""Where the Pulumi engine lies, and the environment that every `pulumi` command of this project runs in.

The demo, the tests and a user's shell all take it from here: `eval "$(make -s env)"`. Standard library
only, since the set-up uses it before there is a virtual environment.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder with Pulumi.yaml."""

ENGINE = "pulumi"
LANGUAGE_HOST = "pulumi-language-python"

_FOREIGN = ("PULUMI_", "AZURE_", "ARM_", "GATEWAY_", "OUTBOUND_", "M365SE_")
"""Variables that a sandbox does not inherit: a developer's real credentials must not reach the lab."""

_PINNED = re.compile(r"^\s*(?:require )?github\.com/pulumi/pulumi/pkg/v3 v(\d+\.\d+\.\d+)\b", re.MULTILINE)


def engine_folder(root: Path = ROOT) -> Path:
    """The project's own folder for engines; ignored by git."""
    return root / ".pulumi-engine"


def chosen_engine(root: Path = ROOT) -> Path:
    """Link to the engine that the set-up downloaded or built; absent where the one from PATH is used."""
    return engine_folder(root) / "current"


def pinned_version(root: Path = ROOT) -> str:
    """The engine's version, as `tools/pulumi/engine/go.mod` pins it: the only place where it is written."""
    go_mod = root / "tools" / "pulumi" / "engine" / "go.mod"
    found = _PINNED.search(go_mod.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{go_mod}: no `require` of github.com/pulumi/pulumi/pkg/v3 with a version")
    return found.group(1)


def outer_path(root: Path = ROOT, environ: Mapping[str, str] | None = None) -> str:
    """PATH without this project's own folders, so that an `eval` done twice changes nothing."""
    environ = os.environ if environ is None else environ
    own = {str(root / ".venv" / "bin"), str(chosen_engine(root))}
    return os.pathsep.join(part for part in environ.get("PATH", "").split(os.pathsep) if part not in own)


def engine_environment(root: Path = ROOT, home: Path | None = None) -> dict[str, str]:
    """The whole environment for a `pulumi` command.

    Without `home`: the user's own environment, with this project's engine and Python first; what the
    user has set (backend, Pulumi home) stays. With `home`: a sandbox for tests and the demo, in which
    plugins, credentials and state (`home`/state, made if absent) live under `home` alone, and no
    variable that could carry a real credential is inherited. A passphrase is never set here.
    """
    environ = dict(os.environ)
    if home is not None:
        environ = {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}
    environ.pop("PYTHONHOME", None)
    environ.update(_paths(root))
    environ.setdefault("PULUMI_HOME", str(home or root / ".pulumi-home"))
    environ.setdefault("PULUMI_SKIP_UPDATE_CHECK", "true")
    # pulumi_azuread is installed, and the engine would look for its plugin on the net before every run.
    environ.setdefault("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    if "PULUMI_BACKEND_URL" not in environ:
        state = home / "state" if home else root / ".pulumi-state"
        state.mkdir(parents=True, exist_ok=True)
        # Without metadata: a run that is killed while it writes an «.attrs» file leaves that empty, and
        # nothing reads the state then («failed to load checkpoint: EOF») till somebody removes it.
        environ["PULUMI_BACKEND_URL"] = f"file://{state}?metadata=skip"
    return environ


def _paths(root: Path) -> dict[str, str]:
    """The variables that decide which engine and which Python run."""
    first = [str(root / ".venv" / "bin")]
    if chosen_engine(root).exists():
        first.append(str(chosen_engine(root)))
    path = os.pathsep.join([*first, outer_path(root)])
    return {"PATH": path, "VIRTUAL_ENV": str(root / ".venv")}


def missing_parts(environ: Mapping[str, str], root: Path = ROOT) -> list[str]:
    """What a `pulumi` command would not find in this environment; empty when it is complete."""
    missing = [name for name in (ENGINE, LANGUAGE_HOST) if shutil.which(name, path=environ["PATH"]) is None]
    python = root / ".venv" / "bin" / "python"
    return missing if python.exists() else [*missing, str(python.relative_to(root))]


def export_lines(environ: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """`export` lines for a shell: what differs from `before`, quoted."""
    changed = {name: value for name, value in environ.items() if before.get(name) != value}
    return [f"export {name}={shlex.quote(value)}" for name, value in sorted(changed.items())]


def main() -> int:
    """Print the environment for `eval`; on stderr, and with a failure, what the set-up has not made yet."""
    environ = engine_environment()
    missing = missing_parts(environ)
    if missing:
        print(f"engine: {', '.join(missing)} not found; run `make setup` first", file=sys.stderr)
        return 1
    print("\n".join(export_lines(environ, os.environ)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
