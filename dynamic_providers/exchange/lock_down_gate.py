"""Why the side entrance must stay open for now: mail still comes, or is led, past the gateway.

A lock-down refuses what the gateway did not deliver, 550 5.7.51: before the MX has moved that is all mail.
One by certificate refuses the gateways' own mail, too, while they show another certificate, or none.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from dynamic_providers import report
from dynamic_providers.dns.connection import resolver
from dynamic_providers.dns.mail_hosts import named_by_any
from dynamic_providers.dns.wire import LookUpFailed
from dynamic_providers.entries import quoted
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.message_trace import Ask, pages, received, taken_by, when
from dynamic_providers.exchange.past_gateway import Flow, look
from dynamic_providers.settling import clock

_TOLD = 5  # senders that a refusal names; the rest is counted
_LOOKED_THROUGH = 5  # pages of the trace for a message of each gateway

WAY_OUT = (
    "let them send through the gateway, or name them in inbound.allowedSenders, or accept that their mail is "
    "refused: acknowledge lockdown"
)


def wrong_mx(expected: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Domains whose MX does not lead to the gateway alone, a line each. Every resolver of ours is asked."""
    for domain, hosts in expected.items():
        right = {host.casefold().rstrip(".") for host in hosts}
        try:
            found = named_by_any(resolver(), domain)
        except LookUpFailed as error:
            yield f"where mail for {domain} goes could not be looked up: {error}"
            continue
        if not found:
            yield f"{domain} has no MX record, so nobody delivers its mail to the gateway"
        elif found - right:
            yield (
                f"the MX of {domain} still names {quoted(sorted(found - right))}, beside or instead of "
                f"{quoted(sorted(right))}: move it first, and wait until its old time to live has passed"
            )


def others_who_deliver(ask: Ask, flow: Flow, *, acknowledged: bool) -> Iterator[str]:
    """Who came past the gateway in ten days, as one line; where it is acknowledged, only a warning of it."""
    seen = look(ask, flow)
    reasons = []
    if seen.passers:
        reasons.append(
            f"{len(seen.passers)} sender(s) came past the gateway in the last ten days, whose mail would be "
            f"refused: {seen.told(_TOLD)}. {WAY_OUT[0].upper()}{WAY_OUT[1:]}"
        )
    if not seen.complete:
        reasons.append(
            f"there is so much mail that the trace was read back to {seen.since:%Y-%m-%d %H:%M} UTC only, "
            "so who came past the gateway before is not known. Acknowledge lockdown to go on"
        )
    if not acknowledged:
        yield from reasons
        return
    for reason in reasons:
        report.warning(f"lock-down, acknowledged: {reason}")


def not_known_by_certificate(
    ask: Ask, connector: Row | None, certificate: str, gateways: Sequence[str], settle: timedelta
) -> Iterator[str]:
    """Why the gateways' own mail might be refused by a lock-down that goes by their certificate.

    The trace says which connector took a message; it counts once the connector's last change is in force.
    """
    named = "" if connector is None else str(connector.get("TlsSenderCertificateName") or "")
    if connector is None or named.casefold() != certificate:
        yield (
            f"the inbound connector does not know the gateways by the certificate {certificate} yet: run it "
            "with lockdown: open first, let mail come through the gateways, and close it then"
        )
        return
    since = when(connector.get("WhenChangedUTC"), "Get-InboundConnector, WhenChangedUTC") + settle
    seen = _last_of_each(ask, gateways, since)
    if not seen:
        yield (
            f"no mail has come from the gateways since {clock(since)}, when the inbound connector's last "
            f"change is in force everywhere, so nobody knows whether they show the certificate {certificate}:"
            " send a message through them, and run it again when the message trace shows it"
        )
    for address, row in sorted(seen.items()):
        if (taker := taken_by(ask, row)) != connector["Name"]:
            says = (
                "does not say what took it" if taker is None else f"says that «{taker or 'no'}» connector did"
            )
            yield (
                f"mail from the gateway {address} is not known by its certificate, and would be refused: the "
                f"trace of {row.get('MessageId')} {says}. Give the gateway a certificate with the name "
                f"{certificate} for delivery, or correct inbound.identifiedBy"
            )


def _last_of_each(ask: Ask, gateways: Sequence[str], since: datetime) -> dict[str, Row]:
    """The last message that came from each of the gateways' addresses."""
    networks = [ipaddress.ip_network(one) for one in gateways]
    found: dict[str, Row] = {}
    for _, page in zip(range(_LOOKED_THROUGH), pages(ask, since, datetime.now(UTC)), strict=False):
        for row in page:
            address = str(row.get("FromIP") or "")
            if received(row) >= since and _lies_in(address, networks):
                found.setdefault(address, row)
    return found


def _lies_in(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        return any(ipaddress.ip_address(address) in one for one in networks)
    except ValueError:
        return False
