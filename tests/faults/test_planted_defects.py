"""The cuts find defects: each of these is planted into the plugins, and then something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.faults.conftest import ALL, DAY
from tests.faults.cuts import Cut, Side, What
from tests.faults.operations import Operations
from tests.faults.trials import NotConverged, NotRestored, Wrong
from tests.forks import PLANTED
from tests.plants import PLANTS

pytestmark = pytest.mark.timeout(600)
AT_ONCE = 2  # where not all are tried


@dataclass(frozen=True)
class Finding:
    """The cut of an `up` by which a defect is found, and what is wrong then."""

    step: str
    what: What
    wrong: type[Wrong]
    says: str
    side: Side = Side.BEFORE
    nth: int = -1


FINDINGS = {
    "read-back skipped": Finding("commit-started", What.TRUTH, NotConverged, "not right"),
    "commit too early": Finding("commit", What.PLUGIN, Wrong, "neither as it was", Side.AFTER, 0),
    "clear forgotten": Finding("commit-started", What.COMMITS, Wrong, "stayed pending"),
    "before as an output": Finding("commit", What.PLUGIN, NotRestored, "not as it was", Side.AFTER),
    "death not noticed": Finding("write", What.ENGINE, Wrong, "without its engine"),
    "another tenant's alternative dropped": Finding(
        "commit", What.CONNECTION, Wrong, "neither as it was", Side.AFTER
    ),
}
FOUND_BY_SECRETS = {"bug", "redaction off", "impatient"}  # in tests/engine/test_secrets.py
TODAY = list(FINDINGS) if ALL else [list(FINDINGS)[(DAY + n) % len(FINDINGS)] for n in range(AT_ONCE)]


def test_each_has_a_finding() -> None:
    assert FINDINGS.keys() | FOUND_BY_SECRETS == PLANTS.keys()


@pytest.mark.parametrize("name", TODAY)
def test_a_planted_defect_is_found(operations: Operations, name: str) -> None:
    finding, operation = FINDINGS[name], operations.get("up")
    event = [one for one in operation.events if one.step == finding.step][finding.nth]
    cut = Cut(event, finding.what, finding.side)
    operation.try_cut(cut)
    with pytest.raises(Wrong, match=finding.says) as found:
        operation.try_cut(cut, {PLANTED: name})
    assert type(found.value) is finding.wrong
