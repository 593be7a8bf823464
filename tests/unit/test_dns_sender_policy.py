"""Before outbound mail goes through the gateway: what is refused, what is only warned of, and the words."""

from typing import Any

import pytest

from dynamic_providers.dns import sender_policy
from dynamic_providers.dns.dmarc import Dmarc, dkim_selectors, dmarc
from dynamic_providers.dns.sender_policy import SenderPolicyFails, SenderPolicyProvider
from dynamic_providers.entries import Props
from tests.unit.dns_canned import CannedResolver, Records

pytestmark = pytest.mark.usefixtures("said")

GATEWAY = "198.51.100.10"
ONLY_MICROSOFT = "v=spf1 include:spf.protection.outlook.com -all"
WITH_GATEWAY = f"v=spf1 include:spf.protection.outlook.com ip4:{GATEWAY} -all"
MICROSOFT: Records = {"spf.protection.outlook.com": {"TXT": ["v=spf1 ip4:203.0.113.40 -all"]}}
KEY = "v=DKIM1; k=rsa; p=MIGfMA0"
PROVIDER = SenderPolicyProvider()


def world(monkeypatch: pytest.MonkeyPatch, **records: Any) -> None:
    """Records of contoso.example, `TXT=[…]`, and of names under it, `_dmarc={…}`."""
    apex = {kind: value for kind, value in records.items() if kind.isupper()}
    below = {f"{name}.contoso.example": value for name, value in records.items() if not name.isupper()}
    canned = CannedResolver({**MICROSOFT, "contoso.example": apex, **below})
    monkeypatch.setattr(sender_policy, "RememberingResolver", lambda _servers: canned)


def props(**changed: Any) -> Props:
    return {"gateway": "hc1234", "domains": ["contoso.example"], "addresses": [GATEWAY], **changed}


def refused(news: Props, olds: Props | None = None) -> list[str]:
    return [failure.reason for failure in PROVIDER.check(olds or {}, news).failures]


def test_a_record_without_the_gateway_is_refused_with_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    world(monkeypatch, TXT=[ONLY_MICROSOFT])
    (line,) = refused(props())
    assert line.startswith("contoso.example: ")
    assert f"SPF gives fail for {GATEWAY} («-all»); its record is «{ONLY_MICROSOFT}»" in line
    assert f"Add «ip4:{GATEWAY}» before its «all», and keep Microsoft's include" in line
    assert "acknowledge «spf contoso.example»" in line


def test_a_cloud_gateway_is_told_ciscos_own_mechanism(monkeypatch: pytest.MonkeyPatch) -> None:
    world(monkeypatch, TXT=[ONLY_MICROSOFT])
    (line,) = refused(props(allocation="hc1234-56.iphmx.com"))
    assert "Add «exists:%{i}.spf.hc1234-56.iphmx.com»" in line


def test_no_record_is_refused_with_a_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world(monkeypatch, A=["192.0.2.80"])
    (line,) = refused(props())
    assert "SPF gives none" in line
    assert f"Publish a TXT record «{WITH_GATEWAY}»" in line


def test_every_address_has_to_pass_and_only_the_failing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world(monkeypatch, TXT=[WITH_GATEWAY])
    assert refused(props()) == []
    (line,) = refused(props(addresses=[GATEWAY, "198.51.100.11"]))
    assert "fail for 198.51.100.11 (" in line
    assert "Add «ip4:198.51.100.11» before" in line
    (line,) = refused(props(addresses=["198.51.100.8/29"]))
    assert "fail for 198.51.100.8, 198.51.100.9, 198.51.100.11 and 4 more" in line
    assert "Add «ip4:198.51.100.8/29»" in line


def test_a_record_with_too_many_look_ups_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world(monkeypatch, TXT=["v=spf1 include:contoso.example -all"])
    (line,) = refused(props())
    assert "permerror" in line
    assert "more than 10 look-ups" in line
    assert "Repair the record" in line


