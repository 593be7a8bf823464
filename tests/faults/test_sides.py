"""What «before» and «after» mean: whether what was asked for there is done all the same."""

from __future__ import annotations

import pytest

from lab.demo import sections
from tests.faults.cuts import Cut, Side, What
from tests.faults.operations import Operations
from tests.hands.things import THINGS

pytestmark = pytest.mark.timeout(300)
DONE = pytest.mark.parametrize(("side", "done"), [(Side.BEFORE, False), (Side.AFTER, True)])


@pytest.mark.parametrize("what", [What.CONNECTION, What.PLUGIN])
@DONE
def test_a_commit(operations: Operations, what: What, side: Side, done: bool) -> None:  # noqa: FBT001
    operation = operations.get("up")
    event = [one for one in operation.events if one.step == "commit-started"][-1]
    operation.cut(Cut(event, what, side))
    assert (THINGS["route"].heading in sections(operations.world.estate.dump())) == done


@DONE
def test_a_write_to_exchange(operations: Operations, side: Side, done: bool) -> None:  # noqa: FBT001
    operation = operations.get("up")
    (event,) = (
        one for one in operation.events if (one.resource, one.step) == ("New-InboundConnector", "call")
    )
    operation.cut(Cut(event, What.PLUGIN, side))
    assert (THINGS["inbound connector"].heading in sections(operations.world.estate.dump())) == done


@DONE
def test_a_dns_update(operations: Operations, side: Side, done: bool) -> None:  # noqa: FBT001
    operation = operations.get("move MX")
    (event,) = (one for one in operation.events if one.step == "update-asked")
    operation.cut(Cut(event, What.PLUGIN, side))
    now = operation.kind.dump(operations.world.estate)
    assert (now == operation.before) != done
