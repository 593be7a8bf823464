"""What an identity hands out, put into a stack of the lab's tenant, logs in: real MSAL, the lab's authority.

The lab's Entra has registered exactly what the program asked for, and nothing else.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from components.settings import Settings
from dynamic_providers.exchange import errors
from dynamic_providers.exchange.client import ExchangeClient, Step
from dynamic_providers.exchange.cmdlets import (
    ACCEPTED_DOMAIN,
    INBOUND_CONNECTOR,
    OUTBOUND_CONNECTOR,
    TRANSPORT_RULE,
)
from lab.tenant.certificates import registered
from lab.tenant.federated import FederatedCredential, PracticeIssuer
from tests.identity.entra import Run, run
from tests.identity.test_graph import ADMINISTRATOR, MANAGE, READER, TRUSTED, UNTIL
from tests.protocol.exchange_practice import QUICK, Practice
from tests.unit.settings_samples import ENVIRONMENT, sample

pytest_plugins = ["tests.protocol.exchange_fixtures"]

NEW_RULE = Step("New", {"Name": "Ours", "SetSCL": -1})
ROLES = {ADMINISTRATOR: "admin", READER: "reader"}


def entra_of(practice: Practice, found: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, PracticeIssuer]:
    """Set the lab's Entra up as the program asked for it; the issuers that it trusts, by their addresses."""
    lab = practice.lab
    certificates = [
        registered(x509.load_pem_x509_certificate(one.inputs["value"][1].encode()))
        for one in found.of_type("ApplicationCertificate")
    ]
    workloads = [one.inputs for one in found.of_type("ApplicationFederatedIdentityCredential")]
    issuers = {one["issuer"]: PracticeIssuer(one["issuer"]) for one in workloads}
    trusted = [FederatedCredential(issuers[one["issuer"]], one["subject"]) for one in workloads]
    monkeypatch.setattr(lab.authority, "certificates", certificates)
    monkeypatch.setattr(lab.authority, "federated", trusted)
    given = {one.inputs["appRoleId"] for one in found.of_type("AppRoleAssignment")}
    lab.switches.app_role = MANAGE in given
    [role] = found.of_type("DirectoryRoleAssignment")
    lab.switches.directory_role = ROLES[role.inputs["roleId"]]  # type: ignore[assignment] # one of its words
    lab.switches.secret_expired = not found.of_type("ApplicationPassword")
    return issuers


def client_of(practice: Practice, found: Run) -> ExchangeClient:
    """A client of the main stack, with the part of its stack file that was handed out."""
    handed = yaml.safe_load(found.outputs["stackFile"])["config"]
    values = {**sample(), **{key.rpartition(":")[2]: one for key, one in handed.items()}}
    settings = Settings.from_config(values, ENVIRONMENT)
    endpoints = settings.endpoints.model_copy(update={"ca_bundle": str(practice.lab.ca_file)})
    client = ExchangeClient(settings.tenant, endpoints, QUICK)
    practice._clients.append(client)
    return client


def by_secret(found: Run, folder: Path, issuers: Mapping[str, PracticeIssuer]) -> str:
    return str(found.outputs["clientSecret"])


def by_certificate(found: Run, folder: Path, issuers: Mapping[str, PracticeIssuer]) -> str:
    (folder / "login.pem").write_text(found.outputs["certificate"])
    return str(folder / "login.pem")


def by_token(found: Run, folder: Path, issuers: Mapping[str, PracticeIssuer]) -> str:
    [workload] = found.of_type("ApplicationFederatedIdentityCredential")
    (folder / "token").write_text(issuers[workload.inputs["issuer"]].token(workload.inputs["subject"]))
    return str(folder / "token")


Value = Callable[[Run, Path, Mapping[str, PracticeIssuer]], str]
LOGINS: Mapping[str, tuple[Mapping[str, Any], Value]] = {
    "secret": ({"secret": [UNTIL]}, by_secret),
    "certificate": ({"certificate": [UNTIL]}, by_certificate),
    **{kind: ({"federated": {"prod": one[0]}}, by_token) for kind, one in TRUSTED.items()},
}


def logged_in(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, folder: Path, kind: str, role: str
) -> ExchangeClient:
    """A client that logs in with what an identity of that kind and role hands out."""
    credentials, value_of = LOGINS[kind]
    tenant = {"id": practice.lab.tenant_id, "initialDomain": practice.lab.initial_domain}
    found = run({"tenant": tenant, "role": role, "credentials": credentials})
    issuers = entra_of(practice, found, monkeypatch)
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    [variable] = found.outputs["credentials"]
    monkeypatch.setenv(variable, value_of(found, folder, issuers))
    return client_of(practice, found)


@pytest.mark.parametrize("kind", LOGINS)
def test_the_outputs_log_in_and_may_write(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    client = logged_in(practice, monkeypatch, tmp_path, kind, "write")
    client.write(TRANSPORT_RULE, [NEW_RULE], lambda rows: "" if named(rows) else "not there yet")
    assert named(client.rows(TRANSPORT_RULE))


def test_a_reader_reads_everything_and_writes_nothing(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = logged_in(practice, monkeypatch, tmp_path, "github", "read")
    for kind in (ACCEPTED_DOMAIN, TRANSPORT_RULE, INBOUND_CONNECTOR, OUTBOUND_CONNECTOR):
        assert isinstance(client.rows(kind), list | tuple)
    with pytest.raises(errors.DirectoryRoleMissing):
        client.write(TRANSPORT_RULE, [NEW_RULE], lambda _: "")
    assert not named(client.rows(TRANSPORT_RULE))


def named(rows: Iterable[Mapping[str, Any]]) -> bool:
    return any(row["Name"] == "Ours" for row in rows)
