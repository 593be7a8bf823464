"""What the tenant does with inbound mail beyond the guide: certificates, Enhanced Filtering, IP lists."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lab.mail.client import SmtpClient
from lab.mail.envelope import Envelope, Outcome, compose
from lab.tenant.errors import CmdletFailure
from lab.tenant.mail.attribution import LOCKED, NO_TLS
from lab.tenant.mail.enhanced_filtering import ORIGINAL, SKIPPED
from tests.protocol import lab_tenant_mail_kit as kit
from tests.protocol.lab_tenant_mail_kit import BYPASS, DATA1, DATA2, INBOUND, PROBE, STRANGER, World

running_world, world = kit.running_world, kit.world

NAME = INBOUND["Name"]
GATEWAY = "esa1.bce-demo.example"
FORGED, HONEST = "boss@fabrikam.example", "anna@sender.example"
"""Whose SPF record names Microsoft and its gateway, and whose names the stranger."""


def by_certificate(world: World, wanted: str = GATEWAY, **more: Any) -> None:
    settings = {**INBOUND, "SenderIPAddresses": [], "TlsSenderCertificateName": wanted, **more}
    world.do("New-InboundConnector", settings)


def show(world: World, *names: str, public: bool = True, source: str = STRANGER) -> Outcome:
    """A message from a server with a certificate for these names; none has none."""
    identity = world.tenant.certificates.client_context(*names, public=public) if names else None
    door = world.tenant.organization.front_door
    with SmtpClient(world.internet.network, source, door, helo="gw.example", identity=identity) as client:
        return client.send(compose(HONEST, PROBE, "INBOUND EMAIL TEST"))


def through_gateway(world: World, sender: str, *more: str, to: tuple[str, ...] = (PROBE,)) -> Outcome:
    """A message that the stranger gave to the gateway; `more`: the addresses that it passed after it."""
    envelope = compose(sender, to, "INBOUND EMAIL TEST")
    for address in (STRANGER, *more):
        line = f"from mail.sender.example ([{address}]) by {GATEWAY} with ESMTPS id 1; today"
        envelope = envelope.with_header("Received", line)
    with world.client(DATA1) as client:
        return client.send(envelope)


def judged(world: World) -> dict[str, str]:
    """What the report of the one message says."""
    report = str(world.item().envelope.header("X-Forefront-Antispam-Report"))
    spf = re.match(r"spf=(\w+)", str(world.item().envelope.header("Authentication-Results")))
    assert spf
    return {"spf": spf[1], **dict(part.split(":", 1) for part in report.strip(";").split(";"))}


# --- certificates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "names", "taken"),
    [
        (GATEWAY, (GATEWAY,), True),
        (GATEWAY.upper(), ("other.example", GATEWAY), True),
        (GATEWAY, ("*.bce-demo.example",), True),
        (GATEWAY, ("*.example",), False),
        (GATEWAY, ("esa2.bce-demo.example",), False),
        ("*.bce-demo.example", (GATEWAY,), True),
        ("*.bce-demo.example", ("bce-demo.example",), True),
        ("*.bce-demo.example", ("*.bce-demo.example",), True),
        ("*.bce-demo.example", ("esa1.notbce-demo.example",), False),
        (f"<I>CN=Some Authority<S>CN={GATEWAY},O=Cisco", (GATEWAY,), True),
        (GATEWAY, (), False),
    ],
)
def test_a_connector_knows_a_certificate_by_its_names(
    world: World, wanted: str, names: tuple[str, ...], *, taken: bool
) -> None:
    by_certificate(world, wanted)
    assert show(world, *names).delivered
    assert world.item().connector == (NAME if taken else "")


def test_restricted_to_a_certificate_the_side_entrance_is_shut(world: World) -> None:
    by_certificate(world)
    assert show(world).delivered, "open, whoever comes"
    world.do("Set-InboundConnector", Identity=NAME, RestrictDomainsToCertificate=True)
    for names in ((), ("esa2.bce-demo.example",)):
        refused = show(world, *names, source=DATA1)
        assert f"{refused.code} {refused.text}".startswith(LOCKED)
    assert show(world, GATEWAY, source=STRANGER).delivered
    assert world.arrive(DATA1, tls="no").code == 550


def test_whose_certificate_counts_is_a_switch(world: World) -> None:
    by_certificate(world, RestrictDomainsToCertificate=True)
    assert show(world, GATEWAY, public=False).code == 550, "it is shown, and nobody vouches for it"
    world.tenant.switches.sender_certificate = "any"
    assert show(world, GATEWAY, public=False).delivered
    assert show(world, "other.example", GATEWAY).delivered
    world.tenant.switches.sender_certificate_names = "subject"
    assert show(world, "other.example", GATEWAY).code == 550
    assert show(world, GATEWAY, "other.example").delivered


def test_a_certificate_counts_only_where_tls_is_required(world: World) -> None:
    by_certificate(world, RequireTls=False)
    assert world.arrive(STRANGER, tls="no").delivered, "it names nobody then"
    assert world.item().connector == NAME
    with pytest.raises(CmdletFailure, match="when RequireTls is true"):
        world.do("Set-InboundConnector", Identity=NAME, RestrictDomainsToCertificate=True)
    world.tenant.switches.certificate_without_tls = "taken"
    world.do("Set-InboundConnector", Identity=NAME, RestrictDomainsToCertificate=True)
    assert show(world, GATEWAY).code == 550


def test_addresses_and_certificate_are_two_ways_in_until_one_is_demanded(world: World) -> None:
    by_certificate(world, SenderIPAddresses=[DATA1])
    refused = world.arrive(DATA1, tls="no")
    assert f"{refused.code} {refused.text}".startswith(NO_TLS)
    for source, names in ((DATA1, ()), (STRANGER, (GATEWAY,))):
        world.tenant.mail.clear()
        assert show(world, *names, source=source).delivered
        assert world.item().connector == NAME
    world.do("Set-InboundConnector", Identity=NAME, RestrictDomainsToIPAddresses=True)
    assert show(world, GATEWAY).code == 550
    world.do(
        "Set-InboundConnector",
        Identity=NAME,
        RestrictDomainsToIPAddresses=False,
        RestrictDomainsToCertificate=True,
    )
    assert show(world, source=DATA1).code == 550


def test_a_known_certificate_is_not_throttled(world: World) -> None:
    by_certificate(world)
    world.tenant.switches.throttled_above = 1
    with world.client(STRANGER) as first:
        assert first.connect() is None
        assert show(world).code == 451
        assert show(world, GATEWAY).delivered


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"TlsSenderCertificateName": "esa.*.example"},
            "on parameter 'TlsSenderCertificateName'",
        ),
        ({"TlsSenderCertificateName": "no name"}, "TlsCertificate"),
        ({"RestrictDomainsToCertificate": True, "TlsSenderCertificateName": None}, "needs TlsSender"),
        (
            {"RestrictDomainsToCertificate": True, "RestrictDomainsToIPAddresses": True},
            "can't both be set to true",
        ),
        ({"RestrictDomainsToCertificate": True, "ConnectorType": "OnPremises"}, "Connector type Partner"),
        ({"EFSkipIPs": ["192.0.2.9-192.0.2.1"]}, "Not a valid IP range"),
    ],
)
def test_what_does_not_go_together_is_refused(world: World, change: dict[str, Any], says: str) -> None:
    with pytest.raises(CmdletFailure, match=says):
        by_certificate(world, **{"SenderIPAddresses": [DATA1], **change})


# --- Enhanced Filtering -------------------------------------------------------------------------------------

LISTED = {"EFSkipIPs": [DATA1, "198.51.100.180-198.51.100.190", "203.0.113.8/29"]}
LAST = {"EFSkipLastIP": True}


@pytest.mark.parametrize(
    ("settings", "passed", "seen"),
    [
        ({}, (), DATA1),
        (LAST, (), STRANGER),
        (LAST, (DATA2,), DATA2),
        (LISTED, (), STRANGER),
        (LISTED, (DATA2, "203.0.113.9", "10.1.1.1"), STRANGER),
        (LISTED, ("203.0.113.99",), "203.0.113.99"),
        ({"EFSkipIPs": ["203.0.113.8"]}, (), DATA1),
        ({**LISTED, **LAST}, (DATA2,), DATA2),
    ],
)
def test_where_a_message_came_from(
    world: World, settings: dict[str, Any], passed: tuple[str, ...], seen: str
) -> None:
    world.do("New-InboundConnector", {**INBOUND, **settings})
    assert through_gateway(world, HONEST, *passed).delivered
    assert judged(world)["CIP"] == seen
    expected = None if seen == DATA1 else f"ip=[{seen}];domain=mail.sender.example"
    item = world.item()
    assert item.envelope.header(SKIPPED) == item.envelope.header(ORIGINAL) == expected
    assert item.peer == DATA1


@pytest.mark.parametrize("settings", [LAST, LISTED], ids=["last hop", "addresses"])
def test_a_forged_sender_is_seen_past_the_gateway_only(world: World, settings: dict[str, Any]) -> None:
    world.do("New-InboundConnector", INBOUND)
    through_gateway(world, FORGED)
    assert (world.item().folder, judged(world)["CAT"]) == ("inbox", "NONE")
    world.do("Set-InboundConnector", Identity=NAME, **settings)
    world.tenant.mail.clear()
    through_gateway(world, FORGED)
    assert world.item().folder == "junkemail"
    assert {"spf": "fail", "SCL": "5", "SFV": "SPM", "CAT": "SPOOF"}.items() <= judged(world).items()
    world.tenant.mail.clear()
    through_gateway(world, HONEST)
    assert (world.item().folder, judged(world)["spf"]) == ("inbox", "pass")


def test_the_gateways_own_address_fails_everybody_s_spf_and_nobody_is_judged_by_it(world: World) -> None:
    world.do("New-InboundConnector", INBOUND)
    through_gateway(world, HONEST)
    assert (world.item().folder, judged(world)["spf"]) == ("inbox", "fail")


def test_it_can_be_for_some_recipients_only(world: World) -> None:
    world.do("New-InboundConnector", {**INBOUND, **LAST, "EFUsers": [PROBE.upper()]})
    both = (PROBE, "anna@bce-demo.com")
    through_gateway(world, FORGED, to=both)
    for mailbox in both:
        assert world.item(mailbox).folder == "inbox", "one of them is none of those"
        assert world.item(mailbox).envelope.header(SKIPPED)
        assert world.item(mailbox).envelope.header(ORIGINAL) is None
    world.tenant.mail.clear()
    through_gateway(world, FORGED)
    assert world.item().folder == "junkemail"


def test_the_guides_rule_undoes_it_unless_rules_see_the_source(world: World) -> None:
    world.do("New-InboundConnector", {**INBOUND, **LAST})
    world.do("New-TransportRule", BYPASS)
    through_gateway(world, FORGED)
    assert (world.item().folder, judged(world)["SFV"]) == ("inbox", "SKN")
    world.tenant.switches.rules_see = "source"
    world.tenant.mail.clear()
    through_gateway(world, FORGED)
    assert world.item().folder == "junkemail"


def test_mail_over_no_connector_is_judged_by_a_switch(world: World) -> None:
    world.arrive(STRANGER, sender=FORGED)
    assert (world.item().folder, judged(world)["spf"]) == ("inbox", "fail")
    world.tenant.switches.judges_direct_mail = True
    world.tenant.mail.clear()
    world.arrive(STRANGER, sender=FORGED)
    assert world.item().folder == "junkemail"


# --- the connection filter ----------------------------------------------------------------------------------


def lists(world: World, **change: Any) -> dict[str, Any]:
    if change:
        world.do("Set-HostedConnectionFilterPolicy", Identity="Default", **change)
    (row,) = world.do("Get-HostedConnectionFilterPolicy")
    return row


def change(*, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"@odata.type": "#Exchange.GenericHashTable", "Add": list(add), "Remove": list(remove)}


def test_ours_are_added_and_removed_and_theirs_stay(world: World) -> None:
    before = world.tenant.dump()
    theirs = lists(world)["IPAllowList"]
    assert theirs, "somebody has entries of their own"
    assert lists(world, IPAllowList=change(add=(DATA1, DATA2)))["IPAllowList"] == [*theirs, DATA1, DATA2]
    assert DATA1 in world.tenant.dump()
    lists(world, IPAllowList=change(remove=(DATA1, DATA2, "203.0.113.1")))
    assert world.tenant.dump() == before
    row = world.do("Get-HostedConnectionFilterPolicy", Identity="default")[0]
    assert (row["Name"], row["IsDefault"], row["EnableSafeList"]) == ("Default", True, False)


@pytest.mark.parametrize(
    "entry", ["192.0.2.0/24", "192.0.2.0-192.0.2.255", "192.0.2.105/32", "192.0.2.105"], ids=str
)
def test_an_allowed_address_sends_no_spam(world: World, entry: str) -> None:
    world.arrive(DATA1, X_Lab_Spam="yes")
    assert world.item().folder == "junkemail"
    lists(world, IPAllowList=change(add=(entry,)))
    world.tenant.mail.clear()
    world.arrive(DATA1, X_Lab_Spam="yes")
    item = world.item()
    assert (item.folder, item.scl) == ("inbox", -1)
    assert item.envelope.header("X-MS-Exchange-Organization-SCL") == "-1"
    assert {"IPV": "CAL", "SFV": "SKN"}.items() <= judged(world).items()
    world.tenant.mail.clear()
    world.arrive(DATA1, X_Lab_Spam="phish")
    assert world.event("received")
    assert world.tenant.mail.mailboxes.items() == [], "high-confidence phish is held whatever the list says"


def test_which_address_the_allow_list_sees_is_a_switch(world: World) -> None:
    world.do("New-InboundConnector", {**INBOUND, **LAST})
    lists(world, IPAllowList=[DATA1])
    through_gateway(world, FORGED)
    assert world.item().folder == "inbox", "so the list keeps Enhanced Filtering from acting"
    world.tenant.switches.allow_list_sees = "source"
    world.tenant.mail.clear()
    through_gateway(world, FORGED)
    assert world.item().folder == "junkemail"


def test_a_blocked_address_is_refused(world: World) -> None:
    lists(world, IPBlockList=[STRANGER])
    assert world.arrive(STRANGER).code == 550
    assert world.arrive(DATA1).delivered


@pytest.mark.parametrize(
    "entry", ["192.0.2.0/23", "192.0.2.0-192.0.3.0", "mail.example", "192.0.2.300"], ids=str
)
def test_what_is_no_entry_is_refused_and_nothing_changed(world: World, entry: str) -> None:
    before = lists(world)
    with pytest.raises(CmdletFailure, match="transformation on parameter 'IPAllowList'"):
        lists(world, IPAllowList=change(add=(DATA1, entry)))
    assert lists(world) == before
    with pytest.raises(CmdletFailure, match="more than 1273"):
        lists(world, IPAllowList=[f"10.{n // 250}.{n % 250}.1" for n in range(1274)])
    with pytest.raises(CmdletFailure, match="couldn't be found"):
        world.do("Set-HostedConnectionFilterPolicy", Identity="Other", IPAllowList=[])


# --- DKIM ---------------------------------------------------------------------------------------------------


def test_signing_is_shown_for_each_domain_and_can_be_off(world: World) -> None:
    rows = {row["Domain"]: row for row in world.do("Get-DkimSigningConfig")}
    assert set(rows) == set(world.tenant.organization.accepted_domains)
    shop = rows["shop.bce-demo.com"]
    assert (shop["Enabled"], shop["Status"]) == (True, "Valid")
    (alias,) = world.internet.zones.lookup("selector1._domainkey.shop.bce-demo.com", "CNAME").records[:1]
    assert alias.values == (f"{shop['Selector1CNAME']}.",), "what it says is what DNS has"
    world.do("Set-DkimSigningConfig", Identity="shop.bce-demo.com", Enabled=False)
    (row,) = world.do("Get-DkimSigningConfig", Identity="shop.bce-demo.com")
    assert row["Enabled"] is False
    with pytest.raises(CmdletFailure, match="couldn't be found"):
        world.do("Get-DkimSigningConfig", Identity="nowhere.example")


def test_a_message_from_inside_has_no_report(world: World) -> None:
    envelope: Envelope = world.leave("anna@bce-demo.com")
    found = world.item("anna@bce-demo.com").envelope
    assert found.subject == envelope.subject
    assert found.header("X-Forefront-Antispam-Report") is None
