"""What carries this customer's mail in the tenant already, under whatever names. Rows in, facts out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from components.context import HEADER
from dynamic_providers.address_spans import overlapping
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient, Rows, named
from dynamic_providers.exchange.cmdlets import (
    ACCEPTED_DOMAIN,
    INBOUND_CONNECTOR,
    ORGANIZATION,
    OUTBOUND_CONNECTOR,
    TRANSPORT_RULE,
)
from dynamic_providers.exchange.rule_order import in_order, state_of


@dataclass(frozen=True)
class LiveTenant:
    """The four objects that the guide makes, each a row of Exchange's or none, and what goes with them."""

    inbound_rule: Row | None
    inbound_connector: Row | None
    outbound_connector: Row | None
    outbound_rule: Row | None
    domains: tuple[str, ...]
    rejects_direct_send: bool

    @property
    def spared(self) -> list[str]:
        """The addresses that rule a spares the spam filter; else those of the connector."""
        return _ranges(self.inbound_rule, "SenderIpRanges") or self.let_in

    @property
    def let_in(self) -> list[str]:
        """The addresses that the inbound connector is about."""
        return _ranges(self.inbound_connector, "SenderIPAddresses")

    @property
    def smart_hosts(self) -> list[str]:
        """Where Microsoft 365 delivers outbound mail."""
        return forms.hosts((self.outbound_connector or {}).get("SmartHosts")) or []


def read(client: ExchangeClient, addresses: Collection[str]) -> LiveTenant:
    """Look for them by what they do. `addresses`: what the gateways deliver from, as far as it is known."""
    rules = in_order(client.rows(TRANSPORT_RULE))
    ways_out = client.rows(OUTBOUND_CONNECTOR)
    out_rule = outbound_rule(rules, ways_out, addresses)
    route = str((out_rule or {}).get("RouteMessageOutboundConnector") or "")
    way_out = named(ways_out, route) if route else _first(leading_to(ways_out, addresses))
    theirs = [*addresses, *(forms.hosts((way_out or {}).get("SmartHosts")) or [])]
    domains = (str(row.get("DomainName", "")).casefold() for row in client.rows(ACCEPTED_DOMAIN))
    organization = client.rows(ORGANIZATION)
    return LiveTenant(
        inbound_rule=_first(sparing(rules, theirs)),
        inbound_connector=_first(letting_in(client.rows(INBOUND_CONNECTOR), theirs)),
        outbound_connector=way_out,
        outbound_rule=out_rule,
        domains=tuple(sorted(domains)),
        rejects_direct_send=any(row.get("RejectDirectSend") is True for row in organization),
    )


def outbound_rule(rules: Rows, connectors: Rows, addresses: Collection[str]) -> Row | None:
    """Rule k: it routes by a connector and sets our header; else one that routes to the gateways at all."""
    routing = [row for row in _switched_on_first(rules) if row.get("RouteMessageOutboundConnector")]
    stamping = [row for row in routing if str(row.get("SetHeaderName") or "").casefold() == HEADER.casefold()]
    leading = {str(row.get("Name")).casefold() for row in leading_to(connectors, addresses)}
    others = [row for row in routing if str(row["RouteMessageOutboundConnector"]).casefold() in leading]
    return _first([*stamping, *others])


def leading_to(connectors: Rows, addresses: Collection[str]) -> list[Row]:
    """Outbound connectors whose smart hosts are the gateways' addresses, those that are on first."""
    return [
        row
        for row in sorted(connectors, key=lambda row: row.get("Enabled") is not True)
        if set(forms.hosts(row.get("SmartHosts")) or []) & {*addresses}
    ]


def sparing(rules: Rows, addresses: Collection[str]) -> list[Row]:
    """Rules that spare mail from these addresses the spam filter."""
    minus_one = (row for row in _switched_on_first(rules) if forms.number(row.get("SetSCL")) == -1)
    return [row for row in minus_one if overlapping(_ranges(row, "SenderIpRanges"), addresses)]


def letting_in(connectors: Rows, addresses: Collection[str]) -> list[Row]:
    """Inbound connectors about these addresses: a partner's first, as the guide has it, and what is on."""
    order = sorted(
        connectors,
        key=lambda row: (
            row.get("Enabled") is not True,
            str(row.get("ConnectorType")).casefold() != "partner",
        ),
    )
    return [row for row in order if overlapping(_ranges(row, "SenderIPAddresses"), addresses)]


def _switched_on_first(rules: Iterable[Row]) -> list[Row]:
    return sorted(rules, key=lambda row: state_of(row) != "Enabled")


def _ranges(row: Row | None, parameter: str) -> list[str]:
    return forms.addresses((row or {}).get(parameter)) or []


def _first(rows: Iterable[Row]) -> Row | None:
    return next(iter(rows), None)
