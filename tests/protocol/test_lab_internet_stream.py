"""A steady stream of mail: at its pace, without a gap, and honest about what did not arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.certificates import LabAuthority
from lab.internet.internet import Internet
from lab.internet.stream import Stream
from lab.journal import Journal
from lab.mail.envelope import Envelope, compose


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    made = Internet(Journal(), LabAuthority(tmp_path_factory.mktemp("world")))
    made.start()
    yield made
    made.stop()


def numbered(number: int) -> Envelope:
    return compose("ann@sender.example", "probe@probe.example", f"number {number}")


def test_every_message_of_a_stream_arrives_at_its_pace(world: Internet) -> None:
    started = time.monotonic()
    with Stream(numbered, world.sender.send, per_second=50) as stream:
        stream.wait_for(40)
        seconds = time.monotonic() - started
    assert seconds > 0.7
    arrived = [kept.envelope for kept in world.sink.received]
    assert stream.missing(arrived) == []
    assert {envelope.subject for envelope in stream.sent} >= {f"number {number}" for number in range(1, 41)}


def test_what_is_refused_is_missing(world: Internet) -> None:
    with Stream(numbered, world.sender.send, per_second=50) as stream:
        stream.wait_for(3)
        world.sink.refuse["probe@probe.example"] = "550 5.7.1 lost on purpose"
        while not any(sent.outcome.code == 550 for sent in world.sender.sent):  # those before may be slow
            stream.wait_for(1)
        world.sink.refuse.clear()
        stream.wait_for(3)
    missing = stream.missing(kept.envelope for kept in world.sink.received)
    refused = [sent.envelope for sent in world.sender.sent if sent.outcome.code == 550]
    assert missing
    assert {envelope.message_id for envelope in missing} == {envelope.message_id for envelope in refused}


def test_a_stream_lives_through_a_server_that_is_down_for_a_while(world: Internet) -> None:
    with Stream(numbered, world.sender.send, per_second=30) as stream:
        stream.wait_for(3)
        world.sink.stop()
        stream.wait_for(5)
        world.sink.start()
        stream.wait_for(3)
    assert stream.missing(kept.envelope for kept in world.sink.received) == []
    assert max(sent.tries for sent in world.sender.sent) > 1


def test_a_defect_in_sending_is_raised() -> None:
    def broken(_: Envelope) -> None:
        raise RuntimeError("a defect")

    stream = Stream(numbered, broken)
    stream.start()
    stream.wait_for(1)
    with pytest.raises(RuntimeError, match="a defect"):
        stream.stop()