def test_an_acknowledged_domain_is_only_warned_of(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    world(monkeypatch, TXT=[ONLY_MICROSOFT])
    acknowledged = props(acknowledged=["contoso.example"])
    assert refused(acknowledged) == []
    assert any("SPF gives fail" in line for line in said)
    made = PROVIDER.create(PROVIDER.check({}, acknowledged).inputs)
    assert (made.outs or {})["results"]["contoso.example"]["spf"].startswith("fail for")


def test_what_is_in_force_already_is_warned_of_and_new_domains_are_refused(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    world(monkeypatch, TXT=[ONLY_MICROSOFT])
    known = {**props(), "acknowledged": []}
    assert refused(props(), known) == []
    assert any("SPF gives fail" in line for line in said)
    assert len(refused(props(domains=["contoso.example", "other.example"]), known)) == 2


def test_a_failed_look_up_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    world(monkeypatch, FAIL=[])
    (line,) = refused(props())
    assert "whether the gateway may send for it (SPF) is unknown" in line
    assert "SERVFAIL" in line


def test_create_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world(monkeypatch, TXT=[WITH_GATEWAY])
    inputs = PROVIDER.check({}, props()).inputs
    made = PROVIDER.create(inputs)
    assert (made.outs or {})["results"] == {
        "contoso.example": {"spf": "pass", "record": WITH_GATEWAY, "dmarc": "none", "dkim": []}
    }
    world(monkeypatch, TXT=[ONLY_MICROSOFT])
    with pytest.raises(SenderPolicyFails, match="SPF gives fail"):
        PROVIDER.create(inputs)


def test_a_refresh_shows_what_is_published_now(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    world(monkeypatch, TXT=[WITH_GATEWAY])
    made = PROVIDER.create(PROVIDER.check({}, props()).inputs)
    found = PROVIDER.read(str(made.id), made.outs or {})
    assert found.outs == made.outs
    world(monkeypatch, TXT=[ONLY_MICROSOFT])
    found = PROVIDER.read(str(made.id), made.outs or {})
    assert (found.outs or {})["results"]["contoso.example"]["spf"].startswith("fail")
    assert any("SPF gives fail" in line for line in said)


@pytest.mark.parametrize(
    ("record", "selectors", "warned"),
    [
        ("v=DMARC1; p=reject", {}, True),
        ("v=DMARC1;p=quarantine; pct=100", {}, True),
        ("v=DMARC1; p=none", {}, False),
        ("v=DMARC1; p=reject", {"selector2._domainkey": {"TXT": [KEY]}}, False),
        ("v=DMARC1; p=reject", {"selector1._domainkey": {"TXT": ["v=DKIM1; p="]}}, True),  # a withdrawn key
    ],
)
def test_a_strict_dmarc_without_dkim_is_warned_of(
    record: str, selectors: Records, *, warned: bool, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    world(monkeypatch, TXT=[WITH_GATEWAY], _dmarc={"TXT": [record]}, **selectors)
    assert refused(props()) == []
    assert any("no DKIM key of Microsoft" in line for line in said) == warned


def test_other_warnings(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    world(monkeypatch, TXT=["v=spf1 +all"])
    assert refused(props()) == []
    assert any("does not include Microsoft" in line for line in said)
    assert any("anybody may send" in line for line in said)


def test_dmarc_of_a_domain_above_holds_with_its_policy_for_subdomains() -> None:
    canned = CannedResolver({"_dmarc.contoso.example": {"TXT": ["v=DMARC1; p=reject; sp=quarantine"]}})
    assert dmarc(canned, "contoso.example") == Dmarc("reject", "contoso.example")
    assert dmarc(canned, "a.shop.contoso.example") == Dmarc("quarantine", "contoso.example")
    assert dmarc(canned, "other.example") == Dmarc()
    two = CannedResolver({"_dmarc.contoso.example": {"TXT": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}})
    assert dmarc(two, "contoso.example") == Dmarc()


def test_a_selector_is_followed_to_microsoft() -> None:
    microsoft = "selector1-contoso-example._domainkey.contoso.onmicrosoft.com"
    records: Records = {
        "selector1._domainkey.contoso.example": {"CNAME": [microsoft]},
        "selector2._domainkey.contoso.example": {"CNAME": ["nowhere.onmicrosoft.com"]},
        microsoft: {"TXT": [KEY]},
    }
    assert dkim_selectors(CannedResolver(records), "contoso.example") == ("selector1",)
