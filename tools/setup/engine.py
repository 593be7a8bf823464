"""Which Pulumi engine: the user's own from PATH, else the official release, else one built with Go."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.engine import ENGINE, LANGUAGE_HOST, chosen_engine, engine_folder, outer_path, pinned_version
from tools.setup.console import SetupError, capture, say
from tools.setup.gobuild import build_engine, source_key
from tools.setup.release import install_release


def set_up_engine(root: Path) -> None:
    """Leave an engine for `tools.engine.engine_environment` to find; quick when there is one already."""
    version = pinned_version(root)
    own = engine_on_path(root)
    if own is not None:
        _say_which(own, version)
        chosen_engine(root).unlink(missing_ok=True)
        return
    release, build = _folders(root, version)
    made = next((folder for folder in (release, build) if folder.is_dir()), None) or _make(root, version)
    _choose(root, made)


def engine_on_path(root: Path) -> tuple[Path, str] | None:
    """The user's `pulumi` and its version; None, and said why, when it is not there or cannot run Python."""
    path = outer_path(root)
    found = shutil.which(ENGINE, path=path)
    if found is None:
        return None
    beside = Path(found).resolve().parent / LANGUAGE_HOST
    if shutil.which(LANGUAGE_HOST, path=path) is None and not os.access(beside, os.X_OK):
        say(f"{found} is not used: its Python language host, {LANGUAGE_HOST}, is not beside it nor on PATH")
        return None
    try:
        return Path(found), engine_version(Path(found))
    except SetupError as error:
        say(f"{found} is not used: {error}")
        return None


def engine_version(engine: Path) -> str:
    """What `pulumi version` says, without the `v`."""
    env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    return capture([engine, "version"], cwd=engine.parent, env=env, seconds=30).removeprefix("v")


def _say_which(own: tuple[Path, str], pinned: str) -> None:
    engine, version = own
    older = _numbers(version) < _numbers(pinned)
    say(f"using {engine} {version}" + (f": older than {pinned}, which this is tested with" if older else ""))


def _numbers(version: str) -> list[int]:
    plain = version.partition("-")[0].partition("+")[0]
    return [int(part) for part in plain.split(".") if part.isdecimal()]


def _folders(root: Path, version: str) -> tuple[Path, Path]:
    """Where a downloaded and where a built engine lie; their names change with what they are made from."""
    folder = engine_folder(root)
    return folder / f"release-{version}", folder / f"build-{source_key(root)}"


def _make(root: Path, version: str) -> Path:
    release, build = _folders(root, version)
    try:
        return _complete(release, version, lambda into: install_release(version, into))
    except SetupError as error:
        say(f"the official release is not to be had here: {error}")
    return _complete(build, version, lambda into: build_engine(root, version, into))


def _complete(folder: Path, version: str, fill: Callable[[Path], None]) -> Path:
    """Fill a folder aside, try it, and only then give it its name: a cut run leaves nothing that counts."""
    folder.parent.mkdir(exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    try:
        aside.chmod(0o755)
        fill(aside)
        _try_out(aside, version)
        return aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _try_out(folder: Path, version: str) -> None:
    missing = [name for name in (ENGINE, LANGUAGE_HOST) if not os.access(folder / name, os.X_OK)]
    if missing:
        raise SetupError(f"it came without {' and '.join(missing)}")
    answer = engine_version(folder / ENGINE)
    if answer != version:
        raise SetupError(f"it says that it is {answer}, not {version}")


def _choose(root: Path, made: Path) -> None:
    """Point `current` at the engine, in one step, and drop the others."""
    link = chosen_engine(root)
    if not link.is_symlink() or link.readlink() != Path(made.name):
        fresh = link.with_name("current.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(made.name)
        fresh.replace(link)
        say(f"`pulumi` is {made.relative_to(root)}/{ENGINE}")
    for other in made.parent.iterdir():
        if other.is_dir() and not other.is_symlink() and other != made:
            shutil.rmtree(other)
