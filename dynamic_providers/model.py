"""The one base of every model: what a stack file, a resource's inputs or a table's entry may hold."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Frozen, closed to unknown keys, silent about its input: an error names place and reason, never a value.

    Attributes are snake_case, keys outside Python camelCase (`host_key` is `hostKey` in a stack file and in a
    resource's inputs). Both are accepted when a model is made; `model_dump(by_alias=True)` gives camelCase.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        loc_by_alias=True,
    )
