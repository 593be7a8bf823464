"""The jump host of cloud gateways: a key for one user, forwarding to the gateways' SSH, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import asyncssh

from lab.gateway.keys import fingerprint, host_key, practice_key
from lab.gateway.listening import Door, Loop, Options
from lab.journal import Broken, Journal


class JumpHost:
    """A real SSH server; `refuses` and `drop` are its faults. It resolves the lab's gateway names itself."""

    def __init__(
        self,
        host: str,
        journal: Journal,
        folder: Path,
        local_port: Callable[[str], int],
        failed: Callable[[Exception], object],
    ) -> None:
        self.host = host
        self.user = "dh-user"
        self.port = 22
        self.local_port = 0
        self.journal = journal
        self.target = local_port
        self._failed = failed
        self.private_key_path = folder / "jump-key"
        self.refuses = False
        """Refuses every forwarding, after a login that works."""
        self.refuses_connections = False
        self.host_key_seed = ""
        self._key = practice_key(self.private_key_path)
        self._loop: Loop | None = None
        self._door: Door | None = None

    @property
    def host_key(self) -> str:
        """The fingerprint of its host key."""
        return fingerprint(self.host)

    def start(self, loop: Loop, port: int = 0) -> None:
        """Listen on 127.0.0.1."""
        self._loop = loop
        self._door = Door(loop, port, self._options, self._failed)
        self.local_port = self._door.port
        loop.run(self._door.open())

    def stop(self) -> None:
        """Cut everything."""
        if self._loop is not None and self._door is not None:
            self._loop.run(self._door.close())
        self._door = None

    def drop_connections(self) -> None:
        """Die in mid-session."""
        if self._loop is not None and self._door is not None:
            self._loop.call(self._door.drop)

    def knows(self, user: str, key: asyncssh.SSHKey) -> bool:
        """Whether this key may come in."""
        return user == self.user and key.public_data == self._key.public_data

    def _options(self) -> Options | None:
        if self.refuses_connections:
            return None
        return {
            "server_factory": lambda: _Forwarder(self),
            "server_host_keys": [host_key(self.host, self.host_key_seed)],
            "gss_host": None,
            "server_version": "OpenSSH_8.0",
        }


class _Forwarder(asyncssh.SSHServer):
    def __init__(self, jump: JumpHost) -> None:
        self._jump = jump

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._record("connect")

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - asyncssh's hook
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._jump.knows(username, key)

    def session_requested(self) -> bool:
        self._record("refused", what="session")
        return False

    def connection_requested(
        self,
        dest_host: str,
        dest_port: int,
        orig_host: str,  # noqa: ARG002 - as above
        orig_port: int,  # noqa: ARG002 - as above
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]]:
        local = self._jump.target(dest_host)
        if self._jump.refuses or dest_port != 22 or not local:
            self._record("refused", what=f"{dest_host}:{dest_port}")
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "administratively prohibited"
            )
        self._record("forward", to=f"{dest_host}:{dest_port}")
        forwarding = self._connection.forward_connection("127.0.0.1", local)
        return cast("Awaitable[asyncssh.SSHTCPSession[bytes]]", forwarding)

    def _record(self, kind: str, **detail: object) -> None:
        try:
            self._jump.journal.record("jump", kind, **detail)
            self._jump.journal.answering("jump")
        except Broken:
            self._connection.abort()
