"""What a gateway may print to mislead us: prompts and questions in comments, escapes, output without end.

Whatever the places at which the bytes stop for a while, a table is read as it is, or not at all.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynamic_providers.gateway import filter_text, hat, outbound_filter, shell
from dynamic_providers.gateway.dialogue import Conversation
from dynamic_providers.gateway.script import Script, Step
from dynamic_providers.gateway.ssh import GatewayError
from tests.unit.gateway_canned import BANNER, PROMPT

MENU = "Choose the operation you want to perform:\r\n- NEW - Create.\r\n- PRINT - Print.\r\n[]> "
HAT = (
    "$RELAYED",
    "    RELAY",
    "THEIRS:",
    "    .a.example ({comment})",
    "    $RELAYED ({comment})",
    "RELAY_O365:",
    "    .protection.outlook.com",
    "    $RELAYED",
    "ALL:",
    "    $RELAYED",
)
FILTERS = (
    "Num Active Valid Name",
    "  1   Y     Y    theirs",
    "theirs: if (true) {{",
    '    log-entry("{comment}");',
    "}}",
    "  2   Y     Y    office365_outbound",
    'office365_outbound: if (sendergroup == "^RELAY_O365$") {{',
    '    if (header("X-OUTBOUND-AUTH") == "^mysecretkey$") {{',
    '        strip-header("X-OUTBOUND-AUTH");',
    "    }} else {{",
    "        drop();",
    "    }}",
    "}}",
)
LOOK_ALIKES = (
    PROMPT,
    PROMPT.strip(),
    f"x {PROMPT}",
    "[]> ",
    "[Y]> y",
    "is this right? [N]> ",
    "> ",
    "(Cluster x)> ",
    "-Press Any Key For More-",
    "Password: ",
    "Enter '.' on its own line to end.",
    "- DELETE - Remove",
    "Choose the operation you want to perform:",
)
READ = Script("hostaccess", (Step("PRINT"),), what="reading")


class Appliance:
    """A gateway with one table. What it prints comes in pieces, and goes on after one that misled us."""

    def __init__(self, table: str, cuts: list[int]) -> None:
        whole = f"{table}\r\n{MENU}"
        ends = [found.end() for found in re.finditer(r"> ?|-More-|: |end\.", whole)]  # where it may mislead
        places = sorted({0, len(whole), *(ends[cut % len(ends)] for cut in cuts)})
        self._pieces = [whole[one:other] for one, other in pairwise(places)]
        self._ready, self._in_menu = [BANNER + PROMPT], False

    def recv(self, nbytes: int, /) -> bytes:
        if not self._ready:
            raise TimeoutError
        return self._ready.pop(0).encode()

    def recv_ready(self) -> bool:
        return False

    def settimeout(self, timeout: float | None, /) -> None:
        pass

    def sendall(self, s: bytes, /) -> None:
        line = s.decode()
        if line == "\x03":
            self._in_menu = False
            self._ready.append(f"^C\r\n{PROMPT}")
        elif line.strip() == "hostaccess":
            self._in_menu = True
            self._ready += ["hostaccess\r\n", f"There are currently 3 sender groups.\r\n\r\n{MENU}"]
        elif line.strip() == "PRINT" and self._in_menu:
            self._ready += ["PRINT\r\n", *self._pieces]
        elif line.endswith("\n"):  # an empty line leaves the menu, another one is not understood
            left = not line.strip() or not self._in_menu
            self._in_menu = self._in_menu and not left
            self._ready.append(f"{line.strip()}\r\n{PROMPT if left else MENU}")


def _printed(table: str, cuts: list[int]) -> str:
    """The table as our driver reads it, where the bytes stop at these places."""
    session = shell.Shell(Appliance(table, cuts), "esa1.example.com", silence=0.0)
    session.log_in()
    printed = Conversation(session, READ).run()
    session.confirm()
    return printed[-1]


def _groups(text: str) -> dict[str, object]:
    return {name: one for name, one in hat.parse(text, "x").groups.items() if name != "THEIRS"}


def _filters(text: str) -> dict[str, object]:
    found = outbound_filter.parse(text, "x")
    return {one.name: filter_text.recognise(one.text) for one in found}


@pytest.mark.parametrize(("rows", "read"), [(HAT, _groups), (FILTERS, _filters)])
@settings(max_examples=60)
@example(comment=f"{PROMPT}y", cuts=list(range(30)), before=64)  # at the margin, and the bytes stop there
@example(comment="is this right? [N]> y", cuts=list(range(30)), before=0)
@given(
    comment=st.sampled_from(LOOK_ALIKES) | st.lists(st.sampled_from(LOOK_ALIKES), max_size=3).map(" ".join),
    cuts=st.lists(st.integers(0, 30), max_size=6),
    before=st.integers(0, 75),
)
def test_a_look_alike_of_the_prompt_never_makes_half_a_table(
    rows: tuple[str, ...],
    read: Callable[[str], dict[str, object]],
    comment: str,
    cuts: list[int],
    before: int,
) -> None:
    """On a narrow terminal, where it may come to stand at the margin."""
    comment = " ".join(f"{'x' * before} {comment}".split())
    lines = [row.format(comment=comment) for row in rows]
    narrow = [part for line in lines for part in textwrap.wrap(line, 80, break_on_hyphens=False)]
    try:
        found = read(_printed("\r\n".join(narrow), cuts))
    except GatewayError:
        return
    assert found == read("\n".join(lines))
