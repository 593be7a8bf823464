"""What does the same as ours under another name: looked for before we first set something up beside it.

Estates were mostly set up by hand before. What would make mail wrong beside ours is refused until it is taken
over (its name in the setting `names`) or left on purpose (`leave`); what is only worth knowing is warned of.
"""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from dynamic_providers import report
from dynamic_providers.entries import Props
from dynamic_providers.looking import LookingProvider
from dynamic_providers.observation import Observation, State
from dynamic_providers.refusal import refuse
from dynamic_providers.wording import plain_text

GATEWAY_KINDS = ("sender group", "message filter", "interface")
TENANT_KINDS = ("transport rule", "inbound connector", "outbound connector", "accepted domain")
KINDS = (*GATEWAY_KINDS, *TENANT_KINDS)


def _left_alone(text: str) -> str:
    plain_text(text)
    if not kind_of(text):
        refuse(f"does not say what is left: write its kind and its name, kinds are {', '.join(KINDS)}")
    return text


LeftAlone = Annotated[
    str,
    AfterValidator(_left_alone),
    Field(json_schema_extra={"pattern": rf"^({'|'.join(KINDS)}) \S.*$"}),
]
"""An entry of the setting `leave`: kind and name, `sender group FROM_O365`."""


def kind_of(entry: str) -> str:
    """What kind of object an entry of `leave` names; «» where it names none."""
    return next((kind for kind in KINDS if entry.startswith(f"{kind} ") and entry[len(kind) :].strip()), "")


@dataclass(frozen=True)
class Finding:
    """One object of somebody else that does what ours is to do, or that stands in its way.

    `says` goes on after its name: what it does to mail. `harmful`: mail would go wrong beside it.
    """

    kind: str
    name: str
    says: str
    take_over: str = ""  # its key in the setting `names`
    fix: str = ""  # what else makes it right, a clause
    harmful: bool = True

    @property
    def entry(self) -> str:
        """What leaves it, in the setting `leave`."""
        return f"{self.kind} {self.name}"

    @property
    def advice(self) -> str:
        """What can be done, a sentence."""
        ways = [self.fix] if self.fix else []
        if self.take_over:
            key = self.take_over
            ways.append(f"to manage it from here, set names.{key} to its name and add {key} to takeOver")
        ways.append(f"to leave it as it is, add «{self.entry}» to leave")
        text = "; ".join(ways)
        return f"{text[0].upper()}{text[1:]}"

    def __str__(self) -> str:
        return f"the {self.kind} «{self.name}» {self.says}. {self.advice}"


class EquivalentsProvider(LookingProvider):
    """Base of both sides. A part of the inputs is looked at when it is new, or other than it was.

    So nothing is read in a run that changes nothing, or on the way back.
    """

    free: ClassVar[frozenset[str]] = frozenset({"leave"})
    kinds: ClassVar[tuple[str, ...]]
    parts: ClassVar[tuple[str, ...]]  # inputs that say what we set up; one that is not set is not

    @abstractmethod
    def found(self, inputs: Props, new: Collection[str], known: Props) -> Iterable[Finding]:
        """What is there beside the parts that are `new`. `known` are the inputs of the last run."""

    def refusals(self, inputs: Props, olds: Props) -> Iterable[str]:
        where = str(inputs[self.identity[0]])
        for one in self._beside(inputs, olds):
            if one.harmful:
                yield f"{where}: {one}"
            else:
                report.warning(f"{where}: {one}")

    def seen(self, inputs: Props) -> Iterable[Observation]:
        where = str(inputs[self.identity[0]])
        for one in self._beside(inputs, {}):
            state: State = "in the way" if one.harmful else "noted"
            yield Observation(where, f"{one.kind} «{one.name}»", "", state, f"{one.says}. {one.advice}")

    def _beside(self, inputs: Props, olds: Props) -> Iterator[Finding]:
        """What is there beside the parts that are new, and is not left on purpose."""
        where = str(inputs[self.identity[0]])
        known = olds if all(olds.get(one) == inputs[one] for one in self.identity) else {}
        new = [name for name in self.parts if inputs.get(name) and inputs[name] != known.get(name)]
        if not new:
            return
        findings = list(self.found(inputs, new, known))
        left = [one for one in inputs["leave"] if kind_of(one) in self.kinds]
        yield from (one for one in findings if _same(one.entry) not in map(_same, left))
        there = {_same(one.entry) for one in findings}
        for entry in left:
            if _same(entry) not in there:
                report.info(f"{where}: leave: there is nothing in the way that is called «{entry}»")


def _same(entry: str) -> str:
    return " ".join(entry.split()).casefold()
