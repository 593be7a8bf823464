"""The practice token authority, asked by hand and by the real MSAL."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import msal  # type: ignore[import-untyped] # MSAL has no types
import pytest
import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lab.tenant.server import LabTenant
from tests.protocol import lab_tenant_kit as kit
from tests.protocol.lab_tenant_kit import SCOPE, Caller

running_tenant, tenant, caller = kit.running_tenant, kit.tenant, kit.caller
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class VerifyingSession(requests.Session):
    """Gives `verify` with each request: the environment's CA bundle would win over the session's own."""

    def __init__(self, ca_file: Path) -> None:
        super().__init__()
        self._ca_file = ca_file

    def request(self, *arguments: Any, **keywords: Any) -> requests.Response:
        keywords["verify"] = str(self._ca_file)
        return super().request(*arguments, **keywords)


def application(
    tenant: LabTenant, credential: Any, tenant_name: str = ""
) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        tenant.client_id,
        client_credential=credential,
        authority=f"https://127.0.0.1:{tenant.port}/{tenant_name or tenant.tenant_id}",
        instance_discovery=False,
        http_client=VerifyingSession(tenant.ca_file),
    )


def credentials(tenant: LabTenant) -> dict[str, Any]:
    pem = tenant.certificate_path.read_text()
    return {
        "secret": tenant.client_secret,
        "certificate with SHA-256 thumbprint": {"private_key": pem, "public_certificate": pem},
        "certificate with SHA-1 thumbprint": {
            "private_key": pem,
            "thumbprint": tenant.certificate_thumbprint,
        },
    }


@pytest.mark.parametrize(
    "kind", ["secret", "certificate with SHA-256 thumbprint", "certificate with SHA-1 thumbprint"]
)
def test_msal_gets_a_token_that_the_api_takes(tenant: LabTenant, caller: Caller, kind: str) -> None:
    answer = application(tenant, credentials(tenant)[kind]).acquire_token_for_client([SCOPE])
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3599
    response = caller.invoke(
        "Get-AcceptedDomain", headers={"Authorization": f"Bearer {answer['access_token']}"}
    )
    assert response.status_code == 200


def test_msal_finds_the_tenant_by_its_domain_too(tenant: LabTenant) -> None:
    answer = application(tenant, tenant.client_secret, tenant.initial_domain).acquire_token_for_client(
        [SCOPE]
    )
    assert "access_token" in answer


def test_msal_says_at_once_that_there_is_no_such_tenant(tenant: LabTenant) -> None:
    with pytest.raises(ValueError, match="tenant name or GUID"):
        application(tenant, tenant.client_secret, "99999999-2222-4333-8444-555555555555")


def test_msal_verifies_the_real_names_with_the_labs_authority_only(tenant: LabTenant) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        msal.ConfidentialClientApplication(
            tenant.client_id,
            client_credential=tenant.client_secret,
            authority=f"https://127.0.0.1:{tenant.port}/{tenant.tenant_id}",
            instance_discovery=False,
            http_client=VerifyingSession(Path(msal.__file__).parent.parent / "certifi" / "cacert.pem"),
        )


def code(response: requests.Response) -> tuple[int, str, int]:
    """Status, OAuth error and AADSTS number, after checking the document's shape."""
    document = response.json()
    (number,) = document["error_codes"]
    assert document["error_description"].startswith(f"AADSTS{number}: ")
    assert document["trace_id"] in document["error_description"]
    assert document["correlation_id"] in document["error_description"]
    assert document["timestamp"].endswith("Z")
    return response.status_code, document["error"], number


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_id": "99999999-bbbb-4ccc-8ddd-eeeeeeeeeeee"}, (400, "unauthorized_client", 700016)),
        ({"client_secret": ""}, (401, "invalid_client", 7000216)),
        ({"scope": "https://outlook.office365.com"}, (400, "invalid_scope", 1002012)),
        ({"scope": "https://nothing.example/.default"}, (400, "invalid_resource", 500011)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"client_secret": "", "client_assertion": "no.jwt", "client_assertion_type": ASSERTION_TYPE},
         (401, "invalid_client", 50027)),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_as_entra_does(
    caller: Caller, form: dict[str, str], expected: tuple[int, str, int]
) -> None:
    assert code(caller.ask_token(**form)) == expected


