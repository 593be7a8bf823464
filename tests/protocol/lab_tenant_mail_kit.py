"""Fixtures for tests of the practice tenant's mail: the tenant on a network, with a stand-in for the gateway.

A module takes them by name: `running_world, world = kit.running_world, kit.world`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from lab.certificates import LabAuthority
from lab.internet.internet import Internet
from lab.journal import Journal
from lab.mail.client import SmtpClient, Tls
from lab.mail.connection import Connection
from lab.mail.envelope import Envelope, Outcome, compose
from lab.mail.network import Network
from lab.mail.server import MailDoor
from lab.tenant.mail.mailboxes import Item
from lab.tenant.mail.trace import Traced
from lab.tenant.practice import BCE_DEMO, Organization
from lab.tenant.server import LabTenant
from lab.tenant.switches import Switches
from tests.protocol.lab_tenant_kit import Caller

DATA1, DATA2, STRANGER, PAYROLL = "192.0.2.105", "198.51.100.186", "203.0.113.90", "203.0.113.70"
PROBE, OUTSIDE = "probe@bce-demo.com", "probe@probe.example"
SECRET = "mysecretkey"
GRAPH_SCOPE = "https://graph.microsoft.com/.default"
INBOUND: dict[str, Any] = {
    "Name": "Inbound from Cisco CES",
    "ConnectorType": "Partner",
    "SenderDomains": ["*"],
    "SenderIPAddresses": [DATA1, DATA2],
    "RequireTls": True,
}
BYPASS: dict[str, Any] = {
    "Name": "Bypass spam filtering - inbound email from Cisco CES",
    "SenderIpRanges": [DATA1, DATA2],
    "SetSCL": -1,
}
OUTBOUND: dict[str, Any] = {
    "Name": "Outbound to Cisco CES",
    "ConnectorType": "Partner",
    "IsTransportRuleScoped": True,
    "UseMXRecord": False,
    "SmartHosts": [DATA2],
    "TlsSettings": "EncryptionOnly",
}
ROUTE: dict[str, Any] = {
    "Name": "Outbound to Cisco CES",
    "FromScope": "InOrganization",
    "SentToScope": "NotInOrganization",
    "RouteMessageOutboundConnector": "Outbound to Cisco CES",
    "SetHeaderName": "X-OUTBOUND-AUTH",
    "SetHeaderValue": SECRET,
    "Priority": 0,
}


@dataclass
class StandIn:
    """A mail server in the gateway's place: takes everything, or answers with `reply`."""

    network: Network
    address: str
    certificates: LabAuthority
    received: list[tuple[Connection, Envelope]] = field(default_factory=list)
    reply: str = "250 2.0.0 ok: Message 17 accepted"
    refused: dict[str, str] = field(default_factory=dict)
    greeting: str | None = None

    def __post_init__(self) -> None:
        names = (self.address, "out1.bce-demo.example")
        self.door = MailDoor(self, self.address, self.certificates.server_context(*names))
        self._grown = threading.Condition()

    def start(self) -> None:
        self.network.listen(self.address, 25, self.door.start())

    def stop(self) -> None:
        self.network.unlisten(self.address, 25)
        self.door.stop()

    def forget(self) -> None:
        self.received.clear()
        self.refused.clear()
        self.door.faults.clear()
        self.reply, self.greeting = StandIn.reply, None

    def one(self, timeout: float = 10) -> tuple[Connection, Envelope]:
        """The one message that came, or comes soon."""
        with self._grown:
            assert self._grown.wait_for(lambda: self.received, timeout), "nothing came"
            assert len(self.received) == 1
            return self.received[0]

    def connected(self, c: Connection) -> str | None:
        return self.greeting

    def tls_offered(self, c: Connection) -> bool:
        return True

    def tls_required(self, c: Connection) -> bool:
        return False

    def mail(self, c: Connection, sender: str) -> str | None:
        return None

    def recipient(self, c: Connection, recipient: str) -> str | None:
        return self.refused.get(recipient)

    def message(self, c: Connection, e: Envelope) -> str:
        if self.reply.startswith("2"):
            with self._grown:
                self.received.append((c, e))
                self._grown.notify_all()
        return self.reply

    def closed(self, c: Connection) -> None:
        return None


