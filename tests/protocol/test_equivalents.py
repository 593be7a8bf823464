"""An estate set up by hand, under other names: found in the preview, taken over or left, then quiet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import pytest

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings
from lab.estate import Estate
from lab.gateway.state import Delivery, Sender, SenderGroup
from lab.journal import Event
from lab.tenant.store import DOMAINS
from tests.hands.acts import Hand, all_of, call, in_tables
from tests.hands.tables import put_filter, put_group
from tests.mini_engine import Refused
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import put_back, running
from tests.unit.settings_samples import sample

Values = dict[str, Any]
DATA1, DATA2, ELSEWHERE = "192.0.2.105", "198.51.100.186", "203.0.113.77"
HEADER, SECRET = "X-OUTBOUND-AUTH", "theirsecretkey"

# --- hands --------------------------------------------------------------------------------------------------

GROUP = in_tables(
    lambda tables: put_group(tables, SenderGroup("FROM_O365", "$RELAYED", [Sender(".outlook.com")]), 0)
)
FILTER = in_tables(
    lambda tables: put_filter(
        tables,
        f'old_gate: if (sendergroup == "RELAY_O365") {{ if (header("{HEADER}") == "^{SECRET}$") '
        f'{{ strip-header("{HEADER}"); }} else {{ drop(); }} }}',
        0,
    )
)
ENDING = in_tables(
    lambda tables: put_filter(tables, 'newsletters: if (mail-from == "@news") { skip-filters(); }', 0)
)
DELIVERY = in_tables(lambda tables: setattr(tables, "delivery", Delivery("Data 1")))
SOURCE = in_tables(lambda tables: tables.alt_sources.update({"@news.example": "Management"}))


def connector(name: str, **parameters: Any) -> Hand:
    return call("New-OutboundConnector", Name=name, UseMXRecord=False, **parameters)


def from_gateways(name: str, *, addresses: tuple[str, ...] = (DATA2,), **parameters: Any) -> Hand:
    given = {"SenderDomains": ["*"], "SenderIPAddresses": list(addresses), "RequireTls": True, **parameters}
    return call("New-InboundConnector", Name=name, **given)


OLD_WAY_OUT = all_of(
    connector("To IronPort", IsTransportRuleScoped=True, SmartHosts=[DATA2], TlsSettings="EncryptionOnly"),
    call(
        "New-TransportRule",
        Name="Via IronPort",
        SentToScope="NotInOrganization",
        RouteMessageOutboundConnector="To IronPort",
        SetHeaderName=HEADER,
        SetHeaderValue=SECRET,
    ),
)
SPARED = call("New-TransportRule", Name="No filter for IronPort", SenderIpRanges=[DATA2], SetSCL=-1)


def relay(estate: Estate) -> None:
    """There is no hybrid set-up in the lab: the domain only reads as one of its domains."""
    store = estate.tenant.store
    with store.lock:
        store.before_write(DOMAINS, lag=False)
        store.rows(DOMAINS)[0]["DomainType"] = "InternalRelay"


# --- the engine ---------------------------------------------------------------------------------------------


def merged(values: Values, changes: Mapping[str, Any]) -> Values:
    """Sections with some keys changed, lists with more entries."""
    result = dict(values)
    for name, change in changes.items():
        whole = result.get(name)
        result[name] = [*(whole or []), *change] if isinstance(change, list) else {**(whole or {}), **change}
    return result


class Stack(NurseryEngine):
    """A small engine over the demo's stack file, and other settings if there are any."""

    def __init__(self, nursery: Nursery, estate: Estate) -> None:
        endpoints = {"caBundle": str(estate.ca_file.resolve())}
        self.values = {**sample("bce-demo-lab"), "endpoints": endpoints, "settle": {"rule": "1s", "mx": "1s"}}
        super().__init__(nursery, self._program, estate.environment)

    def _program(self) -> None:
        SecureEmailIntegration("mail-flow", Settings.from_config(self.values, self.environment))

    def told(self, changes: Mapping[str, Any], *, instead: Values | None = None) -> tuple[str, str]:
        """What a preview with these settings refuses, and what it says."""
        kept, self.values = self.values, {**merged(self.values, changes), **(instead or {})}
        try:
            return "", "\n".join(self.preview().lines)
        except Refused as refused:
            return str(refused), "\n".join(self._run.lines)
        finally:
            self.values = kept


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="module")
def whole() -> Iterator[Estate]:
    with running("new") as estate:
        yield estate


