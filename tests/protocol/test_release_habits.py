"""What releases do differently where work goes wrong, each in every release's own words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest

from dynamic_providers.entries import Entry
from dynamic_providers.errors import ManagedError
from dynamic_providers.gateway import smtp_routes, transaction
from dynamic_providers.gateway.cluster import MemberDisconnectedError
from dynamic_providers.gateway.commit import CommitRefusedError, ForeignChangesError
from dynamic_providers.gateway.dialogue import AnswerRefusedError
from dynamic_providers.gateway.session import Session
from dynamic_providers.managed_provider import NotAsWritten
from lab.estate import Estate
from lab.gateway.state import Target
from lab.journal import Event
from tests.profile_stacks import RELEASES, Stacks
from tests.protocol import estate_kit
from tests.protocol.estate_kit import put_back, running
from tests.protocol.gateway_life import Stack, plugin, wanted

DOMAIN, THEIRS = "contoso.example", "theirs.example"
Changes = dict[str, Entry | None]
REASON = "The listener configuration is not valid."


stacks = estate_kit.stacks


@pytest.fixture(scope="module", params=RELEASES)
def whole(request: pytest.FixtureRequest) -> Iterator[Estate]:
    with running(request.param) as estate:
        yield estate


@pytest.fixture
def estate(whole: Estate) -> Iterator[Estate]:
    with put_back(whole) as estate:
        yield estate


@pytest.fixture
def cluster() -> Iterator[Estate]:
    """For what is the same on every release: the one with most to it."""
    with running("cluster") as estate:
        yield estate


def routes() -> Stack:
    return Stack({"smtpRoutes": wanted()["smtpRoutes"]})


def everything() -> Stack:
    return Stack(wanted(), take_over=("mailFlowPolicy",))


def someone_commits(estate: Estate) -> None:
    """Another session's commit, while ours is under way."""
    gateway = estate.gateway
    theirs = copy.deepcopy(gateway.state)
    theirs.base.routes[THEIRS] = [Target("mx.theirs.example")]
    gateway.accept(gateway.members[0], "other", theirs, "theirs", [])


def is_our_commit(event: Event) -> bool:
    return event.kind == "commit-started"


def nothing_is_pending(estate: Estate) -> Callable[[Session], None]:
    def look(session: Session) -> None:
        assert estate.gateway.profile.text("no_changes") in session.shell.command("showchanges").text

    return look


@pytest.mark.parametrize("habit", ["ask", "refuse"])
def test_somebody_else_committed_in_between(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, habit: str
) -> None:
    estate.gateway.conflict = habit
    ours, mark = routes(), estate.journal.mark()
    estate.journal.when(is_our_commit, lambda _: someone_commits(estate))
    with plugin(estate, monkeypatch) as live:
        assert ours.up() == ["create smtpRoutes"]
        live.read("pending", nothing_is_pending(estate))
    assert estate.journal.count("gateway", "clear", since=mark) == 1
    assert f"route {DOMAIN}" in estate.gateway.dump()
    assert f"route {THEIRS}" in estate.gateway.dump()


@pytest.mark.parametrize("habit", ["ask", "refuse"])
def test_somebody_else_commits_again_and_again(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, habit: str
) -> None:
    estate.gateway.conflict = habit
    estate.journal.when(is_our_commit, lambda _: someone_commits(estate), once=False)
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(ManagedError, match=r"given up after \d tries.* then run it again") as caught:
            routes().up()
        assert "\n" not in str(caught.value)
        live.read("pending", nothing_is_pending(estate))
    assert f"route {DOMAIN}" not in estate.gateway.dump()


