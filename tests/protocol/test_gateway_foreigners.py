"""Others are at work on the gateway, too: administrators, and other stacks."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynamic_providers.connections import GatewayConnection
from dynamic_providers.errors import ManagedError
from dynamic_providers.gateway import smtp_routes, transaction
from dynamic_providers.gateway.commit import CommitRefusedError, ForeignChangesError
from dynamic_providers.gateway.every_member import BusyError
from dynamic_providers.gateway.session import Session
from dynamic_providers.managed_provider import Refused
from lab.estate import Estate
from lab.gateway.commands.smtproutes import parse_targets
from lab.journal import Event
from tests.gateway_sides import Side
from tests.mini_engine import Refused as RunRefused
from tests.mini_engine import Run
from tests.plugin_nursery import Nursery
from tests.protocol import gateway_kit as kit
from tests.protocol.gateway_kit import DOMAIN, stack
from tests.protocol.gateway_life import NAME, Stack, connection, plugin, wanted
from tests.protocol.gateway_talk import pending, show_changes

new, estate = kit.new, kit.new_estate


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


SOME = ("smtpRoutes", "recipientAccess", "filter")


def colleague_commits(estate: Estate, *domains: str) -> None:
    """An administrator commits routes of their own, at this very moment."""
    changed = copy.deepcopy(estate.gateway.state)
    for domain in domains:
        changed.base.routes[domain] = parse_targets("mx.theirs.example")
    estate.gateway.accept(estate.gateway.members[0], "colleague", changed, "by hand", [])


def meanwhile(estate: Estate, match: Callable[[Event], bool], times: int = 1) -> list[str]:
    """A colleague commits a route whenever an event meets `match`, so often; their domains so far."""
    made: list[str] = []

    def commit(event: Event) -> None:
        if len(made) < times:
            made.append(f"theirs{len(made)}.example")
            colleague_commits(estate, made[-1])

    estate.journal.when(match, commit, once=False)
    return made


def at(kind: str, line: str = "") -> Callable[[Event], bool]:
    """Events of a kind on the gateway's command line."""

    def match(event: Event) -> bool:
        here = event.channel.startswith("gateway:") and event.kind == kind
        return here and event.detail.get("line", "") == line

    return match


EARLY = "between our read and our staging"
LATE = "between our staging and our commit"
THEIR_ROUTE = "route theirs0.example\n  hosts: mx.theirs.example\n"
MOMENTS = {
    "while we read": at("read"),
    EARLY: at("command", "showchanges"),
    "while we stage": at("write"),
    LATE: at("commit-started"),
    "after our commit": at("commit"),
}


CASES = [*((moment, "ask") for moment in MOMENTS), *((LATE, habit) for habit in ("refuse", "merge"))]


@pytest.mark.parametrize(("moment", "habit"), CASES)
def test_a_colleague_commits(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, moment: str, habit: str
) -> None:
    """Ours and theirs are there in the end, and `destroy` takes away ours alone."""
    monkeypatch.setattr(transaction, "SEEN_SECONDS", 0.0)
    estate.gateway.conflict = habit
    ours, before = stack(*SOME), estate.gateway.dump()
    theirs = meanwhile(estate, MOMENTS[moment])
    with plugin(estate, monkeypatch):
        ours.up()
    assert theirs == ["theirs0.example"]
    with plugin(estate, monkeypatch):
        ours.refresh()
        assert ours.drift() == {}
        estate.journal.forget_hooks()
        again = meanwhile(estate, MOMENTS[moment])
        ours.destroy()
    assert again == theirs
    assert estate.gateway.dump().replace(THEIR_ROUTE, "") == before


@pytest.mark.parametrize("take_over", [False, True])
@pytest.mark.parametrize("moment", [EARLY, LATE])
def test_a_colleague_makes_the_very_entry_that_we_are_making(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, moment: str, *, take_over: bool
) -> None:
    """It is theirs, though nothing was there when the run began."""
    before = estate.gateway.dump()
    monkeypatch.setattr(transaction, "SEEN_SECONDS", 0.0)
    estate.journal.when(MOMENTS[moment], lambda _event: colleague_commits(estate, DOMAIN))
    ours = Stack(stack("smtpRoutes").inputs, ("smtpRoutes",) if take_over else ())
    with plugin(estate, monkeypatch):
        if not take_over:
            with pytest.raises(Refused, match=f"«{DOMAIN}» exists and differs.*add smtpRoutes to"):
                ours.up()
            assert estate.gateway.state.base.routes[DOMAIN] == parse_targets("mx.theirs.example")
            return
        ours.up()
        ours.destroy()
    theirs = f"route {DOMAIN}\n  hosts: mx.theirs.example\n"
    assert theirs in estate.gateway.dump()
    assert estate.gateway.dump().replace(theirs, "") == before


