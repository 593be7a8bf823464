"""The same stack twice at once, a lock that was left behind, and what a cut run left unfinished.

The engine's own words; docs/how-to.md says what an operator does about them.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from lab.estate import Estate
from tests.engine.life import Life, living, processes_of, wait_until
from tests.shared_stacks import gateway_values
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)
LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or "
    "delete the lock file with `pulumi cancel`."
)


@pytest.fixture
def life(tmp_path: Path, estate: Estate, warm: Mapping[str, str]) -> Life:
    """A small stack: that of a shared gateway."""
    settings = {f"m365-secure-email:{key}": value for key, value in gateway_values(estate).items()}
    text = yaml.safe_dump({"config": settings})
    return living(Project(tmp_path, "gateway-lab", {**estate.environment, **warm}, settings=text), estate)


def test_a_second_run_a_stale_lock_and_unfinished_operations(life: Life) -> None:
    held = threading.Event()
    life.estate.gateway.commit_hold = held
    mark = life.estate.journal.mark()
    first = life.project.start("up", "--yes", "--skip-preview")
    life.estate.journal.wait_for(lambda event: event.kind == "commit-started", 120, since=mark)

    locked = life.project.up(check=False)  # the first one is at work
    assert not locked.ok
    assert LOCKED in locked.output
    [(user, pid)] = re.findall(r"created by (\S+@\S+) \(pid (\d+)\) at \d{4}-\d\d-\d\dT", locked.output)
    assert user.split("@")[1] == socket.gethostname()
    assert int(pid) == first.pid  # so the operator can see whether it still runs

    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=60)
    held.set()
    assert wait_until(lambda: not processes_of(life.project), 10), processes_of(life.project)
    stale = life.project.up(check=False)
    assert f"(pid {pid})" in stale.output
    assert not stale.ok

    life.unlock()
    again = life.project.up().output
    for name in ("sender-group", "mail-flow-policy"):
        assert f"::{name}, interrupted while creating" in again
    assert "pending operations" not in life.project.refresh("--clear-pending-creates").output
    assert not life.project.state()["deployment"].get("pending_operations")
    commits = life.estate.journal.count(channel="gateway", kind="commit", since=mark)
    assert commits == 1  # the one that was held: what it made was found again as ours
    life.project.destroy()
    assert life.estate.dump() == life.before
