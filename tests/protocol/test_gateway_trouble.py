"""The gateway driver in bad weather: one clear line with what to do, and nothing stays half done."""

import threading

import pytest

from dynamic_providers import engine
from dynamic_providers.errors import ManagedError
from dynamic_providers.gateway import filter_text, smtp_routes
from dynamic_providers.gateway.commit import (
    CommitRefusedError,
    CommitUnknownError,
    EngineGoneError,
    ForeignChangesError,
)
from dynamic_providers.gateway.dialogue import (
    AnswerRefusedError,
    NotAskedError,
    UnknownQuestionError,
)
from dynamic_providers.gateway.listeners import ListenerMissingError
from dynamic_providers.gateway.sender_group import PolicyMissingError
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.shell import ConnectionLostError
from lab.estate import Estate
from tests.protocol import gateway_kit as kit
from tests.protocol.estate_kit import running
from tests.protocol.gateway_kit import DOMAIN
from tests.protocol.gateway_life import Props, Stack, plugin, wanted
from tests.protocol.gateway_talk import pending, show_changes

new, clustered, estate, cluster = kit.new, kit.clustered, kit.new_estate, kit.cluster


@pytest.mark.parametrize("key", ["recipientAccess", "senderGroup"])
def test_a_listener_that_is_not_there(estate: Estate, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    with (
        plugin(estate, monkeypatch),
        pytest.raises(ListenerMissingError, match="there are: IncomingMail, OutgoingMail"),
    ):
        Stack({key: {**wanted()[key], "listener": "incomingmail"}}).up()


def test_a_private_listener_has_no_recipients(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with plugin(estate, monkeypatch), pytest.raises(ListenerMissingError, match="is private"):
        Stack({"recipientAccess": {**wanted()["recipientAccess"], "listener": "OutgoingMail"}}).up()


@pytest.mark.parametrize(("key", "field"), [("mailFlowPolicy", "name"), ("senderGroup", "policy")])
def test_a_policy_that_is_not_there(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, key: str, field: str
) -> None:
    before = estate.gateway.dump()
    with plugin(estate, monkeypatch), pytest.raises(PolicyMissingError, match="it has: BLOCKED, RELAYED"):
        Stack({key: {**wanted()[key], field: "THROTTLED"}}).up()
    assert estate.gateway.dump() == before


def test_an_unknown_question_leaves_nothing_behind(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before, start = estate.gateway.dump(), estate.journal.mark()
    ours = Stack({"smtpRoutes": wanted()["smtpRoutes"]})
    estate.gateway.strange_question = True
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(UnknownQuestionError, match="asks what no answer is known for: «"):
            ours.up()
        estate.gateway.strange_question = False
        assert not pending(live.read("pending", show_changes))
    assert estate.gateway.dump() == before
    assert estate.journal.count("gateway", "commit-started", since=start) == 0


def test_a_release_that_does_not_ask_for_the_messages_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with running("no-messages-limit") as estate:
        before = estate.gateway.dump()
        ours = Stack({"destinationControls": wanted()["destinationControls"]})
        with plugin(estate, monkeypatch), pytest.raises(NotAskedError, match="Destination Controls"):
            ours.up()
        assert estate.gateway.dump() == before
        assert estate.journal.count("gateway", "commit-started") == 0


def test_the_strange_profile_stops_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks in one table what nobody knows: that table is left alone, the others are set up."""
    with running("strange") as estate:
        before = estate.gateway.dump()
        with plugin(estate, monkeypatch) as live:
            with pytest.raises(UnknownQuestionError, match="telemetry class"):
                Stack({"destinationControls": wanted()["destinationControls"]}).up()
            assert not pending(live.read("pending", show_changes))
        assert estate.gateway.dump() == before
        assert estate.journal.count("gateway", "commit-started") == 0


def test_a_bad_change_fails_alone(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes wait together; one cannot be staged.

    The other is committed, and only one thread hears of it.
    """
    good, start = wanted()["smtpRoutes"], estate.journal.mark()
    provider = Stack.provider("smtpRoutes")
    place = {"gateway": "practice"}
    errors: list[BaseException] = []

    def change(host: str, domain: str) -> None:
        try:
            provider.apply(place, {domain: {"hosts": [{"host": host, "priority": 0, "port": 25}]}}, {}, {})
        except ManagedError as error:
            errors.append(error)

    with plugin(estate, monkeypatch):
        threads = [
            threading.Thread(target=change, args=("no host at all!", "the.bad.example")),
            threading.Thread(target=change, args=("mx.good.example", "a.good.example")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(errors) == 1
    assert isinstance(errors[0], AnswerRefusedError)
    assert estate.journal.count("gateway", "clear", since=start) >= 1
    assert estate.journal.count("gateway", "commit", since=start) == 1
    assert "route a.good.example" in estate.gateway.dump()
    assert "the.bad.example" not in estate.gateway.dump()
    assert good


def test_a_refused_commit_is_cleared_and_told_to_all(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before = estate.gateway.dump()
    estate.gateway.refuse_commit = "Error: the configuration is not valid."
    with plugin(estate, monkeypatch) as live:
        with pytest.raises(CommitRefusedError, match="the configuration is not valid"):
            Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
        assert not pending(live.read("pending", show_changes))
    assert estate.gateway.dump() == before


def test_changes_of_someone_else_in_our_session_are_refused(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = estate.gateway.dump()

    def leave_something(session: Session) -> str:
        script = smtp_routes.write(
            {"foreign.example": {"hosts": [{"host": "mx.example", "priority": 0, "port": 25}]}}, ()
        )
        return "".join(session.run(script))

    with plugin(estate, monkeypatch) as live:
        live.read("leave something", leave_something)
        with pytest.raises(ForeignChangesError, match="changes are pending that are not ours") as caught:
            Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
    assert "foreign.example" in str(caught.value) or "smtproutes" in str(caught.value).lower()
    assert estate.gateway.dump() == before


def test_an_idle_session_that_was_ended_is_opened_anew(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dynamic_providers.gateway import transaction

    monkeypatch.setattr(transaction, "FRESH_SECONDS", 0.0)
    start = estate.journal.mark()
    with plugin(estate, monkeypatch) as live:
        live.read("one", smtp_routes._read)
        estate.gateway.drop_connections()
        estate.journal.wait_for(lambda event: event.kind == "disconnect", 10, since=start)
        assert live.read("two", smtp_routes._read)
    assert estate.journal.count("gateway", "connect", since=start) == 2


def test_a_cut_while_staging_tells_every_thread_and_the_next_run_works(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = estate.gateway.dump()
    estate.journal.when(lambda event: event.kind == "write", lambda _: estate.gateway.drop_connections())
    with plugin(estate, monkeypatch):
        with pytest.raises(ConnectionLostError, match="the session ended"):
            Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
        assert estate.gateway.dump() == before
        assert Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up() == ["create smtpRoutes"]


def test_a_cut_in_a_commit_says_that_nobody_knows(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Stack({"smtpRoutes": wanted()["smtpRoutes"]})
    estate.journal.when(lambda event: event.kind == "commit", lambda _: estate.gateway.drop_connections())
    with plugin(estate, monkeypatch):
        with pytest.raises(CommitUnknownError, match="not known whether it took effect"):
            ours.up()
        assert f"route {DOMAIN}" in estate.gateway.dump()
        start = estate.journal.mark()
        assert ours.up() == ["create smtpRoutes"]  # finds its own entry: nothing to write
        assert estate.journal.count("gateway", "write", since=start) == 0


def test_nothing_is_committed_for_an_engine_that_is_gone(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, start = estate.gateway.dump(), estate.journal.mark()
    monkeypatch.setattr(engine, "is_alive", lambda: False)
    with plugin(estate, monkeypatch), pytest.raises(EngineGoneError):
        Stack({"smtpRoutes": wanted()["smtpRoutes"]}).up()
    assert estate.journal.count("gateway", "commit-started", since=start) == 0
    assert estate.gateway.dump() == before


def test_a_filter_that_is_refused(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before = estate.gateway.dump()

    def broken(*_: object) -> tuple[str, ...]:
        return ('office365_outbound: if (sendergroup = "x") {', "}")

    monkeypatch.setattr(filter_text, "render", broken)
    with plugin(estate, monkeypatch), pytest.raises(ManagedError, match="filter") as caught:
        Stack({"filter": wanted()["filter"]}).up()
    assert "mysecretkey" not in str(caught.value)
    assert estate.gateway.dump() == before


def test_latency_and_pager(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.gateway.latency = {"*": 0.02}
    estate.gateway.pager_lines = 7
    estate.gateway.columns = 80
    before, ours = estate.gateway.dump(), Stack(wanted())
    with plugin(estate, monkeypatch):
        ours.up()
    with plugin(estate, monkeypatch):
        ours.refresh()
        assert ours.drift() == {}
        ours.destroy()
    assert estate.gateway.dump() == before


def test_long_values_on_a_narrow_terminal(cluster: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = "a-long-label-of-a-domain.of-1999.subsidiary-of-a-group.example"
    resources: dict[str, Props] = wanted(domain=domain)
    hosts = [
        {"host": f"a-host-with-number-{n}.of-many.example", "priority": n, "port": 2525} for n in range(6)
    ]
    resources["smtpRoutes"]["routes"]["x.example"] = {"hosts": hosts}
    resources["filter"]["alternatives"] = {f"a{n}" * 30: {} for n in range(3)}
    comment = "a comment that is quite long as well, so that the line is wrapped at eighty columns"
    resources["senderGroup"]["comment"] = comment
    names = [f"a-long-host-name-with-number-{n}.of-a-subsidiary.contoso.example" for n in range(3)]
    resources["senderGroup"]["senders"] = [{"host": name, "comment": comment} for name in names]
    before, ours = cluster.gateway.dump(), Stack(resources)
    with plugin(cluster, monkeypatch):
        ours.up()
    with plugin(cluster, monkeypatch):
        assert ours.up() == []
        ours.refresh()
        assert ours.drift() == {}
        ours.destroy()
    assert cluster.gateway.dump() == before
