"""The engine is killed, with SIGKILL, at moments that the lab's journal names."""

from __future__ import annotations

import pytest

from lab.journal import Event
from tests.engine.life import Life, is_commit, processes_of, wait_until

pytestmark = pytest.mark.timeout(300)
NEW = ("New-InboundConnector", "New-OutboundConnector", "New-TransportRule")


def test_nothing_is_committed_after_the_engine_is_gone(life: Life) -> None:
    """Killed while staged changes wait for their commit."""
    before = life.estate.gateway.dump()
    life.kill_engine_at(lambda event: event.kind == "write", "up", "--yes", "--skip-preview")
    assert wait_until(lambda: not processes_of(life.project), 10), processes_of(life.project)
    assert life.estate.journal.count(channel="gateway", kind="commit") == 0
    assert life.estate.gateway.dump() == before


@pytest.mark.parametrize("cmdlet", [None, *NEW])
def test_killed_between_effect_and_checkpoint(life: Life, cmdlet: str | None) -> None:
    """The state does not know of what was done: the next up does, and destroy takes all of it away."""

    def at(event: Event) -> bool:
        if cmdlet is None:
            return is_commit(event)
        return event.kind == "effect" and event.detail["cmdlet"] == cmdlet

    life.kill_engine_at(at, "up", "--yes", "--skip-preview")
    assert wait_until(lambda: not processes_of(life.project), 10), processes_of(life.project)
    assert life.estate.dump() != life.before
    life.unlock()
    life.project.up()
    life.project.pulumi("preview", "--expect-no-changes", "--refresh")
    life.destroy()
    assert life.estate.dump() == life.before
