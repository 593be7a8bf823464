"""Forced failures: the next calls of a cmdlet answer with an error, before or after their effect."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lab.tenant import errors
from lab.tenant.errors import CmdletFailure, Reply
from lab.tenant.practice import STRAY_HOST
from lab.tenant.switches import Rendering

When = Literal["before", "after"]
TRUNCATED = "truncated"
TOKEN = "token"
BUSY = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again"


@dataclass
class Fault:
    """The next `times` calls of `cmdlet` fail: a pattern without case; «token» is the token end point."""

    cmdlet: str
    error: str
    times: int = 1
    when: When = "before"
    skip: int = 0
    retry_after: int = 1
    reply: Reply | None = None
    """Given as it is, instead of one of NAMES: what nobody would send who means well."""

    def meets(self, cmdlet: str) -> bool:
        """Whether a call of this cmdlet is meant."""
        if TOKEN in (cmdlet, self.cmdlet):
            return self.times > 0 and cmdlet == self.cmdlet
        return self.times > 0 and fnmatch.fnmatchcase(cmdlet.lower(), self.cmdlet.lower())


class Faults:
    """The faults in force; thread-safe."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        cmdlet: str,
        error: str,
        times: int = 1,
        when: When = "before",
        *,
        skip: int = 0,
        retry_after: int = 1,
    ) -> Fault:
        """Let `skip` calls pass, then make `times` fail with `error` (one of NAMES)."""
        if error not in NAMES:
            raise ValueError(f"no such fault: {error}; known are {', '.join(NAMES)}")
        fault = Fault(cmdlet, error, times, when, skip, retry_after)
        with self._lock:
            self._faults.append(fault)
        return fault

    def reply(self, cmdlet: str, reply: Reply, times: int = 1) -> Fault:
        """Make the next calls answer with exactly this."""
        fault = Fault(cmdlet, "reply", times, reply=reply)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()

    def take(self, cmdlet: str) -> Fault | None:
        """The fault for this call, used up by one; None lets it pass."""
        with self._lock:
            for fault in self._faults:
                if not fault.meets(cmdlet):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None


def answer(fault: Fault, path: str, rendering: Rendering) -> Reply:
    """What the caller gets instead of its answer."""
    made = fault.reply or NAMES[fault.error](fault, path)
    return made if isinstance(made, Reply) else errors.reply(made, rendering)


Make = Callable[[Fault, str], CmdletFailure | Reply]


def _failure(failure: CmdletFailure) -> Make:
    return lambda _fault, _path: failure


def _reply(status: int, body: bytes = b"", **headers: str) -> Make:
    written = Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})
    return lambda _fault, _path: written


def _document(status: int, code: str, message: str) -> Reply:
    return errors.json_reply(status, {"error": {"code": code, "message": message}})


def _throttled(fault: Fault, _path: str) -> Reply:
    reply = _document(429, "TooManyRequests", "Too many requests.")
    return Reply(429, reply.body, {**reply.headers, "retry-after": str(fault.retry_after)})


def _disguised(name: str) -> Make:
    return _failure(
        CmdletFailure(f"Microsoft.Exchange.Admin.{name}", f"{name}: the server is busy, try again later.")
    )


def _redirect(_fault: Fault, path: str) -> Reply:
    return Reply(307, b"", {"location": f"https://{STRAY_HOST}{path}"})


def _reset(_fault: Fault, _path: str) -> Reply:
    return Reply(0, reset=True)


def _expired_page(_fault: Fault, _path: str) -> Reply:
    return _document(400, "BadRequest", "Expired or Invalid pagination request.")


def _cut(_fault: Fault, _path: str) -> Reply:
    raise AssertionError("a truncated list is made where the rows are")


NAMES: dict[str, Make] = {
    "not-found": _failure(errors.not_found("X")),
    "not-found-400": _failure(errors.not_found("X", 400)),
    "not-found-500": _failure(errors.not_found("X", 500)),
    "exists": _failure(errors.already_exists("object", "X")),
    "bad-value": _failure(
        errors.bad_value("P", "V", "T", "Specify one of the following enumerator names: A, B")
    ),
    "unknown-parameter": _failure(errors.unknown_parameter("P")),
    "no-sense": _failure(errors.makes_no_sense("These values do not go together.")),
    "bad-priority": _failure(errors.makes_no_sense("The specified rule priority is invalid.")),
    "unauthorized": _reply(401, www_authenticate='Bearer error="invalid_token"'),
    "forbidden": _reply(403),
    "forbidden-nul": _reply(403, b"\0" * 4096, content_type="application/json"),
    "throttled": _throttled,
    "throttled-bare": _reply(429),
    "throttled-text": _reply(429, BUSY.encode(), content_type="text/plain"),
    "server-500": _failure(
        CmdletFailure(errors.TRANSIENT, "The server could not be reached. Please retry.", 500)
    ),
    "server-503": _reply(503, b"<html><body>Service Unavailable</body></html>", content_type="text/html"),
    "server-504": _reply(504),
    "transient-proxy": _disguised("CmdletProxyNotAvailableFailure"),
    "transient-busy": _disguised("ServerBusyException"),
    "transient": _disguised("TransientException"),
    "transient-backend": _disguised("BackendCommunicationException"),
    "not-json": _reply(200, b"<html>proxy</html>", content_type="text/html"),
    "expired-page": _expired_page,
    "redirect": _redirect,
    "reset": _reset,
    TRUNCATED: _cut,
}
"""Every error of the facts' table, and the weather round it."""
