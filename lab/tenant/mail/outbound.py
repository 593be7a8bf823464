"""The queue of what leaves the tenant: tried at once, deferred on a 4xx, failed on a 5xx or in the end."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lab.journal import Journal
from lab.mail.client import SmtpClient
from lab.mail.envelope import Envelope, Outcome
from lab.mail.network import Network
from lab.tenant.mail.attribution import is_for
from lab.tenant.mail.configuration import domain_of
from lab.tenant.mail.routing import Hop, Route, Router
from lab.tenant.mail.trace import Traced, Traces
from lab.tenant.store import Record
from lab.tenant.switches import Switches

WORKERS = 8
PER_CONNECTION = 20
UNTRUSTED = "450 4.7.320 Certificate validation failed [Message=UntrustedRoot]"
MISMATCH = "450 4.7.320 Certificate validation failed [Message=SubjectMismatch]"
"""Not known: the word for a certificate that is for other names."""


@dataclass
class Parcel:
    """A message for recipients that share the way out; `stamped`: a rule has set a header on it."""

    envelope: Envelope
    entries: dict[str, Traced]
    connector: Record | None
    require_tls: bool = False
    stamped: bool = False
    since: float = field(default_factory=time.monotonic)
    attempts: int = 0

    @property
    def way(self) -> tuple[object, ...]:
        """What parcels have in common that can share a connection."""
        row = self.connector
        through = None if row is None else (row["Guid"], row["WhenChanged"])
        by_mx = row is None or row["UseMXRecord"]
        return through, domain_of(self.envelope.recipients[0]) if by_mx else "", self.require_tls


@dataclass(frozen=True)
class Wire:
    """The tenant's side of the internet: from which addresses it sends, and how it finds others."""

    network: Network
    router: Router
    addresses: tuple[str, ...]

    def helo(self, address: str) -> str:
        """The name that one of our addresses greets with."""
        named = self.network.reverse(address)
        last = int(address.rpartition(".")[2])
        return named or f"mail-am6eur05on20{last:02d}.outbound.protection.outlook.com"


