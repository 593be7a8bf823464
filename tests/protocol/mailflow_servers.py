"""Small servers of our own at the other end of the wire: SMTP, tracking, IMAP, an SSH host that forwards."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from dynamic_providers import connections
from dynamic_providers.mailflow.proxy_header import proxy_header


@dataclass
class Certificates:
    """One authority, and server contexts of it."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def file(self) -> str:
        file = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(file))
        return str(file)

    def context(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context


class Connect:
    """M365SE_CONNECT, as the lab would write it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file, self._table = folder / "connect.json", dict[str, dict[str, Any]]()
        monkeypatch.setenv("M365SE_CONNECT", str(self._file))

    def lead(self, name: str, port: int, **more: Any) -> None:
        self._table[name] = {"host": "127.0.0.1", "port": port, **more}
        self._file.write_text(json.dumps(self._table))
        connections._connect_table.cache_clear()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    return Connect(tmp_path, monkeypatch)


class _WantsProxy(Controller):
    """Tries itself at its start, as aiosmtpd does, with the header that it wants."""

    def _trigger_server(self) -> None:
        with socket.create_connection((self.hostname, self.port), 5) as wire:
            wire.sendall(proxy_header("192.0.2.1", 1, "192.0.2.2", 25))
            wire.recv(4)


@dataclass
class MailServer:
    """An SMTP server that wants a PROXY header; `refuse` names a stage and what it says there."""

    context: ssl.SSLContext | None
    proxy: bool = True
    refuse: tuple[str, str] = ("", "")
    got: list[Envelope] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    tls: list[str] = field(default_factory=list)

    async def handle_PROXY(self, server: SMTP, session: Session, envelope: Envelope, proxy: Any) -> bool:  # noqa: N802
        self.peers.append(str(proxy.src_addr))
        return True

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuse[0] == "MAIL FROM":
            return self.refuse[1]
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuse[0] == "RCPT TO":
            return self.refuse[1]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse[0] == "message":
            return self.refuse[1]
        self.got.append(envelope)
        self.tls.append("TLS" if session.ssl else "")
        return "250 ok:  Message 124 accepted"

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        more: dict[str, Any] = {"proxy_protocol_timeout": 5.0} if self.proxy else {}
        kind = _WantsProxy if self.proxy else Controller
        controller = kind(self, "127.0.0.1", port, tls_context=self.context, **more)
        controller.start()
        self.peers.clear()
        try:
            yield port
        finally:
            controller.stop()


@dataclass
class TrackingServer:
    """Message tracking's HTTPS API: one user, whole minutes, several MIDs."""

    password: str = "right"
    items: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    logins: int = 0
    old_release: bool = False
    spoil_tokens: int = 0
    redirect: str = ""

    @contextlib.contextmanager
    def running(self, context: ssl.SSLContext) -> Iterator[int]:
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                world.login(self, json.loads(body))

            def do_GET(self) -> None:
                world.read(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)

    def login(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        self.logins += 1
        if self.redirect:
            request.send_response(302)
            request.send_header("Location", self.redirect)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if self.old_release:
            _answer(request, 404, {"error": {"message": "Not found", "code": "404"}})
            return
        password = base64.b64decode(body["data"]["passphrase"]).decode()
        if password != self.password:
            _refused(request)
            return
        _answer(request, 200, {"data": {"userName": "api", "jwtToken": f"token-number-{self.logins}"}})

    def read(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        basic = base64.b64encode(f"api:{self.password}".encode()).decode()
        fresh = request.headers.get("jwtToken") == f"token-number-{self.logins}" and not self.spoil_tokens
        self.spoil_tokens = max(0, self.spoil_tokens - 1)
        if not fresh and request.headers.get("Authorization") != f"Basic {basic}":
            _refused(request)
        elif any(not query[name].endswith(":00.000Z") for name in ("startDate", "endDate")):
            _answer(request, 404, {"error": {"message": "Not found", "explanation": "whole minutes"}})
        elif parts.path.endswith("/messages"):
            start, size = int(query["offset"]), int(query["limit"])
            found = [one for one in self.items if query["subjectfilterValue"] in one["subject"]]
            page = [{"attributes": one} for one in found[start : start + size]]
            _answer(request, 200, {"meta": {"totalCount": len(found)}, "data": page})
        else:
            lines = [{"description": one} for one in self.details.get(query["mid"], [])]
            messages = {"mid": [int(query["mid"])], "summary": lines, "midHeader": "<m@x>"}
            _answer(request, 200, {"data": {"messages": messages}})


def _answer(request: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def _refused(request: BaseHTTPRequestHandler) -> None:
    error = {"message": "Unauthorized.", "code": "401", "explanation": "401 = No permission"}
    _answer(request, 401, {"error": error})


@dataclass
class MailboxServer:
    """IMAP over TLS with one mailbox, as far as a look at headers needs it."""

    password: str = "right"
    messages: list[bytes] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self, context: ssl.SSLContext) -> Iterator[int]:
        world = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with (
                    contextlib.suppress(OSError),
                    context.wrap_socket(self.request, server_side=True) as wire,
                ):
                    world.talk(wire)

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            kwargs = {"poll_interval": 0.01}
            thread = threading.Thread(target=server.serve_forever, kwargs=kwargs, daemon=True)
            thread.start()
            yield int(server.server_address[1])
            server.shutdown()

    def talk(self, wire: ssl.SSLSocket) -> None:
        file = wire.makefile("rwb")
        file.write(b"* OK ready\r\n")
        file.flush()
        for line in file:
            tag, command, *rest = line.decode().strip().split(" ", 2)
            file.write(self.reply(command.upper(), rest[0] if rest else "", tag))
            file.flush()

    def reply(self, command: str, rest: str, tag: str) -> bytes:
        done = f"{tag} OK done\r\n".encode()
        if command == "LOGIN" and self.password not in rest:
            return f"{tag} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n".encode()
        if command == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n" + done
        if command in ("SELECT", "EXAMINE"):
            return f"* {len(self.messages)} EXISTS\r\n".encode() + done
        if command == "SEARCH":
            word = rest.split('"')[1].encode()
            found = [str(at) for at, one in enumerate(self.messages, 1) if word in one]
            return f"* SEARCH {' '.join(found)}\r\n".encode() + done
        if command == "FETCH":
            raw = self.messages[int(rest.split(" ", maxsplit=1)[0]) - 1]
            return f"* 1 FETCH (BODY[HEADER] {{{len(raw)}}}\r\n".encode() + raw + b")\r\n" + done
        return done


def event_loop() -> contextlib.AbstractContextManager[asyncio.AbstractEventLoop]:
    """A loop in a thread, for servers that are made of coroutines."""
    return _loop()


@contextlib.contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
