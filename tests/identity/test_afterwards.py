"""What an administrator is given to type: right, and nothing in it means anything special."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.afterwards import cmdlet
from identity.settings import IdentitySettings
from tests.identity.entra import CLIENT, PRINCIPAL, example, run
from tests.identity.test_graph import KINDS

QUOTES = "'\u2018\u2019\u201a\u201b"


def words(line: str) -> list[str]:
    """A line of PowerShell taken apart as PowerShell does: any of its quotes ends what one of them began."""
    found, at = [], 0
    while at < len(line):
        if line[at] in " ,":
            at += 1
        elif line[at] in QUOTES:
            text, at = _text(line, at + 1)
            found.append(text)
        else:
            end = line.find(" ", at) % (len(line) + 1)
            found.append(line[at:end])
            at = end
    return found


def _text(line: str, at: int) -> tuple[str, int]:
    text = ""
    while True:
        if line[at] not in QUOTES:
            text, at = text + line[at], at + 1
        elif line[at + 1 : at + 2] in {*QUOTES}:
            text, at = text + line[at], at + 2
        else:
            assert line[at + 1 : at + 2] in {"", " ", ","}
            return text, at + 1


@given(st.text("aß𝄞" + QUOTES + ' ,$`";|&(){}@#-'))
def test_whatever_is_quoted_is_one_text_and_nothing_else(text: str) -> None:
    line = cmdlet("New-ManagementScope", Name=text, Role="x")
    assert words(line) == ["New-ManagementScope", "-Name", text, "-Role", "x"]


def commands(values: dict[str, Any]) -> list[list[str]]:
    text = run(values).outputs["afterwards"]
    return [words(line) for line in text.splitlines() if line and not line.startswith("#")]


SCOPE = "m365-secure-email probe"
SEND = ["New-ManagementRoleAssignment", "-App", PRINCIPAL, "-Role", "Application Mail.Send"]
READ = [*SEND[:-1], "Application Mail.Read"]


@pytest.mark.parametrize("look_into", [False, True])
def test_mail_is_limited_to_the_one_mailbox(*, look_into: bool) -> None:
    values = example("contoso") | {"graph": {"mailbox": "o'neil@contoso.example", "lookInto": look_into}}
    assert commands(values) == [
        ["Connect-ExchangeOnline", "-Organization", "contoso.onmicrosoft.com"],
        [
            "New-ServicePrincipal",
            "-AppId",
            CLIENT,
            "-ObjectId",
            PRINCIPAL,
            "-DisplayName",
            "m365-secure-email",
        ],
        [
            "New-ManagementScope",
            "-Name",
            SCOPE,
            "-RecipientRestrictionFilter",
            "PrimarySmtpAddress -eq 'o''neil@contoso.example'",
        ],
        [*SEND, "-CustomResourceScope", SCOPE],
        *([[*READ, "-CustomResourceScope", SCOPE]] if look_into else []),
        [
            "Test-ServicePrincipalAuthorization",
            "-Identity",
            PRINCIPAL,
            "-Resource",
            "o'neil@contoso.example",
        ],
    ]


def test_the_longest_name_fits_into_exchange() -> None:
    name = "n" * 50
    assert IdentitySettings.from_config({**example("contoso"), "name": name}).name == name
    [scope] = [one for one in commands({**example("contoso"), "name": name}) if one[0].endswith("Scope")]
    assert len(scope[2]) <= 64


def test_nothing_is_left_to_do_where_no_mail_is_sent() -> None:
    assert "afterwards" not in run(example("contoso-read")).outputs


def test_a_customer_lets_a_providers_app_in_by_hand() -> None:
    found = run(dict(KINDS["a provider's"][0])).outputs
    assert f"#   {found['consentUrls']['fabrikam']}" in found["afterwards"].splitlines()
    graph = [words(line) for line in found["afterwards"].splitlines() if not line.startswith("#")]
    assert graph[0][:3] == ["Connect-MgGraph", "-TenantId", "11111111-2222-4333-8444-555555555555"]
    assert graph[1] == ["$app", "=", "Get-MgServicePrincipal", "-Filter", f"appId eq '{CLIENT}'"]
    assert graph[2] == [
        "New-MgRoleManagementDirectoryRoleAssignment",
        "-RoleDefinitionId",
        "29232cdf-9323-42fd-ade2-1d097af3e4de",
        "-DirectoryScopeId",
        "/",
        "-PrincipalId",
        "$app.Id",
    ]
