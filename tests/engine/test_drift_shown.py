"""Drift as an operator sees it: what `pulumi preview --refresh` prints with `--diff`, and with `--json`.

Every field is looked at in tests/protocol/test_drift.py; here are one of each kind, on the real engine.
"""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from lab.estate import Estate
from tests.engine.life import Life
from tests.hands.acts import call, type_in
from tests.hands.names import FILTER, INBOUND, OUTBOUND

pytestmark = pytest.mark.timeout(300)

CHANGED = Counter(["inbound-connector", "outbound-rule", "smtp-routes", "outbound-filter"])
MARKED = sorted(
    [
        '~ host: "mx.elsewhere.example" => "bce-demo-com.mail.protection.outlook.com"',
        "~ port: 2525 => 25",
        "~ priority: 5 => 0",
        "~ requireTls: false => true",
    ]
)
"""What the engine marks of the update itself."""
TOLD = {
    f"transport rule «{OUTBOUND}»: ExceptIfSentTo: not ours",
    f"transport rule «{OUTBOUND}»: setHeaderValue: differs",
    "outbound filter: active: not ours",
}
HIDDEN = ("mysecretkey", "nomoresecret", "boss@bce-demo.com")
"""What stands in secret inputs: the header's value, theirs and ours, and what someone put into the rule."""


def change_by_hand(estate: Estate) -> None:
    """A connector's attribute, a rule's exception and secret, a route, the filter."""
    call("Set-InboundConnector", Identity=INBOUND, RequireTls=False)(estate)
    call(
        "Set-TransportRule",
        Identity=OUTBOUND,
        ExceptIfSentTo=["boss@bce-demo.com"],
        SetHeaderName="X-OUTBOUND-AUTH",
        SetHeaderValue="nomoresecret",
    )(estate)
    type_in("smtproutes edit bce-demo.com mx.elsewhere.example:2525/pri=5", f"filters set {FILTER} inactive")(
        estate
    )


def test_drift_is_shown_as_exactly_that_and_repaired(life: Life) -> None:
    life.project.up()
    made = life.estate.dump()
    life.project.refresh("--expect-no-changes")

    change_by_hand(life.estate)
    changed = life.estate.dump()
    shown = life.project.preview("--refresh").output
    refreshed, _, update = shown.partition("  pulumi:pulumi:Stack: (same)\n")
    assert update, shown
    assert updated(update) == CHANGED
    assert sorted(marked(update)) == MARKED
    assert told(update) == TOLD
    assert not re.search(r"^\s+\+ |^\s+- ", update, re.MULTILINE), update
    assert updated(refreshed) == Counter()
    assert "4 to update" in update

    plan = life.project.pulumi("preview", "--refresh", "--json").output
    assert planned(plan) == CHANGED
    for secret in HIDDEN:
        assert secret not in shown
        assert secret not in plan

    assert life.estate.dump() == changed
    life.project.up("--refresh")
    assert life.estate.dump() == made
    life.project.preview("--refresh", "--expect-no-changes")


def updated(text: str) -> Counter[str]:
    """The logical names of what has an update."""
    steps = re.findall(r"^ +~ \S+: \(update\)\n(?: +\[(?!urn).*\n)* +\[urn=(\S+)\]", text, re.MULTILINE)
    return Counter(urn.rpartition("::")[2] for urn in steps)


def marked(text: str) -> list[str]:
    """Changed values, blanks aside."""
    lines = re.findall(r"^ +([~+-] .* => .*)$", text, re.MULTILINE)
    return [re.sub(r" *: ", ": ", line, count=1) for line in lines]


def told(text: str) -> set[str]:
    """Our own lines, which stand at the margin, under the same words as ever."""
    return {line for line in text.splitlines() if re.match(r"[a-z].*: (not ours|differs)$", line)}


def planned(text: str) -> Counter[str]:
    """The steps of a plan that change something."""
    plan = json.loads(text[text.index("{") :])
    steps = [step for step in plan["steps"] if step["op"] not in ("same", "refresh")]
    assert {step["op"] for step in steps} == {"update"}
    return Counter(step["urn"].rpartition("::")[2] for step in steps)
