"""Stack files for the tests of the settings: the two that are in the project, and a way to spoil them."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import Settings, SettingsError
from components.stack_config import NAMESPACE

PROJECT = Path(__file__).parents[2]
STACKS = ("bce-demo-lab", "contoso-prod")

SECRET = "mysecretkey"
ENVIRONMENT: Mapping[str, str] = {
    "GATEWAY_PASSWORD": "Practice-Gateway-7!",
    "GATEWAY_KEY_FILE": ".lab/jump_key",
    "AZURE_CLIENT_SECRET": "Practice~Tenant~Secret~42",
    "OUTBOUND_SECRET": SECRET,
    "DNS_TSIG_SECRET": "cHJhY3RpY2Uta2V5",
}

Values = dict[str, Any]


def stack_file(name: str) -> Values:
    """A stack file, whole."""
    loaded: Values = yaml.safe_load((PROJECT / "stacks" / f"Pulumi.{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def sample(name: str = "contoso-prod") -> Values:
    """The settings of a stack file as the program gets them: without the namespace."""
    return {key.removeprefix(f"{NAMESPACE}:"): value for key, value in stack_file(name)["config"].items()}


def spoiled(changes: Mapping[tuple[str | int, ...], object], name: str = "contoso-prod") -> Values:
    """A stack's settings with some of them changed, by their places."""
    values = copy.deepcopy(sample(name))
    for place, value in changes.items():
        inner: Any = values
        for step in place[:-1]:
            inner = inner.setdefault(step, {}) if isinstance(inner, dict) else inner[step]
        inner[place[-1]] = value
    return values


def refusal(values: Values, environment: Mapping[str, str] = ENVIRONMENT) -> tuple[str, ...]:
    """The lines by which a stack file is refused."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_config(values, environment)
    return caught.value.lines
