"""The token: from Microsoft Entra by MSAL, in memory only.

By secret, certificate, a pipeline's token, or the identity of the machine that we run on.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msal  # type: ignore[import-untyped]
import requests

from dynamic_providers.clouds import CLOUDS
from dynamic_providers.connections import LOGINS, Endpoints, TenantConnection, credential
from dynamic_providers.errors import register_secret
from dynamic_providers.exchange.certificate import read_certificate
from dynamic_providers.exchange.errors import (
    BlockedByPolicy,
    ExpiredSecret,
    LoginRefused,
    NoCredential,
    NoExchange,
    NoSuchApp,
    NoSuchTenant,
    NotFederated,
    OtherTenant,
    ServerTrouble,
    Throttled,
    Transient,
    UnknownCertificate,
    WrongClock,
    WrongSecret,
)
from dynamic_providers.exchange.faults import retry_after
from dynamic_providers.exchange.federated_token import federated_token
from dynamic_providers.exchange.json_text import parsed
from dynamic_providers.exchange.managed_identity import MachineIdentity, require_same
from dynamic_providers.exchange.transport import Https

_LONGEST: Final = 600  # of what Entra says, in an error
_CODE: Final = re.compile(r"AADSTS([0-9]{1,9})")
_APP: Final = "app registration {client}"
_WORDS: Final[Mapping[int, tuple[type[LoginRefused], str, str]]] = {
    7000215: (
        WrongSecret,
        f"the client secret of the {_APP} is wrong",
        "give the secret's value, not its id, in AZURE_CLIENT_SECRET",
    ),
    7000222: (
        ExpiredSecret,
        f"the client secret of the {_APP} has expired",
        "make a new one in Entra and put it into AZURE_CLIENT_SECRET",
    ),
    700016: (
        NoSuchApp,
        f"there is no {_APP} in this tenant",
        "check the setting tenant.clientId and AZURE_CLIENT_ID, and that the app has consent in this tenant",
    ),
    90002: (NoSuchTenant, "there is no tenant {tenant}", "check the settings tenant.id and tenant.cloud"),
    700027: (
        UnknownCertificate,
        f"the certificate is not registered with the {_APP}",
        "upload it in Entra, or name the registered one in AZURE_CLIENT_CERTIFICATE_PATH",
    ),
    700024: (
        WrongClock,
        "Entra finds our proof of identity outside its time",
        "set this machine's clock (NTP); in a pipeline, get a newer token (`fleet pipeline identity`)",
    ),
    **dict.fromkeys(
        (700211, 700212, 700213),
        (
            NotFederated,
            f"the {_APP} does not trust this pipeline's token",
            "add a federated credential to it in Entra, with issuer, subject and audience of the token",
        ),
    ),
    53003: (
        BlockedByPolicy,
        f"a Conditional Access policy keeps the {_APP} out",
        "let this machine's address in, or leave the app out of that policy (Entra, sign-in logs name it)",
    ),
    500011: (
        NoExchange,
        "Exchange Online is not in this tenant",
        "check the settings tenant.id and tenant.cloud, and that the tenant has an Exchange Online plan",
    ),
}


@dataclass(frozen=True)
class Token:
    """One access token. Its text appears nowhere: neither in `repr` nor, being registered, in an error."""

    text: str

    def __repr__(self) -> str:
        return "Token([secret])"

    def lacks(self, role: str) -> bool:
        """Whether it says itself that it does not hold an app role; one that cannot be read says nothing."""
        return self.claims is not None and role not in self.claims.get("roles", [])

    @property
    def claims(self) -> dict[str, Any] | None:
        """What it says of itself; None where it cannot be read: its form is Microsoft's own business."""
        try:
            middle = self.text.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        except (IndexError, ValueError):
            return None
        return claims if isinstance(claims, dict) else None


class _LoginHttps:
    """What MSAL sends by. It would take a busy login for a refusal, and answer from memory for a while."""

    def __init__(self, https: Https, where: str) -> None:
        self._https, self._where = https, where

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        return self._checked(self._https.get(url, **kwargs))

    def post(self, url: str, **kwargs: Any) -> requests.Response:
        return self._checked(self._https.post(url, **kwargs))

    def close(self) -> None:
        """The connections are the client's."""

    def _checked(self, response: requests.Response) -> requests.Response:
        error: Transient
        if response.status_code == 429:
            error = Throttled("the login asks to wait: too many requests", where=self._where)
        elif response.status_code >= 500:
            error = ServerTrouble(f"the login is in trouble: {response.status_code}", where=self._where)
        elif not _is_object(response.content):  # MSAL looks into it as if it were one
            error = ServerTrouble(
                f"what answers for the login is not Entra ({response.status_code})", where=self._where
            )
        else:
            return response
        error.retry_after = retry_after(response)
        raise error


