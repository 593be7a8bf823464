"""A run that is cut anywhere is made good by the next one, and `destroy` still puts back what was there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import ALL, DAY, REPORTED
from tests.faults.cuts import Cut, cuts_of
from tests.faults.operations import NAMES, Operations
from tests.faults.trials import NotConverged, NotRestored, Operation, Wrong

pytestmark = pytest.mark.timeout(3600)
PARTS = 8 if ALL else 1
SHARE = 12  # where not all are tried, one cut at one in so many events, of so many operations
OPERATIONS = 2
TODAY = list(NAMES) if ALL else [list(NAMES)[(DAY * OPERATIONS + n) % len(NAMES)] for n in range(OPERATIONS)]


@pytest.mark.parametrize("name", TODAY)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_cut_run_is_made_good(
    operations: Operations, name: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    operation = operations.get(name)
    assert len(set(operation.events)) == len(operation.events)
    found, wrong = Counter[str](), list[str]()
    at = set()
    outcomes = len(operation.outcomes)
    for cut in chosen(operation, part):
        at.add(cut.event)
        found["cuts"] += 1
        try:
            operation.try_cut(cut)
        except Wrong as why:
            wrong.append(f"{cut}: {why}")
            found["converged"] += isinstance(why, NotRestored)
            found["restored"] += isinstance(why, NotConverged)
        else:
            found.update(("converged", "restored"))
    told = {"operation": name, "events": len(operation.events), "at": len(at), **found}
    record_property(REPORTED, json.dumps(told | {"outcomes": len(operation.outcomes) - outcomes}))
    assert wrong == []


def chosen(operation: Operation, part: int) -> Iterator[Cut]:
    """The cuts of a part of the events: all of each, or one at some of them, in turn."""
    if ALL:
        for event in operation.events[part::PARTS]:
            yield from cuts_of(event)
        return
    for number in range(DAY % min(SHARE, len(operation.events)), len(operation.events), SHARE):
        cuts = cuts_of(operation.events[number])
        yield cuts[(number + DAY // SHARE) % len(cuts)]
