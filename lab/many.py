"""Many customers: tenants with everything of their own, on gateways of which some carry several of them.

One estate in one process holds them all: a tenant takes some 0.7 MiB and 0.05 s to start, a gateway less.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.estate import Estate
from lab.gateway.server import LabGateway
from lab.internet.world import host, tenant_records
from lab.mail.envelope import compose
from lab.tenant.practice import Organization
from lab.tenant.server import LabTenant

FIRST_DOOR, MOST = 100, 154
"""Front doors are 203.0.113.100 and on: so many tenants, and no more."""
PATIENCE = 30.0
"""Seconds that a message may take."""
HEADER = "X-OUTBOUND-AUTH"


@dataclass(frozen=True)
class Customer:
    """One of many: its tenant, and the gateway that its mail runs over. `shared`: others' mail, too."""

    name: str
    tenant: LabTenant
    gateway: LabGateway
    shared: bool

    @property
    def domain(self) -> str:
        """Its first domain; the tenant accepts `shop.` before it, too."""
        return self.tenant.organization.accepted_domains[0]

    @property
    def secret(self) -> str:
        """What its mail tells the gateway."""
        return f"Secret0f{self.name}"


class ManyCustomers:
    """An estate of `customers` on `gateways`, of whom the first `alone` have one each, the others share.

    `estate` is to be started and stopped; its own practice tenant is there, and takes no part.
    """

    def __init__(self, folder: Path, customers: int, gateways: int, alone: int, **switches: Any) -> None:
        if not 0 <= alone < gateways <= customers <= MOST:
            raise ValueError(f"{customers} customers, {alone} of them alone, do not fit {gateways} gateways")
        organizations = [organization(number) for number in range(1, customers + 1)]
        self.estate = Estate(folder, more_tenants=organizations, more_gateways=gateways - 1, **switches)
        places = [*range(alone), *(alone + n % (gateways - alone) for n in range(customers - alone))]
        tenants = self.estate.tenants[-customers:]
        self.customers = [
            Customer(_name(number), tenant, self.estate.gateways[place], shared=place >= alone)
            for number, (tenant, place) in enumerate(zip(tenants, places, strict=True), start=1)
        ]
        self._furnish()

    @property
    def shared_gateways(self) -> list[LabGateway]:
        """The gateways that carry several customers' mail."""
        carrying = [one.gateway for one in self.customers if one.shared]
        return [gateway for gateway in self.estate.gateways if gateway in carrying]

    def lost(self) -> dict[str, str]:
        """Send each customer a message and have one sent; whose do not run over the gateway, and why."""
        self.estate.internet.sender.forget()  # what it remembers of DNS, too
        found = {one.name: self._lost(one) for one in self.customers}
        return {name: why for name, why in found.items() if why}

    def _lost(self, customer: Customer) -> str:
        member, staff = customer.gateway.members[0], f"staff@{customer.domain}"
        came = compose("ann@sender.example", staff, f"to {customer.name}")
        outcome = self.estate.internet.sender.send(came)
        if not outcome.delivered:
            return f"inbound: {outcome.text}"
        left = compose(staff, f"{customer.name}@probe.example", f"from {customer.name}")
        customer.tenant.mail.submit(left)
        try:
            item = customer.tenant.mail.mailboxes.wait_for(
                lambda one: one.folder != "sentitems" and one.envelope.message_id == came.message_id, PATIENCE
            )
            kept = self.estate.internet.sink.wait_for(
                lambda one: one.envelope.message_id == left.message_id, PATIENCE
            )
        except TimeoutError as late:
            return str(late)
        if item.folder != "inbox" or item.peer not in (member.data1, member.data2):
            return f"inbound: in {item.folder}, by {item.peer}"
        if kept.peer != member.data2 or kept.envelope.header(HEADER) is not None:
            return f"outbound: by {kept.peer}, header {kept.envelope.header(HEADER)}"
        return ""

    def _furnish(self) -> None:
        zones = self.estate.network.zones
        for gateway in self.estate.gateways:
            member = gateway.members[0]
            host(zones, member.host, member.data1)
            host(zones, outbound_name(gateway), member.data2)
            zones.set(mx_name(gateway), "A", member.data1)
        for customer in self.customers:
            zones.add_zone(customer.domain)
            tenant_records(zones, customer.tenant.organization, [customer.gateway.members[0].data2])


def mx_name(gateway: LabGateway) -> str:
    """What the MX of its customers' domains point to: `mx2.…` of `esa2.…`."""
    return f"mx{gateway.members[0].host.removeprefix('esa')}"


def outbound_name(gateway: LabGateway) -> str:
    """What its outbound address points back to."""
    return f"out{gateway.members[0].host.removeprefix('esa')}"


def organization(number: int) -> Organization:
    """The tenant of a customer by its number, from 1 on."""
    name = _name(number)
    domain, initial = f"{name}.example", f"{name}.onmicrosoft.com"
    shop = f"shop.{domain}"
    return Organization(
        initial,
        (domain, shop, initial),
        tenant_id=f"{number:08}-0000-4000-8000-00000000000a",
        client_id=f"{number:08}-0000-4000-8000-00000000000b",
        client_secret=f"Practice~Tenant~Secret~{name}",
        mx={one: f"{one.replace('.', '-')}.mail.protection.outlook.com" for one in (domain, shop, initial)},
        front_door=f"203.0.113.{FIRST_DOOR + number}",
    )


def _name(number: int) -> str:
    return f"c{number:03}"
