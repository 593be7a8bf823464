"""Outbound mail beyond the guide: whose certificate Microsoft wants, and what SPF says in the world."""

from __future__ import annotations

from typing import Any

import pytest

from lab.internet.spf import check
from lab.internet.zones import Zones
from lab.mail.client import SmtpClient
from lab.mail.envelope import compose
from lab.tenant.errors import CmdletFailure
from lab.tenant.mail.outbound import MISMATCH, UNTRUSTED
from tests.protocol import lab_tenant_mail_kit as kit
from tests.protocol.lab_tenant_mail_kit import DATA2, OUTBOUND, OUTSIDE, PROBE, World

running_world, world = kit.running_world, kit.world

CERTIFICATE = "out1.bce-demo.example"
BY_NAME = {"TlsSettings": "DomainValidation", "TlsDomain": CERTIFICATE}


def smart_host(world: World, **settings: Any) -> None:
    world.outbound_by_rule()
    world.do("Set-OutboundConnector", {"Identity": OUTBOUND["Name"], **settings})


@pytest.mark.parametrize("domain", [CERTIFICATE, CERTIFICATE.upper(), "*.bce-demo.example"])
def test_the_name_in_the_certificate_is_looked_at(world: World, domain: str) -> None:
    world.tenant.switches.trusted_certificates = (DATA2,)
    smart_host(world, TlsSettings="DomainValidation", TlsDomain=domain)
    world.leave()
    assert world.gateway.one()[0].tls
    assert world.traced().status == "Delivered"


@pytest.mark.parametrize("domain", ["esa1.bce-demo.example", "*.elsewhere.example", "bce-demo.example"])
def test_another_name_keeps_the_mail_back_until_it_is_the_right_one(world: World, domain: str) -> None:
    world.tenant.switches.trusted_certificates = (CERTIFICATE,)
    smart_host(world, TlsSettings="DomainValidation", TlsDomain=domain)
    world.leave()
    assert world.event("deferred")["reply"] == MISMATCH
    (connect, _mail) = world.do("Validate-OutboundConnector", Identity=OUTBOUND["Name"], Recipients=[OUTSIDE])
    assert connect["TaskDetail"] == MISMATCH
    assert world.gateway.received == []


def test_any_name_will_do_where_only_the_issuer_is_asked_for(world: World) -> None:
    smart_host(world, TlsSettings="CertificateValidation")
    world.leave()
    assert world.event("deferred")["reply"] == UNTRUSTED
    world.tenant.switches.trusted_certificates = (CERTIFICATE,)
    assert world.traced().status == "Delivered"


def test_whether_the_two_settings_are_a_pair_is_a_switch(world: World) -> None:
    smart_host(world)
    name = OUTBOUND["Name"]
    for alone in ({"TlsSettings": "DomainValidation"}, {"TlsDomain": CERTIFICATE}):
        with pytest.raises(CmdletFailure, match="TlsDomain must be specified"):
            world.do("Set-OutboundConnector", {"Identity": name, **alone})
    world.tenant.switches.tls_domain = "loose"
    world.tenant.switches.trusted_certificates = (DATA2,)
    world.do("Set-OutboundConnector", Identity=name, TlsDomain=CERTIFICATE)
    world.do("Set-OutboundConnector", Identity=name, TlsDomain=None, TlsSettings="DomainValidation")
    world.leave()
    assert world.event("deferred")["reply"] == MISMATCH, "it is not for the recipient's domain"
    with pytest.raises(CmdletFailure, match="on parameter 'TlsDomain'"):
        world.do("Set-OutboundConnector", {"Identity": name, **BY_NAME, "TlsDomain": "a.*.example"})


# --- SPF ----------------------------------------------------------------------------------------------------

HERE, ELSEWHERE = "198.51.100.10", "203.0.113.99"


def test_the_world_sees_whether_the_gateway_may_send_for_us(world: World) -> None:
    zones, network = world.internet.zones, world.internet.network
    domain = PROBE.partition("@")[2]
    assert check(zones, DATA2, PROBE) == "pass"
    zones.set(domain, "TXT", "v=spf1 include:spf.protection.outlook.com -all")
    world.internet.sender.patience = 0
    mail = compose(PROBE, OUTSIDE, "x")
    with SmtpClient(network, DATA2, network.addresses("mx.probe.example")[0]) as client:
        assert client.send(mail).delivered
        zones.add(domain, "TXT", "MS=ms12345678")
        zones.set(domain, "TXT", f"v=spf1 ip4:{DATA2} include:spf.protection.outlook.com -all")
        assert client.send(mail).delivered
    assert [kept.spf for kept in world.internet.sink.received] == ["fail", "pass"]


