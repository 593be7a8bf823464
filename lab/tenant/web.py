"""The HTTPS side: routes by host, and a server in a thread that can also drop a connection."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from lab.journal import Broken, Hollow, Journal
from lab.tenant.admin_api import AdminApi, Call
from lab.tenant.authority import Authority
from lab.tenant.errors import Reply, json_reply
from lab.tenant.graph_domains import GraphDomains
from lab.tenant.mail.graph import Graph, GraphCall
from lab.tenant.practice import EXCHANGE_HOSTS, GRAPH_HOSTS, LOGIN_HOSTS
from lab.tenant.switches import pause

USER = "/v1.0/users/{user}"
LOCAL = ("127.0.0.1", "localhost")
Peer = tuple[str, int]
Answer = Callable[[Request], Awaitable[Reply]]


class PortTaken(Exception):
    """Another process listens where the lab was told to."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} on 127.0.0.1 is taken: stop what listens there, or choose another port"
        )


class HttpsServer:
    """One uvicorn server in a thread of this process; `busy` counts the requests that it works at."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.busy = 0
        self._sock: socket.socket | None = None
        self._transports: dict[Peer, asyncio.Transport] = {}
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, app: Starlette, context: ssl.SSLContext) -> None:
        """Listen on `port` (0 becomes a free one); returns when connections are taken."""
        self._sock = _bound(self.port)
        self.port = self._sock.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=_protocol(self._transports),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,  # ours tells the time of the practice tenant's clock
            timeout_keep_alive=120,
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = context
        self._server = _Server(config, self._transports)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._sock],), name="lab-tenant", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(10):
            raise RuntimeError("the lab's HTTPS server did not start within 10 s")

    def stop(self) -> None:
        """Stop listening and end the thread."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
        if self._sock is not None:
            self._sock.close()

    def drop(self, peer: Peer) -> None:
        """Reset a connection, as a failing middle box does."""
        transport = self._transports.get(peer)
        if transport is None:
            return
        raw = transport.get_extra_info("socket")
        if raw is not None:  # it is none where the client has gone already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, transports: dict[Peer, asyncio.Transport]) -> None:
        super().__init__(config)
        self.transports = transports
        self.ready = threading.Event()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for transport in list(self.transports.values()):
            transport.abort()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _bound(port: int) -> socket.socket:
    # With its protocol named: asyncio turns Nagle's algorithm off (40 ms an answer) only where it sees TCP.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise PortTaken(port) from None
    return sock


def _protocol(transports: dict[Peer, asyncio.Transport]) -> type[asyncio.Protocol]:
    class Protocol(H11Protocol):
        """Remembers transports by the peer's address, so that one can be reset."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self.peer: Peer = transport.get_extra_info("peername")
            transports[self.peer] = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self.peer, None)
            super().connection_lost(exc)

    return Protocol


def _mail(answer: Callable[[GraphCall], Reply]) -> Answer:
    """One of Graph's calls, in a thread of its own."""

    async def answered(request: Request) -> Reply:
        call = GraphCall(
            user=request.path_params["user"],
            headers=dict(request.headers),
            query=dict(request.query_params),
            body=await request.body(),
            folder=request.path_params.get("folder", ""),
        )
        return await run_in_threadpool(answer, call)

    return answered


def unless_broken(journal: Journal, answer: Callable[[], Reply]) -> Reply:
    """An answer; what a hook of the journal makes of it."""
    try:
        reply = answer()
        journal.answering("tenant")
    except Broken:
        return Reply(500, reset=True)
    except Hollow:
        return json_reply(200, {"value": []})
    return reply


def _records(domains: GraphDomains) -> Answer:
    """Graph's list of a domain's DNS records."""

    async def answered(request: Request) -> Reply:
        return domains.records(request.path_params["domain"], dict(request.headers))

    return answered


def application(
    authority: Authority, api: AdminApi, graph: Graph, journal: Journal, server: HttpsServer
) -> Starlette:
    """All routes; a host gets only what is its own."""

    async def openid(request: Request) -> Reply:
        return authority.openid_configuration(request.path_params["tenant"], request.headers["host"])

    async def instance(request: Request) -> Reply:
        return authority.instance_discovery(request.headers["host"])

    async def token(request: Request) -> Reply:
        form = {key: values[-1] for key, values in parse_qs((await request.body()).decode()).items()}
        correlation_id = request.headers.get("client-request-id")
        given = (request.path_params["tenant"], form, request.headers["host"], correlation_id)

        def answer() -> Reply:
            pause(api.switches.token_latency)
            return authority.token(*given)

        return await run_in_threadpool(unless_broken, journal, answer)

    async def invoke(request: Request) -> Reply:
        host = request.headers["host"]
        call = Call(
            tenant=request.path_params["tenant"],
            host=host if host.rsplit(":", 1)[0] in LOCAL else _name(host),
            path=request.url.path,
            headers=dict(request.headers),
            query=dict(request.query_params),
            body=await request.body(),
        )
        return await run_in_threadpool(unless_broken, journal, lambda: api.invoke_command(call))

    def served(hosts: tuple[str, ...], answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            host = _name(request.headers["host"])
            if host not in (*hosts, *LOCAL):
                journal.record("tenant", "stray", host=host, with_token="authorization" in request.headers)
                return Response(status_code=404)
            server.busy += 1
            try:
                reply = await answer(request)
            finally:
                server.busy -= 1
            if reply.reset and request.client is not None:
                server.drop((request.client.host, request.client.port))
            date = formatdate(time.time() + api.switches.clock_offset, usegmt=True)
            return Response(reply.body, reply.status or 500, {**reply.headers, "Date": date})

        return endpoint

    return Starlette(
        routes=[
            Route("/common/discovery/instance", served(LOGIN_HOSTS, instance)),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", served(LOGIN_HOSTS, openid)),
            Route("/{tenant}/oauth2/v2.0/token", served(LOGIN_HOSTS, token), methods=["POST"]),
            Route(
                "/adminapi/{version:str}/{tenant}/InvokeCommand",
                served(EXCHANGE_HOSTS, invoke),
                methods=["POST"],
            ),
            Route(
                "/v1.0/domains/{domain}/serviceConfigurationRecords",
                served(GRAPH_HOSTS, _records(graph.domains)),
            ),
            Route(f"{USER}/sendMail", served(GRAPH_HOSTS, _mail(graph.send_mail)), methods=["POST"]),
            Route(f"{USER}/messages", served(GRAPH_HOSTS, _mail(graph.messages))),
            Route(f"{USER}/mailFolders/{{folder}}", served(GRAPH_HOSTS, _mail(graph.folder))),
            Route(f"{USER}/mailFolders/{{folder}}/messages", served(GRAPH_HOSTS, _mail(graph.messages))),
        ]
    )


def _name(host: str) -> str:
    return host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host
