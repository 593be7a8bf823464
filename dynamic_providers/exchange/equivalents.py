"""What is in the tenant under another name, and does what ours is to do or stands in its way. Looks only."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

import pulumi

from dynamic_providers import report
from dynamic_providers.entries import Props
from dynamic_providers.equivalents import TENANT_KINDS, EquivalentsProvider, Finding, LeftAlone
from dynamic_providers.exchange import dkim, foreign_connectors, foreign_rules
from dynamic_providers.exchange.accepted_domains import accepted
from dynamic_providers.exchange.client import exchange
from dynamic_providers.exchange.cmdlets import (
    ACCEPTED_DOMAIN,
    DKIM,
    INBOUND_CONNECTOR,
    OUTBOUND_CONNECTOR,
    TRANSPORT_RULE,
)
from dynamic_providers.exchange.errors import ExchangeError
from dynamic_providers.field_types import (
    Domain,
    ExchangeName,
    HeaderName,
    InitialDomain,
    SenderAddress,
    SmartHost,
)
from dynamic_providers.model import Model
from dynamic_providers.observing import Observable

# --- model --------------------------------------------------------------------------------------------------


class InboundPart(Model):
    """What takes the gateways' mail in: our connector, our rule, the addresses that they deliver from.

    `filtered`: Microsoft is to filter that mail, so there is no rule of ours that spares it.
    """

    connector: ExchangeName
    rule: ExchangeName
    addresses: tuple[SenderAddress, ...]
    filtered: Literal[True] | None = None


class OutboundPart(Model):
    """What sends mail to the gateways: our connector, our rule, the header that it sets, the smart hosts."""

    connector: ExchangeName
    rule: ExchangeName
    header: HeaderName
    smart_hosts: tuple[SmartHost, ...]


class ExchangeEquivalentsInputs(Model):
    """What we are to set up; a part that is not set is not.

    `rules`: all of ours. `exceptDomains`: recipient domains that do not go through the gateways.
    """

    tenant: InitialDomain
    inbound: InboundPart | None = None
    outbound: OutboundPart | None = None
    domains: tuple[Domain, ...] = ()
    rules: tuple[ExchangeName, ...] = ()
    except_domains: tuple[Domain, ...] = ()
    leave: tuple[LeftAlone, ...] = ()


# --- provider -----------------------------------------------------------------------------------------------


class ExchangeEquivalentsProvider(EquivalentsProvider):
    """Reads the lists that others read anyhow."""

    model = ExchangeEquivalentsInputs
    identity = ("tenant",)
    free = EquivalentsProvider.free | {"rules", "exceptDomains"}
    kinds = TENANT_KINDS
    parts = ("inbound", "outbound", "domains")

    def found(self, inputs: Props, new: Collection[str], known: Props) -> Iterable[Finding]:
        if "inbound" in new:
            yield from _inbound(inputs, known)
        if "outbound" in new:
            yield from _outbound(inputs, known)
        fresh = {*inputs["domains"]} - {*known.get("domains", [])}
        if "domains" in new:
            yield from _relayed(fresh)
        unlooked = {*inputs["domains"]} if "outbound" in new else fresh
        if inputs.get("outbound") and unlooked:
            yield from _unsigned(unlooked)


def _inbound(inputs: Props, known: Props) -> Iterator[Finding]:
    client, part = exchange(), inputs["inbound"]
    yield from foreign_connectors.inbound(
        client.rows(INBOUND_CONNECTOR), part, _connectors("inbound", inputs, known)
    )
    yield from foreign_rules.inbound(client.rows(TRANSPORT_RULE), part, _rules(inputs, known))


def _outbound(inputs: Props, known: Props) -> Iterator[Finding]:
    client, part, rows = exchange(), inputs["outbound"], exchange().rows(OUTBOUND_CONNECTOR)
    inside = [*accepted(client), *inputs["exceptDomains"]]
    yield from foreign_connectors.outbound(rows, part, _connectors("outbound", inputs, known), inside)
    yield from foreign_rules.outbound(client.rows(TRANSPORT_RULE), part, _rules(inputs, known), rows)


def _unsigned(domains: Collection[str]) -> Iterator[Finding]:
    """Domains whose mail leaves without a signature. Not every role may look, and nothing is built on it."""
    client = exchange()
    try:
        names = dkim.unsigned(client.rows(DKIM), domains)
    except ExchangeError as error:
        report.info(f"{client.name}: whether Microsoft 365 signs mail (DKIM) could not be read: {error}")
        return
    for name in names:
        yield Finding("accepted domain", name, dkim.UNSIGNED, fix=dkim.SWITCH_ON, harmful=False)


def _relayed(domains: Collection[str]) -> Iterator[Finding]:
    client = exchange()
    for domain in foreign_connectors.internal_relays(client.rows(ACCEPTED_DOMAIN), domains):
        yield foreign_connectors.relayed(domain, client.rows(OUTBOUND_CONNECTOR))


def _connectors(part: str, inputs: Props, known: Props) -> set[str]:
    """The name of our connector, and the one that it had till now."""
    return {str(one[part]["connector"]) for one in (inputs, known) if one.get(part)}


def _rules(inputs: Props, known: Props) -> set[str]:
    return {*inputs["rules"], *known.get("rules", [])}


# --- resource -----------------------------------------------------------------------------------------------


class ExchangeEquivalents(Observable, module="exchange", name="Equivalents"):
    """Looks for others' objects beside ours. Inputs: those of its model."""

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(ExchangeEquivalentsProvider(), name, dict(props), opts)
