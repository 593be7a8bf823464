"""The token authority's refusals: AADSTS codes with status, OAuth error and text, as Entra words them."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from lab.tenant.errors import Reply, json_reply


@dataclass
class Refusal(Exception):
    """One AADSTS failure."""

    code: int
    status: int
    error: str
    text: str

    def reply(self, correlation_id: str | None) -> Reply:
        """The error document."""
        trace, correlation = str(uuid.uuid4()), correlation_id or str(uuid.uuid4())
        stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        ids = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        document: dict[str, Any] = {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.text} {ids}",
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }
        return json_reply(self.status, document, **{"content-type": "application/json; charset=utf-8"})


def no_such_tenant(tenant: str, error: str = "invalid_request") -> Refusal:
    """No such tenant."""
    said = (
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing "
        "into the correct cloud. Check with your subscription administrator, this may happen if there are"
        " no active subscriptions for the tenant."
    )
    return Refusal(90002, 400, error, said)


def unknown_application(client: str, tenant: str) -> Refusal:
    """The application is not in this tenant."""
    said = (
        f"Application with identifier '{client}' was not found in the directory '{tenant}'. This can "
        "happen if the application has not been installed by the administrator of the tenant or consented"
        " to by any user in the tenant. You may have sent your authentication request to the wrong "
        "tenant."
    )
    return Refusal(700016, 400, "unauthorized_client", said)


def wrong_secret(client: str) -> Refusal:
    """Not the application's secret."""
    said = (
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret"
        f" value, not the client secret ID, for a secret added to app '{client}'."
    )
    return Refusal(7000215, 401, "invalid_client", said)


def expired_secret(client: str) -> Refusal:
    """The right secret, too late."""
    said = (
        f"The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create"
        " new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate "
        "credentials for added security: https://aka.ms/certCreds."
    )
    return Refusal(7000222, 401, "invalid_client", said)


def no_credential() -> Refusal:
    """Neither secret nor assertion."""
    said = "'client_assertion' or 'client_secret' is required for the 'client_credentials' grant type."
    return Refusal(7000216, 401, "invalid_client", said)


def unregistered_certificate(thumbprint: str, client: str, reason: str = "The key was not found.") -> Refusal:
    """Signed with a certificate that the application does not have."""
    said = (
        "The certificate with identifier used to sign the client assertion is not registered on "
        f"application. [Reason - {reason}, Thumbprint of key used by client: '{thumbprint}', Please visit "
        "the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id "
        f"'{client}'.]"
    )
    return Refusal(700027, 401, "invalid_client", said)


def outside_its_time(now: float, start: float, end: float) -> Refusal:
    """The assertion is not valid yet, or no more: mostly a wrong clock."""
    at = [time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime(moment)) for moment in (now, start, end)]
    said = (
        f"Client assertion is not within its valid time range. Current time: {at[0]}, assertion valid from"
        f" {at[1]}, expiry time of assertion {at[2]}."
    )
    return Refusal(700024, 401, "invalid_client", said)


def wrong_audience() -> Refusal:
    """The assertion is for someone else."""
    return Refusal(
        700023, 401, "invalid_client", "Client assertion audience claim does not match Realm issuer."
    )


def no_federated_credential(issuer: str, subject: str, code: int = 700211) -> Refusal:
    """No federated credential matches: 700211 by issuer, 700212 by audience, 700213 by subject."""
    said = (
        f"No matching federated identity record found for presented assertion issuer '{issuer}'. Check "
        "your federated identity credential Subject, Audience and Issuer against the presented assertion "
        f"(subject '{subject}')."
    )
    return Refusal(code, 401, "invalid_client", said)


def malformed_assertion() -> Refusal:
    """No JWT at all."""
    return Refusal(50027, 401, "invalid_client", "JWT token is invalid or malformed.")


def blocked() -> Refusal:
    """Conditional access."""
    said = (
        "Access has been blocked by Conditional Access policies. The access policy does not allow token "
        "issuance."
    )
    return Refusal(53003, 400, "invalid_grant", said)


def resource_missing(resource: str, tenant: str) -> Refusal:
    """The resource, Exchange for instance, is not in this tenant."""
    said = (
        f"The resource principal named {resource} was not found in the tenant named {tenant}. This can "
        "happen if the application has not been installed by the administrator of the tenant or consented"
        " to by any user in the tenant. You might have sent your authentication request to the wrong "
        "tenant."
    )
    return Refusal(500011, 400, "invalid_resource", said)


def wrong_scope(scope: str) -> Refusal:
    """A scope without `/.default`."""
    said = (
        f"The provided value for scope {scope} is not valid. Client credential flows must have a scope "
        "value with /.default suffixed to the resource identifier (application ID URI)."
    )
    return Refusal(1002012, 400, "invalid_scope", said)


def wrong_grant(grant: str) -> Refusal:
    """Another grant than client credentials."""
    said = f"The app requested an unsupported grant type '{grant}'."
    return Refusal(70003, 400, "unsupported_grant_type", said)
