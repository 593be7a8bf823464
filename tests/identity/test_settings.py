"""Settings of an identity that are refused: all at once, each with its place, and what to do."""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
import pytest

from components.mistakes import SettingsError
from identity.settings import IdentitySettings
from tests.identity.entra import example, run

TODAY = datetime.now(UTC).date()
GITHUB = {"repository": "contoso/mail", "environment": "prod"}
CLIENT = "bbbbbbbb-cccc-4ddd-8eee-ffffffffffff"


def refusal(values: Mapping[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        IdentitySettings.from_config(values)
    assert str(caught.value).startswith("settings of this stack: ")
    return list(caught.value.lines)


def having(**changes: Any) -> dict[str, Any]:
    values = copy.deepcopy(example("contoso")) | changes
    return {key: value for key, value in values.items() if value is not None}


def federated(**workload: Any) -> dict[str, Any]:
    return having(credentials={"federated": {"prod": workload}})


REFUSED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "no tenant": (having(tenant=None), "tenant is missing: add it"),
    "a slip": (having(kinds="own"), "kinds is no setting: did you mean kind?"),
    "another role": (having(role="admin"), "role is none of its words: write 'write' or 'read'"),
    "a long name": (having(name="n" * 51), "name is longer than 50"),
    "no credential": (having(credentials=None), "credentials are missing: give federated, certificate"),
    "an empty one": (having(credentials={}), "credentials are missing: give federated, certificate"),
    "no customer": (
        having(kind="multiTenant", graph=None),
        "customers are missing while kind is multiTenant",
    ),
    "a customer too many": (
        having(customers={"fabrikam": example("contoso")["tenant"]}),
        "customers count only while kind is multiTenant",
    ),
    "a provider's mailbox": (
        having(kind="multiTenant", customers={"fabrikam": example("contoso")["tenant"]}),
        "graph.mailbox is a customer's: name it in the stack of kind consented",
    ),
    "a reader that sends": (having(role="read"), "graph.mailbox is sent from, which role read is not for"),
    "no mailbox to look into": (having(graph={"lookInto": True}), "graph.mailbox is missing while"),
    "nobody let in": (
        having(kind="consented", credentials=None),
        "clientId is missing while kind is consented",
    ),
    "a credential of others": (
        having(kind="managedIdentity", clientId=CLIENT),
        "credentials are not made here while kind is managedIdentity",
    ),
    "an id of its own": (having(clientId=CLIENT), "clientId is what Entra gives while kind is own"),
    "a day that is past": (
        having(credentials={"secret": [str(TODAY)]}),
        "credentials.secret[0] is past: take it out, and what ends on it goes",
    ),
    "a day too far": (
        having(credentials={"certificate": [str(TODAY + timedelta(days=731))]}),
        "credentials.certificate[0] is more than two years away",
    ),
    "no day": (having(credentials={"secret": ["soon"]}), "credentials.secret[0] is not a day"),
    "a day twice": (
        having(credentials={"secret": [str(TODAY + timedelta(days=9))] * 2}),
        "credentials.secret[1] is the same day as another one",
    ),
    "trusted twice": (
        having(credentials={"federated": {"prod": {"github": GITHUB}, "too": {"github": GITHUB}}}),
        "credentials.federated.too is there twice: keep one of them",
    ),
    "nothing trusted": (federated(), "credentials.federated.prod names not exactly one"),
    "two trusted at once": (
        federated(github=GITHUB, gitlab={"project": "contoso/mail"}),
        "credentials.federated.prod names not exactly one",
    ),
    "half a repository": (
        federated(github={**GITHUB, "repository": "mail"}),
        "credentials.federated.prod.github names no repository",
    ),
    "half of its numbers": (
        federated(github={**GITHUB, "ownerId": 12}),
        "credentials.federated.prod.github has one of ownerId and repositoryId",
    ),
    "any environment": (
        federated(github={**GITHUB, "environment": "*"}),
        "credentials.federated.prod.github.environment is no such name",
    ),
    "an issuer in clear": (
        federated(azureDevOps={"issuer": "http://vstoken.dev.azure.com/1", "subject": "sc://a/b/c"}),
        "credentials.federated.prod.azureDevOps.issuer is not an https address",
    ),
    "too many trusted": (
        having(
            credentials={
                "federated": {f"p{n}": {"github": {**GITHUB, "environment": f"e{n}"}} for n in range(21)}
            }
        ),
        "credentials.federated ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_told_with_its_place(name: str) -> None:
    values, line = REFUSED[name]
    said = refusal(values)
    assert len(said) == 1, said
    assert said[0].startswith(line)


def test_all_mistakes_are_told_at_once_and_end_the_program() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run({"role": "admin", "credentials": {"secret": ["soon"]}, "kind": "consented"})
    heading, *lines = str(caught.value).splitlines()
    assert heading == "settings of this stack: 5 mistakes; nothing was connected to, nothing was changed:"
    assert [line.split()[0] for line in lines] == [
        "tenant",
        "role",
        "credentials.secret[0]",
        "clientId",
        "credentials",
    ]


@pytest.mark.parametrize("name", ["contoso", "contoso-read"])
def test_the_examples_are_right(name: str) -> None:
    assert IdentitySettings.from_config(example(name)).tenant.initial_domain == "contoso.onmicrosoft.com"
