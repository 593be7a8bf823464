"""Broken estates, the way out: and what keeps a check from seeing mail that flows, in either direction."""

from __future__ import annotations

import pytest

from tests.estate import broken_inbound, broken_outbound, broken_witnesses
from tests.estate.broken_bed import Bed, Broken

BROKEN: dict[str, Broken] = {
    f"{where}: {name}": case
    for where, cases in {
        "by rule and connector": broken_outbound.BY_RULE_AND_CONNECTOR,
        "at the gateway": broken_outbound.AT_THE_GATEWAY,
        "at the filter": broken_outbound.AT_THE_FILTER,
        "outside": broken_outbound.OUTSIDE,
        "unseen": broken_witnesses.WITNESSES,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_estate_is_told_by_hop_answer_and_cause(bed: Bed, name: str) -> None:
    bed.prove(BROKEN[name])


def test_there_are_enough_of_them() -> None:
    """Issue 4 asks for twenty that fail; what is only not proven does not count."""
    inbound = (
        broken_inbound.AT_THE_GATEWAY,
        broken_inbound.AT_MICROSOFT,
        broken_inbound.AT_THE_DOORS,
    )
    cases = [*BROKEN.values(), *(case for table in inbound for case in table.values())]
    assert len([one for one in cases if one.verdict == "failed"]) >= 20
