"""A real PostgreSQL: Debian's, in a folder of its own, on a socket only, as a user who is nobody."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from tests.protocol import debian_package

PACKAGE = "postgresql"
PASSWORD = "practice-only-4711"
_USER = "nobody"  # PostgreSQL refuses to be root
_SECONDS = 30.0


class PostgresServer:
    """From `with` to its end. `url` is what PULUMI_BACKEND_URL is to be."""

    def __init__(self, programs: Path) -> None:
        """`programs`: the folder with `initdb` and `postgres`."""
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path must be short
        self._programs = programs
        is_root = os.geteuid() == 0
        self._user: str | None = _USER if is_root else None
        self._group: str | None = "nogroup" if is_root else None
        self._environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        root = debian_package.root_of(programs)
        if root is not None:  # unpacked where nobody else may look
            here = self._folder / "root"
            shutil.copytree(root, here, symlinks=True)
            self._programs = here / programs.relative_to(root)
            self._environment |= {"LD_LIBRARY_PATH": os.pathsep.join(debian_package.libraries(here))}

    @property
    def url(self) -> str:
        """With its password, as a URL from a vault would have it."""
        return f"postgres://fleet:{PASSWORD}@/postgres?host={self._folder}/socket&sslmode=disable"

    def ask(self, query: str) -> list[str]:
        """The rows of a query, by the server's own client."""
        command = [
            str(self._programs / "psql"),
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--command",
            query,
        ]
        done = subprocess.run(
            [*command, self.url], env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    def __enter__(self) -> Self:
        (self._folder / "password").write_text(PASSWORD, encoding="ascii")
        (self._folder / "socket").mkdir()
        if self._user:
            for path in (self._folder, self._folder / "password", self._folder / "socket"):
                shutil.chown(path, self._user)
        initdb = ["initdb", "--username=fleet", f"--pwfile={self._folder}/password", "--auth=scram-sha-256"]
        self._run(*initdb, "--no-sync", "--no-locale", "--encoding=UTF8")
        log = (self._folder / "log").open("wb")
        settings = ("listen_addresses=", f"unix_socket_directories={self._folder}/socket", "fsync=off")
        words = [word for setting in settings for word in ("-c", setting)]
        self._process = subprocess.Popen(
            [str(self._programs / "postgres"), "-D", str(self._folder / "data"), *words],
            env=self._environment,
            stdout=log,
            stderr=log,
            cwd=self._folder,
            user=self._user,
            group=self._group,
        )
        log.close()
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start:\n{(self._folder / 'log').read_text()[-2000:]}")
            threading.Event().wait(0.02)  # the pause between two looks at the condition
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=_SECONDS)
        shutil.rmtree(self._folder)

    def _run(self, name: str, *words: str) -> None:
        command = [str(self._programs / name), "-D", str(self._folder / "data"), *words]
        done = subprocess.run(
            command,
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._group,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _answers(self) -> bool:
        try:
            return self.ask("select 1") == ["1"]
        except subprocess.CalledProcessError:
            return False


def programs(cache: Path) -> Path:
    """The folder with PostgreSQL's programs, newest first: the system's, else unpacked into the cache."""
    found = _newest(Path("/usr/lib/postgresql"))
    return found or _newest(debian_package.unpacked(PACKAGE, cache) / "usr/lib/postgresql") or _missing()


def _newest(folder: Path) -> Path | None:
    there = [one.parent for one in folder.glob("*/bin/initdb")]
    return max(there, key=lambda one: int(one.parent.name), default=None)


def _missing() -> Path:
    pytest.fail(f"PostgreSQL is needed for this test: sudo apt-get install {PACKAGE}")