@dataclass
class World:
    """One tenant, the internet, and stand-ins for the gateway's two addresses."""

    internet: Internet
    tenant: LabTenant
    gateway: StandIn
    other: StandIn
    caller: Caller
    since: int = 0

    @property
    def journal(self) -> Journal:
        return self.tenant.journal

    def do(self, cmdlet: str, parameters: dict[str, Any] | None = None, **more: Any) -> list[dict[str, Any]]:
        """A cmdlet by hand."""
        return self.tenant.invoke_by_hand(cmdlet, **{**(parameters or {}), **more})

    def outbound_by_rule(self) -> None:
        """Connector and rule as the guide has them."""
        self.do("New-OutboundConnector", OUTBOUND)
        self.do("New-TransportRule", ROUTE)

    def client(self, source: str = DATA1, tls: Tls = "preferred") -> SmtpClient:
        """A connection to the tenant's front door."""
        return SmtpClient(
            self.internet.network, source, self.tenant.organization.front_door, helo="gw.example", tls=tls
        )

    def arrive(
        self,
        source: str = DATA1,
        *,
        tls: Tls = "preferred",
        sender: str = "anna@sender.example",
        recipient: str | tuple[str, ...] = PROBE,
        subject: str = "INBOUND EMAIL TEST",
        **headers: str,
    ) -> Outcome:
        """One message to the front door; `X_Lab_Spam` is the header X-Lab-Spam."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.client(source, tls) as client:
            return client.send(compose(sender, recipient, subject, headers=named))

    def item(self, mailbox: str = PROBE) -> Item:
        """The one message in a mailbox's inbox or junk folder."""
        (item,) = [item for item in self.tenant.mail.mailboxes.items(mailbox) if item.folder != "sentitems"]
        return item

    def leave(self, recipient: str | tuple[str, ...] = OUTSIDE, sender: str = PROBE, **more: Any) -> Envelope:
        """One message from a mailbox of the tenant."""
        envelope = compose(sender, recipient, more.pop("subject", "OUTBOUND EMAIL TEST"), **more)
        self.tenant.mail.submit(envelope)
        return envelope

    def traced(self) -> Traced:
        """The trace's one entry, once it is settled."""
        self.tenant.mail.traces.wait_settled(15)
        (entry,) = self.tenant.mail.traces.entries()
        return entry

    def event(self, kind: str) -> dict[str, Any]:
        """What an event of a kind says, as soon as there is one."""
        return self.journal.wait_for(
            lambda event: event.channel == "tenant" and event.kind == kind, 10, since=self.since
        ).detail

    def graph_token(self, **form: str) -> str:
        """A token for Graph."""
        return str(self.caller.ask_token(**{"scope": GRAPH_SCOPE, **form}).json()["access_token"])

    def graph(self, method: str, path: str, token: str | None = None, **arguments: Any) -> requests.Response:
        """A call of Graph, with a token of its own unless one is given."""
        return self.caller.session.request(
            method,
            f"{self.caller.base}/v1.0{path}",
            headers={
                "Authorization": f"Bearer {self.graph_token() if token is None else token}",
                **arguments.pop("headers", {}),
            },
            verify=str(self.tenant.ca_file),
            timeout=20,
            **arguments,
        )


def quick() -> Switches:
    at_once = (0.0, 0.0)
    return Switches(
        token_latency=at_once, read_latency=at_once, write_latency=at_once, lag_seconds=0, retry_seconds=0.02
    )


def tenant_of(internet: Internet, certificates: LabAuthority, organization: Organization) -> LabTenant:
    folder = certificates.ca_file.parent / organization.initial_domain
    tenant = LabTenant(
        Journal(), folder, organization=organization, switches=quick(), certificates=certificates
    )
    tenant.connect(internet.network)
    return tenant


@pytest.fixture(scope="module")
def running_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    certificates = LabAuthority(tmp_path_factory.mktemp("world"))
    internet = Internet(Journal(), certificates)
    tenant = tenant_of(internet, certificates, BCE_DEMO)
    gateway, other = (StandIn(internet.network, address, certificates) for address in (DATA2, DATA1))
    parts = (internet, gateway, other, tenant)
    for part in parts:
        part.start()
    yield World(internet, tenant, gateway, other, Caller(tenant))
    for part in reversed(parts):
        part.stop()


@pytest.fixture
def world(running_world: World) -> Iterator[World]:
    """The world in its first state; put back afterwards."""
    before, names = running_world.tenant.snapshot(), running_world.internet.snapshot()
    running_world.since = running_world.journal.mark()
    yield running_world
    running_world.tenant.reset()
    running_world.tenant.restore(before)
    running_world.internet.reset()
    running_world.internet.restore(names)
    running_world.gateway.forget()
    running_world.other.forget()
    running_world.caller.renew()
