"""The identity of the machine in Azure that we run on: nothing secret is kept anywhere.

The machine itself is asked, at an end point of its own: IMDS, App Service, Azure Arc. MSAL tells them apart
by what Azure sets in the environment. Source: Microsoft Learn, «Managed identities for Azure resources».
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msal  # type: ignore[import-untyped]
import requests
from pydantic_core import PydanticCustomError

from dynamic_providers import wording
from dynamic_providers.exchange.errors import (
    BadManagedIdentity,
    NoManagedIdentity,
    OtherIdentity,
    OtherTenant,
    ServerTrouble,
    Throttled,
    Transient,
)
from dynamic_providers.exchange.faults import retry_after
from dynamic_providers.exchange.json_text import parsed

_VARIABLE: Final = "AZURE_MANAGED_IDENTITY"
_CONNECT_SECONDS = 2.0  # it is this machine, or the one under it
_READ_SECONDS = 30.0
_MAY_PASS: Final = (404, 410, 429)
"""Source: Microsoft Learn, «How to use managed identities to acquire an access token», Error handling."""
_LONGEST: Final = 300  # of what the machine says, in an error
_ELSEWHERE: Final = "run on a machine in Azure that has an identity, or unset AZURE_MANAGED_IDENTITY"


class MachineIdentity:
    """In place of MSAL's application, and asked the same. `name`: `system`, or an identity's client id."""

    def __init__(self, name: str, where: str) -> None:
        self._name, self._where = name, where
        self._client = msal.ManagedIdentityClient(_identity(name), http_client=_OwnMachine(where))

    def acquire_token_for_client(self, scopes: list[str]) -> Mapping[str, Any]:
        """A token for the one resource of `scopes`, or Entra's error. Raises LoginRefused, Transient."""
        try:
            answer: Mapping[str, Any] = self._client.acquire_token_for_client(
                resource=scopes[0].removesuffix("/.default")
            )
        except (ValueError, OSError) as error:  # what MSAL finds wrong with the answer, or cannot read
            raise NoManagedIdentity(
                f"the machine's identity cannot be had: {str(error)[:_LONGEST]}",
                where=self._where,
                fix="on Azure Arc, let this user read the agent's tokens (group himds)",
            ) from None
        said = str(answer.get("error_description") or answer.get("error") or "")
        if "access_token" in answer or re.search(r"AADSTS[0-9]", said):
            return answer
        raise NoManagedIdentity(
            f"this machine gives no token for the identity «{self._name}»: {said[:_LONGEST]}",
            where=self._where,
            fix=f"set {_VARIABLE} to system or to the client id of an identity that is assigned to it",
        )


def require_same(claims: Mapping[str, Any] | None, tenant: str, client: str, where: str) -> None:
    """A machine gives what it has, whoever was meant: another identity is refused before it does anything."""
    if claims is None:
        return
    own_tenant, own = str(claims.get("tid", tenant)), str(claims.get("appid", client))
    if own_tenant.lower() != tenant.lower():
        raise OtherTenant(
            f"this machine's identity belongs to the tenant {own_tenant}, the stack's is {tenant}",
            where=where,
            fix="a managed identity works in its own tenant only: use an app registration for this one",
        )
    if own.lower() != client.lower():
        raise OtherIdentity(
            f"this machine's identity is {own}, the stack's tenant.clientId {client}",
            where=where,
            fix="write that id into tenant.clientId, or name the other identity in AZURE_MANAGED_IDENTITY",
        )


def _identity(name: str) -> Any:
    try:
        wanted = wording.managed_identity(name)
    except PydanticCustomError as error:
        raise BadManagedIdentity(error.message(), where=_VARIABLE) from None
    if wanted == "system":
        return msal.SystemAssignedManagedIdentity()
    return msal.UserAssignedManagedIdentity(client_id=wanted)


class _OwnMachine(requests.Session):
    """HTTP to the machine's own end point: by no proxy, no further than there, and not for ever."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.trust_env = False
        self._where = where

    def get(self, url: str | bytes, **kwargs: Any) -> requests.Response:
        given = {**kwargs, "timeout": (_CONNECT_SECONDS, _READ_SECONDS), "allow_redirects": False}
        try:
            response = super().get(url, **given)
        except requests.RequestException as error:
            raise NoManagedIdentity(
                f"nothing answers for this machine's identity ({type(error).__name__})",
                where=self._where,
                fix=_ELSEWHERE,
            ) from None
        if response.status_code in _MAY_PASS or response.status_code >= 500:
            raise self._in_trouble(response)
        if response.status_code != 401 and not _is_object(response.content):  # 401: Azure Arc's question
            raise NoManagedIdentity(
                f"what answers for this machine's identity is not Azure ({response.status_code})",
                where=self._where,
                fix=_ELSEWHERE,
            )
        return response

    def _in_trouble(self, response: requests.Response) -> Transient:
        kind = Throttled if response.status_code == 429 else ServerTrouble
        error = kind(f"this machine's identity is in trouble: {response.status_code}", where=self._where)
        error.retry_after = retry_after(response)
        return error


def _is_object(content: bytes) -> bool:
    try:
        return isinstance(parsed(content), dict)
    except ValueError:
        return False
