"""Whose mail is it: how the front door finds the inbound connector of a connection, and what it refuses.

A Partner connector takes mail of its sender domains from its addresses. One that restricts its domains
refuses their mail from anywhere else; one that does not lets it pass, unattributed. TLS is demanded only of
mail that a connector has taken. An OnPremises connector takes mail from its addresses and may relay mail of
accepted domains. (Microsoft: «Set up connectors for secure mail flow with a partner organization», and
practitioners' reports of the replies.)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lab.tenant.mail.configuration import Configuration, domain_of
from lab.tenant.store import Record

LOCKED = (
    "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's "
    "recipient domain. The connector had either the RestrictDomainsToIPAddresses or "
    "RestrictDomainsToCertificate set"
)
RELAY = "550 5.7.64 TenantAttribution; Relay Access Denied"
DIRECT_SEND = (
    "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized "
    "sources"
)
NO_TLS = "451 5.7.3 STARTTLS is required to send mail"
Preference = Literal["address", "domain"]


@dataclass(frozen=True)
class Arrival:
    """What a front door knows of a message before it has its content; `tls` is "" without."""

    peer: str
    tls: str
    sender: str
    recipient: str


@dataclass(frozen=True)
class Judged:
    """The connector that took the message, if any, and the refusal, if any."""

    connector: Record | None = None
    refusal: str = ""

    @property
    def name(self) -> str:
        """The connector's name, or ""."""
        return "" if self.connector is None else str(self.connector["Name"])

    @property
    def internal(self) -> bool:
        """Whether such mail counts as the organization's own."""
        row = self.connector
        return row is not None and row["ConnectorType"] == "OnPremises" and row["TreatMessagesAsInternal"]


def judge(arrival: Arrival, configuration: Configuration, prefers: Preference = "address") -> Judged:
    """Attribute one message for one recipient, or refuse it."""
    enabled = [row for row in configuration.inbound if row["Enabled"]]
    relaying = next((row for row in enabled if _on_premises(row, arrival)), None)
    if not configuration.accepts(domain_of(arrival.recipient)):
        trusted = relaying is not None and configuration.accepts(domain_of(arrival.sender))
        return _tls(relaying, arrival) if relaying is not None and trusted else Judged(refusal=RELAY)
    if relaying is not None:
        return _tls(relaying, arrival)
    concerned = _concerned(enabled, arrival)
    if prefers == "domain":
        concerned = _narrowest(concerned, arrival)
    taken = next((row for row in concerned if _comes_from(row, arrival.peer)), None)
    if taken is not None:
        return _tls(taken, arrival)
    if any(row["RestrictDomainsToIPAddresses"] or row["RestrictDomainsToCertificate"] for row in concerned):
        return Judged(refusal=LOCKED)
    if configuration.reject_direct_send and configuration.accepts(domain_of(arrival.sender)):
        return Judged(refusal=DIRECT_SEND)
    return Judged()


def known(peer: str, configuration: Configuration) -> bool:
    """Whether an enabled connector names this address."""
    return any(row["Enabled"] and _listed(row["SenderIPAddresses"], peer) for row in configuration.inbound)


def _tls(connector: Record, arrival: Arrival) -> Judged:
    """The connector takes it, unless it demands a TLS that is not there."""
    return Judged(connector, NO_TLS if connector["RequireTls"] and not arrival.tls else "")


def _on_premises(row: Record, arrival: Arrival) -> bool:
    return row["ConnectorType"] == "OnPremises" and _listed(row["SenderIPAddresses"], arrival.peer)


def _concerned(enabled: Iterable[Record], arrival: Arrival) -> list[Record]:
    """The Partner connectors for the sender's domain, the narrowest first."""
    domain = domain_of(arrival.sender)
    partners = [row for row in enabled if row["ConnectorType"] == "Partner" and _closeness(row, domain) >= 0]
    return sorted(partners, key=lambda row: -_closeness(row, domain))


def _narrowest(rows: list[Record], arrival: Arrival) -> list[Record]:
    domain = domain_of(arrival.sender)
    return [row for row in rows if _closeness(row, domain) == _closeness(rows[0], domain)]


def _closeness(row: Record, domain: str) -> int:
    """How well a connector's sender domains fit: -1 not at all, 0 by `*`, then by length."""
    bare = [space.removeprefix("smtp:").rsplit(";", 1)[0].lower() for space in row["SenderDomains"]]
    fits = [-1]
    for space in bare:
        if space == "*":
            fits.append(0)
        elif space == domain or (space.startswith("*.") and f".{domain}".endswith(space[1:])):
            fits.append(len(space))
    return max(fits)


def _comes_from(row: Record, peer: str) -> bool:
    """Whether a Partner connector takes mail from this address; with neither address nor certificate, all."""
    if row["SenderIPAddresses"]:
        return _listed(row["SenderIPAddresses"], peer)
    return row["TlsSenderCertificateName"] is None


def _listed(blocks: Iterable[str], peer: str) -> bool:
    address = ipaddress.ip_address(peer)
    return any(address in ipaddress.ip_network(block, strict=False) for block in blocks)
