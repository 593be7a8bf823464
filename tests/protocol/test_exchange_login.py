"""Login and rights, and the way there: what works, and what an operator is told."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from dynamic_providers.connections import Endpoints
from dynamic_providers.exchange import errors
from dynamic_providers.exchange.client import Step
from dynamic_providers.exchange.cmdlets import (
    ACCEPTED_DOMAIN,
    TRANSPORT_RULE,
)
from lab.tenant.federated import AUDIENCE, FederatedCredential, PracticeIssuer
from tests.protocol.exchange_practice import Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]

NEW_RULE = Step("New", {"Name": "Ours", "SetSCL": -1})


# --- ways to log in, and there ------------------------------------------------------------------------------


def test_login_with_a_certificate_in_pem(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(practice.lab.certificate_path))
    assert practice.client().rows(ACCEPTED_DOMAIN)
    assert (
        practice.lab.journal.count("tenant", "token", since=practice.since, method="assertion", ok=True) == 1
    )


def test_login_with_a_certificate_in_pfx(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pem = practice.lab.certificate_path.read_bytes()
    key, certificate = load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)
    assert isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey)
    file = tmp_path / "login.pfx"
    encrypted = BestAvailableEncryption(b"open sesame")
    file.write_bytes(pkcs12.serialize_key_and_certificates(b"login", key, certificate, None, encrypted))
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(file))
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PASSWORD", "open sesame")
    assert practice.client().rows(ACCEPTED_DOMAIN)
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PASSWORD", "not that one")
    with pytest.raises(errors.BadCertificateFile, match="holds no key that can be read"):
        practice.client().rows(ACCEPTED_DOMAIN)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_stacks_own_authorities_win_over_the_environment(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    monkeypatch.setenv(variable, str(empty))
    assert practice.client().rows(ACCEPTED_DOMAIN)


def test_the_environments_authorities_count_where_the_stack_names_none(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(practice.lab.ca_file))
    assert practice.client(endpoints=Endpoints()).rows(ACCEPTED_DOMAIN)


def test_a_server_of_unknown_authority_is_refused(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(errors.CertificateNotTrusted, match=r"login\.microsoftonline\.com: .*caBundle"):
        practice.client(endpoints=Endpoints()).rows(ACCEPTED_DOMAIN)
    assert practice.tokens() == 0


def test_the_name_is_verified_not_the_address(
    practice: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Endpoints(authority="https://login.somewhere.example", ca_bundle=str(practice.lab.ca_file))
    table = tmp_path / "other.json"
    table.write_text(
        json.dumps({"login.somewhere.example": {"host": "127.0.0.1", "port": practice.lab.port}})
    )
    monkeypatch.setenv("M365SE_CONNECT", str(table))
    with pytest.raises(errors.ExchangeError) as caught:
        practice.client(endpoints=other).rows(ACCEPTED_DOMAIN)
    assert isinstance(caught.value, errors.CertificateNotTrusted | errors.Unreachable)
    assert practice.tokens() == 0


def test_a_missing_file_of_authorities_is_told(practice: Practice) -> None:
    with pytest.raises(errors.NoCaBundle, match=r"endpoints\.caBundle: .*no-such\.pem is not there"):
        practice.client(endpoints=Endpoints(ca_bundle="no-such.pem"))


def test_end_points_of_the_settings_win(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = Endpoints(
        exchange="https://outlook.office365.com:8443",
        authority="https://login.windows.net:8443",
        ca_bundle=str(practice.lab.ca_file),
    )
    there = {"host": "127.0.0.1", "port": practice.lab.port}
    table = tmp_path / "ports.json"
    table.write_text(json.dumps({"outlook.office365.com:8443": there, "login.windows.net:8443": there}))
    monkeypatch.setenv("M365SE_CONNECT", str(table))
    assert practice.client(endpoints=given).rows(ACCEPTED_DOMAIN)


def test_a_netrc_does_not_replace_the_token(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert practice.client().rows(ACCEPTED_DOMAIN)


def test_a_proxy_is_used_for_the_world_and_not_for_the_lab(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert practice.client().rows(ACCEPTED_DOMAIN)
    monkeypatch.delenv("M365SE_CONNECT")
    with pytest.raises(errors.Unreachable, match="the proxy of HTTPS_PROXY does not let us through"):
        practice.client().rows(ACCEPTED_DOMAIN)


def test_a_host_that_does_not_listen(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    file = tmp_path / "nobody.json"
    file.write_text(json.dumps({"login.microsoftonline.com": {"host": "127.0.0.1", "port": port}}))
    monkeypatch.setenv("M365SE_CONNECT", str(file))
    with pytest.raises(errors.Unreachable, match=r"login\.microsoftonline\.com: .*refused.*after 4 attempts"):
        practice.client().rows(ACCEPTED_DOMAIN)


def test_a_token_that_runs_out_is_replaced(practice: Practice) -> None:
    practice.lab.switches.token_lifetime = 1.0  # MSAL takes a token for old five minutes before its end
    client = practice.client()
    assert client.rows(ACCEPTED_DOMAIN)
    assert client.rows(TRANSPORT_RULE)
    assert practice.tokens() == 2


SUBJECT = "repo:contoso/mail:environment:prod"


@dataclass(frozen=True)
class Job:
    """A pipeline's job: the tenant's app trusts tokens for SUBJECT of its issuer."""

    practice: Practice
    issuer: PracticeIssuer
    file: Path

    def holds(self, subject: str = SUBJECT, *, lifetime: float = 300, audience: str = AUDIENCE) -> str:
        token = self.issuer.token(subject, lifetime=lifetime, audience=audience)
        self.file.write_text(token)
        return token


@pytest.fixture(scope="module")
def issuer() -> PracticeIssuer:
    return PracticeIssuer()


@pytest.fixture
def job(practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, issuer: PracticeIssuer) -> Job:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setattr(practice.lab.authority, "federated", [FederatedCredential(issuer, SUBJECT)])
    return Job(practice, issuer, tmp_path / "token")


def test_login_with_a_pipelines_own_token_which_is_read_anew(job: Job) -> None:
    job.practice.lab.switches.token_lifetime = 1.0  # MSAL takes it for run out already
    job.holds()
    client = job.practice.client()
    assert client.rows(ACCEPTED_DOMAIN)
    job.holds("repo:contoso/mail:pull_request")
    with pytest.raises(errors.NotFederated):
        client.rows(TRANSPORT_RULE)
    job.holds()
    assert client.rows(TRANSPORT_RULE)


@pytest.mark.parametrize(
    ("subject", "audience", "code"),
    [("repo:contoso/mail:pull_request", AUDIENCE, 700213), (SUBJECT, "api://somebody", 700212)],
)
def test_a_token_that_the_app_does_not_trust(job: Job, subject: str, audience: str, code: int) -> None:
    token = job.holds(subject, audience=audience)
    said = refused(job.practice)
    assert said.startswith("NotFederated: ")
    assert f"(AADSTS{code})" in said
    assert token not in said


@pytest.mark.parametrize("text", ["", "no token\n", "ü", None])
def test_a_token_file_that_holds_none(job: Job, text: str | None) -> None:
    if text is not None:
        job.file.write_text(text)
    said = refused(job.practice)
    assert said.startswith(f"BadTokenFile: AZURE_FEDERATED_TOKEN_FILE: the token file {job.file} ")


def test_a_token_that_has_run_out(job: Job) -> None:
    job.holds(lifetime=-1)
    assert "get a newer token" in refused(job.practice)


def test_a_forged_token(job: Job) -> None:
    genuine, forged = job.holds().rsplit(".", 1)[0], PracticeIssuer().token(SUBJECT).rsplit(".", 1)[1]
    job.file.write_text(f"{genuine}.{forged}")
    assert "AADSTS50027" in refused(job.practice)


# --- what the login says ------------------------------------------------------------------------------------


def refused(practice: Practice, **other: str) -> str:
    with pytest.raises(errors.LoginRefused) as caught:
        practice.client(**other).rows(ACCEPTED_DOMAIN)  # type: ignore[arg-type]
    assert practice.calls() == []
    return f"{type(caught.value).__name__}: {caught.value}"


def test_wrong_secret(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "Practice~Not~The~Secret")
    said = refused(practice)
    assert said.startswith(
        "WrongSecret: login of bcedemo.onmicrosoft.com: the client secret of the app registration"
    )
    assert "AADSTS7000215" in said
    assert "Give the secret's value, not its id" in said
    assert "Not~The~Secret" not in said


def test_expired_secret(practice: Practice) -> None:
    practice.lab.switches.secret_expired = True
    assert "ExpiredSecret: " in (said := refused(practice))
    assert "has expired (AADSTS7000222)" in said


def test_unknown_app(practice: Practice) -> None:
    said = refused(practice, client_id="99999999-bbbb-4ccc-8ddd-eeeeeeeeeeee")
    assert said.startswith("NoSuchApp: ")
    assert "99999999-bbbb-4ccc-8ddd-eeeeeeeeeeee in this tenant (AADSTS700016)" in said


def test_unknown_tenant(practice: Practice) -> None:
    said = refused(practice, tenant_id="99999999-2222-4333-8444-555555555555")
    assert said.startswith("NoSuchTenant: ")
    assert "there is no tenant 99999999-2222-4333-8444-555555555555 (AADSTS90002)" in said


def test_unregistered_certificate(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(practice.lab.unregistered_certificate()))
    assert "UnknownCertificate: " in (said := refused(practice))
    assert "(AADSTS700027)" in said


def test_wrong_clock(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    practice.lab.switches.clock_offset = 3600.0
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(practice.lab.certificate_path))
    assert "WrongClock: " in (said := refused(practice))
    assert "clock (NTP)" in said


def test_conditional_access(practice: Practice) -> None:
    practice.lab.switches.conditional_access_blocks = True
    assert "BlockedByPolicy: " in (said := refused(practice))
    assert "(AADSTS53003)" in said


def test_no_exchange_in_the_tenant(practice: Practice) -> None:
    practice.lab.switches.exchange_in_tenant = False
    assert "NoExchange: " in (said := refused(practice))
    assert "(AADSTS500011)" in said


def test_no_credential(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    assert refused(practice).startswith("NoCredential: ")


def test_credentials_of_another_tenant(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", "99999999-2222-4333-8444-555555555555")
    assert refused(practice).startswith("OtherTenant: ")
    assert practice.tokens() == 0


def test_the_login_right_again_after_a_wrong_secret_is_not_answered_from_memory(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "Practice~Not~The~Secret")
    client = practice.client()
    with pytest.raises(errors.WrongSecret):
        client.rows(ACCEPTED_DOMAIN)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", practice.lab.client_secret)
    assert client.rows(ACCEPTED_DOMAIN)


@pytest.mark.parametrize("fault", ["server-503", "throttled", "reset"])
def test_a_login_in_trouble_is_tried_again(practice: Practice, fault: str) -> None:
    practice.lab.faults.add("token", fault, retry_after=0)
    assert practice.client().rows(ACCEPTED_DOMAIN)


# --- rights -------------------------------------------------------------------------------------------------


def test_no_app_role(practice: Practice) -> None:
    practice.lab.switches.app_role = False
    with pytest.raises(errors.AppRoleMissing, match=r"lacks the app role Exchange\.ManageAsApp"):
        practice.client().rows(TRANSPORT_RULE)
    assert practice.tokens() == 2  # a token may be older than its rights: one new one, and no more


@pytest.mark.parametrize("body", ["empty", "nul"])
def test_no_directory_role(practice: Practice, body: str) -> None:
    practice.lab.switches.directory_role = "none"
    practice.lab.switches.forbidden_body = body  # type: ignore[assignment]
    with pytest.raises(
        errors.DirectoryRoleMissing, match="no directory role that allows this cmdlet"
    ) as caught:
        practice.client().rows(TRANSPORT_RULE)
    assert "\0" not in str(caught.value)


def test_a_reader_may_read_and_not_write(practice: Practice) -> None:
    practice.lab.switches.directory_role = "reader"
    client = practice.client()
    assert client.rows(TRANSPORT_RULE)
    with pytest.raises(errors.DirectoryRoleMissing, match=r"New-TransportRule: .*Exchange Administrator"):
        client.write(TRANSPORT_RULE, [NEW_RULE], lambda _: "")


def test_a_token_that_cannot_be_read_tells_nothing_and_still_has_words(practice: Practice) -> None:
    practice.lab.switches.token_form = "opaque"
    client = practice.client()
    assert client.rows(ACCEPTED_DOMAIN)
    practice.lab.faults.add("Get-TransportRule", "unauthorized", times=2)
    with pytest.raises(errors.TokenRefused, match="a new token was refused too"):
        client.rows(TRANSPORT_RULE)


def test_one_new_token_after_401(practice: Practice) -> None:
    practice.lab.faults.add("Get-TransportRule", "unauthorized")
    assert practice.client().rows(TRANSPORT_RULE)
    assert practice.tokens() == 2
