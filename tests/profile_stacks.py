"""A whole stack for each release profile of the lab that can be set up, and the program to do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings
from lab.estate import Estate
from lab.gateway.profile import load_profile, profile_names
from tests.by_hand import asks_messages
from tests.mini_engine import MiniEngine
from tests.unit.settings_samples import sample

Values = dict[str, Any]


def complete_profiles() -> list[str]:
    """Every profile that can be set up whole: new ones are in by being there."""
    found = []
    for name in profile_names():
        profile = load_profile(name)
        strange = profile.data.get("switches", {}).get("strange_question", False)
        if asks_messages(profile) and not strange:
            found.append(name)
    return found


def stack_of(profile: str) -> str:
    """The stack file whose gateways a profile has."""
    return "contoso-prod" if load_profile(profile).cluster else "bce-demo-lab"


def domain_of(profile: str) -> str:
    """The stack's main domain."""
    return str(next(iter(sample(stack_of(profile))["domains"])))


def program(
    estate: Estate, changes: Mapping[str, Mapping[str, Any]], take_over: tuple[str, ...]
) -> Callable[[], None]:
    """The program on a profile's stack file, some sections changed, and other take-over keys if given."""
    values: Values = sample(stack_of(estate.gateway.profile.name))
    values["endpoints"] = {"caBundle": str(estate.ca_file.resolve())}
    for section, inner in changes.items():
        values[section] = {**values.get(section, {}), **inner}
    values["takeOver"] = list(take_over) if take_over else values["takeOver"]
    settings = Settings.from_config(values, estate.environment)

    def run() -> None:
        SecureEmailIntegration("mail-flow", settings)

    return run


def engine_for(
    estate: Estate, changes: Mapping[str, Mapping[str, Any]] | None = None, take_over: tuple[str, ...] = ()
) -> MiniEngine:
    """A small engine with an empty state. Ciphers are set, so that every dialogue that writes is used."""
    changes = changes if changes is not None else {"outbound": {"ciphers": "set"}}
    return MiniEngine(program(estate, changes, take_over), estate.environment)
