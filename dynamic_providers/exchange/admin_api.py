"""The Exchange Online admin API: one POST, `InvokeCommand`, that runs one cmdlet.

It is what Microsoft's own PowerShell module calls, as every tool does; Microsoft supports no direct calls.
Nothing outside this module knows what goes over the wire.
"""

import functools
import json
import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from dynamic_providers import engine, report
from dynamic_providers.clouds import CLOUDS
from dynamic_providers.connections import Endpoints, TenantConnection
from dynamic_providers.exchange.authority import Authority, Token
from dynamic_providers.exchange.errors import (
    AlreadyExists,
    AppRoleMissing,
    CmdletRefused,
    DirectoryRoleMissing,
    NotAllowed,
    NotFound,
    Throttled,
    TokenRefused,
    Transient,
    Truncated,
    Unreachable,
    Unreadable,
)
from dynamic_providers.exchange.faults import read_fault, reason_headers, request_id
from dynamic_providers.exchange.json_text import parsed
from dynamic_providers.exchange.transport import Https

Row = dict[str, Any]
Parameters = Mapping[str, Any]

_SYSTEM_MAILBOX: Final = (
    "SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{tenant}"  # the same in every tenant
)
APP_ROLE: Final = "Exchange.ManageAsApp"
_READS: Final = ("Get", "Validate")
_DONE_BEFORE: Final = {"New": AlreadyExists, "Remove": NotFound}
_CUT: Final = re.compile(r"more results|only the first \d|increase the value .*ResultSize", re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """How long we go on when it does not work at once; seconds.

    Attempts and waits are those of Microsoft's PowerShell module. docs/weather.md tells operators of them.
    """

    attempts: int = 6
    first_wait: float = 2.0
    longest_wait: float = 60.0
    shortest_wait: float = 1.0  # also where the server asks for less
    deadline: float = 300.0  # of one cmdlet: after it no attempt is begun
    rest: float = 60.0  # so long nothing is asked again of what was given up
    say_first: float = 5.0  # nothing is said of what passes at once
    say_every: float = 30.0
    read_back: float = 90.0  # until a write can be read; field practice is a minute
    first_look: float = 0.1  # after a write; then doubled


class AdminApi:
    """Runs cmdlets in one tenant; thread-safe."""

    def __init__(self, tenant: TenantConnection, endpoints: Endpoints, patience: Patience) -> None:
        host = endpoints.exchange or f"https://{CLOUDS[tenant.cloud].exchange}"
        self._url = f"{host}/adminapi/beta/{tenant.id}/InvokeCommand"
        self._https = Https(endpoints.ca_bundle)
        self._authority = Authority(tenant, endpoints, self._https)
        self._patience = patience
        self._tenant = tenant
        self._connection_id = str(uuid.uuid4())
        self._given_up: dict[str, tuple[float, Transient]] = {}  # by cmdlet; "": no connection at all
        self._said = float("-inf")

    def close(self) -> None:
        """Close the connections."""
        self._https.close()

    def run(self, cmdlet: str, parameters: Parameters, *, paged: bool = False) -> list[Row]:
        """Run a cmdlet and give its rows. What may pass by itself is tried again until our patience ends.

        `paged`: the caller asks for the rest itself, so a cut list is no error.

        After a retry, «exists already» of a New- and «not found» of a Remove- are no failures: an earlier
        attempt may have worked although its answer was lost. The caller reads back and compares.

        What was given up is not asked again for a moment: resources that wait for one another would each
        take the whole time that it takes to give up.
        """
        for key in (cmdlet, ""):
            at, error = self._given_up.get(key, (float("-inf"), None))
            if error is not None and time.monotonic() - at < self._patience.rest:
                raise error
        verb, where = cmdlet.partition("-")[0], f"{self._tenant.initial_domain}, {cmdlet}"
        done_before = _DONE_BEFORE.get(verb)
        tries = 0

        def attempt() -> list[Row]:
            nonlocal tries
            tries += 1
            if verb not in _READS:
                engine.require_alive()
            try:
                return self._once(cmdlet, parameters, where, paged=paged)
            except CmdletRefused as error:
                if tries > 1 and done_before is not None and isinstance(error, done_before):
                    return []
                raise

        return self._retrying(cmdlet)(attempt)

    # --- one attempt ----------------------------------------------------------------------------------------

    def _once(self, cmdlet: str, parameters: Parameters, where: str, *, paged: bool) -> list[Row]:
        token = self._authority.token()
        response = self._post(cmdlet, parameters, token)
        if response.status_code == 401:
            token = self._authority.renewed(token)
            response = self._post(cmdlet, parameters, token)
        if response.status_code in (401, 403):
            raise self._not_allowed(response, token, where)
        if response.status_code == 204:
            return []
        if response.status_code != 200:
            raise read_fault(response).error(where)
        return _rows(response, where, reads=cmdlet.startswith("Get-"), paged=paged)

    def _post(self, cmdlet: str, parameters: Parameters, token: Token) -> requests.Response:
        body = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": dict(parameters)}}
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {token.text}",
            "Content-Type": "application/json; charset=utf-8",
            "X-AnchorMailbox": "APP:" + _SYSTEM_MAILBOX.format(tenant=self._tenant.id),
            "X-CmdletName": cmdlet,
            "X-ResponseFormat": "json",
            "X-SerializationLevel": "Partial",
            "X-ClientApplication": "m365-secure-email",
            "Prefer": "odata.maxpagesize=1000",
            "connection-id": self._connection_id,
            "client-request-id": str(uuid.uuid4()),
        }
        return self._https.post(
            self._url, data=json.dumps(body, ensure_ascii=False).encode(), headers=headers
        )

    def _not_allowed(self, response: requests.Response, token: Token, where: str) -> NotAllowed:
        """Neither role → 401; app role alone, or unknown cmdlet → 403. The token tells of the app role."""
        reason, request = reason_headers(response), request_id(response)
        status, said = response.status_code, f"; Exchange says: {reason}" if reason else ""
        client = self._authority.client_id
        if token.lacks(APP_ROLE):
            return AppRoleMissing(
                f"not allowed ({status}): the app registration {client} lacks the app role {APP_ROLE}{said}",
                where=where,
                fix="give it that application permission of Office 365 Exchange Online, with admin consent",
                request_id=request,
            )
        if response.status_code == 403:
            return DirectoryRoleMissing(
                f"not allowed ({status}): the app role {APP_ROLE} is there, but the service principal of "
                f"{client} has no directory role that allows this cmdlet{said}",
                where=where,
                fix="make it Exchange Administrator in Entra (Global Reader is enough to preview); "
                "that can take minutes to act",
                request_id=request,
            )
        return TokenRefused(
            f"not allowed ({status}): a new token was refused too{said}",
            where=where,
            fix=f"check the app role {APP_ROLE} and its consent, tenant.id and tenant.cloud",
            request_id=request,
        )

    # --- patience -------------------------------------------------------------------------------------------

    def _retrying(self, cmdlet: str) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(Transient),
            wait=self._wait,
            stop=self._enough,
            sleep=time.sleep,
            before_sleep=self._tell,
            retry_error_callback=functools.partial(self._give_up, cmdlet),
        )

    def _wait(self, state: RetryCallState) -> float:
        error = _error(state)
        if error.retry_after is not None:
            return max(self._patience.shortest_wait, error.retry_after)
        wait = self._patience.first_wait * 2.0 ** (state.attempt_number - 1)
        return min(self._patience.longest_wait, wait) * random.uniform(0.8, 1.2)  # noqa: S311 — spreads retries, no secret

    def _tell(self, state: RetryCallState) -> None:
        """Say that it is tried again: to the operator it would look as if nothing happened."""
        error, patience = _error(state), self._patience
        spent, now = (state.seconds_since_start or 0.0) + state.upcoming_sleep, time.monotonic()
        if spent < patience.say_first or now - self._said < patience.say_every:
            return
        self._said = now
        report.warning(
            f"{error.where}: {error.what}; trying again, attempt {state.attempt_number + 1}, for at most "
            f"{patience.deadline:.0f} s in all"
        )

    def _enough(self, state: RetryCallState) -> bool:
        spent = (state.seconds_since_start or 0.0) + state.upcoming_sleep
        too_often = state.attempt_number >= self._patience.attempts and not isinstance(
            _error(state), Throttled
        )
        return too_often or spent > self._patience.deadline

    def _give_up(self, cmdlet: str, state: RetryCallState) -> None:
        error = _error(state)
        asked = f", and the server asks to wait {error.retry_after:g} s more" if error.retry_after else ""
        times = state.attempt_number
        spent = f"{times} attempt{'s' if times > 1 else ''} in {state.seconds_since_start or 0:.0f} s"
        last = type(error)(
            f"{error.what}; given up after {spent}{asked}",
            where=error.where,
            fix="run it again later; what was done so far is kept",
        )
        self._given_up["" if isinstance(error, Unreachable) else cmdlet] = (time.monotonic(), last)
        raise last from None


