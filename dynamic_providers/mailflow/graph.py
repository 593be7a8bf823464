"""Microsoft Graph: sends a message as the probe's mailbox, looks where one lies in it; a domain's own MX.

Application permissions: Mail.Send, and Mail.Read where the mailbox may be looked into; both are best limited
to that one mailbox (Microsoft Learn, «Role Based Access Control for Applications in Exchange Online»).
Domain.Read.All for a domain's records.
"""

from dataclasses import replace
from typing import Any, Final, Literal
from urllib.parse import quote

import requests

from dynamic_providers.clouds import CLOUDS
from dynamic_providers.connections import Endpoints, TenantConnection
from dynamic_providers.errors import clean
from dynamic_providers.exchange.authority import Authority
from dynamic_providers.exchange.errors import ExchangeError
from dynamic_providers.exchange.json_text import parsed
from dynamic_providers.exchange.transport import Https
from dynamic_providers.mailflow.errors import CannotLook, CannotSend
from dynamic_providers.mailflow.message import Probe

_LONGEST: Final = 600  # of what Graph says, in an error
_LIMITED: Final = "limited to that mailbox by Exchange's RBAC for Applications, and grant admin consent"
_MAIL: Final = ("mailbox", f"Mail.Read, {_LIMITED}")
_DOMAIN: Final = ("domain's records", "Domain.Read.All, and grant admin consent")
_FOLDERS: Final[tuple[tuple[str, Literal["inbox", "junk"]], ...]] = (
    ("inbox", "inbox"),
    ("junkemail", "junk"),
)


class _GraphAuthority(Authority):
    """Tokens for Graph instead of Exchange."""

    def __init__(self, tenant: TenantConnection, endpoints: Endpoints, https: Https) -> None:
        super().__init__(tenant, endpoints, https)
        self._cloud = replace(self._cloud, exchange=self._cloud.graph)


class Graph:
    """One tenant's Graph; thread-safe."""

    def __init__(self, tenant: TenantConnection, endpoints: Endpoints) -> None:
        self._https = Https(endpoints.ca_bundle)
        self._base = (endpoints.graph or f"https://{CLOUDS[tenant.cloud].graph}").rstrip("/") + "/v1.0"
        self._authority = _GraphAuthority(tenant, endpoints, self._https)
        self._folders: dict[str, str] = {}
        self._where = f"{tenant.initial_domain}, Microsoft Graph"

    def close(self) -> None:
        """Close the connections."""
        self._https.close()

    def send(self, message: Probe, stack: str | None = None) -> None:
        """Send as the mailbox. Raises CannotSend, which names the missing right or the missing mailbox."""
        body = {
            "message": {
                "subject": message.subject,
                "body": {"contentType": "Text", "content": message.text(stack)},
                "toRecipients": [{"emailAddress": {"address": message.recipient}}],
            },
            "saveToSentItems": False,
        }
        try:
            response = self._ask("POST", f"{_mailbox(message.sender)}/sendMail", body)
        except ExchangeError as error:
            raise CannotSend(error.what, where=self._where, fix=error.fix) from None
        if response.status_code in (401, 403):
            raise CannotSend(
                f"not allowed to send as {message.sender} ({_said(response)})",
                where=self._where,
                fix=f"give the app registration the application permission Mail.Send, {_LIMITED}",
            )
        if response.status_code == 404:
            raise CannotSend(
                f"there is no mailbox {message.sender} ({_said(response)})",
                where=self._where,
                fix="set checks.mailbox to a mailbox of this tenant",
            )
        if response.status_code not in (200, 202):
            raise CannotSend(f"it answers {_said(response)}", where=self._where)

    def folder(self, mailbox: str, message_id: str) -> Literal["inbox", "junk", "other", ""]:
        """Where the message lies; "" where it is not (yet). Raises CannotLook without the right to read."""
        wanted = quote("internetMessageId eq '{}'".format(message_id.replace("'", "''")))
        query = f"$filter={wanted}&$select=parentFolderId,internetMessageId"
        found = self._read(f"{_mailbox(mailbox)}/messages?{query}").get("value")
        if not isinstance(found, list) or not found or not isinstance(found[0], dict):
            return ""
        parent = str(found[0].get("parentFolderId") or "")
        if not parent:
            raise CannotLook("the answer does not say in which folder the message is", where=self._where)
        for name, ours in _FOLDERS:
            if parent.lower() == name or parent == self._folder_id(mailbox, name):
                return ours
        return "other"

    def microsoft_mx(self, domain: str) -> tuple[str, ...]:
        """The hosts that Microsoft wants a domain's MX to name. Raises CannotLook without the right to read.

        Source: Microsoft Learn, «List serviceConfigurationRecords».
        """
        found = self._read(f"/domains/{quote(domain, safe='')}/serviceConfigurationRecords", _DOMAIN).get(
            "value"
        )
        rows = [row for row in found or [] if isinstance(row, dict) and row.get("recordType") == "Mx"]
        return tuple(dict.fromkeys(str(row.get("mailExchange") or "").lower() for row in rows))

    def _folder_id(self, mailbox: str, name: str) -> str:
        if name not in self._folders:
            self._folders[name] = str(self._read(f"{_mailbox(mailbox)}/mailFolders/{name}").get("id", ""))
        return self._folders[name]

    def _read(self, path: str, right: tuple[str, str] = _MAIL) -> dict[str, Any]:
        try:
            response = self._ask("GET", path)
        except ExchangeError as error:
            raise CannotLook(error.what, where=self._where, fix=error.fix) from None
        if response.status_code in (401, 403):
            raise CannotLook(
                f"not allowed to look into the {right[0]} ({_said(response)})",
                where=self._where,
                fix=f"give the app registration the application permission {right[1]}",
            )
        if response.status_code != 200:
            raise CannotLook(f"it answers {_said(response)}", where=self._where)
        try:
            answer = parsed(response.content)
        except ValueError:
            raise CannotLook("the answer is no JSON", where=self._where) from None
        return answer if isinstance(answer, dict) else {}

    def _ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        token = self._authority.token()
        response = self._once(method, path, body, token.text)
        if response.status_code == 401:
            response = self._once(method, path, body, self._authority.renewed(token).text)
        return response

    def _once(self, method: str, path: str, body: Any, token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if method == "GET":
            return self._https.get(self._base + path, headers=headers)
        return self._https.post(self._base + path, headers=headers, json=body)


def _mailbox(address: str) -> str:
    """A mailbox in a path: what stands before its @ may hold signs that mean something else there."""
    return f"/users/{quote(address, safe='@')}"


def _said(response: requests.Response) -> str:
    try:
        error = parsed(response.content)["error"]
        return clean(f"{response.status_code} {error['code']}: {error['message']}")[:_LONGEST]
    except (ValueError, KeyError, TypeError):
        return str(response.status_code)