def zoned(records: dict[str, str | list[str]]) -> Zones:
    """A world of texts, and of a few hosts."""
    zones = Zones()
    zones.add_zone("example")
    for name in ("host.example", f"{HERE}.spf.allowed.example"):
        zones.set(name, "A", HERE)
    zones.set("mail.example", "MX", "10 host.example")
    for name, texts in records.items():
        zones.set(f"{name}.example", "TXT", *([texts] if isinstance(texts, str) else texts))
    return zones


@pytest.mark.parametrize(
    ("records", "here", "elsewhere"),
    [
        ({}, "none", "none"),
        ({"d": "MS=ms1"}, "none", "none"),
        ({"d": "v=spf1 ip4:198.51.100.0/24 -all"}, "pass", "fail"),
        ({"d": ["MS=ms1", "V=SPF1 IP4:198.51.100.10 ~ALL"]}, "pass", "softfail"),
        ({"d": "v=spf1 ip4:198.51.100.10 ?all"}, "pass", "neutral"),
        ({"d": "v=spf1 -ip4:198.51.100.10 +all"}, "fail", "pass"),
        ({"d": "v=spf1 ip6:2001:db8::/32 ip4:198.51.100.10"}, "pass", "neutral"),
        ({"d": "v=spf1 a:host.example mx:mail.example -all"}, "pass", "fail"),
        ({"d": "v=spf1 mx:mail.example/24 -all"}, "pass", "fail"),
        ({"d": "v=spf1 ptr exists:%{i}.spf.allowed.example -all"}, "pass", "fail"),
        ({"d": "v=spf1 include:e.example -all", "e": "v=spf1 ip4:198.51.100.10 -all"}, "pass", "fail"),
        ({"d": "v=spf1 redirect=e.example", "e": "v=spf1 ip4:198.51.100.10 -all"}, "pass", "fail"),
        ({"d": "v=spf1 exp=why.example ip4:198.51.100.10 -all"}, "pass", "fail"),
        ({"d": "v=spf1 include:e.example -all"}, "permerror", "permerror"),
        ({"d": "v=spf1 redirect=e.example"}, "permerror", "permerror"),
        ({"d": ["v=spf1 +all", "v=spf1 -all"]}, "permerror", "permerror"),
        ({"d": "v=spf1 ip4:nonsense -all"}, "permerror", "permerror"),
        ({"d": "v=spf1 nonsense -all"}, "permerror", "permerror"),
        ({"d": "v=spf1 exists:%{x}.example -all"}, "permerror", "permerror"),
        ({"d": "v=spf1" + " a:host.example" * 10 + " -all"}, "pass", "fail"),
        ({"d": "v=spf1" + " a:host.example" * 11 + " -all"}, "pass", "permerror"),
        ({"d": "v=spf1 a:no.example a:not.example -all"}, "fail", "fail"),
        ({"d": "v=spf1 a:no.example a:not.example a:never.example -all"}, "permerror", "permerror"),
        ({"d": "v=spf1 include:d.example -all"}, "permerror", "permerror"),
    ],
)
def test_what_a_record_says(records: dict[str, str | list[str]], here: str, elsewhere: str) -> None:
    zones = zoned(records)
    found = tuple(check(zones, address, "x@d.example") for address in (HERE, ELSEWHERE))
    assert found == (here, elsewhere)


def test_a_bounce_is_judged_by_the_name_that_greets() -> None:
    zones = zoned({"d": "v=spf1 ip4:198.51.100.10 -all"})
    assert check(zones, HERE, "", "d.example") == "pass"
    assert check(zones, ELSEWHERE, "", "d.example") == "fail"


def test_a_text_longer_than_a_string_is_one_record() -> None:
    long = "v=spf1 " + " ".join(f"ip4:203.0.113.{number}" for number in range(20)) + f" ip4:{HERE} -all"
    assert len(long) > 255
    assert check(zoned({"d": long}), HERE, "x@d.example") == "pass"
