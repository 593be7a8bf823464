"""The virtual environment `.venv`, holding exactly what `requirements-dev.txt` locks."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from tools.setup.console import SetupError, elapsed, run, say

LOCK_FILE = "requirements-dev.txt"


def set_up_venv(root: Path) -> None:
    """Make `.venv`, or make it anew when the lock file, the Python or the folder has changed."""
    venv, key = root / ".venv", _key(root)
    stamp = venv / "setup.stamp"
    if (venv / "bin" / "python").exists() and _text(stamp) == key:
        return
    start = time.monotonic()
    ensure_venv_module()
    say(f"making .venv with Python {'.'.join(map(str, sys.version_info[:3]))}")
    stamp.unlink(missing_ok=True)
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    run([base_python(), "-m", "venv", "--clear", venv], "virtual environment", cwd=root, env=env)
    say(f"installing {LOCK_FILE} into it (pinned, every file checked against its hash)")
    install: list[str | Path] = [
        venv / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "-r",
        root / LOCK_FILE,
    ]
    run(install, "pip", cwd=root, env=env)
    stamp.write_text(key, encoding="utf-8")
    say(f".venv is ready ({elapsed(time.monotonic() - start)})")


def set_up_command(root: Path) -> None:
    """`fleet` beside the virtual environment's Python: the same as `python -m fleet`, from any folder."""
    command, python = root / ".venv" / "bin" / "fleet", root / ".venv" / "bin" / "python"
    start = f"import sys; sys.path[0] = {str(root)!r}; from fleet.command import main; sys.exit(main())"
    text = f'#!/bin/sh\nexec {shlex.quote(str(python))} -c {shlex.quote(start)} "$@"\n'
    if _text(command) != text:
        command.write_text(text, encoding="utf-8")
        command.chmod(0o755)


def ensure_venv_module() -> None:
    """Debian keeps `venv`'s other half in a package of its own: install it as root, or say how."""
    if _has_ensurepip():
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise SetupError(
            f"this Python ({sys.executable}) cannot make virtual environments: its `ensurepip` is missing. "
            f"On Debian and Ubuntu: `sudo apt-get install {package}`; then run the same command again."
        )
    say(f"`ensurepip` is missing: installing the Debian package {package} (apt-get, as root)")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run([apt, "update", "-q"], "apt-get update", cwd=Path("/"), env=env)
    run([apt, "install", "-q", "-y", "--no-install-recommends", package], "apt-get", cwd=Path("/"), env=env)
    importlib.invalidate_caches()
    if not _has_ensurepip():
        raise SetupError(
            f"{package} is installed, and {sys.executable} still finds no `ensurepip`: it is not "
            "Debian's own Python. Run with another one: `make PYTHON=/usr/bin/python3 …`."
        )


def base_python() -> Path:
    """The Python outside any virtual environment: `.venv` may be the one that runs this, and is cleared."""
    if sys.prefix == sys.base_prefix:
        return Path(sys.executable)
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def _has_ensurepip() -> bool:
    return importlib.util.find_spec("ensurepip") is not None


def _key(root: Path) -> str:
    """Changes with the lock file, the interpreter, and the folder (a venv's scripts name it)."""
    digest = hashlib.sha256((root / LOCK_FILE).read_bytes())
    for part in (sys.version, sys.base_prefix, str(root)):
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
