"""The guard in the preview of a whole stack: each thing that would stop mail, and the way back past it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dynamic_providers.safety.sentinel import NAME as SENTINEL
from lab.estate import Estate
from tests.hands.names import DOMAIN, SHOP
from tests.mail_stack import Changes, MailStack, values
from tests.mini_engine import Refused
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import running

OTHERS = [SHOP, *(f"d{number}.{DOMAIN}" for number in range(8))]
GATEWAY_MX = "10 mx1.bce-demo.example."
BACK: Changes = {("domains", DOMAIN, "mx"): "microsoft", ("outbound", "state"): "none"}


class Bench:
    """One stack of ten domains whose mail flows both ways, set back for each test."""

    def __init__(self, estate: Estate, nursery: Nursery) -> None:
        self.estate, self.stack = estate, MailStack(nursery, estate, given=self._values(estate))
        self.before = self.dump()
        self.stack.up()
        self._start = estate.snapshot(), self.stack.saved(), copy.deepcopy(self.stack.values)

    def _values(self, estate: Estate) -> dict[str, Any]:
        given = values(estate)
        for name in OTHERS:
            microsoft = f"{name.replace('.', '-')}.mail.protection.outlook.com"
            given["domains"][name] = {"microsoftMx": microsoft}
            estate.internet.zones.set(name, "MX", f"0 {microsoft}.", ttl=1)
            estate.internet.zones.set(name, "TXT", "v=spf1 ip4:198.51.100.186 -all")
        given["outbound"] |= {"except": {"recipientDomains": ["bank.example"]}}
        return given

    def dump(self) -> str:
        return f"{self.estate.dump()}\n{self.estate.network.zones.dump()}"

    def begin(self) -> None:
        estate, state, given = self._start
        self.estate.reset()
        self.estate.restore(estate)
        self.stack.load(state)
        self.stack.values = copy.deepcopy(given)

    def refusal(self, changes: Changes) -> str:
        """What a preview says that refuses, if it does; nothing was touched by it."""
        self.stack.set(changes)
        dump = self.dump()
        with pytest.raises(Refused) as refused:
            self.stack.preview()
        assert self.dump() == dump
        return str(refused.value)

    def acknowledge(self, refusal: str) -> None:
        """Put the line into the stack file that a refusal gives."""
        [line] = re.findall(r"m365-secure-email:acknowledge: \[(.*)\]", refusal)
        rows = re.findall(r'\{what: ([^,]+), until: "([^"]+)"\}', line)
        self.stack.values["acknowledge"] = [{"what": what, "until": until} for what, until in rows]


@pytest.fixture(scope="module")
def running_bench() -> Iterator[Bench]:
    with Nursery() as nursery, running("new") as estate:
        yield Bench(estate, nursery)


@pytest.fixture
def bench(running_bench: Bench) -> Bench:
    running_bench.begin()
    return running_bench


REFUSED: dict[str, tuple[Changes, str]] = {
    f"remove {SHOP}": (
        {("domains", SHOP): None},
        f"you are removing {SHOP} from the stack while the MX of {SHOP} leads to the gateway (mx1.bce-demo.",
    ),
    "replace names.senderGroup": (
        {("names", "senderGroup"): "FROM_M365"},
        "names.senderGroup changes from «RELAY_O365» to «FROM_M365» while outbound mail runs through",
    ),
    "replace names.filter": ({("names", "filter"): "m365_only"}, "mail leaves with the secret in its header"),
    "replace names.inboundConnector": (
        {("names", "inboundConnector"): "From IronPort"},
        f"while the MX of {DOMAIN} leads to the gateway: the old one is taken away before",
    ),
    "clear outboundRule": (
        {("outbound", "except"): None},
        "it would act on «bank.example», too, which exceptIfRecipientDomainIs keeps out",
    ),
    "change 4 of 10 domains": (
        {("domains", name, "mx"): "gateway" for name in OTHERS[-3:]},
        "4 of 10 domains would be removed or get another mx in one run",
    ),
    "smart host out.bce-demo.example": (
        {("outbound", "smartHosts"): ["out.bce-demo.example"]},
        "the smart host out.bce-demo.example answers «554 Your access to this mail system",
    ),
}
"""What a preview refuses, by the words that let it pass."""


def test_a_preview_refuses_it_all_at_once_and_the_line_that_it_gives_lets_it_pass(bench: Bench) -> None:
    """One MX was set by somebody else; the smart host greets strangers as an outbound listener does."""
    bench.estate.internet.zones.set(SHOP, "MX", GATEWAY_MX, ttl=1)
    bench.estate.internet.zones.set("out.bce-demo.example", "A", "198.51.100.186")
    bench.stack.values["gateway"]["members"][0]["data2"] = "198.51.100.99"
    refusal = bench.refusal(
        {place: value for changes, _ in REFUSED.values() for place, value in changes.items()}
    )
    assert [reason for _, reason in REFUSED.values() if reason not in refusal] == []
    assert [words for words in REFUSED if f"{{what: {words}, until: " not in refusal] == []
    assert len(re.findall(r"\{what: ", refusal)) == len(REFUSED)
    bench.acknowledge(refusal)
    assert "guard: " not in refusal_or_nothing(bench)


def refusal_or_nothing(bench: Bench) -> str:
    """What others than the guard may still say."""
    try:
        bench.stack.preview()
    except Refused as refused:
        return str(refused)
    return ""


def test_the_outbound_connector_stays_while_mail_runs_through_it(bench: Bench) -> None:
    refusal = bench.refusal({("outbound", "smartHosts"): None, ("outbound", "state"): "none"})
    assert "while outbound mail runs through the gateway (outbound.state is all)" in refusal
    assert "{what: remove outbound connector, until: " in refusal


def test_a_domain_whose_mail_goes_elsewhere_may_go(bench: Bench) -> None:
    bench.stack.set({("domains", SHOP): None})
    assert bench.stack.preview().operations()["smtp-routes"] == "update"


def test_a_removal_that_is_acknowledged_is_done_once(bench: Bench) -> None:
    domain = bench.stack.values["domains"][SHOP]
    bench.estate.internet.zones.set(SHOP, "MX", GATEWAY_MX, ttl=1)
    bench.acknowledge(bench.refusal({("domains", SHOP): None}))
    bench.stack.up()
    assert f"route {SHOP}" not in bench.estate.dump()
    assert bench.stack.preview().operations() == {}
    bench.stack.set({("domains", SHOP): domain})
    bench.stack.up()
    assert f"route {SHOP}" in bench.estate.dump()
    again = bench.refusal({("domains", SHOP): None})
    assert re.search(r"Note that your acknowledgement until \S+ was used up on", again)
    assert f"removing {DOMAIN}" in bench.refusal({("domains", DOMAIN): None})


def test_the_way_back_is_past_the_guard_and_needs_no_gateway(bench: Bench) -> None:
    bench.estate.gateway.refuse_connections = True
    bench.stack.set(BACK)
    done = bench.stack.up().operations()
    assert {"guard": "update", f"mx-{DOMAIN}": "update", "outbound-rule": "delete"}.items() <= done.items()
    free = {f"mx-{DOMAIN}", "lock-down"}
    assert "guard" not in needed(bench.stack, free)
    looks = {"dns-before", "tenant-before", "tenant-equivalents", "gateway-before", "gateway-equivalents"}
    unguarded = {name for name, saved in bench.stack.state.items() if "guard" not in saved.needs}
    assert unguarded == free | looks | {"guard"}


def test_destroy_is_held_while_mail_flows_and_not_after(bench: Bench) -> None:
    dump = bench.dump()
    with pytest.raises(Refused, match=f"{SENTINEL} cannot be deleted because it is protected"):
        bench.stack.destroy()
    assert bench.dump() == dump
    bench.stack.set(BACK)
    bench.stack.up()
    assert bench.stack.preview().operations() == {}
    bench.stack.destroy()
    assert bench.stack.state == {}
    assert bench.dump() == bench.before


def needed(stack: MailStack, names: set[str]) -> set[str]:
    """All that these depend on, directly or not."""
    found = set(names)
    while more := {need for name in found for need in stack.state[name].needs} - found:
        found |= more
    return found - names
