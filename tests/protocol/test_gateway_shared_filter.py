"""Two stacks write one message filter: whoever comes second works on what the first one left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamic_providers import connections
from dynamic_providers.gateway import outbound_filter, transaction
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.transaction import Gateway
from lab.estate import Estate
from tests.protocol.gateway_life import Stack, connection, plugin, wanted

FIRST, SECOND = "firstTenant1", "secondTenant2"


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with Estate(tmp_path / ".lab") as running:
        yield running


def tenant(secret: str) -> Stack:
    return Stack({"filter": {**wanted()["filter"], "alternatives": {secret: {}}, "shared": True}})


def passes(estate: Estate) -> str:
    """The test of the header in the filter, as it stands there."""
    [text] = [one.text for one in estate.gateway.state.base.filters if one.name == "office365_outbound"]
    return text.partition('header("X-OUTBOUND-AUTH") == ')[2].partition(")")[0]


def as_another(estate: Estate, monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    """Another process, on another machine, brings its stack up meanwhile."""
    with monkeypatch.context() as its:
        live = Gateway(connection(estate))
        its.setattr(connections, "_live", {"gateway": live})
        try:
            stack.up()
        finally:
            live.close()


def test_what_another_stack_wrote_after_we_had_read_stays(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = tenant(FIRST), tenant(SECOND)
    with plugin(estate, monkeypatch):
        transaction.gateway().read(outbound_filter.TABLE, outbound_filter._read)
        as_another(estate, monkeypatch, theirs)
        ours.up()
    assert passes(estate) == f'"^({SECOND}|{FIRST}'
    with plugin(estate, monkeypatch):
        transaction.gateway().read(outbound_filter.TABLE, outbound_filter._read)
        third = tenant("thirdTenant3")
        as_another(estate, monkeypatch, third)
        ours.destroy()
    assert passes(estate) == f'"^({SECOND}|thirdTenant3'


def test_a_commit_between_our_staging_and_our_commit_is_a_conflict_and_ours_comes_after_it(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = tenant(FIRST), tenant(SECOND)
    run = outbound_filter._run

    def run_while_another_commits(session: Session, script: Script, name: str) -> None:
        run(session, script, name)
        monkeypatch.setattr(outbound_filter, "_run", run)
        as_another(estate, monkeypatch, theirs)

    with plugin(estate, monkeypatch):
        monkeypatch.setattr(outbound_filter, "_run", run_while_another_commits)
        ours.up()
    assert passes(estate) == f'"^({SECOND}|{FIRST}'
