"""A real OpenSSH server on loopback that leads on and gives no shell, as the jump host of cloud gateways."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncssh
import pytest

from dynamic_providers.connections import JumpHost
from tests.protocol import debian_package

PACKAGE = "openssh-server"
KEYS = {
    "ed25519": "ssh-ed25519",
    "ecdsa": "ecdsa-sha2-nistp256",
    "rsa": "ssh-rsa",
}
_START_SECONDS = 20

_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host-key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitTTY no
X11Forwarding no
AllowAgentForwarding no
ForceCommand /bin/false
LogLevel DEBUG1
"""


class OpenSshServer:
    """One `sshd`, run without rights; `options` are lines of its sshd_config that win over ours."""

    def __init__(self, program: Path, folder: Path, kind: str, options: str) -> None:
        self._environment = debian_package.environment(program)
        self._program, self._folder = Path(shutil.copy(program, folder)), folder
        # As root it would want an account and a folder that only an installed one has. It lets in the account
        # that it runs as; `nobody` counts as locked where systemd answers for it.
        self._account = pwd.getpwnam("daemon") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.port = _free_port()
        self.user_key = folder / "user-key"
        user = asyncssh.generate_private_key("ssh-ed25519")
        user.write_private_key(str(self.user_key))
        user.write_public_key(str(folder / "authorized_keys"))
        host = asyncssh.generate_private_key(KEYS[kind])
        host.write_private_key(str(folder / "host-key"))
        self.fingerprint = host.get_fingerprint()
        # Of several lines for one thing sshd takes the first.
        config = options + _CONFIG.format(port=self.port, folder=folder)
        (folder / "sshd_config").write_text(config + "".join(_helpers(program, folder)))
        self.user_key.chmod(0o600)
        (folder / "host-key").chmod(0o600)
        if os.geteuid() == 0:
            for one in (folder, *folder.iterdir()):
                os.chown(one, self._account.pw_uid, self._account.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-D", "-e", "-f", self._folder / "sshd_config"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self._account.pw_uid if os.geteuid() == 0 else None,
                group=self._account.pw_gid if os.geteuid() == 0 else None,
                extra_groups=[] if os.geteuid() == 0 else None,
                env=self._environment,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"sshd did not start:\n{self.log()[-2000:]}")

    def kill(self) -> None:
        """End it and all that serve its connections, without a word."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait(timeout=10)
            self._process = None

    def freeze(self, *, connections_only: bool = False) -> None:
        """Let all that serve its connections stand still, and itself; the machine takes bytes for them."""
        self._signal(signal.SIGSTOP, connections_only=connections_only)

    def log(self) -> str:
        """What it said, rather talkative."""
        return (self._folder / "log").read_text()

    def as_jump_host(self) -> JumpHost:
        """How it is reached."""
        return JumpHost(
            host="127.0.0.1", port=self.port, user=self._account.pw_name, host_key=self.fingerprint
        )

    def _signal(self, number: signal.Signals, *, connections_only: bool = False) -> None:
        assert self._process is not None
        itself = () if connections_only else (self._process.pid,)
        for process in (*itself, *_offspring(self._process.pid)):
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(process, number)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as wire:
                return wire.recv(4) == b"SSH-"
        except OSError:
            threading.Event().wait(0.02)  # the pause between two looks at the condition
            return False


@contextmanager
def running(cache: Path, kind: str = "ed25519", options: str = "") -> Iterator[OpenSshServer]:
    """One with a host key of that kind, in a folder of its own that it may read without rights."""
    program = debian_package.program("sshd", PACKAGE, cache)
    with tempfile.TemporaryDirectory() as folder:
        server = OpenSshServer(program, Path(folder), kind, options)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _helpers(program: Path, folder: Path) -> Iterator[str]:
    """From release 9.8 on it starts programs of its own: those that were unpacked beside it."""
    for name, setting in (("sshd-session", "SshdSessionPath"), ("sshd-auth", "SshdAuthPath")):
        unpacked = program.parent.parent / "root/usr/lib/openssh" / name
        if unpacked.exists():
            yield f"{setting} {shutil.copy(unpacked, folder)}\n"


def _offspring(process: int) -> Iterator[int]:
    """The processes under one, by what /proc says of each one's parent."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended while we looked
            if int(stat.read_text().rpartition(")")[2].split()[1]) == process:
                child = int(stat.parent.name)
                yield child
                yield from _offspring(child)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
