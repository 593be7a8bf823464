"""Every credential that the tenant can be logged in to with: real MSAL, the lab's authority, a cmdlet."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import msal.managed_identity  # type: ignore[import-untyped]
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from dynamic_providers.exchange import errors
from dynamic_providers.exchange.cmdlets import ACCEPTED_DOMAIN, TRANSPORT_RULE
from lab.tenant.federated import FederatedCredential, PracticeIssuer
from lab.tenant.managed_identity import Kind, Machine
from lab.tenant.server import LabTenant
from tests.protocol.exchange_practice import Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]

Made = AbstractContextManager[Mapping[str, str]]
ASSIGNED = "cccccccc-dddd-4eee-8fff-000000000000"
ENDPOINTS = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT")


def secret(lab: LabTenant, folder: Path) -> Made:
    return nullcontext({"AZURE_CLIENT_SECRET": lab.client_secret})


def pem(lab: LabTenant, folder: Path) -> Made:
    return nullcontext({"AZURE_CLIENT_CERTIFICATE_PATH": str(lab.certificate_path)})


def pfx(lab: LabTenant, folder: Path) -> Made:
    content = lab.certificate_path.read_bytes()
    key, certificate = load_pem_private_key(content, None), x509.load_pem_x509_certificate(content)
    assert isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey)
    (folder / "login.pfx").write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"login", key, certificate, None, BestAvailableEncryption(b"open sesame")
        )
    )
    return nullcontext(
        {
            "AZURE_CLIENT_CERTIFICATE_PATH": str(folder / "login.pfx"),
            "AZURE_CLIENT_CERTIFICATE_PASSWORD": "open sesame",
        }
    )


def job(url: str, subject: str) -> Callable[[LabTenant, Path], Made]:
    """A pipeline's own token in a file, and the app registration trusts its issuer and subject."""

    @contextmanager
    def made(lab: LabTenant, folder: Path) -> Iterator[Mapping[str, str]]:
        issuer, before = PracticeIssuer(url), lab.authority.federated
        lab.authority.federated = [FederatedCredential(issuer, subject)]
        (folder / "token").write_text(issuer.token(subject))
        yield {"AZURE_FEDERATED_TOKEN_FILE": str(folder / "token")}
        lab.authority.federated = before

    return made


def machine(kind: Kind, identity: str = "system") -> Callable[[LabTenant, Path], Made]:
    @contextmanager
    def made(lab: LabTenant, folder: Path) -> Iterator[Mapping[str, str]]:
        given = {"system": lab.client_id} if identity == "system" else {"assigned": (identity,)}
        with Machine(lab.tokens, lab.journal, kind, folder, **given) as at:
            yield {**at.environment, "AZURE_MANAGED_IDENTITY": identity}

    return made


CREDENTIALS: Mapping[str, tuple[Callable[[LabTenant, Path], Made], str]] = {
    "client secret": (secret, "secret"),
    "certificate in PEM": (pem, "assertion"),
    "certificate in PFX, with a password": (pfx, "assertion"),
    "GitHub's token": (
        job("https://token.actions.githubusercontent.com", "repo:contoso/mail:environment:prod"),
        "assertion",
    ),
    "GitLab's token": (
        job("https://gitlab.com", "project_path:contoso/mail:ref_type:branch:ref:main"),
        "assertion",
    ),
    "Azure DevOps' token": (
        job("https://vstoken.dev.azure.com/1f31cb4d", "sc://contoso/mail/fleet-prod"),
        "assertion",
    ),
    "Kubernetes' token": (
        job("https://oidc.prod-aks.azure.com/1f31cb4d/", "system:serviceaccount:fleet:up"),
        "assertion",
    ),
    "virtual machine": (machine("imds"), "machine"),
    "virtual machine, assigned identity": (machine("imds", ASSIGNED), "machine"),
    "App Service": (machine("app-service"), "machine"),
    "App Service, assigned identity": (machine("app-service", ASSIGNED), "machine"),
    "Azure Arc": (machine("arc"), "machine"),
    "Azure Arc, assigned identity": (machine("arc", ASSIGNED), "machine"),
}


