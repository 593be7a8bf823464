"""Other people's mail servers: one that sends to our domains, one that keeps what we sent."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from lab.internet.practice import SENDER_ADDRESS, SENDER_HOST, SINK_ADDRESS, SINK_HOST
from lab.internet.spf import check
from lab.mail.client import SmtpClient
from lab.mail.connection import Connection
from lab.mail.envelope import Envelope, Outcome, domain_of
from lab.mail.network import Network
from lab.mail.server import MailDoor

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
NO_SUCH_DOMAIN = "5.1.2 Bad destination system address: {domain} has neither MX nor address"


@dataclass(frozen=True)
class Sent:
    """One message that the outside sent: where to in the end, what came of it, and in how many tries."""

    envelope: Envelope
    outcome: Outcome
    host: str
    address: str
    tries: int
    at: float


class Sender:
    """A mail server at `source` that finds ours by MX, believes DNS for its time to live, and tries again.

    `patience` is how many seconds it tries; real ones go on for days. `sent` is its log.
    """

    def __init__(
        self, network: Network, source: str = SENDER_ADDRESS, helo: str = SENDER_HOST, patience: float = 30.0
    ) -> None:
        self.resolver = network.resolver()
        self.patience = patience
        self.sent: list[Sent] = []
        self._network = network
        self._source = source
        self._helo = helo
        self._stopped = threading.Event()

    def send(self, envelope: Envelope) -> Outcome:
        """Deliver a message; returns when it is taken, refused for good, or patience is at an end.

        All recipients have to be of one domain. No MX and no address counts as a refusal with 550.
        """
        (domain,) = {domain_of(recipient) for recipient in envelope.recipients}
        deadline = time.monotonic() + self.patience
        pause, tries = FIRST_PAUSE, 0
        while True:
            tries += 1
            last = self._try_all(envelope, domain, tries)
            if not last.outcome.temporary or time.monotonic() + pause > deadline:
                break
            if self._stopped.wait(pause):
                break
            pause = min(2 * pause, LONGEST_PAUSE)
        self.sent.append(last)
        return last.outcome

    def hosts(self, domain: str) -> list[str]:
        """Whom it would ask now: the MX hosts, the best first; without any, the domain itself."""
        return [host for _, host in self.resolver.mail_hosts(domain)] or [domain]

    def stop(self) -> None:
        """Give up whatever waits for another try."""
        self._stopped.set()

    def start(self) -> None:
        """Try again from now on."""
        self._stopped.clear()

    def forget(self) -> None:
        """An empty log and an empty cache."""
        self.sent.clear()
        self.resolver.forget()

    def _try_all(self, envelope: Envelope, domain: str, tries: int) -> Sent:
        """One round over all hosts and addresses, until one answers for good."""
        last = Outcome(550, NO_SUCH_DOMAIN.format(domain=domain))
        host = address = ""
        for host in self.hosts(domain):
            for address in self.resolver.addresses(host):
                last = self._try(envelope, address)
                if not last.temporary:
                    return Sent(envelope, last, host, address, tries, time.time())
        return Sent(envelope, last, host, address, tries, time.time())

    def _try(self, envelope: Envelope, address: str) -> Outcome:
        with SmtpClient(self._network, self._source, address, helo=self._helo) as client:
            return client.send(envelope)


@dataclass(frozen=True)
class Kept:
    """A message at the sink, and how it came; `spf` is what its sender's domain says of the address."""

    envelope: Envelope
    peer: str
    helo: str
    tls: str
    cipher: str
    at: float
    spf: str


@dataclass
class Sink:
    """A mail server that takes everything and keeps it; `refuse` maps recipients to the reply they get.

    `faults` of its `door` make it fail in other ways.
    """

    context: ssl.SSLContext
    network: Network
    received: list[Kept] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    require_tls: bool = False

    def __post_init__(self) -> None:
        self.door = MailDoor(self, SINK_HOST, self.context)
        self._grown = threading.Condition()

    def start(self) -> None:
        """Listen at the sink's address."""
        self.network.listen(SINK_ADDRESS, 25, self.door.start())

    def stop(self) -> None:
        """Stop listening; what was received stays."""
        self.network.unlisten(SINK_ADDRESS, 25)
        self.door.stop()

    def reset(self) -> None:
        """Take everything again."""
        self.refuse.clear()
        self.door.faults.clear()
        self.require_tls = False

    def forget(self) -> None:
        """Throw away what was received."""
        with self._grown:
            self.received.clear()

    def mailbox(self, address: str) -> list[Kept]:
        """What came for one address, the oldest first."""
        with self._grown:
            kept = list(self.received)
        return [one for one in kept if address.lower() in map(str.lower, one.envelope.recipients)]

    def wait_for(self, predicate: Callable[[Kept], bool], timeout: float = 10.0) -> Kept:
        """The first message that meets `predicate`, past or to come; TimeoutError after `timeout` seconds."""

        def found() -> Kept | None:
            return next((one for one in self.received if predicate(one)), None)

        with self._grown:
            met = self._grown.wait_for(found, timeout)
            if met is None:
                raise TimeoutError(
                    f"no such message at the sink in {timeout:g} s ({len(self.received)} came)"
                )
            return met

    def connected(self, _c: Connection) -> str | None:
        """Anybody may connect."""

    def tls_offered(self, _c: Connection) -> bool:
        """Always; `door.faults` takes it away."""
        return True

    def tls_required(self, _c: Connection) -> bool:
        """If asked for."""
        return self.require_tls

    def mail(self, _c: Connection, _sender: str) -> str | None:
        """Anybody may send."""

    def recipient(self, _c: Connection, recipient: str) -> str | None:
        """Everybody has a mailbox, but for those in `refuse`."""
        return self.refuse.get(recipient.lower())

    def message(self, c: Connection, e: Envelope) -> str:
        """Keep it, with a `Received` line on top, as every mail server writes one (RFC 5321, 4.4)."""
        how = f"ESMTPS ({c.tls.replace('v', '')} {c.cipher})" if c.tls else "ESMTP"
        sender = f"from {c.helo} ({self.network.reverse(c.peer) or 'unknown'} [{c.peer}])"
        with self._grown:
            number = len(self.received) + 1
            line = f"{sender} by {SINK_HOST} with {how} id {number}; {formatdate()}"
            kept = e.with_header("Received", line)
            spf = check(self.network.zones, c.peer, e.sender, c.helo)
            self.received.append(Kept(kept, c.peer, c.helo, c.tls, c.cipher, time.time(), spf))
            self._grown.notify_all()
            return f"250 2.0.0 Ok: kept as {number}"

    def closed(self, _c: Connection) -> None:
        """Nothing is held for a connection."""
