"""Putting something back among its old neighbours, in a list where order counts and others come and go."""

from collections.abc import Collection, Sequence


def place_among(
    others: Sequence[str],
    above: Collection[str],
    below: Collection[str],
    *,
    now: int | None = None,
    moving: Collection[str] = (),
) -> int:
    """How many of `others` are to stand above it, where `above` and `below` are its old neighbours.

    It is the place with the fewest of them on the wrong side; of several such, where it stands `now`, else
    the nearest to the neighbour above. Those in `moving` may still have to go back themselves: they count
    where the others leave a choice.
    """

    def wrong(at: int) -> tuple[int, int]:
        found = {*others[:at]} & {*below} | {*others[at:]} & {*above}
        return len(found - {*moving}), len(found)

    places = range(len(others) + 1)
    least = min(wrong(at) for at in places)
    fitting = [at for at in places if wrong(at) == least]
    if now in fitting:
        return now
    return fitting[0] if {*above} & {*others} else fitting[-1]
