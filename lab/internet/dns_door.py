"""A DNS server's two sockets, UDP and TCP, at the same port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

import dns.rcode

from lab.internet.dns_server import Face
from lab.internet.wire import failure
from lab.mail.loop import MailLoop, borrow, close_server, give_back

TRIES = 50


class DnsDoor:
    """Leads datagrams and TCP messages to a face; `port` is known once it is started, and then kept.

    A defect in the face answers SERVFAIL and is raised by `stop`.
    """

    def __init__(self, face: Face) -> None:
        self.face = face
        self.port = 0
        self.errors: list[Exception] = []
        self._loop: MailLoop | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def start(self) -> int:
        """Listen; returns the port."""
        self._loop = borrow()
        udp, tcp = _pair(self.port)
        self.port = udp.getsockname()[1]
        self._loop.run(self._open(udp, tcp))
        return self.port

    def stop(self) -> None:
        """Stop listening and cut what is open."""
        if self._loop is None:
            return
        self._loop.run(self._close())
        self._loop = None
        give_back()
        if self.errors:
            raise ExceptionGroup("a DNS server of the lab is broken", self.errors)

    def answer(self, wire: bytes, *, datagram: bool) -> bytes | None:
        """The face's reply."""
        try:
            return self.face.answer(wire, datagram=datagram)
        except Exception as broken:  # noqa: BLE001 - a defect of the lab, which `stop` raises
            self.errors.append(broken)
            return failure(wire, dns.rcode.SERVFAIL)

    async def _open(self, udp: socket.socket, tcp: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
        self._datagrams = transport
        self._server = await asyncio.start_server(self._serve, sock=tcp)

    async def _close(self) -> None:
        assert self._server is not None
        assert self._datagrams is not None
        await close_server(self._server)
        self._datagrams.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # lets the transports say that they are closed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                reply = self.answer(await reader.readexactly(length), datagram=False)
                if reply is not None:
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the asker has hung up
        finally:
            self._writers.discard(writer)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, door: DnsDoor) -> None:
        self._door = door
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._door.answer(data, datagram=True)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def _pair(port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket at one port; a free one for 0."""
    for _ in range(TRIES):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", port))
        try:
            return udp, socket.create_server(("127.0.0.1", udp.getsockname()[1]))
        except OSError:
            udp.close()
            if port:
                raise
    raise OSError(f"no port on 127.0.0.1 that is free for both UDP and TCP, after {TRIES} tries")
