"""A whole stack for each release profile of the lab that can be set up, and the program to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings import Settings
from lab.estate import Estate
from lab.gateway.profile import load_profile, profile_names
from tests.mini_engine import MiniEngine
from tests.plugin_nursery import Nursery
from tests.protocol.drift_bench import DriftEngine
from tests.unit.settings_samples import sample

Values = dict[str, Any]


RELEASES = ("cluster", "new", "old")
"""The profiles that the real engine is run on."""


def complete_profiles() -> list[str]:
    """Every profile that can be set up whole: new ones are in by being there."""
    return [name for name in profile_names() if not load_profile(name).refused]


def refused_profiles() -> list[str]:
    """Every profile that no stack can be set up on."""
    return [name for name in profile_names() if load_profile(name).refused]


def stack_of(profile: str) -> str:
    """The stack file whose gateways a profile has."""
    return "contoso-prod" if load_profile(profile).cluster else "bce-demo-lab"


def domain_of(profile: str) -> str:
    """The stack's main domain."""
    return str(next(iter(sample(stack_of(profile))["domains"])))


def settings_for(
    estate: Estate, changes: Mapping[str, Mapping[str, Any]], take_over: tuple[str, ...] = ()
) -> Settings:
    """A profile's stack file, some sections changed, and other take-over keys if there are any."""
    values: Values = sample(stack_of(estate.gateway.profile.name))
    values["endpoints"] = {"caBundle": str(estate.ca_file.resolve())}
    for section, inner in changes.items():
        values[section] = {**values.get(section, {}), **inner}
    values["settle"] = {"rule": "1s", "mx": "1s"}
    values["takeOver"] = list(take_over) if take_over else values["takeOver"]
    return Settings.from_config(values, estate.environment)


@dataclass(frozen=True)
class Stacks:
    """Makes small engines, each with an empty state, whose plugins are forked from one process."""

    nursery: Nursery

    def engine(
        self,
        estate: Estate,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        take_over: tuple[str, ...] = (),
    ) -> MiniEngine:
        """With ciphers that are set, unless `changes` are given: so every dialogue that writes is used."""
        changes = changes if changes is not None else {"outbound": {"ciphers": "set"}}
        return DriftEngine(self.nursery, settings_for(estate, changes, take_over), estate.environment)
