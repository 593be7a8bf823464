"""The tenant's configuration as mail meets it: only what has been there for `propagation_seconds` counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.tenant.store import (
    CONNECTION_FILTER,
    DOMAINS,
    GROUPS,
    INBOUND,
    ORGANIZATION,
    OUTBOUND,
    RULES,
    Record,
    Store,
)


@dataclass(frozen=True)
class Configuration:
    """What counts at one moment: rules in order of priority, connectors, domains, groups by address.

    `allowed` and `blocked` are the addresses of the connection filter.
    """

    rules: tuple[Record, ...] = ()
    inbound: tuple[Record, ...] = ()
    outbound: tuple[Record, ...] = ()
    domains: Mapping[str, bool] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    reject_direct_send: bool = False
    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def accepts(self, domain: str) -> bool:
        """Whether this is a domain of ours, or below one that covers its subdomains."""
        wanted = domain.lower()
        if wanted in self.domains:
            return True
        parents = [name for name, with_subdomains in self.domains.items() if with_subdomains]
        return any(wanted.endswith(f".{name}") for name in parents)

    def connector(self, guid: object) -> Record | None:
        """The outbound connector of that GUID, enabled or not."""
        return next((row for row in self.outbound if str(row["Guid"]) == str(guid)), None)


def in_effect(store: Store) -> Configuration:
    """The configuration that counts for mail now."""
    with store.lock:
        (organization,) = store.in_effect(ORGANIZATION)
        (connection_filter,) = store.in_effect(CONNECTION_FILTER)
        return Configuration(
            rules=tuple(store.in_effect(RULES)),
            inbound=tuple(store.in_effect(INBOUND)),
            outbound=tuple(store.in_effect(OUTBOUND)),
            domains={row["DomainName"].lower(): row["MatchSubDomains"] for row in store.in_effect(DOMAINS)},
            groups={
                row["PrimarySmtpAddress"].lower(): frozenset(member.lower() for member in row["Members"])
                for row in store.in_effect(GROUPS)
            },
            reject_direct_send=bool(organization["RejectDirectSend"]),
            allowed=tuple(connection_filter["IPAllowList"]),
            blocked=tuple(connection_filter["IPBlockList"]),
        )


def domain_of(address: str) -> str:
    """What stands behind the @, in lower case; "" for the empty sender."""
    return address.rpartition("@")[2].lower() if "@" in address else ""
