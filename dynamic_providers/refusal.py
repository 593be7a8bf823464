"""How a field type refuses a value: one clause, without the value."""

from typing import NoReturn

from pydantic_core import PydanticCustomError

REFUSED = "refused"
"""The type that pydantic gives such an error; its message is ready to be shown."""


def refuse(message: str) -> NoReturn:
    """Refuse a value: pydantic prints `message` alone, with neither prefix nor input."""
    raise PydanticCustomError(REFUSED, "{message}", {"message": message})
