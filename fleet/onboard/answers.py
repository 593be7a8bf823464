"""Answers: from the command line, else from the terminal, else listed as missing, all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic_core import PydanticCustomError

from dynamic_providers.errors import ManagedError, clean

Ask = Callable[[str], str]
Tell = Callable[[str], None]
T = TypeVar("T")


class Incomplete(ManagedError):
    """Something was not said, or cannot be right. Its text is ready to be printed: a line for each."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(dict.fromkeys(clean(line) for line in lines))
        what = "one thing is" if len(self.lines) == 1 else f"{len(self.lines)} things are"
        super().__init__(f"{what} missing or not right; nothing was written")

    def __str__(self) -> str:
        return "\n".join([f"{self.args[0]}:", *(f"  {line}" for line in self.lines)])


class Answers:
    """Collects. `ask` shows a question and returns what was typed; None where nobody can be asked."""

    def __init__(self, ask: Ask | None, tell: Tell) -> None:
        self._ask = ask
        self.tell = tell
        self._lines: list[str] = []

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there."""
        return self._ask is not None

    def checked(self, given: str, option: str, check: Callable[[str], T]) -> T | None:
        """A value that was given; None, and noted, where its check refuses it."""
        try:
            return check(given)
        except PydanticCustomError as refused:
            self._lines.append(f"{option} {shown(given)} {refused.message()}")
            return None

    def value(self, given: str | None, option: str, question: str, check: Callable[[str], T]) -> T | None:
        """One value. None where it is noted as missing or wrong; `require` raises then."""
        if given:
            return self.checked(given, option, check)
        if self._ask is None:
            self.missing(option, question)
            return None
        while True:
            try:
                return check(self._ask(question).strip())
            except PydanticCustomError as refused:
                self.tell(f"it {refused.message()}")

    def values(
        self, given: Sequence[str], option: str, question: str, check: Callable[[str], T]
    ) -> tuple[T, ...]:
        """At least one; typed with commas between."""
        if given or self._ask is None:
            found = [self.value(one, option, question, check) for one in given or [""]]
            return tuple(one for one in found if one is not None)
        parts = self.value("", option, f"{question} (several: with commas)", lambda text: _each(text, check))
        return parts or ()

    def agreed(self, question: str) -> bool:
        """Whether somebody says yes to it; nobody there: no."""
        return self._ask is not None and self._ask(f"{question} (yes/no)").strip().lower() == "yes"

    def missing(self, option: str, what: str) -> None:
        """Something that has to be said."""
        self._lines.append(f"{option}: {what}")

    def require(self) -> None:
        """Raise Incomplete where anything is missing or wrong."""
        if self._lines:
            raise Incomplete(self._lines)


def shown(text: str, longest: int = 60) -> str:
    """What was given, as a message shows it."""
    plain = clean(text)
    return f"«{plain if len(plain) <= longest else plain[:longest] + '…'}»"


def _each(text: str, check: Callable[[str], T]) -> tuple[T, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(check(part) for part in parts or [""])