def test_an_unknown_tenant_is_90002(caller: Caller) -> None:
    assert code(caller.ask_token(tenant="nowhere.onmicrosoft.com")) == (400, "invalid_request", 90002)


@pytest.mark.parametrize(
    ("switch", "value", "expected"),
    [
        ("secret_expired", True, (401, "invalid_client", 7000222)),
        ("conditional_access_blocks", True, (400, "invalid_grant", 53003)),
        ("exchange_in_tenant", False, (400, "invalid_resource", 500011)),
    ],
)
def test_switches_refuse_a_right_request(
    tenant: LabTenant, caller: Caller, switch: str, value: object, expected: tuple[int, str, int]
) -> None:
    setattr(tenant.switches, switch, value)
    assert code(caller.ask_token()) == expected
    tenant.reset()
    assert caller.ask_token().status_code == 200


def test_msal_shows_the_number_of_an_unregistered_certificate(tenant: LabTenant) -> None:
    pem = tenant.unregistered_certificate().read_text()
    answer = application(tenant, {"private_key": pem, "public_certificate": pem}).acquire_token_for_client(
        [SCOPE]
    )
    assert answer["error_codes"] == [700027]


def test_a_certificate_that_was_taken_off_the_application(tenant: LabTenant) -> None:
    tenant.switches.certificate_registered = False
    answer = application(tenant, credentials(tenant)["certificate with SHA-256 thumbprint"])
    assert answer.acquire_token_for_client([SCOPE])["error_codes"] == [700027]


def test_a_wrong_clock_is_700024(tenant: LabTenant) -> None:
    tenant.switches.clock_offset = 3600
    answer = application(tenant, credentials(tenant)["certificate with SHA-256 thumbprint"])
    assert answer.acquire_token_for_client([SCOPE])["error_codes"] == [700024]


def assertion(tenant: LabTenant, key_file: Path, **claims: Any) -> dict[str, str]:
    """A form with an assertion of our own making, right but for `claims`."""
    certificate = tenant.authority.certificates[0]
    key = load_pem_private_key(key_file.read_bytes(), None)
    right = {
        "aud": f"https://127.0.0.1:{tenant.port}/{tenant.tenant_id}/oauth2/v2.0/token",
        "iss": tenant.client_id,
        "sub": tenant.client_id,
        "nbf": int(time.time()),
        "exp": int(time.time()) + 600,
        "jti": "1",
    }
    signed = jwt.encode({**right, **claims}, key, "RS256", {"x5t": certificate.sha1})  # type: ignore[arg-type] # jwt's own union
    return {"client_secret": "", "client_assertion": signed, "client_assertion_type": ASSERTION_TYPE}


def test_an_assertion_is_checked_in_every_part(tenant: LabTenant, caller: Caller) -> None:
    mine = tenant.certificate_path
    assert caller.ask_token(**assertion(tenant, mine)).status_code == 200
    forged = assertion(tenant, tenant.unregistered_certificate())
    assert code(caller.ask_token(**forged))[2] == 700027
    for_others = assertion(tenant, mine, aud="https://login.example/token")
    assert code(caller.ask_token(**for_others))[2] == 700023
    late = assertion(tenant, mine, exp=int(time.time()) - 3600)
    assert code(caller.ask_token(**late))[2] == 700024
    pipeline = assertion(tenant, mine, iss="https://token.actions.example", sub="repo:x")
    assert code(caller.ask_token(**pipeline))[2] == 700211


