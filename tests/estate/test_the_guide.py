"""The oracle: what the guide says, against what hands make of it and what `pulumi up` does.

`guide/golden.txt` is the lab's whole dump as it has to look after the guide's steps; `guide/by_hand.txt` is
those steps, typed. Both were written from the guide, and nothing in the repository writes them: where a test
fails, the code is wrong, or the guide has to be read again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.estate import Estate
from tools.pulumi_cli import Project

GUIDE = Path(__file__).parent / "guide"
GOLDEN = (GUIDE / "golden.txt").read_text(encoding="utf-8").splitlines()

# The rows of design.md's table that set something, and the objects of the dump that show it; where the place
# among others matters, those too.
ROWS = {
    "a": ["transport rule Bypass spam filtering - inbound email from Cisco CES"],
    "b": ["inbound connector Inbound from Cisco CES"],
    "c": ["destination bce-demo.com"],
    "d": ["recipient bce-demo.com (IncomingMail)"],
    "e": ["route bce-demo.com"],
    "h": [f"sender group {name} (OutgoingMail)" for name in ("RELAY_O365", "RELAYLIST", "ALL")],
    "i": ["policy RELAYED (OutgoingMail)"],
    "j": ["outbound connector Outbound to Cisco CES"],
    "k": ["transport rule Outbound to Cisco CES", "transport rule External mail warning"],
    "l": ["filter office365_outbound", "filter partner_gate"],
    "n": ["tls outbound"],
}
OURS_AT_MICROSOFT = {ROWS[row][0] for row in "abjk"}
LEFT_OUT = re.compile(r"  (Comments?|ConnectorSource|IsValidated|ValidationRecipients): ")


def compared(dump: str) -> list[str]:
    """The lines of a dump that count.

    Left out are comment, ConnectorSource and validation of the four objects that the guide makes at
    Microsoft: it leaves them to the reader or to the admin centre. GUIDs and times are in no dump. Other
    people's objects count whole, and so do the gateway's comments, which the guide shows. Blanks at the end
    of a line do not count.
    """
    lines = []
    heading = ""
    for line in dump.splitlines():
        heading = heading if line.startswith(" ") else line
        if not (heading in OURS_AT_MICROSOFT and LEFT_OUT.match(line)):
            lines.append(line.rstrip())
    return lines


def objects(lines: list[str], headings: list[str]) -> dict[str, list[str]]:
    """What stands under each of these headings; one that is missing is missing here, too."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in lines:
        if line.startswith(" "):
            found[heading].append(line)
        elif line:
            heading = line
            found[heading] = []
    return {name: found[name] for name in headings if name in found}


@dataclass
class Step:
    """One heading of `by_hand.txt` and the lines under it."""

    side: str
    title: str
    lines: list[str] = field(default_factory=list)


def hand_transcript() -> list[Step]:
    """`by_hand.txt`, in the notation that its own head explains."""
    steps: list[Step] = []
    for line in (GUIDE / "by_hand.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            side, _, title = line[2:].partition(": ")
            steps.append(Step(side, title))
        elif line.strip() and not line.startswith("##"):
            steps[-1].lines.append("" if line == "<return>" else line.rstrip())
    return steps


def do_by_hand(estate: Estate, step: Step) -> None:
    if step.side == "gateway":
        estate.gateway.type_by_hand(step.lines)
        return
    assert step.side == "tenant", step
    for line in step.lines:
        cmdlet, _, parameters = line.partition(" ")
        estate.tenant.invoke_by_hand(cmdlet, **json.loads(parameters))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return compared(Estate(tmp_path_factory.mktemp("untouched") / ".lab").dump())


@pytest.fixture(scope="module")
def after_hand(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    with Estate(tmp_path_factory.mktemp("by-hand") / ".lab") as estate:
        for step in hand_transcript():
            do_by_hand(estate, step)
        return compared(estate.dump())


@pytest.fixture(scope="module")
def after_up(tmp_path_factory: pytest.TempPathFactory, warm: Mapping[str, str]) -> Iterator[list[str]]:
    folder = tmp_path_factory.mktemp("up")
    with Estate(folder / ".lab") as estate:
        project = Project(folder, "bce-demo-lab", {**estate.environment, **warm})
        project.init()
        project.up()
        yield compared(estate.dump())


each_row = pytest.mark.parametrize("row", ROWS)
real_engine = pytest.mark.timeout(600)


def test_the_transcript_has_every_row_once() -> None:
    assert [step.title[-2] for step in hand_transcript()] == list(ROWS)


def test_golden_keeps_nothing_that_is_left_out() -> None:
    assert compared("\n".join(GOLDEN)) == GOLDEN


@each_row
def test_an_untouched_estate_is_not_what_the_guide_wants(row: str, untouched: list[str]) -> None:
    """So each comparison below can fail. The ciphers (n) are only looked at: there they must stay."""
    wanted = objects(GOLDEN, ROWS[row])
    assert list(wanted) == ROWS[row]
    assert (objects(untouched, ROWS[row]) == wanted) == (row == "n")


class TestByHand:
    """The transcript, typed into the lab's SSH and done through its API."""

    @each_row
    def test_row(self, row: str, after_hand: list[str]) -> None:
        assert objects(after_hand, ROWS[row]) == objects(GOLDEN, ROWS[row])

    def test_whole_estate(self, after_hand: list[str]) -> None:
        assert after_hand == GOLDEN


class TestPulumiUp:
    """The stack bce-demo-lab on the real engine."""

    pytestmark = real_engine

    @each_row
    def test_row(self, row: str, after_up: list[str]) -> None:
        assert objects(after_up, ROWS[row]) == objects(GOLDEN, ROWS[row])

    def test_whole_estate(self, after_up: list[str]) -> None:
        assert after_up == GOLDEN
