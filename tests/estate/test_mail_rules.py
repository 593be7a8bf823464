"""What rows a, b and c do to mail, and what happens without them: seen and counted in the tenant.

Each is set up by our program; the counter-case is by hand, or by the setting that leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lab.estate import Estate, EstateSnapshot
from lab.internet.practice import SENDER_ADDRESS
from lab.mail.client import SmtpClient
from lab.mail.envelope import Envelope, compose
from lab.mail.network import Network
from lab.tenant.mail.door_counts import Counts
from lab.tenant.mail.mailboxes import Item
from tests.estate.traffic import wait_for
from tests.mail_stack import DOMAIN, Changes, MailStack
from tests.mini_engine import StateFile
from tests.plugin_nursery import Nursery

STAFF = f"staff@{DOMAIN}"
RULE, CONNECTOR = "Bypass spam filtering - inbound email from Cisco CES", "Inbound from Cisco CES"
DATA1, DATA2 = "192.0.2.105", "198.51.100.186"
SPAM = {"X-Lab-Spam": "yes"}
WAITING = 300
SECONDS = 20.0
ONLY_INBOUND: Changes = {
    ("outbound", "state"): "none",
    ("domains", DOMAIN, "mx"): "leave",
    ("checks",): None,
}
LAB: Mapping[str, Any] = {
    "read_latency": (0.0, 0.0),
    "write_latency": (0.0, 0.0),
    "hat_limits": False,
    "delivery_threads": 12,  # with 300 messages: more than 10 connections, more than 20 messages in one
    "retry_seconds": (0.3,),
}

pytestmark = pytest.mark.timeout(120)


class Ground:
    """One estate, and one stack in it: `untouched` by us, and `made` by an `up`."""

    def __init__(self, estate: Estate, nursery: Nursery) -> None:
        self.estate = estate
        self.stack = MailStack(nursery, estate, ONLY_INBOUND)
        self.untouched = (estate.snapshot(), self.stack.saved())
        self.stack.up()
        self.made = (estate.snapshot(), self.stack.saved())

    def begin(self, point: tuple[EstateSnapshot, StateFile]) -> None:
        self.estate.reset()
        self.estate.restore(point[0])
        self.stack.load(point[1])

    def send(self, envelope: Envelope, to: str = DATA1) -> None:
        """From outside: to the gateway, or past it to the tenant."""
        with SmtpClient(self.network, SENDER_ADDRESS, to) as client:
            assert client.send(envelope).delivered

    def arrived(self, envelope: Envelope) -> Item:
        """Where it lies in the tenant."""
        wanted = envelope.message_id
        return self.estate.tenant.mail.mailboxes.wait_for(
            lambda item: item.envelope.message_id == wanted, SECONDS
        )

    def by_hand(self, cmdlet: str, name: str) -> None:
        self.estate.tenant.invoke_by_hand(cmdlet, Identity=name)

    def at_the_door(self) -> Counts:
        """What the tenant's front door has seen of the gateway, from either of its interfaces."""
        counts = self.estate.tenant.mail.door_counts
        [one] = [counts.peer(peer) for peer in (DATA1, DATA2) if counts.peer(peer).connections]
        return one

    @property
    def network(self) -> Network:
        return self.estate.network


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("rules")
    with Estate(folder / ".lab", **LAB) as estate, Nursery() as nursery:
        yield Ground(estate, nursery)


# --- row a: spam filtering ----------------------------------------------------------------------------------


def test_spam_marked_mail_from_the_gateway_is_in_the_inbox_with_rule_a_and_in_junk_without(
    ground: Ground,
) -> None:
    ground.begin(ground.made)
    with_rule = compose("sales@sender.example", STAFF, "Buy now", headers=SPAM)
    ground.send(with_rule)
    item = ground.arrived(with_rule)
    assert (item.folder, item.scl, item.connector) == ("inbox", -1, CONNECTOR)
    assert item.peer in (DATA1, DATA2)
    ground.by_hand("Disable-TransportRule", RULE)
    without = compose("sales@sender.example", STAFF, "Buy now", headers=SPAM)
    ground.send(without)
    item = ground.arrived(without)
    assert (item.folder, item.connector) == ("junkemail", CONNECTOR)


