"""Which domains the tenant accepts mail for: read only, to warn."""

from collections.abc import Iterable

from dynamic_providers.exchange.client import ExchangeClient
from dynamic_providers.exchange.cmdlets import ACCEPTED_DOMAIN


def not_accepted(client: ExchangeClient, domains: Iterable[str]) -> list[str]:
    """Those of the domains that the tenant does not accept: mail for them would be refused there."""
    known = set(accepted(client))
    return sorted(domain for domain in domains if domain.casefold() not in known)


def accepted(client: ExchangeClient) -> list[str]:
    """All domains that the tenant accepts mail for, its initial one too; lower case."""
    return sorted(str(row.get("DomainName", "")).casefold() for row in client.rows(ACCEPTED_DOMAIN))
