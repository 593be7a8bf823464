"""What is wrong with a stack file: all of it at once, one line each, and no secret in any."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from components.model_walk import Path, key_of, known_paths, model_at
from components.stack_config import NAMESPACE
from dynamic_providers.errors import ManagedError, clean
from dynamic_providers.model import Model
from dynamic_providers.refusal import REFUSED

_LONGEST_PART = 80


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: where, and a clause that says what, and what to do about it."""

    path: Path
    says: str
    source: str = ""

    def __str__(self) -> str:
        place = f"{shown(self.path)} (from {self.source})" if self.source else shown(self.path)
        return clean(f"{place} {self.says}")


class SettingsError(ManagedError):
    """A stack file that cannot be used. Its text is ready to be printed: a heading, then a line a mistake."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        self.lines = tuple(dict.fromkeys(str(mistake) for mistake in self.mistakes))
        count = "one mistake" if len(self.lines) == 1 else f"{len(self.lines)} mistakes"
        super().__init__(
            f"{count}; nothing was connected to, nothing was changed", where="settings of this stack"
        )

    def __str__(self) -> str:
        return "\n".join([f"{self.args[0]}:", *(f"  {line}" for line in self.lines)])


def shown(path: Path) -> str:
    """A path as it is written with `pulumi config set --path`: `gateway.members[0].host`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = clean(part)
            name = name if len(name) <= _LONGEST_PART else f"{name[:_LONGEST_PART]}…"
            text += f".{name}" if text else name
    return text or "the stack's configuration"


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word that is most like this one, or nothing."""
    by_lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower()[:_LONGEST_PART], by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def from_validation(error: ValidationError, model: type[Model]) -> list[Mistake]:
    """Pydantic's findings in an operator's words. Built from place and kind only, never from the input."""
    found = []
    errors = error.errors(include_input=False, include_url=False)
    for one in errors:
        path = tuple(part for part in one["loc"] if part != "[key]")
        if one["type"] == "too_short" and any(_is_under(other["loc"], path) for other in errors):
            continue  # not empty: pydantic counts only what is right
        if one["type"] == "extra_forbidden":
            says = unknown(path, model)
        elif one["type"] == "missing" and path[-1] == "hostKey":
            says = _NO_HOST_KEY
        else:
            says = _says(one["type"], one["msg"], one.get("ctx", {}))
        found.append(Mistake(path, says))
    return found


_NO_HOST_KEY = (
    "is missing: add the SHA256 fingerprint of its SSH host key, from its owner; `ssh-keyscan HOST |"
    " ssh-keygen -lf -` shows the one that answers, to compare"
)


def _is_under(path: Path, place: Path) -> bool:
    return len(path) > len(place) and path[: len(place)] == place


def unknown(path: Path, model: type[Model]) -> str:
    """What to say of a key that is no setting: the nearest one here, or the same one elsewhere."""
    namespace, _, key = str(path[-1]).rpartition(":")
    if namespace and len(path) == 1:
        return f"is of another project, and read by nobody: did you mean {NAMESPACE}:{key}?"
    section = model_at(model, path[:-1])
    here = [key_of(name, field) for name, field in section.model_fields.items()] if section else []
    if near := nearest(key, here):
        return f"is no setting: did you mean {shown((*path[:-1], near))}?"
    elsewhere = {place.rpartition(".")[2].lower(): place for place in known_paths(model)}
    if place := elsewhere.get(key.lower()):
        return f"is no setting here: did you mean {place}?"
    return f"is no setting: known here are {', '.join(here)}"


_WORDS = {
    "missing": "is missing: add it",
    "string_type": "is no text: give one text, in quotes where YAML reads it as something else",
    "bool_type": "is not true or false: write one of them, without quotes",
    "int_type": "is not a whole number: write one, without quotes",
    "int_from_float": "is not a whole number: write one",
    "model_type": "is not a map: write `key: value` lines under it",
    "dict_type": "is not a map: write `key: value` lines under it",
    "tuple_type": "is not a list: write `- value` lines under it",
    "invalid_key": "has a key that is no text: put it in quotes",
    "too_short": "is empty: give at least one, or leave it out where it is not needed",
}


def _says(kind: str, message: str, context: Mapping[str, object]) -> str:
    if kind == REFUSED:
        return message
    if kind == "literal_error":
        return f"is none of its words: write {context['expected']}"
    if kind == "greater_than_equal":
        return f"is too small: {context['ge']} is the least"
    if kind == "less_than_equal":
        return f"is too large: {context['le']} is the most"
    return _WORDS.get(kind, f"is not right ({kind}): see docs/reference/settings.md")
