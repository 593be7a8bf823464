"""A run that is cut anywhere is made good by the next one, and `destroy` still puts back what was there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import ALL, DAY, PARTS, REPORTED
from tests.faults.cuts import Cut, cuts_of
from tests.faults.event_names import Name
from tests.faults.operations import NAMES, Operations
from tests.faults.trials import NotConverged, NotReached, NotRestored, Operation, Wrong

pytestmark = pytest.mark.timeout(3600)
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
    at, missed = set[Name](), set[Name]()
    numbers = due(operation, part)
    outcomes = len(operation.outcomes)
    for cut in chosen(operation, numbers):
        at.add(cut.event)
        found["cuts"] += 1
        try:
            operation.try_cut(cut)
        except Wrong as why:
            wrong.append(f"{cut}: {why}")
            if isinstance(why, NotReached):
                missed.add(cut.event)
            found["converged"] += isinstance(why, NotRestored)
            found["restored"] += isinstance(why, NotConverged)
        else:
            found.update(("converged", "restored"))
    told = {"operation": name, "events": len(operation.events), "due": len(numbers), "at": len(at - missed)}
    found["outcomes"] = len(operation.outcomes) - outcomes
    record_property(REPORTED, json.dumps({**told, **found}))
    assert wrong == []


def due(operation: Operation, part: int) -> range:
    """The numbers of a part's events: all of each part, or one in so many, in turn."""
    numbers = range(len(operation.events))
    return numbers[part::PARTS] if ALL else numbers[DAY % min(SHARE, len(numbers)) :: SHARE]


def chosen(operation: Operation, numbers: range) -> Iterator[Cut]:
    """The cuts at these events: all of each, or one, in turn."""
    for number in numbers:
        cuts = cuts_of(operation.events[number])
        yield from cuts if ALL else [cuts[(number + DAY // SHARE) % len(cuts)]]
