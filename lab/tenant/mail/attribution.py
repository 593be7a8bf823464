"""Whose mail is it: how the front door finds the inbound connector of a connection, and what it refuses.

A Partner connector takes mail of its sender domains from its addresses, or from who shows its certificate;
the certificate counts only where TLS is required. One that restricts its domains, to its addresses or to its
certificate, refuses their mail from anywhere else; one that does not lets it pass, unattributed. TLS is
demanded only of mail that a connector has taken. An OnPremises connector takes mail from its addresses, or
by its certificate, and may relay mail of accepted domains. (Microsoft: «Set up connectors for secure mail
flow with a partner organization», «Set-InboundConnector», and practitioners' reports of the replies.)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lab.mail.certificate import Certificate
from lab.tenant.mail.configuration import Configuration, domain_of
from lab.tenant.store import Record
from lab.tenant.switches import Switches

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
    """What a front door knows of a message before it has its content; `tls` is "" without.

    `certificate`: the names in the sending server's certificate that count, in lower case.
    """

    peer: str
    tls: str
    sender: str
    recipient: str
    certificate: tuple[str, ...] = ()


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
    taken = next((row for row in concerned if _comes_from(row, arrival)), None)
    if taken is not None:
        return _tls(taken, arrival)
    if any(row["RestrictDomainsToIPAddresses"] or row["RestrictDomainsToCertificate"] for row in concerned):
        return Judged(refusal=LOCKED)
    if configuration.reject_direct_send and configuration.accepts(domain_of(arrival.sender)):
        return Judged(refusal=DIRECT_SEND)
    return Judged()


def known(peer: str, certificate: tuple[str, ...], configuration: Configuration) -> bool:
    """Whether an enabled connector names this address or this certificate."""
    enabled = [row for row in configuration.inbound if row["Enabled"]]
    return any(_listed(row["SenderIPAddresses"], peer) or _shows(row, certificate) for row in enabled)


def counting(certificate: Certificate | None, switches: Switches) -> tuple[str, ...]:
    """The names in a sending server's certificate that connectors look at; () where it counts for nothing."""
    if certificate is None or not (certificate.public or switches.sender_certificate == "any"):
        return ()
    return (certificate.subject,) if switches.sender_certificate_names == "subject" else certificate.names


def is_for(wanted: str, names: Iterable[str]) -> bool:
    """Whether a certificate's names meet a name, or `*.example.com`: the domain and everything below it."""
    domain = wanted.lower()
    return any(_stands_for(name, domain) for name in names)


def _stands_for(name: str, wanted: str) -> bool:
    if wanted.startswith("*."):
        return name == wanted[2:] or name.endswith(wanted[1:])
    return name == wanted or (name.startswith("*.") and wanted.partition(".")[2] == name[2:])


def _tls(connector: Record, arrival: Arrival) -> Judged:
    """The connector takes it, unless it demands a TLS that is not there."""
    return Judged(connector, NO_TLS if connector["RequireTls"] and not arrival.tls else "")


def _on_premises(row: Record, arrival: Arrival) -> bool:
    if row["ConnectorType"] != "OnPremises":
        return False
    return _listed(row["SenderIPAddresses"], arrival.peer) or _shows(row, arrival.certificate)


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


def _comes_from(row: Record, arrival: Arrival) -> bool:
    """Whether a Partner connector takes mail from there; one that names nobody takes it from all."""
    listed = _listed(row["SenderIPAddresses"], arrival.peer)
    shows = _shows(row, arrival.certificate)
    if row["RestrictDomainsToCertificate"]:
        return shows
    if row["RestrictDomainsToIPAddresses"]:
        return listed
    names_nobody = not row["SenderIPAddresses"] and not _certificate(row)
    return names_nobody or listed or shows


def _certificate(row: Record) -> str:
    """The certificate's name that a connector looks for: one that does not demand TLS looks for none."""
    return str(row["TlsSenderCertificateName"] or "") if row["RequireTls"] else ""


def _shows(row: Record, names: tuple[str, ...]) -> bool:
    wanted = _certificate(row).rpartition("<S>")[2]  # hybrid set-ups name the issuer as well
    return bool(wanted) and is_for(wanted.removeprefix("CN=").partition(",")[0], names)


def _listed(blocks: Iterable[str], peer: str) -> bool:
    address = ipaddress.ip_address(peer)
    return any(address in ipaddress.ip_network(block, strict=False) for block in blocks)