def test_discovery_names_the_end_points_where_they_are(tenant: LabTenant, caller: Caller) -> None:
    verify = str(tenant.ca_file)
    url = f"{caller.base}/{tenant.initial_domain}/v2.0/.well-known/openid-configuration"
    document = caller.session.get(url, verify=verify, timeout=20).json()
    assert document["token_endpoint"] == f"{caller.base}/{tenant.tenant_id}/oauth2/v2.0/token"
    instance = caller.session.get(
        f"{caller.base}/common/discovery/instance", verify=verify, timeout=20
    ).json()
    assert instance["metadata"][0]["aliases"] == [f"127.0.0.1:{tenant.port}"]


def test_a_real_host_name_is_served_and_named_in_discovery(tenant: LabTenant, caller: Caller) -> None:
    answer = caller.session.get(
        f"{caller.base}/{tenant.tenant_id}/v2.0/.well-known/openid-configuration",
        headers={"Host": "login.microsoftonline.com"},
        verify=str(tenant.ca_file),
        timeout=20,
    )
    assert answer.json()["token_endpoint"].startswith("https://login.microsoftonline.com/")


def test_a_token_ends(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.token_lifetime = -1
    assert caller.invoke("Get-AcceptedDomain").status_code == 401


def test_an_opaque_token_is_as_good(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.token_form = "opaque"
    assert "." not in caller.token
    assert caller.invoke("Get-AcceptedDomain").status_code == 200


def test_revoked_tokens_are_refused_and_a_new_one_works(tenant: LabTenant, caller: Caller) -> None:
    assert caller.invoke("Get-AcceptedDomain").status_code == 200
    tenant.tokens.revoke_all()
    assert caller.invoke("Get-AcceptedDomain").status_code == 401
    caller.renew()
    assert caller.invoke("Get-AcceptedDomain").status_code == 200


def test_a_token_for_another_resource_is_refused(caller: Caller) -> None:
    graph = caller.ask_token(scope="https://graph.microsoft.com/.default").json()["access_token"]
    answer = caller.invoke("Get-AcceptedDomain", headers={"Authorization": f"Bearer {graph}"})
    assert answer.status_code == 401


def test_a_new_role_needs_a_new_token(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.directory_role = "none"
    assert caller.invoke("Get-AcceptedDomain").status_code == 403
    tenant.switches.directory_role = "admin"
    assert caller.invoke("Get-AcceptedDomain").status_code == 403
    caller.renew()
    assert caller.invoke("Get-AcceptedDomain").status_code == 200


def test_without_the_app_role_it_is_401_whatever_the_directory_role(
    tenant: LabTenant, caller: Caller
) -> None:
    tenant.switches.app_role = False
    assert caller.invoke("Get-AcceptedDomain").status_code == 401


def test_a_reader_reads_and_does_not_write(tenant: LabTenant, caller: Caller) -> None:
    tenant.switches.directory_role = "reader"
    assert caller.invoke("Get-TransportRule").status_code == 200
    refused = caller.invoke("Disable-TransportRule", {"Identity": "No executables"})
    assert refused.status_code == 403
    assert "supported in this scenario" in refused.headers["X-Ms-Diagnostics"]
    assert tenant.invoke_by_hand("Get-TransportRule", Identity="No executables")[0]["State"] == "Enabled"


@pytest.mark.parametrize("error", ["throttled", "server-503", "server-500"])
def test_the_token_end_point_can_fail_too(tenant: LabTenant, caller: Caller, error: str) -> None:
    tenant.faults.add("token", error)
    assert caller.ask_token().status_code in (429, 500, 503)
    assert caller.ask_token().status_code == 200


def test_the_journal_tells_of_each_request_for_a_token(tenant: LabTenant, caller: Caller) -> None:
    mark = tenant.journal.mark()
    caller.ask_token()
    caller.ask_token(client_secret="wrong")
    seen = [event.detail for event in tenant.journal.events("tenant", "token", since=mark)]
    assert seen == [
        {"client": tenant.client_id, "method": "secret", "ok": True, "code": 0},
        {"client": tenant.client_id, "method": "secret", "ok": False, "code": 7000215},
    ]
