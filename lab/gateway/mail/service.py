"""The gateway's mail service as the estate holds it: doors, queues, tracking and its HTTPS API."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.gateway.gateway import Gateway
from lab.gateway.mail.appliance import Appliance, Identities
from lab.gateway.mail.delivery import Delivery
from lab.gateway.mail.door import ListenerDoor
from lab.gateway.mail.intake import Intake
from lab.gateway.mail.rates import Rates
from lab.gateway.mail.tracking import Tracking
from lab.gateway.mail.tracking_api import TrackingApi
from lab.mail.envelope import Envelope
from lab.mail.network import Network
from lab.mail.server import MailDoor
from lab.tenant.web import HttpsServer

Contexts = Callable[..., ssl.SSLContext]
"""Gives a server's TLS context for one or more host names."""
Place = tuple[str, str, int]
"""Member's host, interface, port."""


@dataclass
class Machine:
    """One member at work."""

    appliance: Appliance
    delivery: Delivery
    intake: Intake
    rates: Rates


class GatewayMail:
    """Mail of all members. Doors open and close with the listeners that are committed."""

    def __init__(
        self,
        gateway: Gateway,
        network: Network,
        contexts: Contexts,
        tracking_port: int = 0,
        identities: Identities | None = None,
    ) -> None:
        self.network = network
        self.manager = "sma1." + gateway.members[0].host.partition(".")[2]
        self.tracking_user, self.tracking_password = "tracking", "Practice-Tracking-3!"
        self.machines: dict[str, Machine] = {}
        self.doors: dict[Place, MailDoor] = {}
        self._gateway = gateway
        self._contexts = contexts
        self._identities = identities
        self._shown: dict[Place, tuple[str, ...]] = {}
        self._shut: set[str] = set()
        self._api = HttpsServer(tracking_port)
        self._started = False

    def start(self) -> None:
        """Open all doors and the API."""
        for member in self._gateway.members:
            gateway = self._gateway
            appliance = Appliance(gateway, gateway, member, self.network, self._identities)
            delivery = Delivery(appliance)
            self.machines[member.host] = Machine(appliance, delivery, Intake(appliance, delivery), Rates())
        api = TrackingApi(
            [machine.appliance for machine in self.machines.values()],
            self.manager,
            self._gateway,
            self._gateway.journal,
            may_log_in=self._may_log_in,
        )
        self._api.start(api.application(), self._contexts(*self.tracking_hosts, "localhost", "127.0.0.1"))
        self._started = True
        self.sync()

    def stop(self) -> None:
        """Close everything; raises what the lab's own code has failed with."""
        if not self._started:
            return
        self._started = False
        errors: list[Exception] = []
        for place in list(self.doors):
            try:
                self._close(place)
            except ExceptionGroup as broken:
                errors.append(broken)
        self._api.stop()
        for machine in self.machines.values():
            machine.delivery.queue.stop()
            errors += [error for error in machine.delivery.queue.errors if isinstance(error, Exception)]
        if errors:
            raise ExceptionGroup("the gateway's mail service is broken", errors)

    @property
    def tracking_port(self) -> int:
        """The API's port on 127.0.0.1, for all of `tracking_hosts`."""
        return self._api.port

    @property
    def tracking_hosts(self) -> list[str]:
        """The gateways and their manager: https://<host>:4431."""
        return [*(member.host for member in self._gateway.members), self.manager]

    def tracking(self, member: int = 0) -> Tracking:
        """What a gateway has tracked."""
        return self.machines[self._gateway.members[member].host].appliance.tracking

    def sync(self) -> None:
        """Listen where the committed listeners are, and nowhere else, with the certificate of now."""
        if not self._started:
            return
        wanted = self._wanted()
        for place in list(self.doors):
            if place not in wanted or self._shown[place] != self._names(place):
                self._close(place)
        for place, address in wanted.items():
            if place not in self.doors:
                self._open(place, address)

    def shut(self, host: str = "") -> None:
        """Nothing listens for SMTP any more on a member, or on all: connections are refused."""
        self._shut |= {host} if host else set(self.machines)
        self.sync()

    def reopen(self) -> None:
        """Undo `shut`."""
        self._shut.clear()
        self.sync()

    def quarantined(self, quarantine: str = "Policy") -> list[Envelope]:
        """The messages that a quarantine holds, of all members."""
        held = [one for machine in self.machines.values() for one in machine.intake.held]
        return [mail for name, mail in held if name == quarantine]

    def clear(self) -> None:
        """Forget all mail, queue, quarantines and tracking, and what the gateways remember of DNS."""
        for machine in self.machines.values():
            machine.intake.held.clear()
            machine.delivery.clear()
            machine.appliance.tracking.clear()

    @property
    def waiting(self) -> int:
        """How many messages are not delivered, bounced or dropped yet."""
        return sum(machine.delivery.queue.open for machine in self.machines.values())

    def wait_until_empty(self, timeout: float) -> bool:
        """Wait, in seconds, until nothing waits; False if something still does."""
        deadline = time.monotonic() + timeout
        return all(
            machine.delivery.queue.wait_until_empty(max(deadline - time.monotonic(), 0))
            for machine in self.machines.values()
        )

    def deliver_now(self) -> None:
        """Try at once whatever waits for another try."""
        for machine in self.machines.values():
            machine.delivery.queue.retry_now()

    def _wanted(self) -> dict[Place, str]:
        """Where doors have to be, with their addresses; one door an address and port."""
        wanted: dict[Place, str] = {}
        for host, machine in self.machines.items():
            taken: set[tuple[str, int]] = set()
            for listener in [] if host in self._shut else machine.appliance.tables.listeners:
                address = machine.appliance.interfaces[listener.interface]
                if (address, listener.port) not in taken:
                    taken.add((address, listener.port))
                    wanted[host, listener.interface, listener.port] = address
        return wanted

    def _open(self, place: Place, address: str) -> None:
        host, interface, port = place
        machine = self.machines[host]
        owner = ListenerDoor(machine.appliance, machine.intake, machine.rates, interface, port)
        names = self._shown[place] = self._names(place)
        door = MailDoor(owner, host, self._contexts(*names))
        self.doors[place] = door
        self.network.listen(address, port, door.start())

    def _names(self, place: Place) -> tuple[str, ...]:
        return self.machines[place[0]].appliance.certificate_names

    def _close(self, place: Place) -> None:
        host, interface, port = place
        self.network.unlisten(self.machines[host].appliance.interfaces[interface], port)
        self.doors.pop(place).stop()

    def _may_log_in(self, user: str, password: str) -> bool:
        own = (user, password) == (self.tracking_user, self.tracking_password)
        return own or self._gateway.may_log_in(user, password)
