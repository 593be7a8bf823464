"""Types that only a stack file has: secrets, lengths of time, a word for «none»."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from components import change_window
from dynamic_providers import wording
from dynamic_providers.refusal import refuse

LONGEST_CREDENTIAL = 4096
_SHORTEST_KEY = 32  # letters; with a key that can be guessed, an approval would tell whether a secret is, too

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LENGTH_OF_TIME = re.compile(r"([1-9][0-9]{0,6})([smhd])")


@dataclass(frozen=True)
class OrWord:
    """In place of a value, a word that stands for «none of it»: read as None. An empty setting is no word."""

    word: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read the word before the type does."""
        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say the word where the type has null."""
        shown = handler(schema)
        options = [{"const": self.word} if one == {"type": "null"} else one for one in shown["anyOf"]]
        return {**shown, "anyOf": options}

    def _read(self, value: object) -> object:
        if value is None:
            refuse(f"is empty: write {self.word}, or leave the setting out")
        return None if value == self.word else value


def _read_length(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = _LENGTH_OF_TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        refuse("is not a length of time: write a whole number and s, m, h or d, such as 75m")
    length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if length > timedelta(days=30):
        refuse("is longer than 30 days: shorten it")
    return length


def _show_length(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_length),
    PlainSerializer(_show_length, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,6}[smhd]$"}),
]
"""A length of time: 30s, 75m, 1h, 2d; 30 days at most."""


def _read_day(value: object) -> date:
    """A day as a text; a number would be read as seconds since 1970, which nobody means."""
    day = value if type(value) is date else None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with suppress(ValueError):  # there is no such day
            day = date.fromisoformat(value)
    if day is None:
        refuse('is not a day: write it in quotes, "2026-10-01"')
    return day


Day = Annotated[date, BeforeValidator(_read_day)]
"""A day, `2026-10-01`."""

Window = Annotated[
    str,
    AfterValidator(change_window.checked),
    WithJsonSchema({"type": "string", "pattern": change_window.PATTERN}),
]
"""A change window, `Sat 20:00-24:00 Europe/Zurich`, as text: so it goes into comments."""


def _encrypted_or(plain: Mapping[str, Any]) -> WithJsonSchema:
    """A secret in a stack file: as `pulumi config set --secret --path` writes it."""
    encrypted = {
        "type": "object",
        "properties": {"secure": {"type": "string"}},
        "required": ["secure"],
        "additionalProperties": False,
    }
    return WithJsonSchema({"anyOf": [encrypted, {"type": "string", **plain}]})


def _header_secret(value: SecretStr) -> SecretStr:
    wording.header_value(value.get_secret_value())
    return value


def _credential(value: SecretStr) -> SecretStr:
    wording.one_line(value.get_secret_value(), LONGEST_CREDENTIAL)
    return value


def _approval_key(value: SecretStr) -> SecretStr:
    _credential(value)
    if len(value.get_secret_value()) < _SHORTEST_KEY:
        refuse(f"is too short for a key: `openssl rand -hex 32` makes one ({_SHORTEST_KEY} letters at least)")
    return value


HeaderSecret = Annotated[
    SecretStr,
    AfterValidator(_header_secret),
    _encrypted_or({"pattern": f"^[A-Za-z0-9]{{{wording.HEADER_VALUE_LEAST},{wording.HEADER_VALUE_MOST}}}$"}),
]
"""The value of the header that shows where a message comes from: letters and digits only."""

Credential = Annotated[SecretStr, AfterValidator(_credential), _encrypted_or({"minLength": 1})]
"""A password, key passphrase or client secret."""

ApprovalKey = Annotated[SecretStr, AfterValidator(_approval_key), _encrypted_or({"minLength": _SHORTEST_KEY})]
"""What `fleet` seals secrets with in an approval."""
