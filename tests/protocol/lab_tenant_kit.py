"""Fixtures for tests of the practice tenant: one server a module, state and switches fresh for each test.

A module takes them by name: `running_tenant, tenant, caller = kit.running_tenant, kit.tenant, kit.caller`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.journal import Journal
from lab.tenant.server import LabTenant
from lab.tenant.switches import Switches

ANCHOR = "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"
SCOPE = "https://outlook.office365.com/.default"
CONNECTOR = {
    "Name": "Outbound to Cisco CES",
    "ConnectorType": "Partner",
    "IsTransportRuleScoped": True,
    "UseMXRecord": False,
    "SmartHosts": ["198.51.100.186"],
    "TlsSettings": "EncryptionOnly",
}


@dataclass(frozen=True)
class Failure:
    """An error answer, taken apart as clients do."""

    status: int
    type_name: str
    text: str


class Caller:
    """Talks to the tenant as an application does: real HTTPS, one connection, verified by the lab's CA."""

    def __init__(self, tenant: LabTenant) -> None:
        self.tenant = tenant
        self.base = f"https://127.0.0.1:{tenant.port}"
        self.session = requests.Session()
        self.session.trust_env = False
        self._token = ""

    @property
    def token(self) -> str:
        """A token taken at first use."""
        self._token = self._token or str(self.ask_token().json()["access_token"])
        return self._token

    def renew(self) -> None:
        """Take a new token at the next call."""
        self._token = ""

    def ask_token(self, tenant: str = "", **form: str) -> requests.Response:
        """POST to the token end point; `form` changes or adds to a right request, "" leaves a field out."""
        fields = {
            "grant_type": "client_credentials",
            "client_id": self.tenant.client_id,
            "client_secret": self.tenant.client_secret,
            "scope": SCOPE,
        }
        sent = {name: value for name, value in {**fields, **form}.items() if value}
        return self.post(f"/{tenant or self.tenant.tenant_id}/oauth2/v2.0/token", data=sent)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        """A POST that follows no redirect."""
        verify = str(self.tenant.ca_file)
        return self.session.post(
            self.base + path, verify=verify, timeout=20, allow_redirects=False, **arguments
        )

    def invoke(
        self,
        cmdlet: str,
        parameters: dict[str, Any] | None = None,
        *,
        headers: Mapping[str, str | None] | None = None,
        tenant: str = "",
        query: str = "",
        version: str = "beta",
    ) -> requests.Response:
        """InvokeCommand; a header given as None is left out."""
        wanted = {
            "Authorization": f"Bearer {self.token}",
            "X-AnchorMailbox": f"{ANCHOR}@{self.tenant.tenant_id}",
            "Content-Type": "application/json; charset=utf-8",
            **(headers or {}),
        }
        body = json.dumps({"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters or {}}}).encode()
        path = f"/adminapi/{version}/{tenant or self.tenant.tenant_id}/InvokeCommand{query}"
        return self.post(path, data=body, headers={k: v for k, v in wanted.items() if v is not None})

    def run(self, cmdlet: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows without annotations; fails unless the cmdlet succeeds."""
        response = self.invoke(cmdlet, parameters)
        assert response.status_code == 200, response.text
        rows = response.json().get("value") or []
        return [{key: value for key, value in row.items() if "@" not in key} for row in rows]

    def one(self, cmdlet: str, name: str) -> dict[str, Any]:
        """The row of that name; fails unless it is there."""
        (row,) = [row for row in self.run(cmdlet) if row["Name"] == name]
        return row

    def refused(self, cmdlet: str, **parameters: Any) -> Failure:
        """The error that a cmdlet ends in; fails if it succeeds."""
        return failure(self.invoke(cmdlet, parameters))


def failure(response: requests.Response) -> Failure:
    """Status, type and text of an error in its default form."""
    assert response.status_code >= 400, response.text
    _hash, type_name, text = response.json()["error"]["details"][0]["message"].split("|", 2)
    return Failure(response.status_code, type_name.rsplit(".", 1)[-1], text)


@pytest.fixture(scope="module")
def running_tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabTenant]:
    """A tenant that answers at once."""
    folder: Path = tmp_path_factory.mktemp("tenant")
    at_once = (0.0, 0.0)
    quick = Switches(token_latency=at_once, read_latency=at_once, write_latency=at_once, lag_seconds=0)
    with LabTenant(Journal(), folder, switches=quick) as tenant:
        yield tenant


@pytest.fixture
def tenant(running_tenant: LabTenant) -> Iterator[LabTenant]:
    """The tenant with its first state, switches and no faults; put back afterwards."""
    before = running_tenant.snapshot()
    yield running_tenant
    running_tenant.reset()
    running_tenant.restore(before)
    running_tenant.journal.forget_hooks()


@pytest.fixture
def caller(tenant: LabTenant) -> Iterator[Caller]:
    """An application that talks to the tenant."""
    calling = Caller(tenant)
    yield calling
    calling.session.close()
