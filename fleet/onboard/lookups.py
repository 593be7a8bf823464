"""What is looked up: the tenant's id, each domain's Microsoft MX, the gateways' host keys and listeners."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from components.raw_values import normal
from dynamic_providers import addresses, wording
from dynamic_providers.address_spans import overlapping
from dynamic_providers.clouds import CLOUDS
from dynamic_providers.connections import (
    LOGINS,
    Endpoints,
    GatewayConnection,
    JumpHost,
    TenantConnection,
    credential,
)
from dynamic_providers.dns.resolver import Resolver
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.errors import ManagedError
from dynamic_providers.exchange.json_text import parsed
from dynamic_providers.exchange.transport import Https
from dynamic_providers.gateway import listeners
from dynamic_providers.gateway.cluster import ClusterModeError
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.ssh import host_key_of
from dynamic_providers.gateway.transaction import Gateway
from dynamic_providers.mailflow.graph import Graph

_ISSUER = re.compile(r"https://[^/]+/([0-9a-fA-F-]{36})(?:/|$)")


class NotFound(ManagedError):
    """What was looked up is not there."""


# --- tenant -------------------------------------------------------------------------------------------------


def tenant_id(initial_domain: str, cloud: str, endpoints: Endpoints) -> str:
    """The id of the tenant, which its login page tells everybody. Raises NotFound, ExchangeError.

    Source: OpenID Connect Discovery; Microsoft Learn, «OpenID Connect on the Microsoft identity platform».
    """
    base = endpoints.authority or f"https://{CLOUDS[cloud].login}"
    https = Https(endpoints.ca_bundle)
    try:
        answer = https.get(f"{base}/{initial_domain}/v2.0/.well-known/openid-configuration")
    finally:
        https.close()
    found = _ISSUER.match(_issuer(answer.content)) if answer.status_code == 200 else None
    if found is None:
        raise NotFound(
            f"the login knows no tenant {initial_domain} (it answers {answer.status_code})",
            where=base,
            fix="correct --tenant, or --cloud",
        )
    return wording.guid(found[1])


def _issuer(content: bytes) -> str:
    try:
        document = parsed(content)
    except ValueError:
        return ""
    return str(document.get("issuer", "")) if isinstance(document, dict) else ""


# --- domains ------------------------------------------------------------------------------------------------


class MicrosoftMx:
    """Asks DNS; then, where an MX leads elsewhere already, Graph. A name is never computed."""

    def __init__(self, tenant: TenantConnection, endpoints: Endpoints, resolvers: Sequence[str]) -> None:
        self._tenant, self._endpoints = tenant, endpoints
        self._resolver = Resolver(resolvers)
        self._graph: Graph | None = None

    def of(self, domain: str) -> tuple[str, str]:
        """A domain's Microsoft MX, and who says so; raises ManagedError, which says what was tried."""
        try:
            seen = [host for _, host in self._resolver.mail_hosts(domain)]
        except LookUpFailed as error:
            return self._by_graph(domain, f"DNS: {error}")
        theirs = sorted({host for host in seen if normal(addresses.microsoft_mx, host)})
        if len(theirs) == 1:
            return theirs[0], "DNS"
        says = f"its MX is {', '.join(theirs or seen)}" if seen else "it has no MX"
        return self._by_graph(domain, says if len(theirs) < 2 else f"{says}, all Microsoft's")

    def _by_graph(self, domain: str, why: str) -> tuple[str, str]:
        if not any(map(credential, LOGINS)):
            raise NotFound(f"{why}; Microsoft Graph was not asked, since there is nothing to log in with")
        try:
            found = [host for host in self._asked(domain) if normal(addresses.microsoft_mx, host)]
        except ManagedError as error:
            raise NotFound(f"{why}; Microsoft Graph: {error.what}", fix=error.fix) from None
        if len(found) != 1:
            raise NotFound(f"{why}; Microsoft Graph names {len(found) or 'no'} MX for it")
        return found[0], "Microsoft Graph"

    def _asked(self, domain: str) -> tuple[str, ...]:
        if self._graph is None:
            self._graph = Graph(self._tenant, self._endpoints)
        return self._graph.microsoft_mx(domain)

    def close(self) -> None:
        """Close the connections."""
        if self._graph is not None:
            self._graph.close()


def mx_at(gateways: Sequence[str], domains: Iterable[str], resolvers: Sequence[str]) -> tuple[str, ...]:
    """The hosts that the domains' MX name now, as far as they are the gateways': one of these addresses.

    Raises LookUpFailed.
    """
    resolver = Resolver(resolvers)
    named = dict.fromkeys(host for domain in domains for _, host in resolver.mail_hosts(domain))
    return tuple(host for host in named if overlapping(resolver.ipv4(host), gateways))


# --- gateways -----------------------------------------------------------------------------------------------


class HostKeys:
    """Fingerprints that somebody stands for: given with a host, given for whichever shows them, or agreed.

    `agreed(host, fingerprint)` asks a person. A key that a host merely shows is never taken.
    """

    def __init__(self, given: Sequence[tuple[str, str]], agreed: Callable[[str, str], bool]) -> None:
        self._of_host = {host: key for host, key in given if host}
        self._any = {key for host, key in given if not host}
        self._agreed = agreed

    def of(self, host: str, port: int, jump: JumpHost | None) -> str:
        """A host's key; raises NotFound, which names the one that it shows, or GatewayError."""
        if host in self._of_host:
            return self._of_host[host]
        seen = host_key_of(host, port, jump)
        if seen in self._any or self._agreed(host, seen):
            return seen
        raise NotFound(
            f"it shows the host key {seen}",
            where=host,
            fix="compare it with what its owner says (on a gateway: `hostkeyconfig`), then accept it",
        )


def look_at(connection: GatewayConnection) -> tuple[GatewayConnection, Mapping[str, str]]:
    """The gateways' listeners, name → «public» or «private»; and whether they are clustered, corrected."""
    first = connection.model_copy(update={"members": connection.members[:1]})
    try:
        return connection, _listeners(first)
    except ClusterModeError:
        other = {"cluster": not connection.cluster}
        return connection.model_copy(update=other), _listeners(first.model_copy(update=other))


def _listeners(connection: GatewayConnection) -> dict[str, str]:
    gateway = Gateway(connection)
    script = Script(listeners.COMMAND, what="listing the listeners")
    try:
        found: Any = gateway.read(listeners.COMMAND, lambda session: listeners.parse(session.run(script)[0]))
    finally:
        gateway.close()
    return dict(found)
