"""The HTTPS API of the gateways (`/esa/`) and of their Email and Web Manager (`/sma/`): login and tracking.

Paths, names and forms after Cisco's API guide and what integrations have seen; see the project's reference.
A gateway knows its own messages at once, the manager those of all gateways after `tracking_delay` seconds.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lab.gateway.mail.appliance import Appliance
from lab.gateway.mail.tracking import Tracked
from lab.gateway.mail.tracking_forms import Json, details, item
from lab.gateway.mail.tracking_search import BadSearch, check_names, fits, period
from lab.gateway.switches import Switches
from lab.journal import Journal

MayLogIn = Callable[[str, str], bool]
Answer = Callable[[str, Request], Json]
EXPLAINED = {
    400: ("Bad Request.", "400 = Bad request syntax or unsupported method."),
    401: ("Unauthorized.", "401 = No permission -- see authorization schemes."),
    404: ("Not Found.", "404 = Nothing matches the given URI."),
    503: ("Service Unavailable.", "503 = The server cannot process the request due to a high load."),
}


class TrackingApi:
    """Answers for all hosts at one port; which host is asked decides what there is to see."""

    def __init__(
        self,
        appliances: Sequence[Appliance],
        manager: str,
        switches: Switches,
        journal: Journal,
        *,
        may_log_in: MayLogIn,
    ) -> None:
        self.manager = manager
        self._appliances = {one.member.host: one for one in appliances}
        self._switches = switches
        self._journal = journal
        self._may_log_in = may_log_in
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()

    def application(self) -> Starlette:
        """The routes of both kinds of host."""
        base = "/{kind:str}/api/v2.0"
        tracking = f"{base}/message-tracking"
        return Starlette(
            routes=[
                Route(f"{base}/login", self._login, methods=["POST"]),
                Route(f"{tracking}/messages", self._served(self._search)),
                Route(f"{tracking}/details", self._served(self._details)),
            ]
        )

    async def _login(self, request: Request) -> JSONResponse:
        host = self._host(request)
        if host is None or self._switches.tracking_down:
            return _error(404 if host is None else 503)
        name, passphrase = _credentials(await request.body())
        self._record(host, request)
        if not self._may_log_in(name, passphrase):
            return _error(401)
        token = secrets.token_urlsafe(48)
        with self._lock:
            self._tokens[token] = time.monotonic() + self._switches.tracking_token_seconds
        data = {"userName": name, "is2FactorRequired": False, "role": "Administrator", "jwtToken": token}
        return JSONResponse({"data": data})

    def _served(self, answer: Answer) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> JSONResponse:
            return await run_in_threadpool(self._answer, answer, request)

        return endpoint

    def _answer(self, answer: Answer, request: Request) -> JSONResponse:
        host = self._host(request)
        if host is None or self._switches.tracking_down:
            return _error(404 if host is None else 503)
        self._record(host, request)
        if not self._known(request):
            return _error(401)
        try:
            return JSONResponse(answer(host, request))
        except BadSearch as bad:
            return _error(bad.status, str(bad))

    def _search(self, host: str, request: Request) -> Json:
        query = request.query_params
        check_names(query)
        if query.get("searchOption") != "messages":
            raise BadSearch(400, "searchOption has to be «messages»")
        asked, moment = period(query), self._moment(host)
        found = [
            message
            for message in self._visible(host, moment)
            if asked.start <= message.started < asked.end and fits(message, query, moment)
        ]
        first, count = _number(query, "offset", 0), _number(query, "limit", 20)
        page = found[first : first + count]
        return {
            "meta": {"num_bad_records": 0, "totalCount": len(found)},
            "data": [{"attributes": item(message, moment, self._switches)} for message in page],
        }

    def _details(self, host: str, request: Request) -> Json:
        query, moment = request.query_params, self._moment(host)
        mids = {part.strip() for text in query.getlist("mid") for part in text.split(",")}
        for message in self._visible(host, moment):
            if (
                mids & {str(mid) for mid in message.recipients}
                and query.get("icid", "") in {"", str(message.arrival.icid)}
                and query.get("serialNumber", "") in {"", message.serial}
            ):
                return {"data": {"messages": details(message, moment, self._switches)}}
        raise BadSearch(404, "no such message")

    def _visible(self, host: str, moment: float) -> list[Tracked]:
        """What a host knows of at a moment, the newest first."""
        asked = self._appliances.values() if host == self.manager else [self._appliances[host]]
        known = [message for one in asked for message in one.tracking.messages if message.statuses(moment)]
        return sorted(known, key=lambda message: message.started, reverse=True)

    def _moment(self, host: str) -> float:
        return time.time() - (self._switches.tracking_delay if host == self.manager else 0.0)

    def _host(self, request: Request) -> str | None:
        """Who is asked; None where a host has no such path. By address: the manager or the first gateway."""
        kind = request.path_params["kind"]
        name = request.headers.get("host", "").partition(":")[0].lower()
        if name in {"127.0.0.1", "localhost"}:
            name = self.manager if kind == "sma" else next(iter(self._appliances))
        if name == self.manager:
            return name if kind == "sma" else None
        return name if name in self._appliances and kind == "esa" else None

    def _known(self, request: Request) -> bool:
        with self._lock:
            until = self._tokens.get(request.headers.get("jwttoken", ""), 0.0)
        if until > time.monotonic():
            return True
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        name, _, passphrase = _decoded(value).partition(":")
        return scheme.lower() == "basic" and self._may_log_in(name, passphrase)

    def _record(self, host: str, request: Request) -> None:
        self._journal.record(
            f"gateway:{host}", "tracking", path=request.url.path, query=dict(request.query_params)
        )


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise BadSearch(400, f"{name} has to be a number, not «{text}»")
    return int(text)


def _credentials(body: bytes) -> tuple[str, str]:
    """User name and passphrase of a login, each in Base64; empty where the body has another form."""
    try:
        data = json.loads(body)["data"]
        return _decoded(data["userName"]), _decoded(data["passphrase"])
    except (ValueError, KeyError, TypeError):
        return "", ""


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _error(status: int, explanation: str = "") -> JSONResponse:
    message, usual = EXPLAINED[status]
    error = {"message": message, "code": str(status), "explanation": explanation or usual}
    return JSONResponse({"error": error}, status)
