"""Microsoft Graph's domains: which DNS records Microsoft wants a verified domain to have.

`GET /v1.0/domains/{id}/serviceConfigurationRecords`. The token is for Graph, with Domain.Read.All or more.
Source: Microsoft Learn, «List serviceConfigurationRecords».
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.journal import Journal
from lab.tenant.errors import Reply, json_reply
from lab.tenant.practice import GRAPH_HOST, Organization, graph_audiences
from lab.tenant.tokens import Tokens

READ = {"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All"}


@dataclass
class GraphDomains:
    """Answers for one organization."""

    organization: Organization
    tokens: Tokens
    journal: Journal

    def records(self, domain: str, headers: Mapping[str, str]) -> Reply:
        """A domain's records, the MX among others."""
        reply = self._refused(domain.lower(), headers) or self._listed(domain.lower())
        self.journal.record("tenant", "graph", call="records", user=domain, status=reply.status)
        return reply

    def _refused(self, domain: str, headers: Mapping[str, str]) -> Reply | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        claims = self.tokens.claims(token) if scheme.lower() == "bearer" else None
        if claims is None or claims["aud"] not in graph_audiences(headers.get("host", "")):
            return _error(401, "InvalidAuthenticationToken", "Access token validation failure.")
        if not READ & set(claims["roles"]):
            said = "Insufficient privileges to complete the operation."
            return _error(403, "Authorization_RequestDenied", said)
        if domain not in self.organization.mx:
            return _error(404, "Request_ResourceNotFound", f"Resource '{domain}' does not exist.")
        return None

    def _listed(self, domain: str) -> Reply:
        mx = {"mailExchange": self.organization.mx[domain], "preference": 0}
        spf = {"text": "v=spf1 include:spf.protection.outlook.com -all"}
        rows = [_record("Mx", domain, mx), _record("Txt", domain, spf)]
        context = f"https://{GRAPH_HOST}/v1.0/$metadata#domains('{domain}')/serviceConfigurationRecords"
        return json_reply(200, {"@odata.context": context, "value": rows})


def _record(kind: str, domain: str, says: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@odata.type": f"#microsoft.graph.domainDns{kind}Record",
        "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}.{domain}")),
        "isOptional": False,
        "label": domain,
        "recordType": kind,
        "supportedService": "Email",
        "ttl": 3600,
        **says,
    }


def _error(status: int, code: str, text: str) -> Reply:
    return json_reply(status, {"error": {"code": code, "message": text, "innerError": {}}})
