"""Where a machine in Azure gets tokens for its own identity, on loopback; plain HTTP, as there.

Three forms: IMDS of a virtual machine, App Service, Azure Arc. Source: Microsoft Learn, «How to use managed
identities to acquire an access token», «Managed identities in App Service», «… on Azure Arc-enabled servers».
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from lab.journal import Journal
from lab.tenant.practice import EXCHANGE_HOSTS, OTHER_HOSTS
from lab.tenant.tokens import Tokens

Kind = Literal["imds", "app-service", "arc"]
Answer = tuple[int, Mapping[str, str], dict[str, Any] | None]
VERSIONS: Mapping[Kind, str] = {"imds": "2018-02-01", "app-service": "2019-08-01", "arc": "2020-06-01"}
PATHS: Mapping[Kind, str] = {
    "imds": "/metadata/identity/oauth2/token",
    "app-service": "/msi/token",
    "arc": "/metadata/identity/oauth2/token",
}
RESOURCES = tuple(f"https://{host}" for host in (*EXCHANGE_HOSTS, *OTHER_HOSTS))


class Machine:
    """A machine that has identities, `with` which its end point answers.

    `system`: the client id of its own one, "" for none. `assigned`: those that were assigned to it.
    `trouble`: statuses that it answers with first. `keys`: where an Arc agent leaves what only this machine
    can read.
    """

    def __init__(
        self,
        tokens: Tokens,
        journal: Journal,
        kind: Kind,
        keys: Path,
        *,
        system: str = "",
        assigned: tuple[str, ...] = (),
    ) -> None:
        self.tokens, self.journal, self.kind, self.keys = tokens, journal, kind, keys
        self.system, self.assigned = system, assigned
        self.trouble: list[int] = []
        self._header = secrets.token_hex(16)
        self._asked: dict[str, str] = {}  # an Arc agent's key file → what it holds
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="lab-machine", daemon=True
        )

    @property
    def environment(self) -> dict[str, str]:
        """What Azure sets for the processes of such a machine; for IMDS, what leads MSAL here."""
        host = f"http://127.0.0.1:{self._server.server_port}"
        there = host + PATHS[self.kind]
        return {
            "imds": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": host},
            "app-service": {"IDENTITY_ENDPOINT": there, "IDENTITY_HEADER": self._header},
            "arc": {"IDENTITY_ENDPOINT": there, "IMDS_ENDPOINT": host},
        }[self.kind]

    def __enter__(self) -> Machine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, target: str, headers: Mapping[str, str]) -> Answer:
        """What a request gets: status, headers, document."""
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if self.trouble:
            found: Answer = self.trouble.pop(0), {"Retry-After": "0"}, {"error": "busy"}
        elif parts.path != PATHS[self.kind] or query.get("api-version") != VERSIONS[self.kind]:
            found = _refused("unknown path or version")
        else:
            found = self._locked(headers) or self._token(query)
        self.journal.record(
            "tenant", "machine", form=self.kind, client=query.get("client_id", ""), status=found[0]
        )
        return found

    def _locked(self, headers: Mapping[str, str]) -> Answer | None:
        """What keeps out a request that came from elsewhere, or was only passed on."""
        if self.kind == "app-service":
            right = headers.get("X-IDENTITY-HEADER") == self._header
            return None if right else (401, {}, {"statusCode": 401, "message": "wrong X-IDENTITY-HEADER"})
        if headers.get("Metadata") != "true" or "X-Forwarded-For" in headers:
            return _refused("Required metadata header not specified")
        if self.kind == "imds":
            return None
        given = headers.get("Authorization", "").removeprefix("Basic ")
        if given and given in self._asked.values():
            return None
        name = f"{secrets.token_hex(8)}.key"
        self._asked[name] = secrets.token_hex(16)
        (self.keys / name).write_text(self._asked[name], encoding="ascii")
        return 401, {"WWW-Authenticate": f"Basic realm={self.keys / name}"}, None

    def _token(self, query: Mapping[str, str]) -> Answer:
        wanted = query.get("client_id", "")
        client = next((one for one in self.assigned if one == wanted), "") if wanted else self.system
        if not client:
            return _refused("Identity not found")
        resource = query.get("resource", "")
        if resource not in RESOURCES:
            said = f"AADSTS500011: The resource principal named {resource} was not found in the tenant."
            return 400, {}, {"error": "invalid_resource", "error_description": said}
        token = self.tokens.issue(resource, client)
        ends = int((self.tokens.claims(token) or {})["exp"])
        shared = {"access_token": token, "client_id": client, "resource": resource, "token_type": "Bearer"}
        return 200, {}, {**shared, "expires_in": str(ends - int(time.time())), "expires_on": str(ends)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        machine = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_GET(self) -> None:
                """Answer it."""
                status, headers, document = machine.answer(self.path, dict(self.headers))
                body = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the base's name
                """Nothing: the journal has it."""

        return Handler


def _refused(said: str) -> Answer:
    return 400, {}, {"error": "invalid_request", "error_description": said}
