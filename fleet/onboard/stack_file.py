"""The stack file: settings as commented YAML, beside what is there already. Never over it, unless told to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.mistakes import shown
from components.stack_config import NAMESPACE
from dynamic_providers.errors import ManagedError
from fleet.onboard.comments import ENDING, HEADING, OF_SETTINGS
from fleet.seals import KEY

_ENGINES = ("encryptionsalt", "encryptedkey", "secretsprovider")
"""What the engine keeps in the file beside the settings."""

_BARE = re.compile(
    r"""(?!(?:true|false|yes|no|on|off|null|y|n)$)       # a text, whatever a reader of YAML knows as words
    (?: [A-Za-z][A-Za-z0-9_.@/ -]*[A-Za-z0-9] | [A-Za-z]  # that cannot be a number, a date or a sign
      | [0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?     # an address
      | [0-9a-f]{8}-[0-9a-f-]{27} | [0-9]+[smhd]          # an id; a length of time
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_Path = tuple[str | int, ...]


class WrongFile(ManagedError):
    """The file that is there cannot be read, or what was written does not read back."""


@dataclass(frozen=True)
class There:
    """A stack file that is there: the settings in it, and what the engine keeps."""

    values: Mapping[str, Any]
    engines: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> There | None:
        """The one at a path; None where there is none. Raises WrongFile."""
        if not path.exists():
            return None
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, OSError):
            loaded = None  # what it says of a broken file may hold a secret
        config = loaded.get("config", {}) if isinstance(loaded, dict) else None
        if not isinstance(config, dict):
            raise WrongFile("it is no stack file", where=str(path), fix="put it right, or move it away")
        ours = {
            str(key).partition(":")[2]: one
            for key, one in config.items()
            if str(key).startswith(f"{NAMESPACE}:")
        }
        return cls(ours, {key: loaded[key] for key in _ENGINES if key in loaded})

    @property
    def has_secret(self) -> bool:
        """Whether the header's secret is in it, encrypted."""
        return isinstance(self.secret, dict) and set(self.secret) == {"secure"}

    @property
    def secret(self) -> Any:
        """The header's secret, as it stands there."""
        outbound = self.values.get("outbound")
        return outbound.get("secret") if isinstance(outbound, dict) else None

    def differences(self, values: Mapping[str, Any]) -> list[str]:
        """Where these settings differ from those that are there, a line each; no secret in any."""
        there = _without_secret(self.values)
        return [_told(*one) for one in _differences(there, _without_secret(values), ())]


def render(
    values: Mapping[str, Any], there: There | None = None, notes: Mapping[str, str] | None = None
) -> str:
    """The file's text; what is encrypted in the one that is there is kept. Raises WrongFile.

    `notes`: more comments, by the path of a setting.
    """
    kept = dict(values)
    if there is not None and there.has_secret:
        kept["outbound"] = {**kept["outbound"], "secret": there.secret}
    if there is not None and KEY in there.values:
        kept[KEY] = there.values[KEY]
    comments = {**OF_SETTINGS, **(notes or {})}
    lines = [HEADING, *_engines_lines(there), "config:"]
    for key, value in kept.items():
        lines += _setting(f"{NAMESPACE}:{key}", value, (key,), comments)
    text = "\n".join([*lines, ENDING])
    config = yaml.safe_load(text)["config"]
    if config != {f"{NAMESPACE}:{key}": value for key, value in kept.items()}:
        raise WrongFile("the settings cannot be written as YAML", fix="please report this")
    return text


def write(path: Path, text: str) -> None:
    """The whole file or nothing of it."""
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


# --- YAML ---------------------------------------------------------------------------------------------------


def _engines_lines(there: There | None) -> Iterator[str]:
    for key, value in (there.engines if there else {}).items():
        yield f"{key}: {_flow(value)}"


def _setting(key: str, value: Any, path: tuple[str, ...], comments: Mapping[str, str]) -> Iterator[str]:
    """A setting with its comment; sections and lists of sections a line each, all else in one."""
    pad = "  " * len(path)
    yield from (f"{pad}# {line}" for line in comments.get(".".join(path), "").splitlines())
    if isinstance(value, Mapping) and value and not _is_short(value):
        yield f"{pad}{_text(key)}:"
        for name, inner in value.items():
            yield from _setting(name, inner, (*path, name), comments)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        yield f"{pad}{_text(key)}:"
        yield from (f"{pad}  - {_flow(one)}" for one in value)
    else:
        yield f"{pad}{_text(key)}: {_flow(value)}"


def _is_short(value: Mapping[str, Any]) -> bool:
    return len(value) < 4 and not any(isinstance(one, Mapping | list) for one in value.values())


def _flow(value: Any) -> str:
    """A value in one line, which every reader of YAML reads alike."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """A text, in quotes wherever it could be read as something else."""
    own = text.startswith(f"{NAMESPACE}:")
    return text if own or _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


# --- comparing ----------------------------------------------------------------------------------------------


def _without_secret(values: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: one for key, one in values.items() if key != KEY}
    outbound = values.get("outbound")
    if not isinstance(outbound, Mapping):
        return values
    return {**values, "outbound": {key: one for key, one in outbound.items() if key != "secret"}}


def _differences(there: Any, wanted: Any, path: _Path) -> Iterator[tuple[_Path, Any, Any]]:
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        for key in [*wanted, *(key for key in there if key not in wanted)]:
            yield from _differences(there.get(key), wanted.get(key), (*path, str(key)))
    elif isinstance(there, list) and isinstance(wanted, list) and len(there) == len(wanted):
        for at, (one, other) in enumerate(zip(there, wanted, strict=True)):
            yield from _differences(one, other, (*path, at))
    elif there != wanted:
        yield path, there, wanted


def _told(path: _Path, there: Any, wanted: Any) -> str:
    if path[:1] == ("credentials",) or "secure" in path:
        return f"{shown(path)}: differs"
    sides = ["nothing" if one is None else _flow(one) for one in (there, wanted)]
    return f"{shown(path)}: there {sides[0]}, would be {sides[1]}"
