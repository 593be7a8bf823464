"""An SMTP server as its owner sees it: who connects, from where, over which TLS, and with which message."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from lab.mail.certificate import Certificate
from lab.mail.envelope import Envelope
from lab.mail.loop import MailLoop, borrow, close_server, give_back
from lab.mail.session import Session

SIZE_LIMIT = 20 * 1024 * 1024

Fault = Literal["refuse", "busy", "no_starttls", "cut_untaken", "cut_taken"]
"""`refuse`: connections are reset at once; `busy`: 421 instead of the greeting; `cut_untaken` and
`cut_taken`: the connection is cut after the message came in, before or after the owner has taken it."""


@dataclass
class Connection:
    """One connection to a door. Addresses are the emulated ones, as the PROXY header names them.

    `tls` is "" or a version such as «TLSv1.3», of the handshake that really took place; `certificate` is what
    the client showed in it, where the door's context asks. `messages` counts what came in whole, the one that
    is being judged included. `data` is the owner's own.
    """

    peer: str
    peer_port: int
    local: str
    local_port: int
    opened: float
    helo: str = ""
    tls: str = ""
    cipher: str = ""
    certificate: Certificate | None = None
    messages: int = 0
    data: dict[str, Any] = field(default_factory=dict)


class DoorOwner(Protocol):
    """Who decides at a door. Replies are one line with its code.

    All methods run in worker threads and may wait; one connection never asks two things at a time.
    """

    def connected(self, c: Connection, /) -> str | None:
        """A new connection: a reply instead of the greeting (it is then closed), or None to go on."""

    def tls_offered(self, c: Connection, /) -> bool:
        """Whether STARTTLS is offered; asked once, after `connected`."""

    def tls_required(self, c: Connection, /) -> bool:
        """Whether MAIL without TLS is refused with 530."""

    def mail(self, c: Connection, sender: str, /) -> str | None:
        """A refusal of the sender ("" for a bounce), or None."""

    def recipient(self, c: Connection, recipient: str, /) -> str | None:
        """A refusal of one recipient, or None."""

    def message(self, c: Connection, e: Envelope, /) -> str:
        """The whole message: the final reply, such as «250 2.0.0 ok: Message 123 accepted»."""

    def closed(self, c: Connection, /) -> None:
        """The end of a connection that `connected` saw, a refused one included.

        Said before the answer to QUIT: whoever waits for that and connects again is never counted twice.
        """


class MailDoor:
    """One listening socket on 127.0.0.1 that demands a PROXY header; `name` is what it greets with.

    `faults` may be changed at any time. A defect in the owner's code answers 451 and is raised by `stop`.
    """

    def __init__(
        self, owner: DoorOwner, name: str, context: ssl.SSLContext | None, size_limit: int = SIZE_LIMIT
    ) -> None:
        self.owner = owner
        self.name = name
        self.context = context
        self.size_limit = size_limit
        self.faults: set[Fault] = set()
        self.errors: list[Exception] = []
        self.port = 0
        self._sessions: set[Session] = set()
        self._loop: MailLoop | None = None
        self._server: asyncio.Server | None = None

    def start(self) -> int:
        """Listen; returns the local port, which stays the same when it is stopped and started again."""
        self._loop = borrow()
        self._server = self._loop.run(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def stop(self) -> None:
        """Stop listening, cut what is open; raises what the owner's code failed with."""
        if self._loop is None:
            return
        self._loop.run(self._close())
        self._loop = None
        give_back()
        if self.errors:
            raise ExceptionGroup(f"the lab's mail server {self.name} is broken", self.errors)

    def drop_connections(self) -> None:
        """Cut all connections without a word; from any thread."""
        if self._loop is not None:
            self._loop.loop.call_soon_threadsafe(self._abort)

    async def _listen(self) -> asyncio.Server:
        assert self._loop is not None
        return await self._loop.loop.create_server(self._session, "127.0.0.1", self.port, backlog=256)

    def _session(self) -> Session:
        assert self._loop is not None
        return Session(self, self._sessions, self._loop)

    def _abort(self) -> None:
        for session in list(self._sessions):
            session.abort()

    async def _close(self) -> None:
        assert self._server is not None
        await close_server(self._server)
        while self._sessions:
            self._abort()
            await asyncio.gather(*(session.gone.wait() for session in list(self._sessions)))
        await self._server.wait_closed()
