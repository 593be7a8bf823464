"""Hostile values by every input field of a stack file: refused before a connection is opened, or literal."""

from __future__ import annotations

import socket
from itertools import islice
from typing import Any

import pytest
from pydantic import Field, create_model

from components.model_walk import Path, key_of, part_of
from components.settings import Settings, SettingsError, SharedGatewaySettings
from dynamic_providers import errors
from dynamic_providers.connections import CREDENTIALS
from dynamic_providers.model import Model
from tests.unit.hostile_matrix import (
    BY_ADDRESS,
    BY_CERTIFICATE,
    EVERYTHING,
    FULL,
    NO_SECRETS,
    Uncovered,
    holes,
    leaves,
    without,
)
from tests.unit.settings_samples import ENVIRONMENT

LEAVES = {str(leaf): leaf for leaf in leaves(Settings)}


@pytest.fixture(autouse=True)
def cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection can be opened, and what was a secret in one case is none in the next."""

    def refuse(*_arguments: object) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(errors, "_secrets", set())


@pytest.mark.parametrize("place", [BY_CERTIFICATE, BY_ADDRESS])
def test_everything_that_goes_together_is_right(place: tuple[str, str]) -> None:
    assert Settings.from_config(without(place), NO_SECRETS).kind == "tenant"


@pytest.mark.parametrize("place", LEAVES)
def test_every_hostile_value_is_refused_or_literal(place: str) -> None:
    assert list(islice(holes(LEAVES[place]), 5)) == []


@pytest.mark.parametrize("variable", CREDENTIALS)
@pytest.mark.parametrize("part", ["\n", "\r\nQUIT", "\x00", "\x1b[2J", " "])
def test_a_credential_of_the_environment_is_one_line(variable: str, part: str) -> None:
    given = f"{ENVIRONMENT.get(variable, 'Secret-Enough-9')}{part}"
    with pytest.raises(SettingsError) as caught:
        Settings.from_config(FULL, {**NO_SECRETS, variable: given})
    [line] = [line for line in caught.value.lines if "one line" in line]
    assert line.startswith(f"credentials.{CREDENTIALS[variable]} (from {variable}) is not one line")
    assert given.strip() not in str(caught.value)


def test_a_setting_without_a_case_is_found() -> None:
    class More(Settings):
        another: str = ""

    with pytest.raises(Uncovered, match="another"):
        list(leaves(More))


def test_the_stack_of_a_shared_gateway_has_no_inputs_of_its_own() -> None:
    """Its file says what the tenant's does, and one of four words: what is refused there is refused here."""
    values = {**EVERYTHING, "outbound": {**EVERYTHING["outbound"], "cloud": "gccHigh"}}
    own = {str(leaf) for leaf in leaves(SharedGatewaySettings, values)} - LEAVES.keys()
    assert own == {"outbound.cloud"}


# --- the matrix has teeth -----------------------------------------------------------------------------------


def loosened(model: type[Model], path: Path) -> type[Model]:
    """The model with one of its inputs taken as any text: an injection that somebody let in."""
    name, field = next((n, f) for n, f in model.model_fields.items() if key_of(n, f) == path[0])
    part = part_of(field.annotation)
    inner: Any = str
    if part is not None:
        rest = path[1:] if part.shape == "one" else path[2:]
        inner = loosened(part.model, rest) if rest else part.model
        shapes: dict[str, Any] = {"one": inner, "list": tuple[inner, ...], "map": dict[str, inner]}
        inner = shapes[part.shape]
    elif len(path) > 1:
        inner = tuple[str, ...]
    fields: dict[str, Any] = {name: (inner, Field(alias=str(path[0])))}
    made: type[Model] = create_model(f"Loose{model.__name__}", __base__=model, **fields)
    return made


SEEDED = (
    "customer.name",
    "change.ticket",
    "gateway.inboundListener",
    "gateway.members[0].host",
    "gateway.tracking.url",
    "names.senderGroup",
    "names.filter",
    "names.outboundRule",
    "domains.contoso.example (key)",
    "domains.contoso.example.microsoftMx",
    "inbound.mxHosts[0].host",
    "outbound.pilotGroup",
    "outbound.smartHosts[0]",
    "checks.mailbox",
    "endpoints.caBundle",
)


@pytest.mark.parametrize("place", SEEDED)
def test_a_type_that_lets_anything_in_is_found(place: str) -> None:
    leaf = LEAVES[place]
    loose: Any = loosened(Settings, leaf.path)
    found = list(islice(holes(leaf, loose), 3))
    assert found
    assert all(one.startswith(place) for one in found)
