"""A server's program from Debian's package: the system's own, else unpacked into pytest's cache.

Never installed: so nothing of it is started on this machine but by the test that needs it.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def program(name: str, package: str, cache: Path) -> Path:
    """Where the program is; a test that needs it fails with what to install where it cannot be had."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found:
        return Path(found)
    mine = cache / "bin" / name
    root = unpacked(package, cache)
    with _one_at_a_time(cache / "lock"):
        if not mine.exists():
            _gather(name, root, cache, mine)
    return mine


def environment(program: Path) -> dict[str, str]:
    """What it is started with, to find the libraries that were unpacked beside it."""
    libraries = program.parent.parent / "lib"
    beside = [str(libraries)] if libraries != Path("/usr/lib") and libraries.is_dir() else []
    there = [one for one in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if one]
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join((*beside, *there))}


def unpacked(package: str, cache: Path) -> Path:
    """The folder that a package and what it needs beyond this system are unpacked into; done once."""
    cache.mkdir(parents=True, exist_ok=True)
    root = cache / "root"
    with _one_at_a_time(cache / "lock"):
        if not root.exists():
            with _one_at_a_time(cache.parent / "apt-get.lock"):  # whose own lock waits for nobody
                _fetch(package, cache)
            fresh = cache / "root.new"
            for archive in (cache / "archives").glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", archive, fresh], check=True)
            fresh.rename(root)
    return root


def root_of(folder: Path) -> Path | None:
    """The folder that a program of `unpacked` was unpacked into; None for the system's own."""
    return next((one for one in folder.parents if one.name == "root" and (one / "usr").is_dir()), None)


def libraries(root: Path) -> list[str]:
    """Where the libraries of an unpacked package are."""
    return sorted({str(one.parent) for one in root.glob("usr/lib/*/*.so*")})


def _gather(name: str, root: Path, cache: Path, mine: Path) -> None:
    """A program out of usr/sbin, with its libraries beside it."""
    found = next(root.glob(f"usr/sbin/{name}"))
    (cache / "lib").mkdir(exist_ok=True)
    for library in root.glob("usr/lib/**/*.so*"):
        shutil.copy(library, cache / "lib" / library.name)
    mine.parent.mkdir(exist_ok=True)
    fresh = mine.with_suffix(".new")
    shutil.copy(found, fresh)
    fresh.rename(mine)


def _fetch(package: str, cache: Path) -> None:
    """The archives of a package and of what it needs, as far as this system lacks them."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.fail(f"{package} is needed for this test: sudo apt-get install {package}")
    archives = cache / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    surroundings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["--no-install-recommends", "--download-only", "-o", f"Dir::Cache::archives={archives}"]
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", *options, package],
    ):
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{' '.join(command)}: {done.stderr[-1000:]}; or: sudo apt-get install {package}")


@contextmanager
def _one_at_a_time(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