class Authority:
    """Gives tokens for one tenant's Exchange; thread-safe, one request at a time."""

    def __init__(self, tenant: TenantConnection, endpoints: Endpoints, https: Https) -> None:
        self._tenant = tenant
        self._cloud = CLOUDS[tenant.cloud]
        self._url = f"{endpoints.authority or f'https://{self._cloud.login}'}/{tenant.id}"
        self._https = https
        self._lock = threading.Lock()
        self._app: msal.ConfidentialClientApplication | MachineIdentity | None = None
        self._given: Token | None = None
        self._trouble: tuple[float, Transient] | None = None  # when we last found the login in trouble
        self.client_id = credential("AZURE_CLIENT_ID") or tenant.client_id
        named = credential("AZURE_TENANT_ID")
        if named and named.lower() not in (tenant.id.lower(), tenant.initial_domain.lower()):
            raise OtherTenant(
                f"AZURE_TENANT_ID names the tenant {named}, the stack {tenant.id}",
                where=tenant.initial_domain,
                fix="unset AZURE_TENANT_ID (Kubernetes' workload identity sets it: give the pod an empty one)"
                ", or log in for the stack's tenant",
            )

    def token(self) -> Token:
        """A token that is valid now: the one in memory, or a new one when that runs out."""
        asked = time.monotonic()
        with self._lock:
            if self._trouble and self._trouble[0] > asked:  # found while we waited: each for itself adds up
                raise self._trouble[1]
            try:
                return self._acquire()
            except Transient as error:
                self._trouble = (time.monotonic(), error)
                raise

    def renewed(self, refused: Token) -> Token:
        """A newer token than the one that was refused; another thread may have got it already."""
        with self._lock:
            if self._given is not None and self._given != refused:
                return self._given
            self._app = None
            return self._acquire()

    def _acquire(self) -> Token:
        try:
            if self._app is None:
                self._app = self._new_app()
            answer = self._app.acquire_token_for_client(scopes=[self._cloud.scope])
        except (ValueError, RuntimeError, msal.exceptions.MsalError) as error:
            self._app = None  # MSAL answers from memory for a while after a failure
            raise self._failure(error) from None
        text = answer.get("access_token")
        if not isinstance(text, str):
            self._app = None
            if answer.get("error") == "temporarily_unavailable":
                raise ServerTrouble("the login is in trouble", where=self._where)
            raise self._refusal(str(answer.get("error_description") or answer.get("error") or ""), answer)
        if self._given is None or self._given.text != text:
            register_secret(text)
            given = Token(text)
            if isinstance(self._app, MachineIdentity):
                require_same(given.claims, self._tenant.id, self.client_id, self._where)
            self._given = given
        return self._given

    def _new_app(self) -> msal.ConfidentialClientApplication | MachineIdentity:
        chosen = next((one for one in LOGINS if credential(one)), None)
        if chosen is None:
            raise NoCredential(
                "nothing to log in to Exchange with",
                where=self._tenant.initial_domain,
                fix=f"set {', '.join(LOGINS[:-1])} or {LOGINS[-1]}",
            )
        if chosen == "AZURE_MANAGED_IDENTITY":
            return MachineIdentity(credential(chosen) or "", self._where)
        return msal.ConfidentialClientApplication(
            self.client_id,
            client_credential=_proof(chosen, credential(chosen) or ""),
            authority=self._url,
            http_client=_LoginHttps(self._https, self._where),
            instance_discovery=False,  # else MSAL asks the worldwide cloud about every other host
        )

    def _failure(self, error: BaseException) -> LoginRefused | Transient:
        """MSAL raises ValueError where the tenant is wrong, and keeps Entra's words in an inner one."""
        said = " ".join(str(one) for one in _chain(error))
        if _CODE.search(said):
            return self._refusal(said, {})
        if isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError):
            return NoSuchTenant(
                f"the login of {self._tenant.id} cannot be found",
                where=self._where,
                fix="check the settings tenant.id, tenant.cloud and endpoints.authority",
            )
        return ServerTrouble(f"the login is in trouble: {type(error).__name__}", where=self._where)

    def _refusal(self, said: str, answer: Mapping[str, Any]) -> LoginRefused:
        listed = answer.get("error_codes")
        codes = [code for code in listed if isinstance(code, int)] if isinstance(listed, list) else []
        codes += [int(code) for code in _CODE.findall(said)]
        request = str(answer.get("correlation_id") or "")[:64]
        for code in codes:
            if code in _WORDS:
                error, what, fix = _WORDS[code]
                text = what.format(client=self.client_id, tenant=self._tenant.id)
                return error(f"{text} (AADSTS{code})", where=self._where, fix=fix, request_id=request)
        first = said.splitlines()[0][:_LONGEST] if said.strip() else "no reason given"
        return LoginRefused(f"the login is refused: {first}", where=self._where, request_id=request)

    @property
    def _where(self) -> str:
        return f"login of {self._tenant.initial_domain}"


def _proof(variable: str, given: str) -> str | dict[str, str] | dict[str, Callable[[], str]]:
    """What MSAL takes as the app's proof of who it is."""
    if variable == "AZURE_CLIENT_CERTIFICATE_PATH":
        return read_certificate(given, credential("AZURE_CLIENT_CERTIFICATE_PASSWORD"))
    if variable == "AZURE_FEDERATED_TOKEN_FILE":
        return {"client_assertion": federated_token(given)}
    return given


def _is_object(content: bytes) -> bool:
    """Whether it is a JSON object, as everything is that Entra says."""
    try:
        return isinstance(parsed(content), dict)
    except ValueError:
        return False


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
