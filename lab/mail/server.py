"""The listening side of an SMTP server: a door that is opened and shut, and whose connections can be cut."""

from __future__ import annotations

import asyncio
import ssl

from lab.mail.connection import Door, DoorOwner
from lab.mail.loop import MailLoop, borrow, close_server, give_back
from lab.mail.session import Session

SIZE_LIMIT = 20 * 1024 * 1024


class MailDoor(Door):
    """One listening socket on 127.0.0.1 that demands a PROXY header.

    A defect in the owner's code answers 451 and is raised by `stop`.
    """

    def __init__(
        self, owner: DoorOwner, name: str, context: ssl.SSLContext | None, size_limit: int = SIZE_LIMIT
    ) -> None:
        super().__init__(owner, name, context, size_limit)
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
