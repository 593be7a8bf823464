"""Others' connectors, and what they do to mail that is to go through the gateways: rows in, findings out."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from dynamic_providers.address_spans import overlapping
from dynamic_providers.entries import some
from dynamic_providers.equivalents import Finding
from dynamic_providers.exchange import forms
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import Rows

Part = Mapping[str, Any]
_REFUSED = "550 5.7.51"
_EVERYBODY = "*"


def others(rows: Rows, ours: Collection[str]) -> list[Row]:
    """Connectors of other names that act: on, and not in test mode."""
    names = {name.casefold() for name in ours}
    acting = (row for row in rows if row.get("Enabled") is True and row.get("TestMode") is not True)
    return [row for row in acting if name_of(row).casefold() not in names]


def name_of(row: Row) -> str:
    """Its name."""
    return str(row.get("Name") or "")


# --- inbound ------------------------------------------------------------------------------------------------


def inbound(rows: Rows, part: Part, ours: Collection[str]) -> Iterator[Finding]:
    """Connectors that take the gateways' mail beside ours, or refuse it."""
    for row in others(rows, ours):
        shared = overlapping(forms.addresses(row.get("SenderIPAddresses")) or [], part["addresses"])
        finding = _same_addresses(row, shared) if shared else _restriction(row)
        if finding is not None:
            yield finding


def _same_addresses(row: Row, shared: list[str]) -> Finding:
    says = f"takes mail from the gateways' addresses as well ({some(shared)})"
    harmful = True
    if str(row.get("ConnectorType")).casefold() == "onpremises":
        says += " and counts them as servers of your own: mail from the internet would come in as such"
    elif row.get("RestrictDomainsToCertificate") is True:
        says += (
            f", but only with the certificate {row.get('TlsSenderCertificateName')}: without it, {_REFUSED}"
        )
    else:
        harmful = False
        says += ": which of the two a message belongs to is not told" + _demands_tls(row)
    return Finding("inbound connector", name_of(row), says, "inboundConnector", harmful=harmful)


def _demands_tls(row: Row) -> str:
    return (
        "; it demands TLS, like ours" if row.get("RequireTls") is True else "; it takes mail without TLS, too"
    )


def _restriction(row: Row) -> Finding | None:
    """A connector that refuses its domains' mail from anywhere but its own addresses or certificate."""
    by_address = row.get("RestrictDomainsToIPAddresses") is True
    if not by_address and row.get("RestrictDomainsToCertificate") is not True:
        return None
    only = "its own addresses" if by_address else f"the certificate {row.get('TlsSenderCertificateName')}"
    domains = forms.sender_domains(row.get("SenderDomains")) or []
    if _EVERYBODY in domains:
        says = (
            f"takes mail of all senders with {only} only: what the gateways deliver is refused ({_REFUSED})"
        )
        return Finding("inbound connector", name_of(row), says, "inboundConnector")
    says = (
        f"takes mail of {some(domains)} with {only} only: what the gateways deliver may be refused "
        f"({_REFUSED})"
    )
    return Finding("inbound connector", name_of(row), says, harmful=False)


# --- outbound -----------------------------------------------------------------------------------------------


def outbound(rows: Rows, part: Part, ours: Collection[str], kept: Collection[str]) -> Iterator[Finding]:
    """Connectors that lead to the gateways as well, or whose mail our rule would take from them.

    `kept`: domains that our rule leaves alone: those of the tenant are inside, others are excepted.
    """
    for row in others(rows, ours):
        shared = same_hosts(row, part["smartHosts"])
        finding = _leading(row, shared) if shared else _overridden(row, part, kept)
        if finding is not None:
            yield finding


def _leading(row: Row, shared: list[str]) -> Finding:
    """Of one that leads to the gateways."""
    scoped = row.get("IsTransportRuleScoped") is True
    if scoped:
        says = f"leads to the gateways, too ({some(shared)}), for rules that name it"
    else:
        domains = forms.words(row.get("RecipientDomains")) or ["all accepted domains"]
        says = (
            f"sends mail for {some(domains)} to the gateways ({some(shared)}) without our header: our filter "
            "would drop it"
        )
    return Finding("outbound connector", name_of(row), says, "outboundConnector", harmful=not scoped)


def _overridden(row: Row, part: Part, kept: Collection[str]) -> Finding | None:
    """Of one that takes recipient domains outside."""
    if row.get("RouteAllMessagesViaOnPremises") is True:
        says = (
            "sends all mail out through your own servers (centralised transport): the rule "
            f"«{part['rule']}» takes mail to the outside from it, past what those servers do with it"
        )
        return Finding("outbound connector", name_of(row), says)
    left = {one.casefold() for one in kept}
    listed = forms.words(row.get("RecipientDomains")) or []
    domains = [one for one in listed if one.removeprefix("*.") not in left]
    if not domains or row.get("IsTransportRuleScoped") is True:
        return None
    says = (
        f"sends mail for {some(domains)} its own way (other hosts, its own TLS): the rule «{part['rule']}» "
        "would send it through the gateway instead"
    )
    single = [one for one in domains if "*" not in one]
    fix = f"to keep that way, add {some(single)} to outbound.except.recipientDomains" if single else ""
    return Finding("outbound connector", name_of(row), says, fix=fix)


def same_hosts(row: Row, smart_hosts: Iterable[str]) -> list[str]:
    """Those of a connector's smart hosts that are ours."""
    wanted = set(forms.hosts(list(smart_hosts)) or [])
    return [one for one in forms.hosts(row.get("SmartHosts")) or [] if one in wanted]


# --- domains ------------------------------------------------------------------------------------------------


def internal_relays(domains: Rows, ours: Collection[str]) -> list[str]:
    """Those of our domains whose unknown recipients the tenant hands on instead of refusing them."""
    return sorted(
        name
        for row in domains
        if str(row.get("DomainType")).casefold() == "internalrelay"
        and (name := str(row.get("DomainName", "")).casefold()) in ours
    )


def relayed(domain: str, connectors: Rows) -> Finding:
    """What becomes of mail for addresses that an internal-relay domain has elsewhere."""
    takes = [name_of(row) for row in others(connectors, ()) if _takes(row, domain)]
    says = "is an internal-relay domain: mail for addresses that are not in the tenant is handed on "
    if takes:
        says += f"through the connector «{some(takes)}», past the gateway"
    else:
        says += (
            "by its MX, and no outbound connector takes it: once the MX is at the gateway, it runs in a loop"
        )
    return Finding("accepted domain", domain, says, fix=_AUTHORITATIVE if not takes else "", harmful=False)


_AUTHORITATIVE = "if all its mailboxes are in the tenant, make it authoritative"


def _takes(row: Row, domain: str) -> bool:
    listed = forms.words(row.get("RecipientDomains")) or []
    under = any(one.startswith("*.") and domain.endswith(one[1:]) for one in listed)
    return row.get("AllAcceptedDomains") is True or under or domain in listed or _EVERYBODY in listed
