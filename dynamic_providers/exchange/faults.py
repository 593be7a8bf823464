"""What an answer of the admin API that is not 200 means. The status alone does not tell: most is 400."""

import re
from dataclasses import dataclass
from typing import Any

import requests

from dynamic_providers.exchange.errors import (
    AlreadyExists,
    BadValue,
    CmdletRefused,
    ExchangeError,
    NotFound,
    NotSensible,
    ServerTrouble,
    Throttled,
    UnknownParameter,
    Unreadable,
)
from dynamic_providers.exchange.json_text import parsed

_LONGEST = 600  # of a server's text in an error: some hold whole stack traces
_LONGEST_REASON = 120  # of a header's text; it only adds to our own words
_CODED = re.compile(
    r"(?:Ex[0-9A-Fa-f]*)?\|([A-Za-z_][\w.+`]*)\|(.*)", re.DOTALL
)  # ExHHHHHH|Type.Full.Name|text
_SAYS_NOTHING = re.compile(r"Exception of type '[^']*' was thrown\.?")
_PASSING = re.compile(
    "CmdletProxyNotAvailableFailure|ServerBusyException|TransientException|BackendCommunicationException"
)
_REASON = re.compile(r"""\b(?:reason|error|error_description)=(["'])(.*?)\1""")  # the rest is for machines
_TOO_MANY = "maximum number of concurrent requests"
HOLDS_SECRET = re.compile(
    r"SetHeaderValue|(?:ExceptIf)?Header(?:ContainsWords|MatchesPatterns)", re.IGNORECASE
)
"""Parameters whose values are secrets: what a header is set to, and what others look for in theirs."""
_ECHOED_SECRET = re.compile(
    rf"((?:{HOLDS_SECRET.pattern})\W{{1,5}})(?:\"[^\"]*\"?|'[^']*'?|[^\s,;\"']+)", re.IGNORECASE
)
_BY_TYPE: tuple[tuple[str, type[CmdletRefused], str], ...] = (
    ("ManagementObjectNotFoundException", NotFound, ""),
    ("ADObjectAlreadyExistsException", AlreadyExists, "run it again: what is there is looked at first"),
    ("ParameterTransformationException", BadValue, "take one of the values that the message lists"),
    (
        "AmbiguousParameterSetException",
        UnknownParameter,
        "please report this: Exchange's cmdlet seems to have changed",
    ),
    ("ArgumentException", NotSensible, ""),
)
_BY_TEXT: tuple[tuple[re.Pattern[str], type[CmdletRefused]], ...] = (
    (re.compile(r"couldn't be found on '|object '.*' couldn't be found", re.IGNORECASE), NotFound),
    (re.compile(r"\balready exists\b", re.IGNORECASE), AlreadyExists),
    (re.compile(r"priority is invalid", re.IGNORECASE), NotSensible),
)


@dataclass(frozen=True)
class Fault:
    """An answer that is no success, as far as it can be read."""

    status: int
    kind: str  # the exception's full name at Microsoft, "" where there is none
    text: str
    passing: bool  # the body names something that passes by itself
    request_id: str
    retry_after: float | None

    def error(self, where: str) -> ExchangeError:
        """The error that it is. 401 and 403 are the client's business: they need the token."""
        if self.status == 429 or _TOO_MANY in self.text:
            return self._transient(
                Throttled("asked to wait: too many requests", where=where, request_id=self.request_id)
            )
        known = self._known()
        if known is not None:
            error, fix = known
            return error(self.text, where=where, fix=fix, request_id=self.request_id)
        if self.passing or self.status >= 500:
            return self._transient(
                ServerTrouble(f"{self.status}: {self._said()}", where=where, request_id=self.request_id)
            )
        if self.status == 400:
            return CmdletRefused(self._said(), where=where, request_id=self.request_id)
        return Unreadable(f"answered {self.status}: {self._said()}", where=where, request_id=self.request_id)

    def _known(self) -> tuple[type[CmdletRefused], str] | None:
        if _PASSING.search(self.kind):
            return None
        for ending, error, fix in _BY_TYPE:
            if self.kind.rpartition(".")[2].endswith(ending):
                return error, fix
        return next(((error, "") for pattern, error in _BY_TEXT if pattern.search(self.text)), None)

    def _transient(self, error: Throttled | ServerTrouble) -> Throttled | ServerTrouble:
        error.retry_after = self.retry_after
        return error

    def _said(self) -> str:
        return self.text or "no reason given"


def read_fault(response: requests.Response) -> Fault:
    """Read an answer that is not a success."""
    raw = response.content.decode("utf-8", errors="replace").strip("\0 \r\n\t")
    kind, text = _message(raw)
    passing = _PASSING.search(raw) is not None
    return Fault(
        response.status_code, kind, _clean(text), passing, request_id(response), retry_after(response)
    )


def request_id(response: requests.Response) -> str:
    """What Microsoft's support asks for."""
    said = response.headers.get("Request-Id") or response.headers.get("client-request-id") or ""
    return said if re.fullmatch(r"[\w.:/-]{1,64}", said, re.ASCII) else ""


def reason_headers(response: requests.Response) -> str:
    """Why a 401 or 403: such answers have an empty body, or one of NULs, and the reason in a header."""
    headers = [response.headers.get(name, "") for name in ("X-Ms-Diagnostics", "WWW-Authenticate")]
    found = [said[2] for header in headers for said in _REASON.finditer(header)]
    text = _clean("; ".join(found) or headers[0])
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + " …"


def _message(raw: str) -> tuple[str, str]:
    try:
        error = parsed(raw)["error"]
    except (ValueError, TypeError, KeyError):
        return _unwrapped(raw if not raw.startswith("<") else "")  # a proxy's page tells an operator nothing
    if not isinstance(error, dict):
        return "", str(error)
    inner = _dict(error.get("innererror"))
    cause = _dict(inner.get("internalexception"))
    kind = str(cause.get("type") or inner.get("type") or "")
    details = error.get("details")
    first = details[0] if isinstance(details, list) and details else {}
    said = _dict(first).get("message")
    if isinstance(said, str) and said.strip():
        own, text = _unwrapped(said)
        return own or kind, text
    said = cause.get("message")
    if isinstance(said, str) and said and not _SAYS_NOTHING.fullmatch(said.strip()):
        own, text = _unwrapped(said)
        return own or kind, text
    return kind, str(error.get("message") or error.get("code") or "")


def _unwrapped(text: str) -> tuple[str, str]:
    """Type and text of one of the three forms in which a message comes."""
    coded = _CODED.fullmatch(text.strip())
    if coded:
        return coded[1], coded[2].strip()
    try:
        inner = parsed(text)
    except ValueError:
        return "", text
    if isinstance(inner, dict) and "Message" in inner:
        own, message = _unwrapped(str(inner["Message"]))
        return own or str(inner.get("TypeName") or ""), message
    return "", text


def _clean(text: str) -> str:
    """Shortened, and without the secrets of a command that it may echo."""
    text = _ECHOED_SECRET.sub(r"\1[secret]", text.replace("\0", ""))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def retry_after(response: requests.Response) -> float | None:
    """How long the server asks to wait, seconds; Microsoft sends no dates here, and one would be ignored."""
    try:
        return max(0.0, float(response.headers.get("Retry-After", "")))
    except ValueError:
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
