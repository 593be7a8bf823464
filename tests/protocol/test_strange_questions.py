"""A release that asks in every dialogue that writes what nobody knows: each write stops safely."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from dynamic_providers.gateway.dialogue import UnknownQuestionError
from dynamic_providers.gateway.snapshot import PROVIDERS
from lab.estate import Estate
from lab.gateway.state import Configuration, Target
from tests.mini_engine import Refused
from tests.profile_stacks import Stacks
from tests.protocol import estate_kit
from tests.protocol.estate_kit import put_back, running
from tests.protocol.gateway_life import Stack, plugin, wanted

QUESTION = r"telemetry class"
DOMAIN = "contoso.example"
Change = Callable[[Configuration], object]


@dataclass(frozen=True)
class Case:
    """A resource's write: what is wrong there before it, so that just this dialogue is needed."""

    key: str  # of the resource
    how: str  # new, edit, delete, move: which dialogue it comes to
    spoil: Change | None = None


def _wrong_route(tables: Configuration) -> None:
    tables.routes[DOMAIN] = [Target("mx.elsewhere.example")]


def _wrong_limit(tables: Configuration) -> None:
    tables.destinations[DOMAIN].max_host_concurrency = 77


def _reject(tables: Configuration) -> None:
    tables.listener("IncomingMail").recipient(DOMAIN).action = "REJECT"


def _group_down(tables: Configuration) -> None:
    groups = tables.listener("OutgoingMail").groups
    groups.insert(1, groups.pop(0))


def _group_otherwise(tables: Configuration) -> None:
    tables.listener("OutgoingMail").group("RELAY_O365").comment = "theirs"


def _no_tls(tables: Configuration) -> None:
    tables.listener("OutgoingMail").policies["RELAYED"].parameters["tls"] = "off"


def _filter_off(tables: Configuration) -> None:
    tables.filter("office365_outbound").active = False


def _other_ciphers(tables: Configuration) -> None:
    tables.ssl["outbound"].cipher = "HIGH:MEDIUM:LOW"


EDITS = [
    Case("smtpRoutes", "edit", _wrong_route),
    Case("destinationControls", "edit", _wrong_limit),
    Case("recipientAccess", "edit", _reject),
    Case("senderGroup", "move", _group_down),
    Case("senderGroup", "edit", _group_otherwise),
    Case("mailFlowPolicy", "edit", _no_tls),
    Case("filter", "edit", _filter_off),
    Case("ciphers", "edit", _other_ciphers),
]


stacks = estate_kit.stacks


@pytest.fixture(scope="module")
def strange() -> Iterator[Estate]:
    with running("strange") as estate:
        yield estate


@pytest.fixture
def estate(strange: Estate) -> Iterator[Estate]:
    """It asks strange things only when a test says so."""
    assert strange.gateway.strange_question
    with put_back(strange) as estate:
        estate.gateway.strange_question = False
        yield estate


def stack(key: str) -> Stack:
    """Just this resource, so that no other table's question comes first."""
    resources = {**wanted(), "ciphers": {"mode": "set"}}
    return Stack({key: resources[key]}, take_over=(key,))


def stops(estate: Estate, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear error that quotes the question; nothing pending, nothing committed, nothing changed."""
    before, mark = estate.gateway.dump(), estate.journal.mark()
    estate.gateway.strange_question = True
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(UnknownQuestionError, match=QUESTION) as caught:
            run()
        assert "\n" not in str(caught.value)
        assert "report the question and the release" in str(caught.value)
        shown = live.read("pending", lambda session: session.shell.command("showchanges").text)
        assert estate.gateway.profile.text("no_changes") in shown
    assert estate.journal.count("gateway", "commit-started", since=mark) == 0
    assert estate.journal.count("gateway", "disconnect", since=mark, pending=True) == 0
    assert estate.gateway.dump() == before


@pytest.mark.parametrize("key", sorted(PROVIDERS))
def test_making_it(estate: Estate, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    stops(estate, stack(key).up, monkeypatch)


@pytest.mark.parametrize("case", EDITS, ids=lambda case: f"{case.key}-{case.how}")
def test_changing_it(estate: Estate, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    ours = stack(case.key)
    with plugin(estate, monkeypatch):
        ours.up()
    assert case.spoil is not None
    case.spoil(estate.gateway.state.base)
    with plugin(estate, monkeypatch):
        ours.refresh()
    stops(estate, ours.up, monkeypatch)


# A sender group is taken away by its name alone: there is no dialogue to ask anything in.
@pytest.mark.parametrize("key", sorted(set(PROVIDERS) - {"senderGroup"}))
def test_taking_it_away(estate: Estate, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    ours = stack(key)
    with plugin(estate, monkeypatch):
        ours.up()
    stops(estate, ours.destroy, monkeypatch)


def test_every_resource_is_changed_somewhere() -> None:
    assert {case.key for case in EDITS} == set(PROVIDERS)


def test_a_whole_stack(stacks: Stacks, strange: Estate) -> None:
    """The operator reads one line for each resource that asked, and a later run on a known release works."""
    assert strange.gateway.strange_question
    before, mark = strange.gateway.dump(), strange.journal.mark()
    engine = stacks.engine(strange)
    with pytest.raises(Refused, match=QUESTION) as caught:
        engine.up()
    assert "Traceback" not in str(caught.value)
    assert strange.gateway.dump() == before
    assert strange.journal.count("gateway", "commit-started", since=mark) == 0
    assert strange.journal.count("gateway", "disconnect", since=mark, pending=True) == 0


def test_a_release_that_has_no_messages_limit(stacks: Stacks) -> None:
    with running("no-messages-limit") as estate:
        before, mark = estate.dump(), estate.journal.mark()
        engine = stacks.engine(estate)
        with pytest.raises(Refused, match="Mail Policies > Destination Controls"):
            engine.up()
        tables = [event.detail["tables"] for event in estate.journal.events("gateway", "commit", since=mark)]
        assert not [one for one in tables if "destconfig" in one]
        engine.destroy(freed=True)
        assert estate.dump() == before


def test_a_release_that_has_no_messages_limit_serves_a_stack_without_throttle(stacks: Stacks) -> None:
    with running("no-messages-limit") as estate:
        before, engine = estate.dump(), stacks.engine(estate, {"inbound": {"throttle": "none"}})
        engine.up()
        assert "destination bce-demo.com" in estate.dump()
        assert engine.up().operations() == {}
        engine.destroy(freed=True)
        assert estate.dump() == before
