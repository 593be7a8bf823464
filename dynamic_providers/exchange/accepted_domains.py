"""Which domains the tenant accepts mail for: read only, to warn."""

from collections.abc import Iterable

from dynamic_providers.exchange.client import ExchangeClient
from dynamic_providers.exchange.cmdlets import ACCEPTED_DOMAIN


def not_accepted(client: ExchangeClient, domains: Iterable[str]) -> list[str]:
    """Those of the domains that the tenant does not accept: mail for them would be refused there."""
    accepted = {str(row.get("DomainName", "")).casefold() for row in client.rows(ACCEPTED_DOMAIN)}
    return sorted(domain for domain in domains if domain.casefold() not in accepted)
