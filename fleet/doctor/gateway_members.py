"""Does what is set for a cluster count on every member, and where does mail leave from?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress

from components import equivalents
from dynamic_providers.connections import GatewayConnection
from dynamic_providers.errors import ManagedError
from dynamic_providers.gateway import (
    cluster,
    delivery_config,
    destination_controls,
    listeners,
    outbound_filter,
    outbound_tls,
    smtp_routes,
)
from dynamic_providers.gateway.cluster import ClusterModeError, MemberDisconnectedError
from dynamic_providers.gateway.sending_interfaces import unknown_to_microsoft, uses
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.transaction import Gateway
from fleet.doctor.finding import Finding, error, from_error, not_looked_at, ok, warning
from fleet.doctor.subject import Subject

_OURS = (
    listeners.COMMAND,
    smtp_routes.TABLE,
    destination_controls.TABLE,
    outbound_filter.TABLE,
    outbound_tls.TABLE,
)
_HOST = re.compile(r"\b(?=[\w.-]*\.[a-z])[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b", re.IGNORECASE)

Sending = tuple[str, Mapping[str, str]]
"""The default interface (empty: not shown), and the exceptions: source → interface."""


def members(subject: Subject) -> Iterator[Finding]:
    """Every member is connected and listed in the settings, and has no settings of its own for our tables."""
    gateways, connection = subject.gateways, subject.gateways.connection
    for member in connection.members:
        if isinstance(failed := gateways.attempt(member), ClusterModeError):
            yield from_error(failed)
            return
    if not connection.cluster:
        single = len(connection.members) == 1
        yield from gateways.each(lambda _: [ok("a gateway on its own" if single else "not in a cluster")])
        return
    yield from gateways.each(lambda gateway: _of_cluster(gateway, connection))


def _of_cluster(gateway: Gateway, connection: GatewayConnection) -> Iterator[Finding]:
    status = gateway.read("cluster members", cluster.connection_status)
    ours = {member.host.lower() for member in connection.members}
    more = sorted({host.lower() for host in _HOST.findall(status)} - ours)
    if more:
        yield warning(
            f"it also has {', '.join(more)}, which the settings do not name: they deliver mail, too",
            "add every member to gateway.members, with the addresses that it delivers from",
        )
    found = gateway.read("cluster overrides", lambda session: _in_the_way(session, connection))
    yield from map(from_error, found)
    if not found:
        yield ok(
            f"{len(ours)} members are connected, and none has settings of its own for {', '.join(_OURS)}"
        )


def _in_the_way(session: Session, connection: GatewayConnection) -> list[ManagedError]:
    """What keeps the cluster's settings from counting on a member; a member that is cut off is told once."""
    cut_off = cluster.disconnected(session, connection)
    there = tuple(one for one in connection.members if one.host not in cut_off)
    narrowed = connection.model_copy(update={"members": there})
    found: dict[str, ManagedError] = {str(one): one for one in cut_off.values()}
    for command in _OURS:
        with closing(cluster.overrides(session, narrowed, command)) as overridden:
            found |= {str(one): one for one in overridden}
    return list(found.values())


# --- delivery -----------------------------------------------------------------------------------------------


def delivery(subject: Subject) -> Iterator[Finding]:
    """Mail leaves from addresses that the inbound connector knows."""
    settings, connection = subject.tenant_settings, subject.gateways.connection
    part = equivalents.delivery(settings)
    left = {" ".join(entry.split()).casefold() for entry in settings.leave}

    def look(gateway: Gateway) -> Iterator[Finding]:
        filters = outbound_filter.read_all(gateway)
        for where, sending in _sending(gateway, connection).items():
            if sending is None or not sending[0]:
                why = (
                    "it is not connected (see cluster)"
                    if sending is None
                    else "this release shows it otherwise"
                )
                yield not_looked_at(
                    f"{where}{why}", f"compare `{delivery_config.TABLE}` with inbound.senderAddresses by hand"
                )
                continue
            used = uses(*sending, filters)
            strangers = list(unknown_to_microsoft(used, part))
            for one in strangers:
                wanted = one.harmful and " ".join(one.entry.split()).casefold() not in left
                yield (error if wanted else warning)(f"{where}the interface «{one.name}» {one.says}", one.fix)
            if not strangers:
                yield ok(f"{where}mail leaves from {', '.join(used)}, whose addresses the connector gets")

    return subject.gateways.each(look)


def _sending(gateway: Gateway, connection: GatewayConnection) -> dict[str, Sending | None]:
    """How the gateways send, and where a member does otherwise; None of one that cannot be asked."""

    def read(session: Session) -> dict[str, Sending | None]:
        everywhere = _read(session)
        found: dict[str, Sending | None] = {"": everywhere}
        for member in connection.members if connection.cluster else ():
            own: Sending | None = None
            with suppress(MemberDisconnectedError), cluster.at_machine(session, member.host):
                own = _read(session, everywhere)
            if own != everywhere:
                found[f"{member.host}: "] = own
        return found

    return gateway.read("delivery", read)


def _read(session: Session, everywhere: Sending | None = None) -> Sending:
    """How mail is sent. `everywhere`: the cluster's way, where we are at a member's level."""

    def counts_here(table: str) -> bool:
        return everywhere is None or bool(cluster.own_level(session, table))

    default, sources = everywhere or ("", {})
    if counts_here(delivery_config.TABLE):
        default = delivery_config.read(session).get(delivery_config.DEFAULT, "")
    if counts_here(delivery_config.SOURCES):
        sources = delivery_config.read_sources(session)
    return default, sources
