"""What is there, beside what is wanted: entries of a resource, attribute by attribute. Reads only."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from pulumi.dynamic import CheckFailure

from dynamic_providers.entries import Difference, Entries, Entry, Place, Props, differences, plain
from dynamic_providers.inputs import in_normal_form, register_secrets
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation, Seeing, of_difference, of_right

CONTEXT = ("before", "takeOver", "takeOverKey", "change")  # inputs that are never a difference by themselves
REVISION = "revision"  # an output: when we last wrote there, UTC; checks watch it, so a repair reruns them
BARE = (*CONTEXT, REVISION)  # what is no attribute of what we manage


class ComparingProvider(Seeing):
    """What a kind of object or table is compared by. A subclass gives data, `live`, and a shape."""

    label: ClassVar[str]  # what an operator calls it, e.g. «SMTP route»
    model: ClassVar[type[Model]]  # the inputs, less CONTEXT
    identity: ClassVar[tuple[str, ...]]  # input names that say where; a change replaces
    secret: ClassVar[frozenset[str]] = frozenset()  # inputs and attributes that may hold secrets
    missing: ClassVar[str] = "is not there"  # how an operator is told that there is no entry

    # --- the hooks ------------------------------------------------------------------------------------------

    @abstractmethod
    def live(self, place: Place, keys: Iterable[str]) -> Entries:
        """What is there under these keys, in normal form. What is absent is missing; a failed read raises."""

    @abstractmethod
    def entries(self, props: Props) -> Entries:
        """The entries in a resource's properties."""

    @abstractmethod
    def with_entries(self, props: Props, entries: Entries) -> Props:
        """The same properties with other entries."""

    def named(self, place: Place, key: str) -> str:
        """How an operator is told of an entry; secret keys are named after what holds them."""
        return f"«{key}»"

    def equal(self, attribute: str, theirs: Any, ours: Any) -> bool:
        """Whether an attribute counts as right. Normal forms make this plain equality nearly everywhere."""
        return bool(theirs == ours)

    # --- inputs ---------------------------------------------------------------------------------------------

    def validated(self, news: Props) -> tuple[Props, list[CheckFailure]]:
        given = plain(news)
        kept = {name: given.pop(name) for name in list(given) if name in CONTEXT or name.startswith("__")}
        self._register_secrets(given)
        inputs, wrong = in_normal_form(self.model, given, self.secret, self.identity[0])
        return {**inputs, **kept}, wrong

    def _place(self, props: Props) -> Place:
        return {name: props[name] for name in self.identity}

    def _where(self, place: Place) -> str:
        return " ".join(str(value) for value in place.values())

    def _register_secrets(self, *given: Props) -> None:
        register_secrets(self.secret, *given)

    # --- comparing ------------------------------------------------------------------------------------------

    def _differences(self, theirs: Entries, ours: Entries) -> list[Difference]:
        return [
            d
            for key in sorted({*theirs, *ours})
            for d in self._differences_of(key, theirs.get(key), ours.get(key))
        ]

    def _differences_of(self, key: str, theirs: Entry | None, ours: Entry | None) -> list[Difference]:
        return differences(key, theirs, ours, secret=self.secret, equal=self.equal)

    def _as_known(self, live: Entry, known: Entry | None) -> Entry:
        """What is there; what counts as right is told as the state has it, or a refresh would show it."""
        if known is None:
            return live
        right = {name for name in {*live, *known} if self.equal(name, live.get(name), known.get(name))}
        return {
            **{name: value for name, value in live.items() if name not in right},
            **{name: value for name, value in known.items() if name in right},
        }

    def _same(self, key: str, theirs: Entry | None, ours: Entry | None) -> bool:
        return not self._differences_of(key, theirs, ours)

    # --- looking only ---------------------------------------------------------------------------------------

    def seen(self, inputs: Props) -> Iterable[Observation]:
        return list(dict.fromkeys(self._observed(inputs)))  # two secret keys are told alike

    def _observed(self, inputs: Props) -> Iterator[Observation]:
        """How what these inputs want is there; nothing is written."""
        place, wanted = self._place(inputs), self.entries(inputs)
        live, where = self.live(place, sorted(wanted)), self._where(place)
        for key, ours in sorted(wanted.items()):
            what, theirs = self._called(place, key), live.get(key)
            if theirs is None:
                yield Observation(where, what, "", "absent", self.missing)
                continue
            wrong = self._differences_of(key, theirs, ours)
            for one in wrong:
                yield from of_difference(where, what, one)
            right = {k: v for k, v in ours.items() if k not in {one.attribute for one in wrong}}
            told = list(of_right(where, what, right, secret=self.secret))
            yield from told
            if not wrong and not told:  # being there is all that is wanted of it
                yield Observation(where, what, "", "right", "as it should be")

    def _called(self, place: Place, key: str) -> str:
        return f"{self.label} {self.named(place, key)}"