def _error(state: RetryCallState) -> Transient:
    """What an attempt failed with, of those that are tried again."""
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, Transient)
    return error


def _rows(response: requests.Response, where: str, *, reads: bool, paged: bool) -> list[Row]:
    """The rows of an answer, without OData's annotations.

    A cut list is an error, since the rest may be there, unless the caller asks for that itself.
    """
    request = request_id(response)
    if not response.content.strip() and not reads:
        return []
    try:
        answer = parsed(response.content)
    except ValueError:
        raise Unreadable("the answer is no JSON", where=where, request_id=request) from None
    if not isinstance(answer, dict) or "error" in answer:
        raise Unreadable("the answer is none of the admin API", where=where, request_id=request)
    told = [answer.get(key) for key in ("@adminapi.warnings", "adminapi.warnings")]
    warnings = [str(one) for some in told if isinstance(some, list) for one in some]
    if not paged and ("@odata.nextLink" in answer or any(_CUT.search(one) for one in warnings)):
        raise Truncated(
            "the list came back cut, although all of it was asked for",
            where=where,
            fix="run it again; if it stays so, please report it",
            request_id=request,
        )
    value = answer.get("value")
    rows = [] if value is None else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("the answer holds no rows", where=where, request_id=request)
    return [{key: one for key, one in row.items() if "@" not in key} for row in rows]