def test_somebody_elses_commit_is_joined_without_a_word(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.gateway.conflict = "merge"
    estate.journal.when(is_our_commit, lambda _: someone_commits(estate))
    with plugin(estate, monkeypatch):
        assert routes().up() == ["create smtpRoutes"]
    assert f"route {DOMAIN}" in estate.gateway.dump()
    assert f"route {THEIRS}" in estate.gateway.dump()


def test_a_conflict_in_a_whole_stack_is_settled_in_the_same_run(stacks: Stacks, cluster: Estate) -> None:
    """The whole stack over gRPC: what was in the refused commit is read and applied again."""
    before, engine = cluster.dump(), stacks.engine(cluster)
    cluster.journal.when(is_our_commit, lambda _: someone_commits(cluster))
    engine.up()
    assert engine.up().operations() == {}
    assert f"route {THEIRS}" in cluster.gateway.dump()
    engine.destroy(freed=True)
    cluster.gateway.state.base.routes.pop(THEIRS)
    assert cluster.dump() == before


def test_a_commit_is_refused(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before, ours, mark = estate.gateway.dump(), everything(), estate.journal.mark()
    estate.gateway.refuse_commit = REASON
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(CommitRefusedError, match=REASON) as caught:
            ours.up()
        assert "\n" not in str(caught.value)
        live.read("pending", nothing_is_pending(estate))
        refused = estate.journal.count("gateway", "commit-refused", since=mark)
        assert estate.journal.count("gateway", "clear", since=mark) == refused >= 1
        assert estate.gateway.dump() == before
        estate.gateway.refuse_commit = None
        ours.up()
    with plugin(estate, monkeypatch):
        assert ours.up() == []


def test_others_changes_in_our_session_are_refused_and_quoted(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, mark = estate.gateway.dump(), estate.journal.mark()

    def leave_something(session: Session) -> str:
        there = {THEIRS: {"hosts": [{"host": "mx.theirs.example", "priority": 0, "port": 25}]}}
        return "".join(session.run(smtp_routes.write(there, ())))

    with plugin(estate, monkeypatch) as live:
        live.read("leave something", leave_something)
        with pytest.raises(ForeignChangesError, match="changes are pending that are not ours") as caught:
            routes().up()
    assert THEIRS in str(caught.value)
    assert "smtproutes" in str(caught.value)
    assert estate.journal.count("gateway", "commit-started", since=mark) == 0
    assert estate.gateway.dump() == before


HABITS = {True: (AnswerRefusedError, "not a valid destination host"), False: (NotAsWritten, "missing")}


@pytest.mark.parametrize("asks_again", HABITS, ids=["asks-again", "falls-back-to-the-menu"])
def test_a_value_that_it_does_not_take(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, *, asks_again: bool
) -> None:
    """Its reason is told where it asks again; where it does not, the read-back shows it. Nothing is left."""
    before, (error, says) = estate.gateway.dump(), HABITS[asks_again]
    estate.gateway.asks_again = asks_again
    bad: Changes = {"the.bad.example": {"hosts": [{"host": "no host at all!", "priority": 0, "port": 25}]}}
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(error, match=says):
            Stack.provider("smtpRoutes")._write({"gateway": "practice"}, bad, {}, {})
        live.read("pending", nothing_is_pending(estate))
    assert estate.gateway.dump() == before


def test_logged_out_for_being_idle_between_two_phases(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway's own log-out, with its message: the session is opened anew and the work goes on."""
    monkeypatch.setattr(transaction, "FRESH_SECONDS", 0.0)
    ours, mark = routes(), estate.journal.mark()
    with plugin(estate, monkeypatch) as live:
        ours.check("smtpRoutes")
        estate.gateway.idle_seconds = 0.05
        live.read("version", lambda session: session.shell.command("version").text)
        estate.journal.wait_for(lambda event: event.kind == "disconnect", 10, since=mark)
        estate.gateway.idle_seconds = 0.0
        assert ours.up() == ["create smtpRoutes"]
    assert f"route {DOMAIN}" in estate.gateway.dump()


def test_a_policy_without_tls_of_its_own_where_no_choice_says_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Older releases offer No, Preferred and Required only, and print nothing for what is not set."""
    with running("terse") as estate:
        estate.gateway.state.base.listener("OutgoingMail").policies["RELAYED"].parameters.pop("tls")
        ours = Stack({"mailFlowPolicy": wanted()["mailFlowPolicy"]}, take_over=("mailFlowPolicy",))
        with plugin(estate, monkeypatch):
            ours.up()
        with plugin(estate, monkeypatch):
            ours.destroy()
        relayed = estate.gateway.state.base.listener("OutgoingMail").policies["RELAYED"]
        assert relayed.parameters.get("tls", "off") == "off"


def test_a_member_that_is_not_connected_and_whose_mode_can_be_entered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The user guide only says that the cluster's settings can be changed while a machine is disconnected."""
    with running("disconnected", disconnected_mode=True) as estate:
        with plugin(estate, monkeypatch), pytest.raises(MemberDisconnectedError, match="esa2"):
            routes().up()
        assert estate.journal.count("gateway", "commit") == 0


def test_a_slow_gateway(cluster: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command takes its time, and so does a commit: slower, and otherwise the same."""
    cluster.gateway.latency = {"*": 0.03, "listenerconfig": 0.1}
    before, ours = cluster.gateway.dump(), everything()
    with plugin(cluster, monkeypatch):
        ours.up()
        assert ours.up() == []
    with plugin(cluster, monkeypatch):
        ours.destroy()
    assert cluster.gateway.dump() == before