@pytest.fixture
def estate(whole: Estate) -> Iterator[Estate]:
    with put_back(whole) as estate:
        yield estate


# --- cases --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What hands made, what a preview tells of it, and settings by which it is taken over, or right.

    `entry` leaves it, by the setting `leave`.
    """

    hand: Hand
    entry: str
    tells: str
    ways: tuple[Mapping[str, Any], ...] = ()
    refused: bool = True
    given: Mapping[str, Any] = field(default_factory=dict)


def taken(**names: str) -> Mapping[str, Any]:
    return {"names": names, "takeOver": list(names)}


CASES = {
    "sender group": Case(
        GROUP,
        "sender group FROM_O365",
        "is for connections from Microsoft 365",
        (taken(senderGroup="FROM_O365"),),
    ),
    "filter on our header": Case(
        FILTER, "message filter old_gate", f"checks the header {HEADER}", (taken(filter="old_gate"),)
    ),
    "filter that ends processing": Case(
        ENDING, "message filter newsletters", "«office365_outbound» is put above it", refused=False
    ),
    "default interface": Case(
        DELIVERY,
        "interface Data 1",
        f"mail leaves from (`deliveryconfig`), and {DATA1} is not in inbound.senderAddresses",
        ({"inbound": {"senderAddresses": [DATA1, DATA2]}},),
        given={"inbound": {"senderAddresses": [DATA2]}},
    ),
    "interface of some senders": Case(SOURCE, "interface Management", "(`altsrchost` @news.example)"),
    "rule with our header": Case(
        OLD_WAY_OUT,
        "transport rule Via IronPort",
        f"sets the header {HEADER}, too, and sends mail through the connector «To IronPort»",
        (taken(outboundRule="Via IronPort", outboundConnector="To IronPort"),),
        given={"leave": ["outbound connector To IronPort"]},
    ),
    "connector to the gateways": Case(
        OLD_WAY_OUT,
        "outbound connector To IronPort",
        f"leads to the gateways, too ({DATA2})",
        (taken(outboundConnector="To IronPort"),),
        refused=False,
        given={"leave": ["transport rule Via IronPort"]},
    ),
    "all mail to the gateways": Case(
        connector("All to IronPort", RecipientDomains=["*"], SmartHosts=[DATA2]),
        "outbound connector All to IronPort",
        "without our header: our filter would drop it",
        (taken(outboundConnector="All to IronPort"),),
    ),
    "recipient domains": Case(
        connector("To bank", RecipientDomains=["bank.example"], SmartHosts=["mx.bank.example"]),
        "outbound connector To bank",
        "add bank.example to outbound.except.recipientDomains",
        ({"outbound": {"except": {"recipientDomains": ["bank.example"]}}},),
    ),
    "centralised transport": Case(
        connector(
            "Hybrid",
            ConnectorType="OnPremises",
            RecipientDomains=["*"],
            SmartHosts=["hub.bce-demo.example"],
            RouteAllMessagesViaOnPremises=True,
        ),
        "outbound connector Hybrid",
        "(centralised transport)",
    ),
    "rule past the filter": Case(
        SPARED,
        "transport rule No filter for IronPort",
        f"switches the spam filter off for mail from the gateways ({DATA2})",
        (taken(inboundRule="No filter for IronPort"),),
        refused=False,
    ),
    "gateways as own servers": Case(
        from_gateways("From IronPort", ConnectorType="OnPremises"),
        "inbound connector From IronPort",
        "counts them as servers of your own",
        (taken(inboundConnector="From IronPort"),),
    ),
    "the same addresses": Case(
        from_gateways("From cluster", addresses=(DATA1, DATA2)),
        "inbound connector From cluster",
        "takes mail from the gateways' addresses as well",
        (taken(inboundConnector="From cluster"),),
        refused=False,
    ),
    "locked for another filter": Case(
        from_gateways("From other filter", addresses=(ELSEWHERE,), RestrictDomainsToIPAddresses=True),
        "inbound connector From other filter",
        "what the gateways deliver is refused (550 5.7.51)",
        (taken(inboundConnector="From other filter"),),
    ),
    "internal relay": Case(
        relay, "accepted domain bce-demo.com", "is an internal-relay domain", refused=False
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_equivalent_is_found_and_taken_over(nursery: Nursery, estate: Estate, name: str) -> None:
    case = CASES[name]
    case.hand(estate)
    before, mark = estate.dump(), estate.journal.mark()
    refused, said = Stack(nursery, estate).told(case.given)
    line = next(one for one in (refused if case.refused else said).splitlines() if case.tells in one)
    assert f"add «{case.entry}» to leave" in line
    assert (refused == "") is not case.refused
    assert SECRET not in refused + said

    for way in case.ways:
        refused, said = Stack(nursery, estate).told(merged(dict(case.given), way))
        assert refused == ""
        assert f"«{case.entry}»" not in said
    kinds = {event.kind for event in estate.journal.events(since=mark)}
    assert not kinds & {"write", "commit-started", "commit", "effect"}
    assert estate.dump() == before


def test_all_of_it_can_be_left(nursery: Nursery, estate: Estate) -> None:
    for hand in dict.fromkeys(case.hand for case in CASES.values()):
        hand(estate)
    given = CASES["default interface"].given
    refused, said = Stack(nursery, estate).told(given)
    told = {True: refused, False: said}
    assert [name for name, case in CASES.items() if case.tells not in told[case.refused]] == []
    left = [case.entry for case in CASES.values()]
    refused, said = Stack(nursery, estate).told({**given, "leave": left})
    assert refused == ""
    assert "leave" not in said


def test_all_of_it_is_listed_at_once(nursery: Nursery, estate: Estate) -> None:
    """And what the lab has anyhow: a rule that leads past the gateway, a connector that is restricted."""
    for one in ("sender group", "filter on our header", "interface of some senders", "rule with our header"):
        CASES[one].hand(estate)
    refused, said = Stack(nursery, estate).told({}, instead={"leave": ["sender group GONE"]})
    assert len(re.findall("^gateway-equivalents: ", refused, re.MULTILINE)) == 3
    assert "«Archive copies» sends mail through the connector «To archive», past the gateway" in refused
    assert "«From payroll service» takes mail of payroll.example with its own addresses only" in said
    assert "there is nothing in the way that is called «sender group GONE»" in said
    assert SECRET not in refused + said


def read_before_a_write(events: Sequence[Event], channel: str) -> Iterator[str]:
    """What was read on a side before the first write there; the other side goes its own pace."""
    here = [event for event in events if event.channel == channel]
    for event in takewhile(lambda event: event.kind not in ("write", "effect"), here):
        if event.kind in ("read", "call"):
            yield str(event.detail.get("table") or event.detail.get("cmdlet"))


def test_a_whole_estate_is_taken_over_and_given_back(nursery: Nursery, estate: Estate) -> None:
    for hand in (GROUP, FILTER, OLD_WAY_OUT, SPARED, from_gateways("From IronPort")):
        hand(estate)
    before = estate.dump()
    stack = Stack(nursery, estate)
    names = {"senderGroup": "FROM_O365", "filter": "old_gate", "inboundConnector": "From IronPort"}
    names |= {"outboundRule": "Via IronPort", "outboundConnector": "To IronPort"}
    stack.values = merged(stack.values, taken(**names, inboundRule="No filter for IronPort"))
    mark = estate.journal.mark()
    stack.up()
    events = estate.journal.events(since=mark)
    channels = {event.channel for event in events}
    reads = Counter(one for channel in channels for one in read_before_a_write(events, channel))
    assert max(reads.values()) == 1
    assert {"deliveryconfig", "filters", "Get-OutboundConnector", "Get-AcceptedDomain"} <= set(reads)

    mark = estate.journal.mark()
    assert stack.up().operations() == {}
    assert {event.kind for event in estate.journal.events(since=mark)} <= {"disconnect"}
    stack.destroy(freed=True)
    assert estate.dump() == before
