"""One SMTP connection: aiosmtpd's protocol, with the PROXY data kept through STARTTLS."""
# ruff: noqa: N802 - aiosmtpd finds its hooks by these names

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any, TypeVar

from aiosmtpd.proxy_protocol import ProxyData
from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as Transaction
from aiosmtpd.smtp import Session as SmtpState

from lab.mail.certificate import shown
from lab.mail.connection import Connection, Door
from lab.mail.envelope import Envelope
from lab.mail.loop import MailLoop

Result = TypeVar("Result")

PROXY_SECONDS = 5.0
IDLE_SECONDS = 120.0
MUST_STARTTLS = "530 5.7.0 Must issue a STARTTLS command first"
BUSY = "421 4.3.2 Service not available, closing transmission channel"
OK = "250 2.1.0 Ok"
BYE = "221 2.0.0 Bye"


class Session(SMTP):
    """Speaks SMTP for a door, and asks the door's owner about everything."""

    def __init__(self, door: Door, sessions: set[Session], loop: MailLoop) -> None:
        self._hooks = _Hooks(door, loop, self)
        self._sessions = sessions
        self.gone = asyncio.Event()
        super().__init__(
            self._hooks,
            hostname=door.name,
            ident="ESMTP",
            data_size_limit=door.size_limit,
            tls_context=door.context,
            proxy_protocol_timeout=PROXY_SECONDS,
            timeout=IDLE_SECONDS,
            loop=loop.loop,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sessions.add(self)
        super().connection_made(transport)
        if "refuse" in self._hooks.door.faults:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        secured = self.transport
        super().connection_lost(error)
        if secured is not None:
            secured.close()
        self._hooks.leave()
        self._sessions.discard(self)
        self.gone.set()

    def abort(self) -> None:
        """Cut the connection, TLS or not, without a word."""
        transport = self._original_transport or self.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


class _Hooks:
    """What aiosmtpd calls for one connection, led to the door's owner."""

    def __init__(self, door: Door, loop: MailLoop, session: Session) -> None:
        self.door = door
        self._owner = door.owner
        self._loop = loop
        self._session = session
        self._connection: Connection | None = None
        self._asked: Future[Any] | None = None

    def connection(self) -> Connection:
        """Who is there; no property, as aiosmtpd reads every attribute before anyone is."""
        assert self._connection is not None, "aiosmtpd asks for the PROXY header first"
        return self._connection

    async def ask(self, question: Callable[..., Result], *arguments: object) -> Result:
        """Run the owner's code in a worker thread."""
        self._asked = self._loop.pool.submit(question, *arguments)
        return await asyncio.wrap_future(self._asked)

    def leave(self) -> None:
        """The connection is gone: tell the owner, after what it was asked last, if it has not heard yet."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._loop.pool.submit(self._closed, connection, self._asked)

    def _closed(self, connection: Connection, asked: Future[Any] | None) -> None:
        wait_for([asked] if asked else [])
        try:
            self._owner.closed(connection)
        except Exception as broken:  # noqa: BLE001 - a defect of the lab, which MailDoor.stop raises
            self.door.errors.append(broken)

    async def handle_PROXY(
        self, server: SMTP, _session: SmtpState, _transaction: Transaction, proxy: ProxyData
    ) -> bool:
        if proxy.src_port is None or proxy.dst_port is None:
            return False
        connection = Connection(
            str(proxy.src_addr), proxy.src_port, str(proxy.dst_addr), proxy.dst_port, time.time()
        )
        if "busy" in self.door.faults:
            await server.push(BUSY)
            return False
        self._connection = connection
        try:
            return await self._welcome(server, connection)
        except Exception as broken:  # noqa: BLE001 - a defect of the lab, which MailDoor.stop raises
            await server.push(await self.handle_exception(broken))
            return False

    async def _welcome(self, server: SMTP, connection: Connection) -> bool:
        refusal = await self.ask(self._owner.connected, connection)
        if refusal is not None:
            await server.push(refusal)
            return False
        hidden = "no_starttls" in self.door.faults
        if hidden or not await self.ask(self._owner.tls_offered, connection):
            server.tls_context = None
        return True

    async def handle_HELO(
        self, _server: SMTP, session: SmtpState, _transaction: Transaction, name: str
    ) -> str:
        session.host_name = self.connection().helo = name
        return f"250 {self.door.name}"

    async def handle_EHLO(
        self, _server: SMTP, session: SmtpState, _transaction: Transaction, name: str, lines: list[str]
    ) -> list[str]:
        session.host_name = self.connection().helo = name
        return [line for line in lines if not line.startswith("250-AUTH")]

    def handle_STARTTLS(self, _server: SMTP, session: SmtpState, _transaction: Transaction) -> bool:
        secured = (session.ssl or {})["ssl_object"]
        self.connection().tls = str(secured.version())
        self.connection().cipher = str(secured.cipher()[0])
        self.connection().certificate = shown(secured)
        return True

    async def handle_MAIL(
        self, _server: SMTP, _session: SmtpState, transaction: Transaction, sender: str, options: list[str]
    ) -> str:
        connection = self.connection()
        if not connection.tls and await self.ask(self._owner.tls_required, connection):
            return MUST_STARTTLS
        refusal = await self.ask(self._owner.mail, connection, _bare(sender))
        if refusal is not None:
            return refusal
        transaction.mail_from = sender
        transaction.mail_options.extend(options)
        return OK

    async def handle_RCPT(
        self, _server: SMTP, _session: SmtpState, transaction: Transaction, recipient: str, _: list[str]
    ) -> str:
        refusal = await self.ask(self._owner.recipient, self.connection(), recipient)
        if refusal is not None:
            return refusal
        transaction.rcpt_tos.append(recipient)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, _session: SmtpState, transaction: Transaction) -> str:
        if "cut_untaken" in self.door.faults:
            self._session.abort()
            return BUSY
        content = transaction.original_content
        assert content is not None
        envelope = Envelope(_bare(transaction.mail_from or ""), tuple(transaction.rcpt_tos), content)
        self.connection().messages += 1
        reply = await self.ask(self._owner.message, self.connection(), envelope)
        if "cut_taken" in self.door.faults:
            self._session.abort()
        return reply

    async def handle_QUIT(self, _server: SMTP, _session: SmtpState, _transaction: Transaction) -> str:
        connection, self._connection = self.connection(), None
        await self.ask(self._owner.closed, connection)
        return BYE

    async def handle_exception(self, error: Exception) -> str:
        """A failed handshake ends the connection; anything else is a defect of the lab."""
        from aiosmtpd.smtp import TLSSetupException

        if not isinstance(error, TLSSetupException):
            self.door.errors.append(error)
        return "451 4.3.0 The lab itself failed"


def _bare(sender: str) -> str:
    return "" if sender == "<>" else sender
