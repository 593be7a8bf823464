"""What an Exchange test has: the practice tenant, what was called there, and clients of it."""

from dynamic_providers.connections import LOGINS, Endpoints, TenantConnection
from dynamic_providers.exchange.admin_api import Patience
from dynamic_providers.exchange.client import ExchangeClient
from lab.tenant.server import LabTenant

QUICK = Patience(
    attempts=4,
    first_wait=0.01,
    longest_wait=0.05,
    shortest_wait=0.0,
    deadline=5.0,
    read_back=3.0,
    first_look=0.03,
    rest=0.0,
)
AZURE = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_CERTIFICATE_PASSWORD", *LOGINS)


class Practice:
    """One test's tenant: the lab, its journal from here on, and clients of it."""

    def __init__(self, lab: LabTenant) -> None:
        self.lab = lab
        self.since = lab.journal.mark()
        self._clients: list[ExchangeClient] = []

    def client(
        self,
        patience: Patience = QUICK,
        *,
        tenant_id: str | None = None,
        client_id: str | None = None,
        cloud: str = "worldwide",
        endpoints: Endpoints | None = None,
    ) -> ExchangeClient:
        lab = self.lab
        tenant = TenantConnection(
            id=tenant_id or lab.tenant_id,
            initial_domain=lab.initial_domain,
            client_id=client_id or lab.client_id,
            cloud=cloud,  # type: ignore[arg-type]
        )
        client = ExchangeClient(tenant, endpoints or Endpoints(ca_bundle=str(lab.ca_file)), patience)
        self._clients.append(client)
        return client

    def calls(self, pattern: str = "") -> list[str]:
        """The cmdlets that were called since this test began, other administrators' apart."""
        events = self.lab.journal.events("tenant", "call", since=self.since)
        return [event.detail["cmdlet"] for event in events if pattern in event.detail["cmdlet"]]

    def tokens(self) -> int:
        return self.lab.journal.count("tenant", "token", since=self.since)

    def close(self) -> None:
        for client in self._clients:
            client.close()
