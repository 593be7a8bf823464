"""Going through the settings' models and, beside them, what a stack file holds."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from dynamic_providers.model import Model

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Part:
    """What a setting is made of: a section of its own, or several of them in a list or under names."""

    model: type[Model]
    shape: Literal["one", "list", "map"]


@dataclass(frozen=True)
class Given:
    """A setting that a stack file holds, with what it says there; not checked yet."""

    path: Path
    field: FieldInfo
    value: object
    is_secret: bool = False


def key_of(name: str, field: FieldInfo) -> str:
    """A setting's key in a stack file."""
    return field.alias or name


def part_of(annotation: object) -> Part | None:
    """The section under a setting, if it has one."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return Part(annotation, "one")
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return part_of(arguments[0])
    for argument in arguments:
        inner = part_of(argument)
        if inner is not None and origin is dict:
            return Part(inner.model, "map")
        if inner is not None and origin is tuple:
            return Part(inner.model, "list")
        if inner is not None:
            return inner
    return None


@functools.cache
def _fields(model: type[Model]) -> tuple[tuple[str, FieldInfo, Part | None, bool], ...]:
    """A section's settings: key, field, what is under it, and whether it is a secret."""
    return tuple(
        (key_of(name, field), field, part_of(field.annotation), holds_secret(field.annotation))
        for name, field in model.model_fields.items()
    )


def holds_secret(annotation: object) -> bool:
    """Whether a setting's value is a secret, or a list of secrets."""
    return annotation is SecretStr or any(holds_secret(argument) for argument in get_args(annotation))


def given(model: type[Model], values: object, path: Path = ()) -> Iterator[Given]:
    """Every known setting that `values` hold, from the outside in; a wrong shape is not gone into."""
    if not isinstance(values, Mapping):
        return
    for key, field, part, is_secret in _fields(model):
        if key not in values:
            continue
        yield Given((*path, key), field, values[key], is_secret)
        if part is not None:
            for step, inner in _inner(part, values[key]):
                yield from given(part.model, inner, (*path, key, *step))


def _inner(part: Part, value: object) -> Iterator[tuple[Path, object]]:
    if part.shape == "one":
        yield (), value
    elif part.shape == "map" and isinstance(value, Mapping):
        yield from (((str(key),), inner) for key, inner in value.items())
    elif part.shape == "list" and isinstance(value, Sequence) and not isinstance(value, str):
        yield from (((index,), inner) for index, inner in enumerate(value))


def model_at(model: type[Model], path: Path) -> type[Model] | None:
    """The section that a path of a stack file leads to."""
    if not path:
        return model
    part = {key: part for key, _, part, _ in _fields(model)}.get(str(path[0]))
    if part is None:
        return None
    return model_at(part.model, path[1:] if part.shape == "one" else path[2:])


def known_paths(model: type[Model], before: str = "") -> Iterator[str]:
    """All settings with their places, `outbound.smartHosts`; those in lists and maps are left out."""
    for key, _, part, _ in _fields(model):
        here = before + key
        yield here
        if part is not None and part.shape == "one":
            yield from known_paths(part.model, here + ".")
