"""Message tracking of the gateway, or of the Email and Web Manager: its HTTPS API.

Source: Cisco, «AsyncOS API for Cisco Secure Email», Getting Started and its addendum on message tracking.
"""

import base64
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import requests
from pydantic import Field

from dynamic_providers.errors import clean, register_secret
from dynamic_providers.exchange.errors import ExchangeError
from dynamic_providers.exchange.json_text import parsed
from dynamic_providers.exchange.transport import Https
from dynamic_providers.field_types import HttpsUrl
from dynamic_providers.field_types import Path as FilePath
from dynamic_providers.mailflow.errors import CannotLook
from dynamic_providers.mailflow.tracked import Tracked
from dynamic_providers.model import Model

_PREFIX: Final = {"manager": "/sma/api/v2.0", "gateway": "/esa/api/v2.0"}
_SLACK: Final = timedelta(minutes=15)  # clocks differ
_PAGE: Final = 20
_PAGES: Final = 5
_LONGEST: Final = 600  # of what it says, in an error


class TrackingConnection(Model):
    """Process argument `tracking`: who is asked, and where."""

    source: Literal["manager", "gateway", "none"] = Field(alias="from")
    url: HttpsUrl | None = None
    ca_bundle: FilePath | None = None


class Tracking:
    """Asks one host; thread-safe. Raises CannotLook with one clear line."""

    def __init__(
        self, source: Literal["manager", "gateway"], url: str, user: str, password: str, ca_bundle: str | None
    ) -> None:
        self._base = url.rstrip("/") + _PREFIX[source]
        self._user, self._password = user, password
        self._https = Https(ca_bundle)
        self._token = ""
        self._lock = threading.Lock()
        self.where = f"tracking of {url.removeprefix('https://')}"
        register_secret(password)

    def close(self) -> None:
        """Close the connections."""
        self._https.close()

    def find(self, word: str, since: datetime) -> list[Tracked]:
        """Messages with this word in their subject, with their processing lines."""
        times = {
            "startDate": _minute(since.astimezone(UTC) - _SLACK),
            "endDate": _minute(datetime.now(UTC) + timedelta(minutes=1)),
        }
        rows: list[Mapping[str, Any]] = []
        for page in range(_PAGES):
            asked = {
                **times,
                "searchOption": "messages",
                "offset": str(page * _PAGE),
                "limit": str(_PAGE),
                "subjectfilterOperator": "contains",
                "subjectfilterValue": word,
            }
            some = [_attributes(one) for one in _several(self._data("messages", asked))]
            rows += some
            if len(some) < _PAGE:
                break
        return [self._detailed(row, times) for row in rows if word in str(row.get("subject", ""))]

    def _detailed(self, row: Mapping[str, Any], times: Mapping[str, str]) -> Tracked:
        mids = tuple(str(one) for one in _several(row.get("mid")))
        details = [self._detail(row, mid, times) for mid in mids]
        for detail in details:
            row = {**row, **{name: value for name, value in detail.items() if value not in ("", None, [])}}
        lines = (str(one.get("description", "")) for detail in details for one in _lines(detail))
        more = (str(one) for detail in details for one in _several(detail.get("mid")))
        return Tracked(
            mids=tuple(dict.fromkeys((*mids, *more))),
            status=_status(row.get("messageStatus")),
            sender_group=str(row.get("senderGroup", "")),
            sender_ip=str(row.get("senderIp") or _sending_ip(row)),
            subject=str(row.get("subject", "")),
            at=str(row.get("timestamp", "")),
            icid=str(row.get("icid", "")),
            host=str(row.get("hostName", "")),
            policy=", ".join(str(one) for one in _several(row.get("mailPolicy"))),
            message_id=str(row.get("midHeader", "")),
            lines=tuple(dict.fromkeys(lines)),
        )

    def _detail(self, row: Mapping[str, Any], mid: str, times: Mapping[str, str]) -> Mapping[str, Any]:
        """One MID's story: what several MIDs in one question mean differs among releases."""
        more = {name: str(row.get(name, "")) for name in ("icid", "serialNumber")}
        data = self._data("details", {**times, "mid": mid, **{k: v for k, v in more.items() if v}})
        found = data.get("messages", {}) if isinstance(data, Mapping) else {}
        detail = found[0] if isinstance(found, list) and found else found
        return detail if isinstance(detail, Mapping) else {}

    # --- the wire -------------------------------------------------------------------------------------------

    def _data(self, what: str, asked: Mapping[str, str]) -> Any:
        # This API takes no percent-encoding: the values are times, numbers and our own words.
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        url = f"{self._base}/message-tracking/{what}?{query}"
        response = self._get(url)
        if response.status_code == 401 and self._token:
            with self._lock:
                self._token = ""
            response = self._get(url)
        if response.status_code in (401, 403):
            raise self._not_allowed(response)
        if response.status_code != 200:
            raise CannotLook(f"it answers {response.status_code}: {_said(response)}", where=self.where)
        return _json(response, self.where).get("data")

    def _get(self, url: str) -> requests.Response:
        return self._asked("GET", url, headers={"Accept": "application/json", **self._login()})

    def _login(self) -> dict[str, str]:
        """A token; a release without that end point takes the password with each request."""
        with self._lock:
            if self._token:
                return {"jwtToken": self._token}
            pair = {"userName": _encoded(self._user), "passphrase": _encoded(self._password)}
            response = self._asked("POST", f"{self._base}/login", json={"data": pair})
            if response.status_code in (401, 403):
                raise self._not_allowed(response)
            if response.status_code in (404, 405):
                return {"Authorization": f"Basic {_encoded(f'{self._user}:{self._password}')}"}
            if response.status_code != 200:
                raise CannotLook(
                    f"the login answers {response.status_code}: {_said(response)}", where=self.where
                )
            data = _json(response, self.where).get("data")
            token = data.get("jwtToken") if isinstance(data, Mapping) else None
            if not isinstance(token, str) or not token:
                raise CannotLook("the login gives no token", where=self.where)
            register_secret(token)
            self._token = token
            return {"jwtToken": token}

    def _asked(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        try:
            return self._https.get(url, **kwargs) if method == "GET" else self._https.post(url, **kwargs)
        except ExchangeError as error:
            raise CannotLook(
                error.what,
                where=self.where,
                fix="check gateway.tracking.url (port 4431 or 6443), that the AsyncOS API is on at that "
                "interface, and that the CA bundle holds the authority of its certificate",
            ) from None

    def _not_allowed(self, response: requests.Response) -> CannotLook:
        return CannotLook(
            f"the user «{self._user}» is not let in ({response.status_code}: {_said(response)})",
            where=self.where,
            fix="set TRACKING_USER and TRACKING_PASSWORD to an account that may use message tracking",
        )


def _minute(at: datetime) -> str:
    """The API takes whole minutes only."""
    return f"{at:%Y-%m-%dT%H:%M}:00.000Z"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _attributes(one: Any) -> Mapping[str, Any]:
    inner = one.get("attributes") if isinstance(one, Mapping) else None
    found = inner if isinstance(inner, Mapping) else one
    return found if isinstance(found, Mapping) else {}


def _several(value: Any) -> Iterable[Any]:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _lines(detail: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in _several(detail.get("summary")) if isinstance(one, Mapping)]


def _status(value: Any) -> str:
    """One status, or one for each MID: the one that says most comes first."""
    if isinstance(value, Mapping):
        said = dict.fromkeys(str(one) for one in value.values())
        return ", ".join(sorted(said, key=lambda one: "deliver" in one.lower()))
    return str(value or "")


def _sending_ip(detail: Mapping[str, Any]) -> str:
    host = detail.get("sendingHostSummary")
    return str(host.get("ipAddress", "")) if isinstance(host, Mapping) else ""


def _json(response: requests.Response, where: str) -> Mapping[str, Any]:
    try:
        answer = parsed(response.content)
    except ValueError:
        raise CannotLook("the answer is no JSON", where=where) from None
    if not isinstance(answer, Mapping):
        raise CannotLook("the answer is none of the AsyncOS API", where=where)
    return answer


def _said(response: requests.Response) -> str:
    try:
        error = parsed(response.content)["error"]
        return clean(str(error.get("explanation") or error.get("message")))[:_LONGEST]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "no reason given"
