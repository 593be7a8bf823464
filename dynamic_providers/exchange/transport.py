"""HTTPS to Microsoft: verified by the real name, never redirected, limited in time and size."""

import io
import os
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.util import parse_url

from dynamic_providers.connections import connect_address
from dynamic_providers.exchange.errors import (
    CertificateNotTrusted,
    NoCaBundle,
    Redirected,
    Unreachable,
    Unreadable,
)
from dynamic_providers.time_limit import Handle, TimeLimit

CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0  # without a byte; Exchange's own front end gives up on a cmdlet after about a hundred
ANSWER_SECONDS = 180.0  # for connection, request and the whole answer
ANSWER_BYTES = 64_000_000  # 300 rules with all their texts are a tenth of that
_CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_BROKEN: Final = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,  # while the answer is read
)


_this = threading.local()  # `connections`: what the request of this thread uses


class _Connection(HTTPSConnection):
    """Connects where the lab's file leads; name, certificate and Host header stay those of the URL."""

    _handle: Handle | None = None

    def _new_conn(self) -> socket.socket:
        name, port = self.host, self.port
        self.host, self.port = connect_address(name, port or 443)
        try:
            wire = super()._new_conn()
        finally:
            self.host, self.port = name, port
        self._handle = Handle(wire)
        return wire

    def connect(self) -> None:
        _this.connections.append(self)
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        _this.connections.append(self)
        super().request(*args, **kwargs)

    def cut(self) -> None:
        """End it, from another thread."""
        if self._handle is not None:
            self._handle.cut()

    def close(self) -> None:
        super().close()
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def _cut(connections: Iterable[_Connection]) -> None:
    for connection in connections:
        connection.cut()


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": _Pool}
        return manager


class Https:
    """One HTTP client for Exchange and, as its `http_client`, for MSAL.

    `verify` goes with each request: where REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is set, requests lets it
    override a session's own. For that, and for .netrc, which would replace our token, the session trusts no
    environment; the environment's proxies are looked up here.
    """

    def __init__(self, ca_bundle: str | None) -> None:
        self._verify: str | bool = _ca_bundle(ca_bundle)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.adapters.clear()
        self._session.mount("https://", _Adapter(pool_maxsize=8))

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        """GET, as MSAL calls it."""
        return self._request("GET", url, **kwargs)

    def post(self, url: str, **kwargs: Any) -> requests.Response:
        """POST, as MSAL calls it."""
        return self._request("POST", url, **kwargs)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        host = urlsplit(url).netloc
        given = {
            "verify": self._verify,
            "timeout": (CONNECT_SECONDS, READ_SECONDS),
            "allow_redirects": False,
            "stream": True,
            "proxies": _proxies(url),
        }
        _this.connections = used = list[_Connection]()
        with TimeLimit(ANSWER_SECONDS, lambda: _cut(used)) as limit:
            try:
                response = self._session.request(method, url, **{**kwargs, **given})
                _read_whole(response, host)
            except _BROKEN as error:
                raise _failure(error, host, too_long=limit.passed) from None
            except requests.exceptions.RequestException as error:
                raise Unreachable(f"cannot send it: {type(error).__name__}", where=host) from None
        if 300 <= response.status_code < 400:
            target = urlsplit(response.headers.get("Location", "")).netloc
            raise Redirected(host, target or "nowhere")
        return response


def _read_whole(response: requests.Response, host: str) -> None:
    """Read the answer's body, which is then there as if it had come at once."""
    body = io.BytesIO()
    for block in response.raw.stream(65_536, decode_content=True):
        if body.tell() + len(block) > ANSWER_BYTES:
            response.close()
            raise Unreadable(f"the answer is longer than {ANSWER_BYTES // 1_000_000} MB", where=host)
        body.write(block)
    body.seek(0)
    response.raw = body


def _ca_bundle(given: str | None) -> str | bool:
    """The file of certificate authorities: the stack's own, else the environment's, else the usual ones."""
    for source, file in (
        ("endpoints.caBundle", given),
        *((name, os.environ.get(name)) for name in _CA_VARIABLES),
    ):
        if not file:
            continue
        if not Path(file).exists():
            raise NoCaBundle(source, file)
        return file
    return True


def _proxies(url: str) -> dict[str, str]:
    """The environment's proxies, which are of no use where the lab's file leads elsewhere."""
    parts = parse_url(url)
    real = (parts.host or "", parts.port or 443)
    return {} if connect_address(*real) != real else get_environ_proxies(url)


def _failure(error: Exception, host: str, *, too_long: bool) -> Exception:
    text = str(error)
    if too_long:
        return Unreachable(f"no whole answer within {ANSWER_SECONDS:g} s", where=host)
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.split("certificate verify failed:", 1)[-1].split("(_ssl", 1)[0].strip()
        return CertificateNotTrusted(host, reason)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Unreachable(f"no connection within {CONNECT_SECONDS:g} s", where=host)
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.ReadTimeoutError):
        return Unreachable(f"no answer within {READ_SECONDS:g} s", where=host)
    if isinstance(error, requests.exceptions.ProxyError):
        return Unreachable("the proxy of HTTPS_PROXY does not let us through", where=host)
    return Unreachable(f"the connection failed: {_root(error)}", where=host)


def _root(error: BaseException) -> str:
    """The last cause in words: requests and urllib3 wrap what the system said in objects' names."""
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((one for one in reversed(seen.args) if isinstance(one, BaseException)), None)
        if inner is None or inner is seen:
            said = seen.strerror.lower() if isinstance(seen, OSError) and seen.strerror else str(seen)
            return said or type(seen).__name__
        seen = inner
