"""Names and reasons that hold all that their types let in: over both wires they stay what they are."""

from __future__ import annotations

from tests.protocol import way_back_life
from tests.protocol.way_back_life import Stack, World, as_before, values

world = way_back_life.world

NAMES = {
    "inboundConnector": 'O\'Brien "mail"; Remove-InboundConnector $x',
    "outboundConnector": "Исходящий | cat & <b>{0}</b>",
    "inboundRule": "%s ${x} $(reboot) `reboot` #{y}",
    "outboundRule": "見積 «ß» – ОUTBOUND",  # noqa: RUF001 - the O is Cyrillic
    "senderGroup": "RELAY_O365-x",
    "mailFlowPolicy": "RELAYED",
    "filter": "office365_outbound-x",
}
CHANGE = {"ticket": "CHG-1 (x) #7 <b> %s {0} ]> ", "approvedBy": "a & b | c", "window": "Sat 20:00-24:00 UTC"}


def test_names_are_literal_on_both_sides(world: World) -> None:
    before = world.begin("absent")
    change = {key: text.strip() for key, text in CHANGE.items()}
    stack = Stack(world, values(names=NAMES, change=change))
    stack.up()
    exchange = world.estate.tenant
    nouns = ("InboundConnector", "OutboundConnector", "TransportRule")
    found = {row["Name"] for noun in nouns for row in exchange.invoke_by_hand(f"Get-{noun}")}
    assert {text for key, text in NAMES.items() if key.endswith(("Connector", "Rule"))} <= found
    assert NAMES["senderGroup"] in world.estate.gateway.dump()
    [commit] = world.estate.gateway.commits[-1:]
    assert "CHG-1 (x) 7 b s 0" in str(commit)
    assert "approved by a b c, Sat 20:00-24:00 UTC" in str(commit)
    assert stack.up().operations() == {}
    stack.refresh_and_destroy()
    assert as_before(world, before)
