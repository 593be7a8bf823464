"""Looking into what a stack file holds before it is known to be right."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from pydantic_core import PydanticCustomError

from components.model_walk import Path

Values = Mapping[str, object]
Environment = Mapping[str, str]


def at(values: object, *path: str) -> object:
    """What a stack file holds at a place, or None."""
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def listed_at(values: object, *path: str) -> Sequence[object]:
    """The list that a stack file holds at a place; empty where there is none."""
    found = at(values, *path)
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


def normal(check: Callable[[str], str], value: object) -> str | None:
    """The one form of a value, or None where its own check refuses it."""
    if not isinstance(value, str):
        return None
    try:
        return check(value)
    except PydanticCustomError:
        return None


def texts(values: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """All texts under a place, each with its own, keys as well."""
    if isinstance(values, str):
        yield path, values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            here = (*path, str(key))
            yield here, str(key)
            yield from texts(value, here)
    elif isinstance(values, Sequence):
        for index, value in enumerate(values):
            yield from texts(value, (*path, index))
