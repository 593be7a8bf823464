"""How something that we would manage is, beside how it should be: an attribute each."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pulumi.dynamic import CheckFailure, ResourceProvider

from dynamic_providers import report
from dynamic_providers.entries import Difference, Entry, Props, shown, some

State = Literal["right", "noted", "absent", "differs", "in the way"]
"""noted: worth knowing, and nothing that an `up` would change; in the way: an `up` would be refused."""

ONLY_LOOKS = (
    "nothing is changed, on neither side. MX records are only looked up; the mail checks, the connector's "
    "validation and the guard do not run"
)

QUIET: tuple[State, ...] = ("right", "noted")


@dataclass(frozen=True)
class Observation:
    """One attribute of one thing. Without an attribute: the thing itself, `theirs` says what is with it.

    Nothing in it is a secret: of one, `theirs` says that it differs, and `ours` is empty.
    """

    where: str
    what: str
    attribute: str
    state: State
    theirs: str = ""
    ours: str = ""

    def __str__(self) -> str:
        if not self.attribute:
            return f"{self.where}: {self.what}{' ' if self.state == 'absent' else ': '}{self.theirs}"
        sides = f"theirs {self.theirs}, ours {self.ours}" if self.ours else self.theirs
        return f"{self.where}: {self.what}: {self.attribute}: {sides}"


class Seeing(ResourceProvider, ABC):
    """A provider whose resources can be looked at instead of made."""

    @abstractmethod
    def validated(self, news: Props) -> tuple[Props, list[CheckFailure]]:
        """The inputs in normal form, and what is wrong with them; their secrets are masked from now on."""

    @abstractmethod
    def seen(self, inputs: Props) -> Iterable[Observation]:
        """How what these inputs want is there, for `mode: observe`. Reads only."""


def of_difference(where: str, what: str, one: Difference) -> Iterator[Observation]:
    """What an operator may see of it; what is not ours in a secret part is named, not shown."""
    for attribute, theirs, ours in one.sides():
        state: State = "absent" if one.theirs is None else "differs"
        yield Observation(where, what, attribute, state, theirs, ours)


def of_right(where: str, what: str, entry: Entry, *, secret: Iterable[str]) -> Iterator[Observation]:
    """What is as it should be, of what is set at all."""
    hidden = {*secret}
    for attribute, value in sorted(entry.items()):
        if value not in ({}, [], "", None):
            text = "" if attribute in hidden else shown(value)
            yield Observation(where, what, attribute, "right", text, text)


def tell(found: Sequence[Observation]) -> None:
    """Say it, a line for whatever is not right, and one for all that is."""
    wrong = [one for one in found if one.state != "right"]
    for one in wrong:
        (report.info if one.state in QUIET else report.warning)(str(one))
    right: dict[str, dict[str, None]] = {}
    for one in found:
        if not any(other.what == one.what for other in wrong):
            right.setdefault(one.where, {})[one.what] = None
    for where, names in right.items():
        report.info(f"{where}: {some(names)}: right")
