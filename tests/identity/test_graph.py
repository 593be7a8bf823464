"""The whole graph of each kind of identity: every resource, every property, every dependency; no secret."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from cryptography import x509

from components.settings import Settings
from fleet import federated
from identity.federation import AUDIENCE
from tests.identity.entra import (
    CLIENT,
    EXCHANGE_HERE,
    GRAPH_HERE,
    MACHINE,
    PASSWORD,
    PRINCIPAL,
    Run,
    example,
    run,
)
from tests.unit.settings_samples import ENVIRONMENT, sample

TENANT = {"id": "11111111-2222-4333-8444-555555555555", "initialDomain": "contoso.onmicrosoft.com"}
UNTIL = f"{datetime.now(UTC).year + 1}-05-31"
EXCHANGE, GRAPH = "00000002-0000-0ff1-ce00-000000000000", "00000003-0000-0000-c000-000000000000"
MANAGE, DOMAINS = "dc50a0fb-09a3-484d-be87-e023b12c6440", "dbb9058a-0e50-45d7-ae91-66909b5d4664"
ADMINISTRATOR, READER = "29232cdf-9323-42fd-ade2-1d097af3e4de", "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
APP = "/Application/identity-application"
SECRET: Mapping[str, Any] = {"tenant": TENANT, "credentials": {"secret": [UNTIL]}}
ENTRA, PROVIDER = "azuread:index", "pulumi:providers:azuread"

Graph = Mapping[str, tuple[str, Mapping[str, Any], set[str]]]


def application(**other: Any) -> tuple[str, Mapping[str, Any], set[str]]:
    asks = [
        {"resourceAppId": EXCHANGE, "resourceAccesses": [{"id": MANAGE, "type": "Role"}]},
        {"resourceAppId": GRAPH, "resourceAccesses": [{"id": DOMAINS, "type": "Role"}]},
    ]
    inputs = {
        "displayName": "m365-secure-email",
        "notes": "Made by m365-secure-email, identity/; change it there.",
        "signInAudience": "AzureADMyOrg",
        "requiredResourceAccesses": asks,
        "preventDuplicateNames": True,
    }
    return "Application", {**inputs, **other}, set()


def rights(principal: str, role: str, after: set[str]) -> Graph:
    def consent(app_role: str, resource: str) -> tuple[str, Mapping[str, Any], set[str]]:
        ids = {"appRoleId": app_role, "principalObjectId": principal, "resourceObjectId": resource}
        return "AppRoleAssignment", ids, after

    return {
        "Exchange.ManageAsApp": consent(MANAGE, EXCHANGE_HERE),
        "Domain.Read.All": consent(DOMAINS, GRAPH_HERE),
        "directory-role": (
            "DirectoryRoleAssignment",
            {"roleId": role, "principalObjectId": principal},
            after,
        ),
    }


PRINCIPAL_OF_OWN: Graph = {"principal": ("ServicePrincipal", {"clientId": CLIENT}, {"application"})}
PASSWORD_OF_OWN: Graph = {
    f"secret-{UNTIL}": (
        "ApplicationPassword",
        {"applicationId": APP, "displayName": f"until {UNTIL}", "endDate": f"{UNTIL}T23:59:59Z"},
        {"application"},
    )
}
OTHER_APP = "bbbbbbbb-cccc-4ddd-8eee-ffffffffffff"
KINDS: Mapping[str, tuple[Mapping[str, Any], Graph]] = {
    "own": (
        SECRET,
        {
            "application": application(),
            **PRINCIPAL_OF_OWN,
            **rights(PRINCIPAL, ADMINISTRATOR, {"principal"}),
            **PASSWORD_OF_OWN,
        },
    ),
    "own, to read": (
        {**SECRET, "role": "read", "name": "reviews"},
        {
            "application": application(displayName="reviews"),
            **PRINCIPAL_OF_OWN,
            **rights(PRINCIPAL, READER, {"principal"}),
            **PASSWORD_OF_OWN,
        },
    ),
    "a provider's": (
        {**SECRET, "kind": "multiTenant", "customers": {"fabrikam": TENANT}},
        {
            "application": application(
                signInAudience="AzureADMultipleOrgs",
                web={"redirectUris": ["https://login.microsoftonline.com/common/oauth2/nativeclient"]},
            ),
            **PASSWORD_OF_OWN,
        },
    ),
    "a provider's, let in": (
        {"tenant": TENANT, "kind": "consented", "clientId": OTHER_APP},
        {
            "principal": ("ServicePrincipal", {"clientId": OTHER_APP, "useExisting": True}, set()),
            **rights(PRINCIPAL, ADMINISTRATOR, {"principal"}),
        },
    ),
    "a machine's": (
        {"tenant": TENANT, "kind": "managedIdentity", "clientId": OTHER_APP},
        rights(MACHINE, ADMINISTRATOR, set()),
    ),
}


def graph(found: Run) -> dict[str, tuple[str, Any, set[str]]]:
    """What was asked for of Entra, in one component."""
    own = {name.removeprefix("identity-"): one for name, one in found.asked.items() if "-" in name}
    return {name: (one.type.rpartition(":")[2], one.inputs, set(one.after)) for name, one in own.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_graph(kind: str) -> None:
    values, wanted = KINDS[kind]
    found = run(values)
    assert graph(found) == dict(wanted)
    assert all("::entra::" in one.provider for one in found.asked.values() if one.type.startswith(ENTRA))
    [entra] = [one for one in found.asked.values() if one.type == PROVIDER]
    assert entra.inputs == {**entra.inputs, "tenantId": TENANT["id"], "environment": "public"}


CLOUDS = {"worldwide": "public", "gccHigh": "usgovernmentl4", "dod": "usgovernmentl5", "china": "china"}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_cloud_has_its_own_entra(cloud: str) -> None:
    found = run({**SECRET, "tenant": {**TENANT, "cloud": cloud}})
    [entra] = [one for one in found.asked.values() if one.type == PROVIDER]
    assert entra.inputs["environment"] == CLOUDS[cloud]
    said = yaml.safe_load(found.outputs["stackFile"])["config"]["m365-secure-email:tenant"]
    assert said.get("cloud", "worldwide") == cloud


def test_what_is_not_asked_for_is_not_given() -> None:
    found = run({**SECRET, "graph": {"readDomains": False}})
    assert "Domain.Read.All" not in graph(found)
    [access] = found.one("application").inputs["requiredResourceAccesses"]
    assert access["resourceAppId"] == EXCHANGE


def test_no_right_to_mail_is_given_in_entra_where_it_would_count_for_every_mailbox() -> None:
    found = run(example("contoso"))
    assert example("contoso")["graph"]["mailbox"]
    assert {one.inputs["appRoleId"] for one in found.of_type("AppRoleAssignment")} == {MANAGE, DOMAINS}


# --- what it proves itself with -----------------------------------------------------------------------------


def test_a_certificate_is_made_and_registered_without_its_key() -> None:
    found = run({"tenant": TENANT, "credentials": {"certificate": [UNTIL]}})
    made, registered = (found.one(f"certificate-{UNTIL}{part}") for part in ("", "-registered"))
    private = found.one(f"certificate-{UNTIL}-key")
    assert private.inputs == {"algorithm": "RSA", "rsaBits": 3072}
    assert "privateKeyPemPkcs8" in private.secret_outputs
    assert made.inputs["privateKeyPem"][0] == "secret"
    days = (datetime.fromisoformat(UNTIL).date() - datetime.now(UTC).date()).days
    assert made.inputs["validityPeriodHours"] == 24 * days
    assert made.ignores == ("validityPeriodHours",)  # else it would be made anew every day
    assert (made.inputs["subject"], made.inputs["allowedUses"]) == (
        {"commonName": "m365-secure-email"},
        ["digital_signature", "client_auth"],
    )
    marked, pem = registered.inputs["value"]
    ends = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    assert marked == "secret"
    assert "PRIVATE" not in pem
    assert registered.inputs == {
        "applicationId": APP,
        "type": "AsymmetricX509Cert",
        "encoding": "pem",
        "endDate": ends.isoformat(),
        "value": ["secret", pem],
    }
    assert registered.by == {
        "applicationId": {"application"},
        "value": {f"certificate-{UNTIL}"},
        "endDate": {f"certificate-{UNTIL}"},
    }
    assert made.by == {"privateKeyPem": {f"certificate-{UNTIL}-key"}}


TRUSTED: Mapping[str, tuple[Mapping[str, Any], str, str]] = {
    "github": (
        {"github": {"repository": "contoso/mail", "environment": "prod"}},
        "https://token.actions.githubusercontent.com",
        "repo:contoso/mail:environment:prod",
    ),
    "github, by numbers": (
        {
            "github": {
                "repository": "contoso/mail",
                "environment": "prod",
                "ownerId": 12,
                "repositoryId": 345,
            }
        },
        "https://token.actions.githubusercontent.com",
        "repo:contoso@12/mail@345:environment:prod",
    ),
    "gitlab": (
        {"gitlab": {"project": "contoso/ops/mail"}},
        "https://gitlab.com",
        "project_path:contoso/ops/mail:ref_type:branch:ref:main",
    ),
    "a gitlab of one's own": (
        {"gitlab": {"project": "mail/fleet", "branch": "stable", "url": "https://git.contoso.example"}},
        "https://git.contoso.example",
        "project_path:mail/fleet:ref_type:branch:ref:stable",
    ),
    "azure devops": (
        {
            "azureDevOps": {
                "issuer": "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0",
                "subject": "/eid1/c/pub/t/abc/a/def/sc/org/connection",
            }
        },
        "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0",
        "/eid1/c/pub/t/abc/a/def/sc/org/connection",
    ),
    "kubernetes": (
        {
            "kubernetes": {
                "issuer": "https://oidc.prod-aks.azure.com/1f31cb4d/",
                "namespace": "fleet",
                "serviceAccount": "up",
            }
        },
        "https://oidc.prod-aks.azure.com/1f31cb4d/",
        "system:serviceaccount:fleet:up",
    ),
}


@pytest.mark.parametrize("kind", TRUSTED)
def test_a_workloads_token_is_trusted_by_issuer_and_subject(kind: str) -> None:
    workload, issuer, subject = TRUSTED[kind]
    found = run({"tenant": TENANT, "credentials": {"federated": {"prod": workload}}})
    trusted = found.one("federated-prod")
    assert trusted.type.endswith(":ApplicationFederatedIdentityCredential")
    assert trusted.inputs == {
        "applicationId": APP,
        "displayName": "prod",
        "issuer": issuer,
        "subject": subject,
        "audiences": ["api://AzureADTokenExchange"],
    }
    assert trusted.after == {"application"}
    assert found.secret_outputs == set()


def test_the_audience_is_what_the_pipelines_ask_for() -> None:
    assert AUDIENCE == federated.AUDIENCE


# --- what is handed out -------------------------------------------------------------------------------------


def test_the_part_of_the_stack_file_is_what_the_main_stack_needs() -> None:
    found = run(SECRET)
    config = yaml.safe_load(found.outputs["stackFile"])["config"]
    settings = Settings.from_config(
        {**sample(), **{name.rpartition(":")[2]: value for name, value in config.items()}}, ENVIRONMENT
    )
    assert settings.tenant.model_dump(by_alias=True) == {
        **TENANT,
        "clientId": CLIENT,
        "cloud": "worldwide",
    }
    assert found.outputs["clientId"] == CLIENT


def test_a_provider_is_handed_an_address_and_a_stack_file_for_each_customer() -> None:
    other = {"id": "66666666-7777-4888-8999-000000000000", "initialDomain": "fabrikam.onmicrosoft.com"}
    found = run({**SECRET, "kind": "multiTenant", "customers": {"contoso": TENANT, "fabrikam": other}})
    assert found.outputs["consentUrls"]["fabrikam"] == (
        f"https://login.microsoftonline.com/{other['id']}/adminconsent?client_id={CLIENT}"
        "&redirect_uri=https%3A%2F%2Flogin.microsoftonline.com%2Fcommon%2Foauth2%2Fnativeclient"
    )
    said = {name: yaml.safe_load(text)["config"] for name, text in found.outputs["stackFiles"].items()}
    assert said["fabrikam"]["m365-secure-email:tenant"] == {**other, "clientId": CLIENT}
    assert set(said) == {"contoso", "fabrikam"}


VARIABLES: Mapping[str, tuple[Mapping[str, Any], set[str]]] = {
    "AZURE_CLIENT_SECRET": (SECRET, {"clientSecret"}),
    "AZURE_CLIENT_CERTIFICATE_PATH": (
        {"tenant": TENANT, "credentials": {"certificate": [UNTIL]}},
        {"certificate"},
    ),
    "AZURE_FEDERATED_TOKEN_FILE": (
        {"tenant": TENANT, "credentials": {"federated": {"prod": TRUSTED["github"][0]}}},
        set(),
    ),
    "AZURE_MANAGED_IDENTITY": (KINDS["a machine's"][0], set()),
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_variable_is_named_and_only_what_it_holds_is_secret(variable: str) -> None:
    values, secret = VARIABLES[variable]
    found = run(values)
    assert set(found.outputs["credentials"]) == {variable}
    assert found.secret_outputs == secret


def test_of_several_the_last_one_is_handed_out_and_all_of_them_stay() -> None:
    later = f"{datetime.now(UTC).year + 1}-11-30"
    found = run({"tenant": TENANT, "credentials": {"secret": [later, UNTIL], "certificate": [later, UNTIL]}})
    assert list(found.asked).index(f"identity-secret-{UNTIL}") < list(found.asked).index(
        f"identity-secret-{later}"
    )
    ends = x509.load_pem_x509_certificates(found.outputs["certificate"].encode())[0].not_valid_after_utc
    assert f"{ends:%Y-%m-%d}" == later
    assert len(found.of_type("ApplicationCertificate")) == 2


def test_no_secret_is_in_clear_anywhere() -> None:
    everything = {"secret": [UNTIL], "certificate": [UNTIL], "federated": {"prod": TRUSTED["github"][0]}}
    found = run({"tenant": TENANT, "credentials": everything, "graph": {"mailbox": "probe@contoso.example"}})
    assert found.secret_outputs == {"clientSecret", "certificate"}
    assert PASSWORD in found.outputs["clientSecret"]
    assert "PRIVATE KEY" in found.outputs["certificate"]
    assert CLIENT in found.in_clear  # it looks at what is there
    assert PASSWORD not in found.in_clear
    assert "PRIVATE KEY" not in found.in_clear
    assert "value" in found.one(f"secret-{UNTIL}").secret_outputs
    assert set(found.kept_by_the_component) == set(found.outputs)


@pytest.mark.parametrize("name", ["contoso", "contoso-read"])
def test_the_examples_run(name: str) -> None:
    role = {"contoso": ADMINISTRATOR, "contoso-read": READER}[name]
    assert run(example(name)).one("directory-role").inputs["roleId"] == role
