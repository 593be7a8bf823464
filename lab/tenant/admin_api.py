"""`POST /adminapi/{version}/{tenant}/InvokeCommand`: what PowerShell's own module calls."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.journal import Journal
from lab.tenant import errors, paging
from lab.tenant.cmdlets import Cmdlet, known
from lab.tenant.errors import CmdletFailure, Reply
from lab.tenant.faults import TRUNCATED, Fault, Faults, answer
from lab.tenant.mail.plane import TenantMail
from lab.tenant.practice import APP_ROLE, EXCHANGE_APP, EXCHANGE_HOSTS, Organization
from lab.tenant.rendering import document
from lab.tenant.session import Session
from lab.tenant.store import Store
from lab.tenant.switches import Switches, pause
from lab.tenant.tokens import Claims, Tokens, rights

ANCHOR = re.compile(r"(APP|UPN):[^@\s]+@(?P<tenant>[0-9a-f-]{36})", re.IGNORECASE)
TRUSTED = f'Bearer client_id="{EXCHANGE_APP}", token_types="app_asserted_user_v1 service_asserted_app_v1"'


@dataclass(frozen=True)
class Call:
    """One HTTP request to the API; header names are lower case."""

    tenant: str
    host: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass
class AdminApi:
    """Answers for one organization."""

    organization: Organization
    store: Store
    switches: Switches
    tokens: Tokens
    journal: Journal
    faults: Faults
    mail: TenantMail
    pages: paging.Pages = field(default_factory=paging.Pages)

    def invoke_command(self, call: Call) -> Reply:
        """The whole of one call, from the wire to the answer; runs in a thread of its own."""
        try:
            name, parameters = _read(call)
        except CmdletFailure as failure:
            self.journal.record("tenant", "answer", cmdlet="", status=failure.status)
            return errors.reply(failure, self.switches.rendering)
        self.journal.record("tenant", "call", cmdlet=name, parameters=parameters)
        reply = self._faulted(call, name, parameters)
        self.journal.record("tenant", "answer", cmdlet=name, status=reply.status)
        request_id = {
            "request-id": str(uuid.uuid4()),
            "x-calculatedbetarget": "db9pr01mb0002.eurprd01.prod.exchangelabs.com",
        }
        return Reply(reply.status, reply.body, {**reply.headers, **request_id}, reply.reset)

    def _faulted(self, call: Call, name: str, parameters: dict[str, Any]) -> Reply:
        cmdlet = known(name)
        latency = self.switches.write_latency if cmdlet and cmdlet.writes else self.switches.read_latency
        pause(latency)
        fault = self.faults.take(name)
        if fault is None or fault.error == TRUNCATED:
            return self._answered(call, cmdlet, parameters, fault)
        if fault.when == "after":
            self._answered(call, cmdlet, parameters, None)
        return answer(fault, call.path, self.switches.rendering)

    def _answered(
        self, call: Call, cmdlet: Cmdlet | None, parameters: dict[str, Any], fault: Fault | None
    ) -> Reply:
        claims = self._claims(call)
        if claims is None:
            return Reply(401, b"", {"www-authenticate": f'{TRUSTED}, error="invalid_token"'})
        if cmdlet is None or not self._may(claims, cmdlet):
            return self._forbidden(str(claims["appid"]))
        if cmdlet.writes and self.switches.anchor_needed and not self._anchored(call):
            return Reply(403)
        who = str(claims["app_displayname"])
        session = Session(self.store, self.switches, who, data_plane=self.mail)
        try:
            rows = cmdlet.invoke(session, parameters)
        except CmdletFailure as failure:
            return errors.reply(failure, self.switches.rendering)
        if cmdlet.writes:
            self.journal.record("tenant", "effect", cmdlet=cmdlet.name)
        shown = document(rows, self.switches.rendering, nulls=cmdlet.nulls)
        if fault:
            page: paging.Page | None = paging.Page(shown[: len(shown) // 2], cut=True)
        else:
            page = paging.Page(shown) if cmdlet.own_pages else self._page(call, parameters, shown)
        return self._rows(call, page, session.warnings)

    def _claims(self, call: Call) -> Claims | None:
        """A token of ours, for this audience and tenant, with the app role: anything else is a 401."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        claims = self.tokens.claims(token) if scheme.lower() == "bearer" else None
        if claims is None or APP_ROLE not in claims["roles"]:
            return None
        hosts = [call.host] if call.host in EXCHANGE_HOSTS else EXCHANGE_HOSTS
        if claims["aud"] not in (EXCHANGE_APP, *(f"https://{host}" for host in hosts)):
            return None
        domains = {name.lower() for name in self.organization.accepted_domains}
        return claims if call.tenant.lower() in {self.organization.tenant_id, *domains} else None

    def _may(self, claims: Claims, cmdlet: Cmdlet) -> bool:
        allowed = rights(claims)
        return allowed == "admin" or (allowed == "reader" and not cmdlet.writes)

    def _forbidden(self, app: str) -> Reply:
        """No directory role that allows this, or no such cmdlet: one answer for both."""
        why = (
            f"The role assigned to application {app} isn't supported in this scenario. Please check online "
            "documentation for assigning correct Directory Roles to Azure AD Application for EXO App-Only "
            "Authentication."
        )
        headers = {"x-ms-diagnostics": f'2000008;reason="{why}";error_category="app_role_not_supported"'}
        body = b"\0" * 4096 if self.switches.forbidden_body == "nul" else b""
        return Reply(403, body, {**headers, "www-authenticate": TRUSTED})

    def _anchored(self, call: Call) -> bool:
        match = ANCHOR.fullmatch(call.headers.get("x-anchormailbox", ""))
        return match is not None and match["tenant"].lower() == self.organization.tenant_id

    def _rows(self, call: Call, page: paging.Page | None, warnings: list[str]) -> Reply:
        rendering = self.switches.rendering
        if page is None:
            return errors.json_reply(400, paging.EXPIRED)
        if not page.rows and rendering.no_rows == "204":
            return Reply(204)
        root = call.path.rsplit("/", 1)[0]
        sent: dict[str, Any] = {
            "@odata.context": f"https://{call.host}{root}/$metadata#Collection(Exchange.GenericHashTable)",
            "adminapi.warnings@odata.type": "#Collection(String)",
            "@adminapi.warnings": [*warnings, paging.WARNING] if page.cut else warnings,
        }
        if page.token:
            sent["@odata.nextLink"] = f"https://{call.host}{call.path}?$skiptoken={page.token}"
        if page.rows or rendering.no_rows != "absent":
            sent["value"] = page.rows or (None if rendering.no_rows == "null" else [])
        return errors.json_reply(200, sent)

    def _page(
        self, call: Call, parameters: Mapping[str, Any], rows: list[dict[str, Any]]
    ) -> paging.Page | None:
        vanity = not re.fullmatch(r"[0-9a-f-]{36}|.*\.onmicrosoft\.com", call.tenant.lower())
        token = call.query.get("$skiptoken")
        if token is not None and (vanity or self.switches.paging_broken):
            return None
        limit = paging.result_size(parameters)
        size = paging.page_size(call.headers.get("prefer", ""), parameters, self.switches.page_rows)
        return self.pages.page(rows, limit=limit, size=size, token=token)


def _read(call: Call) -> tuple[str, dict[str, Any]]:
    """Cmdlet name and parameters; the keys' casing counts, and Parameters is an object."""
    try:
        given = json.loads(call.body.decode("utf-8"))["CmdletInput"]
        name, parameters = given["CmdletName"], given["Parameters"]
    except (ValueError, KeyError, TypeError):
        raise errors.makes_no_sense("The request body is not a valid CmdletInput.") from None
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise errors.makes_no_sense("CmdletInput needs a CmdletName and an object as Parameters.")
    if "application/json" not in call.headers.get("content-type", ""):
        raise CmdletFailure(errors.ARGUMENT, "Unsupported media type.", 415)
    return name, parameters
