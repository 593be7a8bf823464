"""The records that the lab's internet starts with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from lab.internet.practice import (
    DKIM_KEY,
    GATEWAYS,
    IMAP_HOST,
    NAME_SERVER_ADDRESS,
    PROBE_ADDRESS,
    PROBE_HOST,
    SENDER_ADDRESS,
    SENDER_HOST,
    SINK_ADDRESS,
    SINK_DOMAINS,
    SINK_HOST,
)
from lab.internet.zones import NAME_SERVER, Zones
from lab.tenant.practice import BCE_DEMO, CONTOSO, FABRIKAM, Organization

ORIGINS = (
    "bce-demo.com",
    "bce-demo.example",
    "contoso.example",
    "contoso-mail.example",
    "fabrikam.example",
    "iphmx.com",
    "onmicrosoft.com",
    "outlook.com",
    "mx.microsoft",
    "lab-dns.example",
    PROBE_HOST,
    *SINK_DOMAINS,
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
)
SPF_OF_MICROSOFT = "spf.protection.outlook.com"
ORGANIZATIONS = (BCE_DEMO, CONTOSO, FABRIKAM)


def furnish(zones: Zones, *, gateway_in_spf: bool = True) -> None:
    """Make all zones: the outside world, Microsoft's, and every practice domain with its MX at Microsoft.

    `gateway_in_spf`: whether the gateways' outbound addresses pass the domains' SPF already.
    """
    for origin in ORIGINS:
        zones.add_zone(origin)
    _outside(zones)
    _gateways(zones)
    _microsoft(zones, [address for tenant in ORGANIZATIONS for address in tenant.outbound])
    for tenant in ORGANIZATIONS:
        gateways = [data2 for _, data2 in GATEWAYS[tenant.initial_domain]]
        tenant_records(zones, tenant, gateways if gateway_in_spf else [])


def tenant_records(zones: Zones, tenant: Organization, gateways: Sequence[str]) -> None:
    """A tenant's domains: MX at Microsoft, signatures, and SPF that names these addresses of gateways."""
    initial = tenant.initial_domain
    for domain, exchanger in tenant.mx.items():
        zones.set(domain, "MX", f"0 {exchanger}")
        zones.set(exchanger, "A", tenant.front_door)
        _sender_policy(zones, domain, gateways if domain != initial else [])
        if domain != initial:
            _signatures(zones, domain, initial)


def host(zones: Zones, name: str, *addresses: str) -> None:
    """A name with addresses that point back to it."""
    zones.set(name, "A", *addresses)
    for address in addresses:
        zones.set(ip_address(address).reverse_pointer, "PTR", name)


def _outside(zones: Zones) -> None:
    host(zones, NAME_SERVER, NAME_SERVER_ADDRESS)
    host(zones, SINK_HOST, SINK_ADDRESS)
    zones.set(IMAP_HOST, "A", SINK_ADDRESS)
    host(zones, SENDER_HOST, SENDER_ADDRESS)
    host(zones, PROBE_HOST, PROBE_ADDRESS)
    for domain in SINK_DOMAINS:
        zones.set(domain, "MX", f"10 {SINK_HOST}")
        zones.set(domain, "TXT", f"v=spf1 ip4:{SENDER_ADDRESS} ip4:{SINK_ADDRESS} -all")


def _gateways(zones: Zones) -> None:
    host(zones, "esa1.bce-demo.example", "192.0.2.105")
    host(zones, "out1.bce-demo.example", "198.51.100.186")
    zones.set("mx1.bce-demo.example", "A", "192.0.2.105")
    for number, (data1, data2) in enumerate(GATEWAYS[CONTOSO.initial_domain], start=1):
        suffix = f"{number}.hc1234-56.c3s2.iphmx.com"
        host(zones, f"esa{suffix}", data1)
        host(zones, f"ob{suffix}", data2)
        zones.set(f"mx{suffix}", "A", data1)
        for address in (data1, data2):  # what `exists:%{i}.spf.hc1234-56.iphmx.com` in a record asks for
            zones.set(f"{address}.spf.hc1234-56.iphmx.com", "A", "127.0.0.2")


def _microsoft(zones: Zones, outbound: Sequence[str]) -> None:
    zones.set(SPF_OF_MICROSOFT, "TXT", f"v=spf1 {_listed(outbound)} -all")
    for number, address in enumerate(outbound, start=1):
        host(zones, f"mail-am6eur05on20{number:02}.outbound.protection.outlook.com", address)


def _sender_policy(zones: Zones, domain: str, gateways: Sequence[str]) -> None:
    words = ["v=spf1", f"include:{SPF_OF_MICROSOFT}", _listed(gateways), "-all"]
    zones.set(domain, "TXT", " ".join(word for word in words if word))


def _signatures(zones: Zones, domain: str, initial_domain: str) -> None:
    """DMARC, and DKIM by aliases into the tenant's initial domain, as Microsoft has it."""
    zones.set(f"_dmarc.{domain}", "TXT", "v=DMARC1; p=none")
    for selector in ("selector1", "selector2"):
        target = f"{selector}-{domain.replace('.', '-')}._domainkey.{initial_domain}"
        zones.set(f"{selector}._domainkey.{domain}", "CNAME", target)
        zones.set(target, "TXT", f"v=DKIM1; k=rsa; p={DKIM_KEY}")


def _listed(addresses: Iterable[str]) -> str:
    return " ".join(f"ip4:{address}" for address in addresses)
