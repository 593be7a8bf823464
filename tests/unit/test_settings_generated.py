"""What is made from the settings' models is current, and an editor's schema agrees with the program."""

from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from components.stack_config import NAMESPACE
from tests.unit.settings_samples import PROJECT, STACKS, stack_file
from tools import reference_docs, settings_schema

VALIDATOR = jsonschema.Draft202012Validator(settings_schema.stack_schema())


def test_the_schema_is_current() -> None:
    stored = (PROJECT / settings_schema.TARGET).read_text(encoding="utf-8")

    assert stored == settings_schema.text(), "run `python -m tools.settings_schema`"


@pytest.mark.parametrize("page", reference_docs.PAGES)
def test_the_reference_is_current(page: str) -> None:
    stored = (PROJECT / reference_docs.TARGET / page).read_text(encoding="utf-8")

    assert stored == reference_docs.PAGES[page](), "run `python -m tools.reference_docs`"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(settings_schema.stack_schema())


@pytest.mark.parametrize("name", STACKS)
def test_the_project_s_stack_files_pass(name: str) -> None:
    VALIDATOR.validate(stack_file(name))


def test_an_encrypted_secret_passes() -> None:
    stack = stack_file("contoso-prod")
    stack["encryptionsalt"] = "v1:abc"
    stack["config"][f"{NAMESPACE}:outbound"]["secret"] = {"secure": "v1:abc"}
    stack["config"][f"{NAMESPACE}:outbound"]["previousSecrets"] = [{"secure": "v1:def"}]
    stack["config"]["aws:region"] = "eu-central-1"

    VALIDATOR.validate(stack)


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("outbound", {"stat": "all"}),
        ("outbound", {"state": "some"}),
        ("outbound", {"secret": "with^regex$"}),
        ("outbound", {"smartHosts": []}),
        ("inbound", {"throttle": "off"}),
        ("inbound", {"throttle": {"connections": 0}}),
        ("gateway", {"members": []}),
        ("domains", {"contoso.example": {"microsoftMx": "mail.contoso.example"}}),
        ("domains", {"contoso.example": {}}),
        ("names", {"inboundRule": "x" * 65}),
        ("outbond", {}),
    ],
)
def test_what_the_program_refuses_is_underlined(section: str, change: Mapping[str, Any]) -> None:
    stack = stack_file("contoso-prod")
    whole = f"{NAMESPACE}:{section}"
    stack["config"][whole] = {**stack["config"].get(whole, {}), **change}

    assert not VALIDATOR.is_valid(stack)
