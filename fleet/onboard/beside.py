"""What stands beside a stack's own objects, and what its first preview would show. Looks only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components import equivalents
from components.settings import Settings
from dynamic_providers.entries import Props
from dynamic_providers.equivalents import EquivalentsProvider, Finding
from dynamic_providers.exchange.equivalents import ExchangeEquivalentsProvider
from dynamic_providers.gateway.equivalents import GatewayEquivalentsProvider
from dynamic_providers.observation import QUIET, Observation
from fleet.comparison import compare


@dataclass(frozen=True)
class Shown:
    """What the first preview would show, and what could not be looked at."""

    differs: tuple[Observation, ...]
    unseen: tuple[str, ...]


def others(settings: Settings) -> list[Finding]:
    """Others' objects that do what ours do, or stand in their way, on both sides."""
    gateway = {"gateway": settings.gateway.name, **equivalents.of_gateway(settings)}
    tenant = {"tenant": settings.tenant.initial_domain, **equivalents.of_tenant(settings)}
    return [*_found(GatewayEquivalentsProvider(), gateway), *_found(ExchangeEquivalentsProvider(), tenant)]


def first_preview(settings: Settings, stack: str) -> Shown:
    """Whatever is not as these settings want it."""
    seen: list[Observation] = []
    errors: list[str] = []

    def take(row: Mapping[str, str]) -> None:
        if "error" in row:
            errors.append(row["error"])
        else:
            seen.append(Observation(**row))  # type: ignore[arg-type] # its state is one of them

    compare(settings.model_copy(update={"mode": "observe"}), stack, take)
    wrong = [one for one in dict.fromkeys(seen) if one.state not in QUIET]
    wrong.sort(key=lambda one: (one.where, one.what, one.attribute))
    return Shown(tuple(wrong), tuple(dict.fromkeys(errors)))


def _found(provider: EquivalentsProvider, props: Props) -> Iterator[Finding]:
    inputs, wrong = provider.validated({**props, "leave": []})
    assert not wrong, "the settings are right"
    yield from provider.found(inputs, [part for part in provider.parts if inputs.get(part)], {})
