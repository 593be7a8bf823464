"""Access tokens: what is written into them when they are issued is what counts until they expire."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any, Literal

import jwt

from lab.tenant.practice import (
    APP_ROLE,
    EXCHANGE_ADMINISTRATOR,
    GLOBAL_READER,
    Organization,
    graph_audiences,
)
from lab.tenant.switches import Switches

Claims = dict[str, Any]
Rights = Literal["none", "reader", "admin"]
BACKDATED = 300.0


class Tokens:
    """Issues tokens and knows them again; thread-safe."""

    def __init__(self, organization: Organization, switches: Switches) -> None:
        self._organization = organization
        self._switches = switches
        self._key = secrets.token_hex(32)
        self._lock = threading.Lock()
        self._valid: dict[str, Claims] = {}

    def issue(self, audience: str, client_id: str = "") -> str:
        """A token with the roles that the application has now; `client_id`: of a managed identity instead."""
        now = time.time()
        directory = {"none": [], "reader": [GLOBAL_READER], "admin": [EXCHANGE_ADMINISTRATOR]}
        claims: Claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self._organization.tenant_id}/",
            "iat": int(now - BACKDATED),
            "nbf": int(now - BACKDATED),
            "exp": now + self._switches.token_lifetime,
            "appid": client_id or self._organization.client_id,
            "app_displayname": "m365-secure-email",
            "idtyp": "app",
            "roles": self._roles(audience),
            "tid": self._organization.tenant_id,
            "wids": directory[self._switches.directory_role],
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        opaque = self._switches.token_form == "opaque"
        token = (
            "EwB" + secrets.token_urlsafe(96) if opaque else jwt.encode(claims, self._key, algorithm="HS256")
        )
        with self._lock:
            self._valid[token] = claims
        return token

    def _roles(self, audience: str) -> list[str]:
        """The application's roles at the resource that the token is for."""
        if audience in graph_audiences():
            return list(self._switches.graph_roles)
        return [APP_ROLE] if self._switches.app_role else []

    def claims(self, token: str) -> Claims | None:
        """What a valid token says; None: unknown, expired or revoked."""
        with self._lock:
            claims = self._valid.get(token)
        return None if claims is None or claims["exp"] <= time.time() else claims

    def revoke_all(self) -> None:
        """Every token issued so far is refused from now on, as after a change in the directory."""
        with self._lock:
            self._valid.clear()


def rights(claims: Claims) -> Rights:
    """What the directory role in a token allows."""
    if EXCHANGE_ADMINISTRATOR in claims["wids"]:
        return "admin"
    return "reader" if GLOBAL_READER in claims["wids"] else "none"
