"""A gateway in an emulated internet of its own: senders, receivers and configuration for the mail tests."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from lab.gateway.commands.filters import canonical
from lab.gateway.commands.smtproutes import parse_targets
from lab.gateway.filter_check import parse
from lab.gateway.mail.service import GatewayMail
from lab.gateway.profile import load_profile
from lab.gateway.server import LabGateway
from lab.gateway.state import Configuration, Destination, MessageFilter, Recipient, Sender, SenderGroup
from lab.journal import Journal
from lab.mail.client import SmtpClient, Tls
from lab.mail.connection import Connection
from lab.mail.envelope import Envelope, Outcome, compose
from lab.mail.network import Network
from lab.mail.server import MailDoor

MICROSOFT_OUT = "203.0.113.40"
MICROSOFT_IN = "203.0.113.25"
SINK = "203.0.113.80"
PROBE = "203.0.113.99"
DATA1, DATA2 = "192.0.2.105", "198.51.100.186"
MICROSOFT_MX = "bce-demo-com.mail.protection.outlook.com"
FILTER = """office365_outbound: if sendergroup == "^RELAY_O365$" {
  if header("X-OUTBOUND-AUTH") == "^mysecretkey$" { strip-header("X-OUTBOUND-AUTH"); } else { drop(); }
}"""


@dataclass(frozen=True)
class Kept:
    """One message as a receiver got it."""

    peer: str
    tls: str
    envelope: Envelope


@dataclass
class Receiver:
    """Takes any mail, counts connections and messages itself; while `gate` is not set it holds messages."""

    tls: bool = True
    reply: str = "250 2.6.0 Queued mail for delivery"
    kept: list[Kept] = field(default_factory=list)
    per_connection: list[int] = field(default_factory=list)
    now: int = 0
    most: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.gate.set()

    def connected(self, c: Connection) -> str | None:
        with self.changed:
            self.now += 1
            self.most = max(self.most, self.now)
            self.changed.notify_all()
        return None

    def tls_offered(self, c: Connection) -> bool:
        return self.tls

    def tls_required(self, c: Connection) -> bool:
        return False

    def mail(self, c: Connection, sender: str) -> str | None:
        return None

    def recipient(self, c: Connection, recipient: str) -> str | None:
        return None

    def message(self, c: Connection, e: Envelope) -> str:
        self.gate.wait(30)
        with self.changed:
            if self.reply.startswith("2"):
                self.kept.append(Kept(c.peer, c.tls, e))
            self.changed.notify_all()
        return self.reply

    def closed(self, c: Connection) -> None:
        with self.changed:
            self.now -= 1
            self.per_connection.append(c.messages)
            self.changed.notify_all()

    def wait_open(self, count: int, timeout: float = 15) -> bool:
        """Until that many connections are open at once."""
        with self.changed:
            return self.changed.wait_for(lambda: self.now >= count, timeout)

    def wait_kept(self, count: int, timeout: float = 15) -> list[Kept]:
        """What has come, once there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.kept) >= count, timeout), f"{len(self.kept)} came"
            return list(self.kept)


@dataclass
class World:
    """Everything that a test needs."""

    gateway: LabGateway
    mail: GatewayMail
    network: Network
    journal: Journal
    authority: trustme.CA
    microsoft: Receiver
    sink: Receiver
    ca_file: Path

    @property
    def tables(self) -> Configuration:
        """What is committed, to be changed in place before mail comes."""
        return self.gateway.state.base

    def send(
        self, envelope: Envelope, source: str = MICROSOFT_OUT, target: str = DATA2, tls: Tls = "preferred"
    ) -> Outcome:
        """One message to the gateway, by default as Microsoft 365 does."""
        with SmtpClient(self.network, source, target, tls=tls) as client:
            return client.send(envelope)

    def settled(self) -> None:
        """Wait until the gateway has nothing left to do."""
        assert self.mail.wait_until_empty(20), f"{self.mail.waiting} still wait"


def stamped(to: str | tuple[str, ...] = "alice@probe.example", secret: str = "mysecretkey") -> Envelope:
    """An outbound message with the header that Microsoft's rule sets."""
    return compose("bob@bce-demo.com", to, "Outbound test", headers={"X-OUTBOUND-AUTH": secret})


def configure(tables: Configuration) -> None:
    """The guide's tables for bce-demo.com."""
    outgoing = tables.listener("OutgoingMail")
    outgoing.groups.insert(0, SenderGroup("RELAY_O365", "$RELAYED", [Sender(".protection.outlook.com")]))
    outgoing.policies["RELAYED"].parameters["tls"] = "preferred"
    recipients = tables.listener("IncomingMail").recipients
    recipients.insert(len(recipients) - 1, Recipient("bce-demo.com"))
    tables.routes["bce-demo.com"] = parse_targets(MICROSOFT_MX)
    tables.destinations["bce-demo.com"] = Destination("bce-demo.com", 10, 20, table_tls="preferred")
    add_filter(tables, FILTER)


def add_filter(tables: Configuration, text: str, *, first: bool = False) -> None:
    """Put a filter last, or first."""
    one = parse(text)[0]
    entry = MessageFilter(one.name, canonical(one), one.active)
    tables.filters.insert(0 if first else len(tables.filters), entry)


def zones(network: Network) -> None:
    """The names and addresses of the contract."""
    for zone in ("bce-demo.com", "bce-demo.example", "outlook.com", "probe.example", "bank.example"):
        network.zones.add_zone(zone)
    for zone in ("203.in-addr.arpa", "192.in-addr.arpa", "198.in-addr.arpa", "probe-host.example"):
        network.zones.add_zone(zone)
    for name, address in {
        MICROSOFT_MX: MICROSOFT_IN,
        "mail-am6eur05on2040.outbound.protection.outlook.com": MICROSOFT_OUT,
        "mx.probe.example": SINK,
        "probe-host.example": PROBE,
    }.items():
        network.zones.set(name, "A", address)
        backwards = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
        network.zones.set(backwards, "PTR", name)
    for domain, host in {
        "probe.example": "mx.probe.example",
        "bank.example": "mx.probe.example",
        "bce-demo.com": MICROSOFT_MX,
    }.items():
        network.zones.set(domain, "MX", f"0 {host}.")


def context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """A server's TLS context by the test's own authority."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(made)
    return made


@contextmanager
def world(folder: Path, profile: str = "new") -> Iterator[World]:
    """A gateway that is configured as the guide says, with Microsoft 365 and an outside sink to receive."""
    network, journal, authority = Network(), Journal(), trustme.CA()
    zones(network)
    gateway = LabGateway(load_profile(profile), journal, folder)
    configure(gateway.state.base)
    mail = gateway.connect(network, lambda *names: context(authority, *names))
    microsoft, sink = Receiver(), Receiver()
    doors = {
        MICROSOFT_IN: MailDoor(microsoft, MICROSOFT_MX, context(authority, MICROSOFT_MX)),
        SINK: MailDoor(sink, "mx.probe.example", context(authority, "mx.probe.example")),
    }
    for address, door in doors.items():
        network.listen(address, 25, door.start())
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    try:
        with gateway:
            yield World(gateway, mail, network, journal, authority, microsoft, sink, ca_file)
    finally:
        for receiver in (microsoft, sink):
            receiver.gate.set()
        for door in doors.values():
            door.stop()