@pytest.fixture
def nothing(practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Practice:
    """An environment with no credential, on no machine of Azure."""
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    for name in (*ENDPOINTS, "MSI_ENDPOINT", "MSI_SECRET", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
        monkeypatch.delenv(name, raising=False)
    arc = msal.managed_identity._supported_arc_platforms_and_their_prefixes
    monkeypatch.setitem(arc, "linux", str(tmp_path))  # where an agent leaves its keys: ours may not be there
    return practice


@pytest.mark.parametrize("name", CREDENTIALS)
def test_the_tenant_lets_in(
    nothing: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    made, method = CREDENTIALS[name]
    with made(nothing.lab, tmp_path) as environment:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        own = environment.get("AZURE_MANAGED_IDENTITY", "system")
        client = nothing.client(client_id=None if own == "system" else own)
        assert client.rows(ACCEPTED_DOMAIN)
    asked = nothing.lab.journal.events("tenant", "token", since=nothing.since)
    assert [event.detail["method"] for event in asked] == ([] if method == "machine" else [method])


# --- what a machine's identity can be wrong in --------------------------------------------------------------


@pytest.fixture
def at(nothing: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    """A virtual machine with an identity of its own."""
    lab = nothing.lab
    with Machine(lab.tokens, lab.journal, "imds", tmp_path, system=lab.client_id) as one:
        for variable, value in {**one.environment, "AZURE_MANAGED_IDENTITY": "system"}.items():
            monkeypatch.setenv(variable, value)
        yield one


def refused(practice: Practice, **other: str) -> str:
    with pytest.raises(errors.LoginRefused) as caught:
        practice.client(**other).rows(ACCEPTED_DOMAIN)  # type: ignore[arg-type]
    assert practice.calls() == []
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize("status", [404, 410, 429, 500])
def test_a_machine_in_trouble_is_asked_again(nothing: Practice, at: Machine, status: int) -> None:
    at.trouble = [status, status]
    assert nothing.client().rows(ACCEPTED_DOMAIN)


def test_a_token_that_was_refused_is_asked_for_anew(nothing: Practice, at: Machine) -> None:
    client = nothing.client()
    assert client.rows(ACCEPTED_DOMAIN)
    nothing.lab.tokens.revoke_all()
    assert client.rows(TRANSPORT_RULE)
    assert nothing.lab.journal.count("tenant", "machine", since=nothing.since) == 2


def test_an_identity_that_the_machine_does_not_have(
    nothing: Practice, at: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_MANAGED_IDENTITY", ASSIGNED)
    said = refused(nothing, client_id=ASSIGNED)
    assert said.startswith("NoManagedIdentity: ")
    assert f"«{ASSIGNED}»: Identity not found" in said


def test_another_identity_than_the_stacks_does_nothing(nothing: Practice, at: Machine) -> None:
    said = refused(nothing, client_id=ASSIGNED)
    assert said.startswith("OtherIdentity: ")
    assert f"this machine's identity is {at.system}, the stack's tenant.clientId {ASSIGNED}" in said


def test_an_identity_of_another_tenant_does_nothing(nothing: Practice, at: Machine) -> None:
    other = "99999999-2222-4333-8444-555555555555"
    said = refused(nothing, tenant_id=other)
    assert said.startswith("OtherTenant: ")
    assert f"belongs to the tenant {nothing.lab.tenant_id}, the stack's is {other}" in said


def test_a_word_that_names_no_identity(
    nothing: Practice, at: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_MANAGED_IDENTITY", "yes")
    assert refused(nothing).startswith("BadManagedIdentity: AZURE_MANAGED_IDENTITY: is no managed identity")


def test_no_machine_of_azure(nothing: Practice, at: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    assert "Run on a machine in Azure that has an identity" in refused(nothing)


def test_a_proxy_is_not_asked_for_the_machines_own(
    nothing: Practice, at: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert nothing.client().rows(ACCEPTED_DOMAIN)


def test_something_else_that_answers_there(
    nothing: Practice, at: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at, "answer", lambda target, headers: (200, {}, None))
    assert "what answers for this machine's identity is not Azure (200)" in refused(nothing)


def test_a_secret_wins_over_the_machine(
    nothing: Practice, at: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", nothing.lab.client_secret)
    assert nothing.client().rows(ACCEPTED_DOMAIN)
    assert nothing.lab.journal.count("tenant", "machine", since=nothing.since) == 0


# --- Kubernetes' workload identity --------------------------------------------------------------------------


def test_the_tenant_of_a_cluster_is_told_apart_and_an_empty_one_is_none(
    nothing: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with job("https://oidc.prod-aks.azure.com/1f31cb4d/", "system:serviceaccount:fleet:up")(
        nothing.lab, tmp_path
    ) as environment:
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", environment["AZURE_FEDERATED_TOKEN_FILE"])
        monkeypatch.setenv("AZURE_TENANT_ID", "99999999-2222-4333-8444-555555555555")
        said = refused(nothing)
        assert said.startswith("OtherTenant: ")
        assert "Kubernetes' workload identity sets it: give the pod an empty one" in said
        monkeypatch.setenv("AZURE_TENANT_ID", "")
        assert nothing.client().rows(ACCEPTED_DOMAIN)
