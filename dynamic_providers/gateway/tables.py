"""What all tables of the gateway share: their order in a commit, their rows, errors about them."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from dynamic_providers.change_note import note
from dynamic_providers.entries import Entry, Place, Props
from dynamic_providers.gateway import transaction
from dynamic_providers.gateway.dialogue import DialogueError
from dynamic_providers.gateway.every_member import EveryMemberProvider
from dynamic_providers.gateway.question import quote
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.ssh import GatewayError
from dynamic_providers.gateway.transaction import Gateway

# The order in which changes are staged: what is named by something else comes first.
POLICY, SENDER_GROUP, FILTER, DESTINATION_CONTROLS, RECIPIENTS, ROUTES, CIPHERS = range(7)

_RULE = re.compile(r"[-=_+* ]{3,}")
_COUNT = re.compile(r"^\s*(?:there (?:are|is)\b.*|no .{0,40}(?:configured|defined)\.?)$", re.IGNORECASE)

T = TypeVar("T")


class UnreadableError(DialogueError):
    """The appliance printed a table in a form that is not known: never taken for «absent»."""


class WrongGatewayError(GatewayError):
    """A resource names another gateway than the one that its provider is connected to."""


class GatewayProvider(EveryMemberProvider):
    """Base of all providers of gateway tables."""

    table_order: ClassVar[int]
    looked_for: ClassVar[tuple[str, ...]] = ()  # inputs beside the identity that reading depends on

    @classmethod
    def place_fields(cls) -> tuple[str, ...]:
        """The inputs that make a place; the gateway comes first."""
        return cls.identity + cls.looked_for

    @classmethod
    def kind(cls, place: Mapping[str, Any]) -> str:
        """The name of this place in a Snapshot's record."""
        return "/".join([cls.take_over_key, *(str(place[name]) for name in cls.place_fields()[1:])])

    def _place(self, props: Props) -> Place:
        return {name: props[name] for name in self.place_fields()}

    def _gateway(self, place: Place) -> Gateway:
        gateway = transaction.gateway()
        if gateway.name != place["gateway"]:
            raise WrongGatewayError(
                f"this provider is connected to {gateway.name}",
                where=str(place["gateway"]),
                fix="give the resource the provider of its own gateway",
            )
        return gateway

    def _change(
        self,
        place: Place,
        table: str,
        stage: Callable[[Session], None],
        changes: Mapping[str, Entry | None],
        context: Props,
        *,
        named: str = "",
    ) -> None:
        """Stage and commit; the comment names this table and what changes in it."""
        resource = named or f"{self.label} {', '.join(sorted(changes))}"
        why = note(context.get("change"))
        self._gateway(place).change(self.table_order, table, stage, resource, why=why)


def rows(text: str) -> Iterator[str]:
    """The lines of a table that say something: without blank ones, rules and counts."""
    for line in text.split("\n"):
        if line.strip() and not _RULE.fullmatch(line.strip()) and not _COUNT.match(line):
            yield line.rstrip()


_NUMBER = re.compile(
    r"there (?:are|is) (?:currently )?(\d+) [a-z ]*(?:routes?|entries|entry|recipients?)\b", re.IGNORECASE
)


def require_all(where: str, table: str, announced: str, found: int) -> None:
    """Raise where fewer rows were read than the menu's header says that there are."""
    number = _NUMBER.search(announced)
    if number and int(number.group(1)) > found:
        raise UnreadableError(
            f"{table}: {number.group(1)} entries are announced, {found} were read",
            where=where,
            fix="nothing was changed; please report what the table prints, and the release (`version`)",
        )


def unreadable(where: str, table: str, line: str) -> UnreadableError:
    """The error for a line of a table that is not understood."""
    return UnreadableError(
        f"{table}: a line that is not understood: «{quote(line)}»",
        where=where,
        fix="nothing was changed; please report the line and the release (`version`)",
    )
