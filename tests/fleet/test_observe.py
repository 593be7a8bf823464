"""`mode: observe` on an estate: all kinds of things are seen, nothing is touched, and the ways in and out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from dynamic_providers.observing import FOUND
from lab.estate import Estate
from lab.journal import Event
from lab.tenant.practice import OUTBOUND_SECRET
from tests.hands.acts import call, in_tables
from tests.hands.names import BYPASS, DOMAIN, FILTER, GROUP, INBOUND, OUTBOUND, POLICY
from tests.hands.tables import put_filter
from tests.hands.things import THINGS
from tests.mail_stack import Changes, MailStack
from tests.mini_engine import Refused
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import running
from tests.shared_stacks import GatewayStack

QUICK: Changes = {("settle", "rule"): "1s", ("settle", "mx"): "1s", ("outbound", "ciphers"): "set"}
OBSERVE: Changes = {**QUICK, ("mode",): "observe"}
READS = {"connect", "login", "command", "answer", "read", "call", "disconnect", "token"}
"""Kinds of events that leave everything as it is; of calls, those of cmdlets that get something."""
HELD = re.compile(r"before: bce-?demo\S*: this stack manages what is there, so mode: observe would take all")


class Bench:
    """An estate before any of us was there, and as a stack leaves it whose mail flows."""

    def __init__(self, estate: Estate, nursery: Nursery) -> None:
        self.estate, self.nursery = estate, nursery
        self.untouched = estate.snapshot()
        stack = MailStack(nursery, estate, QUICK)
        stack.up()
        self.made, self.state = estate.snapshot(), stack.saved()

    def stack(self, changes: Changes) -> MailStack:
        return MailStack(self.nursery, self.estate, changes)

    def managing(self) -> MailStack:
        """The stack that made it."""
        stack = self.stack(QUICK)
        stack.load(self.state)
        return stack

    def dump(self) -> str:
        return f"{self.estate.dump()}\n{self.estate.network.zones.dump()}"


@pytest.fixture(scope="module")
def running_bench() -> Iterator[Bench]:
    with Nursery() as nursery, running("new") as estate:
        yield Bench(estate, nursery)


@pytest.fixture
def bench(running_bench: Bench) -> Bench:
    """With all made."""
    running_bench.estate.reset()
    running_bench.estate.restore(running_bench.made)
    return running_bench


@pytest.fixture
def only_looks(bench: Bench) -> Iterator[None]:
    """Whatever happens in the test, nothing but reads reaches the lab, except by hands."""
    mark = bench.estate.journal.mark()
    yield
    assert [event for event in bench.estate.journal.events(since=mark) if not is_read(event)] == []


def is_read(event: Event) -> bool:
    reads = event.kind in READS and str(event.detail.get("cmdlet", "Get-")).startswith("Get-")
    return reads or event.channel == "by-hand"


@pytest.mark.usefixtures("only_looks")
def test_all_is_right_where_a_stack_has_made_it(bench: Bench) -> None:
    stack = bench.stack(OBSERVE)
    seen = stack.preview()
    names = {thing.resource for thing in THINGS.values()} | {"mx-bce-demo.com"}
    assert {f"observed-{name}" for name in names} < {*seen.operations()}
    assert {*seen.operations().values()} == {"create"}
    assert [line for line in seen.lines if "theirs" in line or " not " in line] == []
    stack.up()
    assert all(one["state"] in ("right", "noted") for name in names for one in found(stack, name))
    assert stack.up().operations() == {}
    assert stack.refresh().operations() == {}
    assert {*stack.destroy().operations().values()} == {"delete"}
    assert stack.state == {}


def found(stack: MailStack, name: str) -> list[dict[str, str]]:
    """What is on record of a thing."""
    rows: list[dict[str, str]] = stack.state[f"observed-{name}"].outputs[FOUND]
    assert rows, name
    return rows


CHANGED: dict[str, str] = {
    "route": f"SMTP route «{DOMAIN}»: hosts: theirs [{{host: «by-hand.example», port: 25,",
    "recipient": f"recipient access entry «{DOMAIN}»: other: theirs {{bypass: «",
    "destination": f"destination control «{DOMAIN}»: tls: theirs «None», ours «Preferred»",
    "sender group": f"sender group «{GROUP}»: policy: theirs «BLOCKED», ours «{POLICY}»",
    "mail flow policy": f"mail flow policy «{POLICY}»: tls: theirs «Off», ours «Preferred»",
    "filter": f"outbound filter «{FILTER}»: text: not ours",
    "ciphers": "outbound ciphers «bce-demo»: ciphers: theirs «HIGH:-aNULL», ours «HIGH:MEDIUM:",
    "inbound connector": f"inbound connector «{INBOUND}»: efSkipIps: theirs [«203.0.113.9",
    "outbound connector": f"outbound connector «{OUTBOUND}»: smartHosts: theirs [«by-hand.example»], ours [",
    "inbound rule": f"transport rule «{BYPASS}»: setScl: theirs 6, ours -1",
    "outbound rule": f"transport rule «{OUTBOUND}»: mode: theirs «Audit», ours «Enforce»",
}
"""What is told of each thing that hands have changed."""

GONE: dict[str, str] = {
    "route": f"SMTP route «{DOMAIN}» is not there",
    "recipient": f"recipient access entry «{DOMAIN}» is not there",
    "destination": f"destination control «{DOMAIN}» is not there",
    "sender group": f"sender group «{GROUP}» is not there",
    "mail flow policy": f"mail flow policy «{POLICY}» has no TLS of its own",
    "filter": f"outbound filter «{FILTER}» is not there, or lets no mail with a secret of ours pass",
    "inbound connector": f"inbound connector «{INBOUND}» is not there",
    "outbound connector": f"outbound connector «{OUTBOUND}» is not there",
    "inbound rule": f"transport rule «{BYPASS}» is not there",
    "outbound rule": f"transport rule «{OUTBOUND}» is not there",
}


@pytest.mark.usefixtures("only_looks")
def test_every_kind_of_thing_shows_what_hands_have_changed(bench: Bench) -> None:
    stack = bench.stack(OBSERVE)
    stack.up()
    for thing in THINGS.values():
        thing.change(bench.estate)
    call("Set-TransportRule", Identity=OUTBOUND, SetHeaderName="X-OUTBOUND-AUTH", SetHeaderValue="another7")(
        bench.estate
    )
    bench.estate.internet.zones.set(DOMAIN, "MX", "10 mx.theirs.example.", ttl=1)
    for resolver in bench.estate.internet.resolvers.values():
        resolver.resolver.forget()

    seen = stack.preview()
    for name, line in CHANGED.items():
        assert any(line in told for told in seen.lines), (name, seen.lines)
    assert any("MX of bce-demo.com: as " in told and "mx.theirs.example" in told for told in seen.lines)
    assert any(told.endswith(f"«{OUTBOUND}»: setHeaderValue: differs") for told in seen.lines)
    resources = {f"observed-{thing.resource}" for thing in THINGS.values()} | {f"observed-mx-{DOMAIN}"}
    assert seen.operations() == dict.fromkeys(resources, "update")
    for secret in (OUTBOUND_SECRET, "another7"):
        assert not any(secret in told for told in seen.lines)
        assert secret not in str([found(stack, one.removeprefix("observed-")) for one in resources])


@pytest.mark.usefixtures("only_looks")
def test_every_kind_of_thing_shows_that_it_is_gone(bench: Bench) -> None:
    for thing in THINGS.values():
        if thing.remove:
            thing.remove(bench.estate)
    seen = bench.stack({**OBSERVE, ("lockdown",): "closed"}).preview()
    for name, line in GONE.items():
        assert any(told.endswith(line) for told in seen.lines), (name, seen.lines)
    switches = ("RejectDirectSend of the organization is off", f"connector «{INBOUND}» is off")
    assert all(any(told.endswith(one) for told in seen.lines) for one in switches)


@pytest.mark.usefixtures("only_looks")
def test_others_who_are_in_the_way_are_told_and_nothing_is_refused(bench: Bench) -> None:
    theirs = 'gate: if (sendergroup == "RELAY_O365") { if (header("X-OUTBOUND-AUTH") == "^x$") { drop(); } }'
    in_tables(lambda tables: put_filter(tables, theirs, 0))(bench.estate)
    bench.estate.internet.zones.set(DOMAIN, "TXT", "v=spf1 include:spf.protection.outlook.com -all")
    for resolver in bench.estate.internet.resolvers.values():
        resolver.resolver.forget()
    seen = bench.stack(OBSERVE).preview()
    assert any("message filter «gate»: " in line and "leave" in line for line in seen.lines)
    assert any(f"SPF of {DOMAIN}: receivers will refuse" in line for line in seen.lines)


@pytest.mark.usefixtures("only_looks")
def test_ciphers_that_are_only_compared_are_no_difference(bench: Bench) -> None:
    stack = bench.stack({**OBSERVE, ("outbound", "ciphers"): "check"})
    THINGS["ciphers"].change(bench.estate)
    stack.up()
    assert [one["state"] for one in found(stack, "outbound-tls")] == ["noted"]


@pytest.mark.usefixtures("only_looks")
def test_a_shared_gateway_is_seen_from_both_kinds_of_stack(bench: Bench) -> None:
    tenant = bench.stack(
        {**OBSERVE, ("gateway", "shared"): True, ("takeOver",): None, ("outbound", "ciphers"): "check"}
    )
    hub = GatewayStack(bench.nursery, bench.estate)
    hub.set({("mode",): "observe"})
    for name in ("sender group", "mail flow policy"):
        THINGS[name].change(bench.estate)
        for stack in (tenant, hub):
            assert any(CHANGED[name] in line for line in stack.preview().lines), name
    hub.up()
    assert hub.up().operations() == {}
    hub.destroy()


def test_from_observing_to_managing_and_not_back(bench: Bench) -> None:
    bench.estate.reset()
    bench.estate.restore(bench.untouched)
    before, mark = bench.dump(), bench.estate.journal.mark()
    stack = bench.stack(OBSERVE)
    stack.up()
    assert [event for event in bench.estate.journal.events(since=mark) if not is_read(event)] == []
    seen = {name for name in stack.state if name.startswith("observed-")}
    assert bench.dump() == before

    for resolver in bench.estate.internet.resolvers.values():
        resolver.resolver.forget()  # a day later, nobody holds what observing has looked up
    stack.set({("mode",): "manage"})
    run = stack.up()
    assert {name for operation, name in run.steps if operation == "delete"} == seen
    assert "guard" in stack.state
    made = bench.dump()
    assert made != before
    assert stack.up().operations() == {}

    stack.set({("mode",): "observe"})
    state = stack.saved()[0]
    for verb in (stack.preview, stack.up):
        with pytest.raises(Refused, match=HELD):
            verb()
    assert bench.dump() == made
    assert {*stack.state} >= {*state}

    stack.set({("mode",): "manage"})
    steps = stack.up().operations()  # what was looked at before the refusal is forgotten again
    assert {*steps.values()} <= {"delete"}
    assert {*steps} <= seen
    assert bench.dump() == made
    assert stack.up().operations() == {}
    stack.destroy(freed=True)
    assert bench.dump() == before


def test_the_engine_may_ask_for_it_and_nothing_managed_goes(bench: Bench) -> None:
    """As `pulumi up --target` may, past what refuses it in the preview."""
    stack, there = bench.managing(), bench.dump()
    for arguments in stack._arguments.values():
        arguments["m365-secure-email:mode"] = "observe"
    with pytest.raises(Refused, match=r"mode: observe, so the .* that it once made stays as it is"):
        stack.destroy(freed=True)
    assert bench.dump() == there
