"""What the world says of an MX: each resolver that we may ask, and the zone's own servers."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.errors import ManagedError

OWN: Final = "the zone's own servers"
_OWN_SERVERS: Final = 2  # enough: where a firewall lets us ask none, each costs seconds

Views = Mapping[str, tuple[str, ...]]
"""Who was asked → the MX hosts that it names."""


def mx_views(resolvers: Sequence[str], domain: str) -> Views:
    """What each of them answers. One that cannot be asked is left out: others may do."""
    found: dict[str, tuple[str, ...]] = {}
    for server in resolvers:
        with suppress(ManagedError):
            found[server] = _hosts(Resolver((server,)), domain)
    with suppress(ManagedError):
        servers = tuple(Resolver(resolvers).own_servers(domain).servers.values())
        found[OWN] = _hosts(Resolver(servers[:_OWN_SERVERS], authoritative=True), domain)
    return found


def _hosts(resolver: Resolver, domain: str) -> tuple[str, ...]:
    return tuple(sorted(host for _, host in resolver.mail_hosts(domain)))
