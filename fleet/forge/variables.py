"""A job's variables."""

from __future__ import annotations

from collections.abc import Mapping

from dynamic_providers.errors import ManagedError


class MissingVariable(ManagedError):
    """The job does not have what its step needs."""


def needed(environment: Mapping[str, str], name: str, fix: str = "see pipelines/README.md") -> str:
    """A variable that has to be there."""
    value = environment.get(name)
    if not value:
        raise MissingVariable(f"{name} is not set in this job", fix=fix)
    return value
