"""The token authority: OpenID discovery as MSAL asks for it, and tokens for client credentials."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from lab.journal import Journal
from lab.tenant import federated, refusals
from lab.tenant.certificates import AppCertificate
from lab.tenant.errors import Reply, json_reply
from lab.tenant.faults import TOKEN, Faults, answer
from lab.tenant.federated import FederatedCredential
from lab.tenant.practice import EXCHANGE_APP, EXCHANGE_HOSTS, GRAPH_APP, OTHER_HOSTS, Organization
from lab.tenant.refusals import Refusal
from lab.tenant.switches import Switches
from lab.tenant.tokens import Tokens

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS256", "PS256"]
SKEW = 300.0
"""What an assertion's clock may be off."""


@dataclass
class Authority:
    """Answers for one organization; `certificates` and `federated`: what the application has registered."""

    organization: Organization
    switches: Switches
    tokens: Tokens
    journal: Journal
    faults: Faults
    certificates: list[AppCertificate] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)

    def openid_configuration(self, tenant: str, host: str) -> Reply:
        """`/{tenant}/v2.0/.well-known/openid-configuration`."""
        if not self._is_ours(tenant):
            return refusals.no_such_tenant(tenant, "invalid_tenant").reply(None)
        base = f"https://{host}/{self.organization.tenant_id}"
        document = {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }
        return json_reply(200, document)

    def instance_discovery(self, host: str) -> Reply:
        """`/common/discovery/instance`: which hosts are one cloud."""
        alias = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        where = f"https://{host}/{self.organization.tenant_id}/v2.0/.well-known/openid-configuration"
        return json_reply(
            200, {"tenant_discovery_endpoint": where, "api-version": "1.1", "metadata": [alias]}
        )

    def token(self, tenant: str, form: Mapping[str, str], host: str, correlation_id: str | None) -> Reply:
        """`/{tenant}/oauth2/v2.0/token`."""
        method = "assertion" if form.get("client_assertion") else "secret"
        fault = self.faults.take(TOKEN)
        if fault is not None:
            reply = answer(fault, f"/{tenant}/oauth2/v2.0/token", self.switches.rendering)
            self._record(form, method, ok=False, code=reply.status)
            return reply
        try:
            audience = self._audience(tenant, form, host)
        except Refusal as refusal:
            self._record(form, method, ok=False, code=refusal.code)
            return refusal.reply(correlation_id)
        lifetime = int(self.switches.token_lifetime)
        self._record(form, method, ok=True, code=0)
        document = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime}
        return json_reply(200, {**document, "access_token": self.tokens.issue(audience)})

    def _record(self, form: Mapping[str, str], method: str, *, ok: bool, code: int) -> None:
        self.journal.record(
            "tenant", "token", client=form.get("client_id", ""), method=method, ok=ok, code=code
        )

    def _audience(self, tenant: str, form: Mapping[str, str], host: str) -> str:
        if not self._is_ours(tenant):
            raise refusals.no_such_tenant(tenant)
        if form.get("grant_type") != "client_credentials":
            raise refusals.wrong_grant(form.get("grant_type", ""))
        client = form.get("client_id", "")
        if client.lower() != self.organization.client_id:
            raise refusals.unknown_application(client, self.organization.initial_domain)
        self._check_credential(client, form, host)
        if self.switches.conditional_access_blocks:
            raise refusals.blocked()
        return self._resource(form.get("scope", ""))

    def _check_credential(self, client: str, form: Mapping[str, str], host: str) -> None:
        if form.get("client_assertion"):
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise refusals.no_credential()
            self._check_assertion(client, form["client_assertion"], host)
        elif form.get("client_secret"):
            if form["client_secret"] != self.organization.client_secret:
                raise refusals.wrong_secret(client)
            if self.switches.secret_expired:
                raise refusals.expired_secret(client)
        else:
            raise refusals.no_credential()

    def _check_assertion(self, client: str, assertion: str, host: str) -> None:
        try:
            header = jwt.get_unverified_header(assertion)
            claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise refusals.malformed_assertion() from None
        now = time.time() + self.switches.clock_offset
        if str(claims.get("iss", "")).lower() != client.lower():
            federated.check(self.federated, assertion, claims, now)
            return
        self._check_signature(client, header, assertion)
        start, end = float(claims.get("nbf", now)), float(claims.get("exp", 0))
        if not start - SKEW <= now <= end + SKEW:
            raise refusals.outside_its_time(now, start, end)
        audience = str(claims.get("aud", ""))
        base = f"https://{host}/{self.organization.tenant_id}"
        if audience not in (f"{base}/oauth2/v2.0/token", f"{base}/v2.0", f"{base}/"):
            raise refusals.wrong_audience()
        if str(claims.get("sub", "")).lower() != client.lower():
            raise refusals.malformed_assertion()

    def _check_signature(self, client: str, header: Mapping[str, Any], assertion: str) -> None:
        named = str(header.get("x5t#S256") or header.get("x5t") or "").rstrip("=")
        for certificate in self.certificates if self.switches.certificate_registered else []:
            if named not in (certificate.sha256, certificate.sha1):
                continue
            unchecked = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
            try:
                jwt.decode(assertion, certificate.public_key, algorithms=ALGORITHMS, options=unchecked)  # type: ignore[arg-type]
            except jwt.InvalidTokenError:
                raise refusals.unregistered_certificate(named, client, "The signature is invalid.") from None
            return
        raise refusals.unregistered_certificate(named, client)

    def _resource(self, scope: str) -> str:
        if not scope.endswith("/.default"):
            raise refusals.wrong_scope(scope)
        resource = scope.removesuffix("/.default")
        exchange = [f"https://{host}" for host in EXCHANGE_HOSTS] + [EXCHANGE_APP]
        others = [f"https://{host}" for host in OTHER_HOSTS] + [GRAPH_APP]
        missing = resource in exchange and not self.switches.exchange_in_tenant
        if missing or resource not in (*exchange, *others):
            raise refusals.resource_missing(resource, self.organization.initial_domain)
        return resource

    def _is_ours(self, tenant: str) -> bool:
        domains = {name.lower() for name in self.organization.accepted_domains}
        return tenant.lower() in {self.organization.tenant_id, *domains}
