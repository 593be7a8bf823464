"""What a stack has on record, from `pulumi stack export`: without secrets, in clear or encrypted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Marks a value as something else than JSON, in a state a secret; the engine's own constant."""

_DYNAMIC = "pulumi-python:dynamic/"


@dataclass(frozen=True)
class Recorded:
    """One resource of ours: `kind` such as `gateway:SmtpRoutes`, its properties, and its times."""

    name: str
    kind: str
    properties: Mapping[str, Any]
    created: datetime | None = None
    modified: datetime | None = None

    @property
    def written(self) -> datetime | None:
        """When we last wrote there: the output `revision`; without one, when the inputs changed."""
        return moment(self.properties.get("revision")) or self.modified


def recorded(export: Mapping[str, Any]) -> tuple[Recorded, ...]:
    """Our resources in an exported stack; none where nothing was made yet."""
    resources: Iterable[Mapping[str, Any]] = (export.get("deployment") or {}).get("resources") or ()
    return tuple(
        Recorded(
            name=str(one["urn"]).rpartition("::")[2],
            kind=str(one["type"]).removeprefix(_DYNAMIC),
            properties=without_secrets(one.get("outputs") or one.get("inputs") or {}),
            created=moment(one.get("created")),
            modified=moment(one.get("modified")),
        )
        for one in resources
        if str(one["type"]).startswith(_DYNAMIC) and not one.get("delete")
    )


def without_secrets(value: Any) -> Any:
    """The same without what is marked as secret, and without what is the engine's own (`__provider`)."""
    if isinstance(value, Mapping):
        return {
            key: without_secrets(inner)
            for key, inner in value.items()
            if not key.startswith("__") and not _is_secret(inner)
        }
    if isinstance(value, list):
        return [without_secrets(inner) for inner in value if not _is_secret(inner)]
    return value


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and _SIGNATURE in value


def moment(text: object) -> datetime | None:
    """A time of the engine's or of ours, UTC; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
