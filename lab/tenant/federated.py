"""Pipelines whose tokens an application trusts, and a practice issuer of such tokens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.tenant import refusals

AUDIENCE = "api://AzureADTokenExchange"


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class PracticeIssuer:
    """What signs a pipeline's tokens, as GitHub, Azure DevOps and GitLab do."""

    url: str = "https://token.pipelines.example"
    key: rsa.RSAPrivateKey = field(default_factory=_new_key, repr=False)

    def token(self, subject: str, *, lifetime: float = 300.0, audience: str = AUDIENCE) -> str:
        """A token for one job; `lifetime` in seconds."""
        now = int(time.time())
        claims = {"iss": self.url, "sub": subject, "aud": audience, "nbf": now, "exp": now + int(lifetime)}
        return jwt.encode(claims, self.key, "RS256")


@dataclass(frozen=True)
class FederatedCredential:
    """A federated credential of the application: a token matches it in all three, letter by letter."""

    issuer: PracticeIssuer
    subject: str
    audience: str = AUDIENCE


def check(trusted: list[FederatedCredential], assertion: str, claims: Mapping[str, Any], now: float) -> None:
    """Refuse a token that no federated credential matches, that is forged, or out of its time."""
    issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
    by_issuer = [one for one in trusted if one.issuer.url == issuer]
    matching = [one for one in by_issuer if one.subject == subject]
    if not matching:
        raise refusals.no_federated_credential(issuer, subject, 700213 if by_issuer else 700211)
    found = next((one for one in matching if one.audience == claims.get("aud")), None)
    if found is None:
        raise refusals.no_federated_credential(issuer, subject, 700212)
    unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    try:
        jwt.decode(assertion, found.issuer.key.public_key(), algorithms=["RS256"], options=unchecked)  # type: ignore[arg-type] # jwt's own union
    except jwt.InvalidTokenError:
        raise refusals.malformed_assertion() from None
    start, end = float(claims.get("nbf", now)), float(claims.get("exp", 0))
    if not start <= now <= end:
        raise refusals.outside_its_time(now, start, end)