class Outbound:
    """The queue and its workers."""

    def __init__(self, switches: Switches, traces: Traces, journal: Journal) -> None:
        self._switches, self._traces, self._journal = switches, traces, journal
        self._due: list[tuple[float, int, Parcel]] = []
        self._grown = threading.Condition()
        self._numbers = itertools.count()
        self._sources = itertools.count()
        self._wire: Wire | None = None
        self._running = False
        self._busy = 0
        self._threads: list[threading.Thread] = []

    def start(self, wire: Wire) -> None:
        """Send from now on."""
        self._wire, self._running = wire, True
        self._threads = [
            threading.Thread(target=self._work, args=(wire,), name=f"lab-tenant-out-{number}", daemon=True)
            for number in range(WORKERS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more; what waits stays in the queue."""
        with self._grown:
            self._running = False
            self._grown.notify_all()
        for thread in self._threads:
            thread.join(15)
        self._threads = []

    def put(self, parcel: Parcel) -> None:
        """Queue a message, to be tried at once."""
        self._later(parcel, 0.0)

    def waiting(self) -> int:
        """How many messages are in the queue or under way."""
        with self._grown:
            return len(self._due) + self._busy

    def clear(self) -> None:
        """Forget what waits, and what comes back into the queue from a delivery that is under way."""
        with self._grown:
            self._due.clear()
            self._grown.wait_for(lambda: not self._busy, timeout=5)
            self._due.clear()

    def _later(self, parcel: Parcel, seconds: float) -> None:
        with self._grown:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), parcel))
            self._grown.notify_all()

    def _work(self, wire: Wire) -> None:
        while parcels := self._next():
            try:
                self._send(wire, parcels)
            finally:
                with self._grown:
                    self._busy -= len(parcels)
                    self._grown.notify_all()

    def _next(self) -> list[Parcel]:
        """The parcels that are due and can share a connection; [] when it is over."""
        with self._grown:
            while self._running:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    taken = self._taken(now)
                    self._busy += len(taken)
                    return taken
                self._grown.wait(self._due[0][0] - now if self._due else None)
        return []

    def _taken(self, now: float) -> list[Parcel]:
        first = heapq.heappop(self._due)[2]
        way = first.way
        also = [item for item in self._due if item[0] <= now and item[2].way == way][: PER_CONNECTION - 1]
        if also:
            numbers = {item[1] for item in also}
            self._due = [item for item in self._due if item[1] not in numbers]
            heapq.heapify(self._due)
        return [first, *(item[2] for item in sorted(also))]

    def _send(self, wire: Wire, parcels: list[Parcel]) -> None:
        first = parcels[0]
        domain = domain_of(first.envelope.recipients[0])
        route = wire.router.route(domain, first.connector, require_tls=first.require_tls)
        if not route.hops:
            for parcel in parcels:
                self._came_to_nothing(parcel, route.missing, Hop("", ""))
            return
        source = wire.addresses[next(self._sources) % len(wire.addresses)]
        for number, hop in enumerate(route.hops, start=1):
            if self._over(wire, source, hop, route, parcels, last=number == len(route.hops)):
                return

    def _over(
        self, wire: Wire, source: str, hop: Hop, route: Route, parcels: list[Parcel], *, last: bool
    ) -> bool:
        """Hand over all parcels in one connection; False: nobody takes mail there, and there are others."""
        with SmtpClient(wire.network, source, hop.address, helo=wire.helo(source), tls=route.tls) as client:
            unfit = connected(client, hop, route, self._switches)
            if unfit and not last:
                return False
            for parcel in parcels:
                if unfit:
                    self._came_to_nothing(parcel, unfit, hop)
                else:
                    self._ended(parcel, client.send(parcel.envelope), hop)
        return True

    def _ended(self, parcel: Parcel, outcome: Outcome, hop: Hop) -> None:
        """What one attempt came to, for each recipient."""
        if not outcome.delivered:
            self._came_to_nothing(parcel, reason(outcome), hop)
            return
        for recipient, entry in parcel.entries.items():
            if recipient not in outcome.refused:
                self._delivered(parcel, entry, outcome, hop)
        for recipient, said in outcome.refused.items():
            rest = replace(parcel, entries={recipient: parcel.entries[recipient]})
            rest.envelope = replace(parcel.envelope, recipients=(recipient,))
            self._came_to_nothing(rest, said, hop)

    def _delivered(self, parcel: Parcel, entry: Traced, outcome: Outcome, hop: Hop) -> None:
        connector = "" if parcel.connector is None else str(parcel.connector["Name"])
        self._journal.record(
            "tenant",
            "sent",
            to=entry.recipient,
            connector=connector,
            address=hop.address,
            tls=outcome.tls,
            stamped=parcel.stamped,
            message_id=entry.message_id,
        )
        how = f"using {outcome.tls} with {outcome.cipher}" if outcome.tls else "without TLS"
        said = f"Message sent to {hop.name} at {hop.address} {how}"
        self._traces.add(
            entry,
            "Send external",
            said,
            ConnectorId=connector,
            RemoteHost=hop.name,
            RemoteIP=hop.address,
            TlsProtocol=outcome.tls,
            Reply=f"{outcome.code} {outcome.text}",
        )
        self._traces.settle(entry, "Delivered", to_ip=hop.address)

    def _came_to_nothing(self, parcel: Parcel, said: str, hop: Hop) -> None:
        """Fail on a 5xx or when its time is over, else try again later."""
        parcel.attempts += 1
        waited = time.monotonic() - parcel.since
        final = said.startswith("5") or waited > self._switches.expire_seconds
        connector = "" if parcel.connector is None else str(parcel.connector["Name"])
        for entry in parcel.entries.values():
            self._traces.add(
                entry,
                "Fail" if final else "Defer",
                _reason_text(said, hop),
                ConnectorId=connector,
                RemoteHost=hop.name,
                RemoteIP=hop.address,
                Reply=said,
            )
            self._traces.settle(entry, "Failed" if final else "Pending", to_ip=hop.address if final else "")
            kind = "failed" if final else "deferred"
            self._journal.record(
                "tenant",
                kind,
                to=entry.recipient,
                connector=connector,
                reply=said,
                message_id=entry.message_id,
            )
        if not final:
            wait = self._switches.retry_seconds * 2.0 ** min(parcel.attempts - 1, 20)
            self._later(parcel, min(wait, self._switches.retry_at_most))


def connected(client: SmtpClient, hop: Hop, route: Route, switches: Switches) -> str:
    """Connect, and look at the certificate where not any will do; what is in the way, or ""."""
    failed = client.connect()
    if failed is not None:
        return reason(failed)
    if not route.trusted:
        return ""
    names = client.certificate.names if client.certificate else ()
    trusted = {name.lower() for name in switches.trusted_certificates}
    if not trusted & {hop.name.lower(), *names}:
        return UNTRUSTED
    if route.certificate_for and not is_for(route.certificate_for, names):
        return MISMATCH
    return ""


def reason(outcome: Outcome) -> str:
    """The reply as Exchange Online words it; a connection that fails has codes of its own."""
    if outcome.code:
        return f"{outcome.code} {outcome.text}"
    if "TLS is required" in outcome.text:
        return (
            "450 4.4.317 Cannot establish session with remote server "
            "[Message=451 5.7.3 STARTTLS is required to send mail]"
        )
    if "refused" in outcome.text:
        return "450 4.4.316 Connection refused [Message=Socket error code 10061]"
    if "in time" in outcome.text:
        return "450 4.4.315 Connection timed out [Message=Socket error code 10060]"
    return f"450 4.4.318 Connection was closed abruptly [Message={outcome.text}]"


def _reason_text(said: str, hop: Hop) -> str:
    now = datetime.now(UTC).strftime("%m/%d/%Y %I:%M:%S %p")
    return f"Reason: [{{LED={said}}};{{MSG=}};{{FQDN={hop.name}}};{{IP={hop.address}}};{{LRT={now}}}]"
