"""The outbound filter that several stacks share, and the guide's, copied literally."""

import pytest

from lab.estate import Estate
from tests.protocol import gateway_kit as kit
from tests.protocol.gateway_kit import count, stack
from tests.protocol.gateway_life import Stack, plugin, wanted

running, estate = kit.running, kit.estate


def test_secrets_are_alternatives_of_which_each_stack_owns_its_own(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = estate.gateway.dump()
    ours, theirs = stack("filter"), stack("filter")
    theirs.inputs["filter"] = {**theirs.inputs["filter"], "alternatives": {"secondtenant": {}}}
    with plugin(estate, monkeypatch):
        ours.up()
    alone = estate.gateway.dump()
    with plugin(estate, monkeypatch):
        theirs.up()
    with plugin(estate, monkeypatch):
        ours.refresh()
        assert ours.drift() == {}  # another stack's alternative is none of our business
    ours.inputs["filter"] = {**ours.inputs["filter"], "alternatives": {"mysecretkey": {}, "newsecretkey": {}}}
    with plugin(estate, monkeypatch):
        assert ours.up() == ["update filter"]
        text = "\n".join(filter_lines(estate))
        assert "^(mysecretkey|secondtenant|newsecretkey)$" in text
    with plugin(estate, monkeypatch):
        theirs.destroy()
    ours.inputs["filter"] = {**ours.inputs["filter"], "alternatives": {"mysecretkey": {}}}
    with plugin(estate, monkeypatch):
        ours.up()
    assert estate.gateway.dump() == alone
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert estate.gateway.dump() == before


def filter_lines(estate: Estate) -> list[str]:
    cluster = ["clustermode cluster"] if len(estate.gateway.members) > 1 else []
    lines = [*cluster, "filters", "detail", "office365_outbound", "", "exit"]
    return (
        estate.gateway.type_by_hand(lines).replace("'", '"').splitlines()
    )  # old releases print single quotes


COPIED = [
    'office365_outbound: if sendergroup == "RELAYLIST" {',
    'if header("X-OUTBOUND-AUTH") == "^mysecretkey$" {',
    'strip-header("X-OUTBOUND-AUTH");',
    "} else {",
    "drop();",
    "}",
    "}",
]


def type_filter(estate: Estate, lines: list[str]) -> None:
    cluster = ["clustermode cluster"] if len(estate.gateway.members) > 1 else []
    estate.gateway.type_by_hand([*cluster, "filters", "new", *lines, ".", "", 'commit "by hand" Y', "exit"])
    assert "filter office365_outbound" in estate.gateway.dump()


def test_the_filter_copied_from_the_guide_is_refused_taken_over_and_put_back(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_filter(estate, COPIED)
    before = estate.gateway.dump()
    with plugin(estate, monkeypatch), pytest.raises(AssertionError, match="group test: not ours") as refused:
        Stack({"filter": wanted()["filter"]}).up()
    assert "mysecretkey" not in str(refused.value)
    ours = Stack({"filter": wanted()["filter"]}, take_over=("filter",))
    with plugin(estate, monkeypatch):
        ours.up()
    assert '"^RELAY_O365$"' in "\n".join(filter_lines(estate))
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert estate.gateway.dump() == before


def test_a_filter_without_anchors_round_the_group_counts_as_right_with_a_warning(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with plugin(estate, monkeypatch):
        stack("senderGroup").up()
    type_filter(estate, [line.replace("RELAYLIST", "RELAY_O365") for line in COPIED])
    start, ours = estate.journal.mark(), Stack({"filter": wanted()["filter"]})
    with plugin(estate, monkeypatch):
        ours.up()
    assert count(estate, "write", start) == 0
    assert "matches the group without ^ and $" in capsys.readouterr().err
