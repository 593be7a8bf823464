"""The estate with its mail, for resources of the Exchange process: one a module, set back for each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest

from dynamic_providers import connections, errors
from dynamic_providers.connections import Endpoints, TenantConnection
from dynamic_providers.exchange.client import ExchangeClient
from dynamic_providers.exchange.outbound_connector import OutboundConnector
from dynamic_providers.exchange.snapshot import OUTBOUND_CONNECTOR, ExchangeSnapshot
from lab.estate import Estate
from lab.mail.client import SmtpClient
from lab.mail.envelope import Envelope, Outcome, compose
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery
from tests.protocol.exchange_practice import AZURE, QUICK

DATA1, DATA2, STRANGER, SCANNER = "192.0.2.105", "198.51.100.186", "203.0.113.90", "203.0.113.70"
GATEWAYS = [DATA1, DATA2]
DOMAIN, MX_HOST, MICROSOFT = (
    "bce-demo.com",
    "mx1.bce-demo.example",
    "bce-demo-com.mail.protection.outlook.com",
)
PROBE = f"probe@{DOMAIN}"
TENANT = "bcedemo.onmicrosoft.com"
INBOUND = "Inbound from Cisco CES"
OUTBOUND = "Outbound to Cisco CES"


class Engine(NurseryEngine):
    """The small engine with plugins that a nursery forks, and the Exchange process's arguments."""

    def __init__(self, side: Side, program: Callable[[pulumi.ResourceOptions], None]) -> None:
        self._side = side
        super().__init__(side.nursery, lambda: program(self._options()), side.estate.environment)

    def _options(self) -> pulumi.ResourceOptions:
        tenant = self._side.tenant.model_dump(mode="json", by_alias=True)
        arguments = {
            "tenant": json.dumps(tenant),
            "endpoints": json.dumps({"caBundle": str(self._side.estate.ca_file)}),
            "stack": "test",
        }
        named = {f"m365-secure-email:{key}": value for key, value in arguments.items()}
        return pulumi.ResourceOptions(provider=pulumi.ProviderResource("pulumi-python", "exchange", named))

    def drifted(self) -> dict[str, str]:
        """What a refresh finds, and what the next preview would do: operation by name."""
        found = {name: what for what, name in self.refresh().steps if what != "same"}
        return found | self.preview().operations()


@dataclass
class Side:
    """The tenant's side of an estate, as a test sees and changes it."""

    estate: Estate
    nursery: Nursery
    clients: list[ExchangeClient] = field(default_factory=list)

    @property
    def tenant(self) -> TenantConnection:
        lab = self.estate.tenant
        return TenantConnection(id=lab.tenant_id, initial_domain=lab.initial_domain, client_id=lab.client_id)

    def engine(self, program: Callable[[pulumi.ResourceOptions], None]) -> Engine:
        return Engine(self, program)

    def new_process(self) -> ExchangeClient:
        """The client that providers in this process use from now on."""
        client = ExchangeClient(self.tenant, Endpoints(ca_bundle=str(self.estate.ca_file)), QUICK)
        self.clients.append(client)
        connections._live["exchange"] = client
        return client

    def do(self, cmdlet: str, **parameters: Any) -> list[dict[str, Any]]:
        """A cmdlet by hand."""
        return self.estate.tenant.invoke_by_hand(cmdlet, **parameters)

    def mail(
        self,
        source: str,
        sender: str = "anna@sender.example",
        recipient: str = PROBE,
        certificate: str = "",
    ) -> Outcome:
        """A message straight to the tenant's front door, by TLS; with a certificate for a name, if given."""
        door, network = self.estate.tenant.organization.front_door, self.estate.network
        identity = self.estate.certificates.client_context(certificate) if certificate else None
        with SmtpClient(network, source, door, helo="gw.example", identity=identity) as client:
            return client.send(compose(sender, recipient, "TEST"))

    def submit(self, sender: str, recipient: str) -> Envelope:
        """A message of a mailbox of the tenant."""
        envelope = compose(sender, recipient, "TEST")
        self.estate.tenant.mail.submit(envelope)
        return envelope

    def settled(self) -> None:
        """The trace shows everything."""
        self.estate.tenant.mail.traces.wait_settled(15)

    def mx(self, *hosts: str) -> None:
        """The domain's MX, and nobody remembers another."""
        self.estate.internet.zones.set(DOMAIN, "MX", *(f"{10 * at} {host}" for at, host in enumerate(hosts)))
        for resolver in self.estate.internet.resolvers.values():
            resolver.resolver.forget()

    def writes(self, since: int) -> list[str]:
        """Cmdlets of ours that write, since a mark of the journal."""
        calls = [e.detail["cmdlet"] for e in self.estate.journal.events("tenant", "call", since=since)]
        return [one for one in calls if not one.startswith(("Get-", "Validate-"))]

    def restricted(self) -> bool:
        [row] = [row for row in self.do("Get-InboundConnector") if row["Name"] == INBOUND]
        return row["RestrictDomainsToIPAddresses"] is True

    def rejects(self) -> bool:
        return self.do("Get-OrganizationConfig")[0]["RejectDirectSend"] is True


def with_outbound_connector(exchange: pulumi.ResourceOptions) -> tuple[ExchangeSnapshot, OutboundConnector]:
    """What a program that is about rule k begins with: the record of what was there, and connector j."""
    before = ExchangeSnapshot(
        "before", tenant=TENANT, outbound_connectors=[OUTBOUND], transport_rules=[OUTBOUND], opts=exchange
    )
    j = OutboundConnector(
        "j",
        tenant=TENANT,
        name=OUTBOUND,
        before=before.before(OUTBOUND_CONNECTOR),
        smart_hosts=[DATA2],
        opts=exchange,
    )
    return before, j


@pytest.fixture(scope="module")
def running_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    with Nursery() as nursery, Estate(tmp_path_factory.mktemp("side") / ".lab") as estate:
        yield Side(estate, nursery)


@pytest.fixture
def side(running_side: Side, monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    estate = running_side.estate
    for name in AZURE:
        monkeypatch.delenv(name, raising=False)
    for name, value in estate.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(connections, "_live", {})
    monkeypatch.setattr(connections, "_arguments", {})
    switches = estate.tenant.switches
    switches.token_latency = switches.read_latency = switches.write_latency = (0.0, 0.0)
    before = estate.snapshot()
    running_side.new_process()
    yield running_side
    for client in running_side.clients:
        client.close()
    running_side.clients.clear()
    estate.reset()
    estate.restore(before)
