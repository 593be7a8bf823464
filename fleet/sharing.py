"""Which stacks share a gateway: those are worked on one after the other, and stay on one machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.stacks import NotChosen, StackFile


@dataclass(frozen=True)
class Shard:
    """The part `number` of `count`, counted from one."""

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> Shard:
        """`2/5` of a command line."""
        found = re.fullmatch(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text)
        if not found or int(found[1]) > int(found[2]):
            raise NotChosen(f"«{text}» is no part of a whole", fix="write --shard 1/4 up to --shard 4/4")
        return cls(int(found[1]), int(found[2]))

    def of(self, stacks: Sequence[StackFile]) -> list[StackFile]:
        """Its stacks, in their order. All parts together are the whole, and each gateway is in one part only.

        The parts are as even as that allows, and the same on every machine.
        """
        parts: list[list[StackFile]] = [[] for _ in range(self.count)]
        for group in groups(stacks):
            min(parts, key=len).extend(group)
        mine = {one.name for one in parts[self.number - 1]}
        return [one for one in stacks if one.name in mine]


def groups(stacks: Sequence[StackFile], *, tenants_first: bool = False) -> list[list[StackFile]]:
    """The stacks in groups that share no gateway with each other, the largest group first.

    In a group, the gateway's own stack comes before its tenants', which ask whether it has done its part;
    `tenants_first`: after them, since it cannot go before.
    """
    found: list[tuple[set[str], list[StackFile]]] = []
    for stack in stacks:
        mine: tuple[set[str], list[StackFile]] = (set(stack.touches), [stack])
        for other in [one for one in found if one[0] & stack.touches]:
            found.remove(other)
            mine = (mine[0] | other[0], [*other[1], *mine[1]])
        found.append(mine)
    in_order = [
        sorted(group, key=lambda one: ((one.kind == "gateway") == tenants_first, one.name))
        for _, group in found
    ]
    return sorted(in_order, key=lambda group: (-len(group), group[0].name))
