"""The settings of a stack as far as they are right: a mistake in one section hides nothing of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from components.mistakes import SettingsError
from components.model_walk import key_of
from components.settings import Settings, SharedGatewaySettings, StackSettings, with_environment

Values = Mapping[str, object]

_ENCRYPTED = "secure"
STAND_IN = "encryptedInTheStackFile"
"""In the place of a header secret that is there, and that nobody has decrypted. It is used for nothing."""


@dataclass(frozen=True)
class RightSections:
    """`settings` has the sections that are right, each by itself; `wrong` are the names of the others."""

    settings: StackSettings
    wrong: frozenset[str]
    mistakes: tuple[str, ...]


def right_sections(
    values: Values, environment: Mapping[str, str], encrypted: Collection[str]
) -> RightSections:
    """The values of a stack file, secrets in clear or left out, together with the environment.

    `encrypted`: the settings whose secrets are encrypted in the file.
    """
    kind = SharedGatewaySettings if values.get("kind") == "gateway" else Settings
    try:
        return RightSections(kind.from_config(values, environment, encrypted), frozenset(), ())
    except SettingsError as refused:
        mistakes = refused.lines
    merged, _ = with_environment(kind, values, environment)
    found: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if (key := key_of(name, field)) not in merged:
            continue
        annotation: Any = Annotated[field.annotation, name, *field.metadata]
        try:
            found[name] = TypeAdapter(annotation).validate_python(merged[key], by_alias=True, by_name=False)
        except ValidationError:
            continue  # it is among the mistakes
    needed = {name for name, field in kind.model_fields.items() if field.is_required()}
    given = {name for name, field in kind.model_fields.items() if key_of(name, field) in merged}
    return RightSections(kind.model_construct(**found), frozenset((needed | given) - {*found}), mistakes)


def encrypted_keys(values: Values) -> frozenset[str]:
    """The settings that hold something encrypted."""
    return frozenset(key for key, value in values.items() if _holds_encrypted(value))


def without_encrypted(values: Values) -> dict[str, object]:
    """The values without what is encrypted; where a header's secret is, a stand-in says that there is one."""
    return {
        key: _pruned(value, STAND_IN if key == "outbound" else None)
        for key, value in values.items()
        if not _is_encrypted(value)
    }


def _pruned(value: object, stand_in: str | None) -> object:
    if isinstance(value, Mapping):
        kept = {key: one for key, one in value.items() if stand_in or not _is_encrypted(one)}
        return {key: stand_in if _is_encrypted(one) else _pruned(one, stand_in) for key, one in kept.items()}
    if isinstance(value, list):  # of previous secrets: one that nobody can read is none
        return [_pruned(one, stand_in) for one in value if not _is_encrypted(one)]
    return value


def _holds_encrypted(value: object) -> bool:
    if _is_encrypted(value):
        return True
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(_holds_encrypted(one) for one in inner)


def _is_encrypted(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {_ENCRYPTED}
