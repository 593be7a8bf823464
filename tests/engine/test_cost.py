"""What an update may cost, counted by the lab's own journal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lab.estate import Estate
from lab.journal import Event
from tests.engine.life import Life, is_commit, living, plugins, processes_of
from tools.pulumi_cli import Project

pytestmark = pytest.mark.timeout(300)
OUTBOUND_ON_GATEWAY = ("sender-group", "mail-flow-policy", "outbound-filter")
MEBIBYTE = 1024 * 1024


@pytest.fixture
def life(tmp_path: Path, estate: Estate) -> Life:
    """With processes of its own for all plugins, since their size is looked at."""
    return living(Project(tmp_path, "bce-demo-lab", estate.environment), estate)


def test_the_first_update_the_second_and_a_repair(life: Life) -> None:
    sizes: list[int] = []
    life.estate.journal.when(is_commit, lambda _event: sizes.extend(resident(life)), once=False)
    mark = life.estate.journal.mark()
    life.project.up()
    first = life.estate.journal.events(since=mark)
    counts = Counter((event.channel.partition(":")[0], event.kind) for event in first)
    assert counts["gateway", "connect"] == 1
    assert 1 <= counts["gateway", "commit"] <= 2
    assert counts["tenant", "token"] == 1
    assert repeated_reads(first) == []
    assert sizes, "no provider process was seen at a commit"
    assert max(sizes) < 250 * MEBIBYTE

    mark = life.estate.journal.mark()
    life.project.up("--expect-no-changes")
    kinds = {event.kind for event in life.estate.journal.events(since=mark)}
    assert not kinds & {"commit", "commit-started", "write", "effect"}

    for name in reversed(OUTBOUND_ON_GATEWAY):
        undo_by_hand(life, name)
    mark = life.estate.journal.mark()
    life.project.up("--refresh")
    assert life.estate.journal.count(channel="gateway", kind="commit", since=mark) == 1


def undo_by_hand(life: Life, name: str) -> None:
    """Another administrator takes something away, so that only that has to be made again."""
    listener = ["listenerconfig", "edit", "OutgoingMail", "hostaccess"]
    lines = {
        "outbound-filter": ["filters", "delete", "office365_outbound", ""],
        "sender-group": [*listener, "delete", "1", "RELAY_O365", "", "", ""],
        "mail-flow-policy": [],
    }[name]
    if lines:
        life.estate.gateway.type_by_hand([*lines, "commit", "by hand", "Y"])


def repeated_reads(events: list[Event]) -> list[str]:
    """Tables and lists that were read again though nothing had been written to them since.

    A table that was read a while ago is read once more before something is staged upon it.
    """
    known: set[str] = set()
    again: list[str] = []
    for event in events:
        what = str(event.detail.get("table") or event.detail.get("cmdlet") or "")
        noun = what.partition("-")[2] or what
        if event.kind in ("write", "effect"):
            known.discard(noun)
            again = [one for one in again if one != noun or event.kind == "effect"]
        elif event.kind == "read" or (event.kind == "call" and what.startswith("Get-")):
            if noun in known:
                again.append(noun)
            known.add(noun)
    return again


def resident(life: Life) -> list[int]:
    """Resident size of each provider process, in bytes."""
    found = []
    for command in plugins(processes_of(life.project)):
        pages = Path(f"/proc/{command.split()[0]}/statm").read_text(encoding="ascii").split()[1]
        found.append(int(pages) * 4096)
    return found