def test_a_colleague_who_commits_all_the_time(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    start = estate.journal.mark()
    theirs = meanwhile(estate, at("commit-started"), times=9)
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(BusyError, match="given up after 4 tries"):
            stack("smtpRoutes").up()
        assert not pending(live.read("pending", show_changes))
    assert estate.journal.count("gateway", "commit-started", since=start) == len(theirs) == 4
    assert set(theirs) < set(estate.gateway.state.base.routes)
    assert DOMAIN not in estate.gateway.state.base.routes


def change_routes(*domains: str) -> dict[str, ManagedError]:
    """A change of each domain's route, all at once; what became of those that failed."""
    provider, failed = Stack.provider("smtpRoutes"), {}

    def change(domain: str) -> None:
        hosts = [{"host": "mx.contoso.example", "priority": 0, "port": 25}]
        try:
            provider.apply({"gateway": NAME}, {domain: {"hosts": hosts}}, {}, {})
        except ManagedError as error:
            failed[domain] = error

    with ThreadPoolExecutor(len(domains)) as threads:
        list(threads.map(change, domains))
    return failed


@pytest.mark.parametrize("culprits", [("c.example",), ("a.example", "d.example")])
def test_of_a_refused_commit_only_the_culprit_fails(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, culprits: Sequence[str]
) -> None:
    def refusal(changes: Sequence[tuple[str, str]]) -> str | None:
        bad = [key for _table, key in changes if key in culprits]
        return f"{bad[0]} is not to be had." if bad else None

    all_four = ("a.example", "b.example", "c.example", "d.example")
    estate.gateway.refuse_commit = refusal
    with plugin(estate, monkeypatch) as live:
        failed = change_routes(*all_four)
        assert not pending(live.read("pending", show_changes))
    assert sorted(failed) == sorted(culprits)
    for domain, error in failed.items():
        assert isinstance(error, CommitRefusedError)
        assert f"{domain} is not to be had" in str(error)
    assert {*all_four} - {*culprits} == {*all_four} & {*estate.gateway.state.base.routes}


def test_changes_that_turn_up_in_our_session_later_are_not_committed_with_ours(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave_something(session: Session) -> None:
        session.run(smtp_routes.write({"foreign.example": {"hosts": [], "raw": "mx.example"}}, ()))

    with plugin(estate, monkeypatch) as live:
        assert change_routes("first.example") == {}
        live.read("leave something", leave_something)
        failed = change_routes("second.example")
    assert isinstance(failed["second.example"], ForeignChangesError)
    assert "foreign.example" in str(failed["second.example"])
    assert {"first.example", "foreign.example"} & {*estate.gateway.state.base.routes} == {"first.example"}


@pytest.mark.parametrize("habit", ["ask", "refuse", "merge"])
def test_two_stacks_at_once(estate: Estate, nursery: Nursery, habit: str) -> None:
    """Each in a process of its own; their commits meet. Both are right in the end, and both can go.

    A gateway that merges without a word lets the last one win: the other one sees it, says so, and repairs it
    in its next run.
    """
    before, there = estate.gateway.dump(), connection(estate)
    estate.gateway.conflict = habit
    sides = [tenant(nursery, estate, there, name) for name in ("first", "second")]
    run_at_once(estate, habit, [side.up for side in sides])
    routes, filters = estate.gateway.state.base.routes, estate.gateway.state.base.filters
    assert {"first.example", "second.example"} <= {*routes}
    [ours] = [one.text for one in filters if one.name == "office365_outbound"]
    assert '"^(firstKey1|secondKey1)$"' in ours or '"^(secondKey1|firstKey1)$"' in ours
    assert all(side.up().operations() == {} for side in sides)
    run_at_once(estate, habit, [side.destroy for side in sides])
    assert estate.gateway.dump() == before


def tenant(nursery: Nursery, estate: Estate, there: GatewayConnection, name: str) -> Side:
    """A tenant's entries on a gateway that it shares with others."""
    parts = wanted(domain=f"{name}.example")
    shared = {**parts["filter"], "alternatives": {f"{name}Key1": {}}, "shared": True}
    inbound = {key: parts[key] for key in ("smtpRoutes", "recipientAccess", "destinationControls")}
    return Side(nursery, estate, there, name, {**inbound, "filter": shared})


def run_at_once(estate: Estate, habit: str, runs: Sequence[Callable[[], Run]]) -> None:
    """Runs whose first commits wait for each other, so that each finds the other's."""
    together, arrived = threading.Event(), list[Event]()

    def arrive(event: Event) -> None:
        arrived.append(event)
        if len(arrived) == len(runs):
            together.set()

    def ended(run: Callable[[], Run]) -> str:
        try:
            run()
        except RunRefused as error:
            return str(error)
        finally:
            together.set()  # also where it has failed before its commit
        return ""

    estate.journal.when(at("commit-started"), arrive, once=False)
    estate.gateway.commit_hold = together
    with ThreadPoolExecutor(len(runs)) as threads:
        told = [text for text in threads.map(ended, runs) if text]
    estate.gateway.commit_hold = None
    if habit == "merge" and told:
        assert all("written, but it does not read back" in text for text in told)
        told = [text for text in map(ended, runs) if text]
    assert told == []