def test_rule_a_is_for_the_gateways_mail_alone(ground: Ground) -> None:
    ground.begin(ground.made)
    spam = compose("sales@sender.example", STAFF, "Buy now", headers=SPAM)
    ground.send(spam, to=ground.estate.tenant.organization.front_door)
    item = ground.arrived(spam)
    assert (item.folder, item.peer) == ("junkemail", SENDER_ADDRESS)


# --- row b: TLS ---------------------------------------------------------------------------------------------


def test_mail_without_tls_from_the_gateway_is_refused_with_b_and_taken_without(ground: Ground) -> None:
    ground.begin(ground.made)
    safe = compose("someone@sender.example", STAFF, "With TLS")
    ground.send(safe)
    assert (ground.arrived(safe).connector, ground.arrived(safe).tls[:3]) == (CONNECTOR, "TLS")
    controls = ground.estate.gateway.state.base.destinations[DOMAIN]
    controls.table_tls = "none"  # as by hand: `destconfig`, EDIT
    bare = compose("someone@sender.example", STAFF, "Without TLS")
    ground.send(bare)
    wait_for(lambda: ground.at_the_door().refused >= 1, "a refusal")
    [refused] = {one.detail["verdict"] for one in refusals(ground.estate)}
    assert refused.startswith("451 5.7.3 STARTTLS is required")
    assert ground.estate.gateway.mail is not None
    assert ground.estate.gateway.mail.waiting == 1
    ground.by_hand("Remove-InboundConnector", CONNECTOR)
    item = ground.arrived(bare)
    assert (item.connector, item.tls) == ("", "")


def refusals(estate: Estate) -> list[Any]:
    return [
        event
        for event in estate.journal.events("tenant", "received")
        if event.detail["connector"] == CONNECTOR and str(event.detail["verdict"])[:1] in "45"
    ]


# --- row c: destination controls ----------------------------------------------------------------------------


def pour(ground: Ground, messages: int = WAITING) -> None:
    """So many messages wait in the gateway while the tenant takes nothing; then it does, a little slowly."""
    network, door = ground.network, ground.estate.tenant.organization.front_door
    mail, port = ground.estate.gateway.mail, ground.network.local_port(door, 25)
    assert mail is not None
    assert port is not None
    ground.estate.gateway.retry_seconds = (3.0,)
    ground.estate.tenant.switches.front_door_latency = 0.02
    network.unlisten(door, 25)
    with SmtpClient(network, SENDER_ADDRESS, DATA1) as client:
        for number in range(messages):
            assert client.send(compose("news@sender.example", STAFF, f"Number {number}")).delivered
    tracked = mail.tracking().messages[-messages:]
    wait_for(lambda: all(one.lines[-1].text.split()[2] == "delayed." for one in tracked), "all have to wait")
    ground.estate.tenant.mail.door_counts.reset()
    network.listen(door, 25, port)
    mail.deliver_now()
    assert mail.wait_until_empty(SECONDS)


def test_with_c_ten_connections_and_twenty_messages_are_never_exceeded(ground: Ground) -> None:
    ground.begin(ground.made)
    pour(ground)
    seen = ground.at_the_door()
    assert seen.messages == WAITING
    assert (seen.at_once, seen.per_connection) == (10, 20)


def test_without_c_both_are_exceeded(ground: Ground) -> None:
    ground.begin(ground.untouched)
    ground.stack.set({("inbound", "throttle"): "none"})
    ground.stack.up()
    pour(ground)
    seen = ground.at_the_door()
    assert seen.messages == WAITING
    assert seen.at_once > 10
    assert seen.per_connection > 20


def test_the_throttle_is_taken_off_by_a_setting_and_put_on_again(ground: Ground) -> None:
    ground.begin(ground.made)
    ground.stack.set({("inbound", "throttle"): "none"})
    assert ground.stack.up().operations() == {"destination-controls": "update"}
    pour(ground, 100)
    assert ground.at_the_door().at_once > 10
    ground.stack.set({("inbound", "throttle"): {"connections": 3, "messagesPerConnection": 7}})
    assert ground.stack.up().operations() == {"destination-controls": "update"}
    pour(ground, 100)
    assert (ground.at_the_door().at_once, ground.at_the_door().per_connection) == (3, 7)
