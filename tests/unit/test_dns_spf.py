"""SPF by RFC 7208: what each mechanism means, the limits, macros, and records that are broken."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamic_providers.dns import spf
from dynamic_providers.dns.spf import SpfResult, check_host
from dynamic_providers.dns.wire import LookUpFailed
from tests.unit.dns_canned import CannedResolver, Records

GATEWAY, MICROSOFT, STRANGER = "198.51.100.10", "203.0.113.40", "192.0.2.200"
WORLD: Records = {
    "spf.protection.outlook.com": {"TXT": ["v=spf1 ip4:203.0.113.40 ip4:203.0.113.41 -all"]},
    "mail.contoso.example": {"A": [GATEWAY], "AAAA": ["2001:db8::10"]},
    "contoso.example": {"A": ["192.0.2.80"], "MX": ["10 mail.contoso.example"]},
    f"{GATEWAY}.spf.hc1234-56.iphmx.com": {"A": ["127.0.0.2"]},
    "10.100.51.198.in-addr.arpa": {"PTR": ["mail.contoso.example", "liar.other.example"]},
}


def spf_of(record: str, address: str = GATEWAY, **more: Records) -> SpfResult:
    world: Records = {**WORLD, **more.get("world", {})}
    apex = {**world["contoso.example"], "TXT": ["other=text", record]}
    return check_host(CannedResolver({**world, "contoso.example": apex}), address, "contoso.example")


@pytest.mark.parametrize(
    ("record", "address", "verdict"),
    [
        ("v=spf1 include:spf.protection.outlook.com -all", GATEWAY, "fail"),
        ("v=spf1 include:spf.protection.outlook.com -all", MICROSOFT, "pass"),
        ("v=spf1 include:spf.protection.outlook.com ~all", GATEWAY, "softfail"),
        ("v=spf1 include:spf.protection.outlook.com ?all", GATEWAY, "neutral"),
        ("v=spf1 include:spf.protection.outlook.com", GATEWAY, "neutral"),
        ("v=spf1 ip4:198.51.100.10 -all", GATEWAY, "pass"),
        ("v=spf1 ip4:198.51.100.0/24 -all", GATEWAY, "pass"),
        ("v=spf1 ip4:198.51.100.0/29 -all", GATEWAY, "fail"),
        ("v=spf1 IP4:198.51.100.10 -ALL", GATEWAY, "pass"),
        ("v=spf1 -ip4:198.51.100.10 +all", GATEWAY, "fail"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::10", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", GATEWAY, "fail"),
        ("v=spf1 a -all", "192.0.2.80", "pass"),
        ("v=spf1 a/24 -all", STRANGER, "pass"),
        ("v=spf1 a:mail.contoso.example -all", GATEWAY, "pass"),
        ("v=spf1 a:mail.contoso.example//64 -all", "2001:db8::99", "pass"),
        ("v=spf1 mx -all", GATEWAY, "pass"),
        ("v=spf1 mx -all", STRANGER, "fail"),
        ("v=spf1 exists:%{i}.spf.hc1234-56.iphmx.com -all", GATEWAY, "pass"),
        ("v=spf1 exists:%{i}.spf.hc1234-56.iphmx.com -all", STRANGER, "fail"),
        ("v=spf1 ptr -all", GATEWAY, "pass"),
        ("v=spf1 ptr:other.example -all", GATEWAY, "fail"),  # its name does not lead back
        ("v=spf1 redirect=spf.protection.outlook.com", MICROSOFT, "pass"),
        ("v=spf1 redirect=spf.protection.outlook.com", GATEWAY, "fail"),
        ("v=spf1 unknown-modifier=what exp=why.contoso.example +all", GATEWAY, "pass"),
    ],
)
def test_a_record_means_what_receivers_make_of_it(record: str, address: str, verdict: str) -> None:
    assert spf_of(record, address).verdict == verdict


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("v=spf1 ipv4:198.51.100.10 -all", "«ipv4:198.51.100.10» is not understood"),
        ("v=spf1 ip4:198.51.100 -all", "has no valid address"),
        ("v=spf1 ip4:198.51.100.10/33 -all", "has no valid address"),
        ("v=spf1 ip4:198.51.100.10/ -all", "has no valid address"),
        ("v=spf1 a:nodot -all", "has no valid domain"),
        ("v=spf1 include -all", "is not understood"),
        ("v=spf1 exists:%{x}.contoso.example -all", "has no valid domain"),
        ("v=spf1 include:contoso.example/24 -all", "takes no prefix length"),
        ("v=spf1 redirect=a.example redirect=b.example", "stands twice"),
        ("v=spf1 include:nothing.example -all", "nothing.example has no SPF record"),
        ("v=spf1 redirect=nothing.example", "there is no SPF record"),
        ("v=spf1 a:%{i0}.contoso.example -all", "asks for no part"),
        (
            "v=spf1 a:a.no.example a:b.no.example a:c.no.example -all",
            "more than 2 of its look-ups find nothing",
        ),
    ],
)
def test_a_broken_record_fails_everywhere_and_says_why(record: str, why: str) -> None:
    found = spf_of(record)
    assert found.verdict == "permerror"
    assert why in found.because


def test_ten_look_ups_are_the_limit() -> None:
    world: Records = {f"s{n}.example": {"TXT": ["v=spf1 ?all"]} for n in range(11)}
    ten = " ".join(f"include:s{n}.example" for n in range(10))
    assert spf_of(f"v=spf1 {ten} ip4:{GATEWAY} -all", world=world).verdict == "pass"
    eleven = spf_of(f"v=spf1 {ten} include:s10.example ip4:{GATEWAY} -all", world=world)
    assert (eleven.verdict, eleven.because) == ("permerror", "it needs more than 10 look-ups")


def test_a_circle_of_includes_ends_at_the_limit() -> None:
    found = spf_of("v=spf1 include:contoso.example -all")
    assert (found.verdict, found.because) == ("permerror", "it needs more than 10 look-ups")


def test_two_records_are_an_error_and_none_is_none() -> None:
    two: Records = {"contoso.example": {"TXT": ["v=spf1 -all", "v=spf1 +all"]}}
    assert check_host(CannedResolver(two), GATEWAY, "contoso.example").verdict == "permerror"
    for world in ({}, {"contoso.example": {"TXT": ["v=spf10 +all", "spf2.0/pra +all"]}}):
        assert check_host(CannedResolver(world), GATEWAY, "contoso.example").verdict == "none"


def test_a_failed_look_up_is_no_verdict() -> None:
    broken: Records = {"down.example": {"FAIL": []}}
    with pytest.raises(LookUpFailed, match="SERVFAIL"):
        spf_of("v=spf1 include:down.example -all", world=broken)
    assert spf_of(f"v=spf1 ip4:{GATEWAY} include:down.example -all", world=broken).verdict == "pass"


@pytest.mark.parametrize(
    ("spec", "name"),  # the examples of RFC 7208, 7.4
    [
        ("%{s}.x.example", "strong-bad@email.example.com.x.example"),
        ("%{o}.x.example", "email.example.com.x.example"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}.x", "com.x"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l-}.x.example", "strong.bad.x.example"),
        ("%{lr-}.x.example", "bad.strong.x.example"),
        ("%{l1r-}.x.example", "strong.x.example"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{p}.x.example", "unknown.x.example"),
        ("a%%b%_%-.example", "a%b %20.example"),
    ],
)
def test_macros(spec: str, name: str) -> None:
    canned = CannedResolver({"email.example.com": {"TXT": [f"v=spf1 exists:{spec} -all"]}})
    check_host(canned, "192.0.2.3", "email.example.com", sender="strong-bad@email.example.com")
    assert canned.asked[-1] == (name, "A") or name in {asked for asked, _ in canned.asked}


def test_a_name_that_is_too_long_is_cut_from_the_left() -> None:
    record = "v=spf1 exists:" + "%{d}." * 20 + "example -all"
    canned = CannedResolver({"long.contoso.example": {"TXT": [record]}})
    assert check_host(canned, GATEWAY, "long.contoso.example").verdict == "fail"
    name = canned.asked[-1][0]
    assert 230 < len(name) <= 253
    assert name.endswith("contoso.example.example")


TERMS = st.sampled_from(
    [
        *("all", "-all", "a", "mx/24", "ptr", "ip4:192.0.2.1", "ip4:192.0.2.0/33", "ip6:::1/128", "a//129"),
        *("include:x.example", "exists:%{i}.%{dr2-}.x.example", "redirect=x.example", "exp=%{q}.x", "a:%{"),
        *("=", ":", "//", "é"),
    ]
)


@given(
    st.lists(st.one_of(TERMS, st.text(max_size=20))).map(" ".join),
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)),
)
def test_no_record_crashes_the_check(
    text: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    record = f"v=spf1 {text}"
    world: Records = {
        "contoso.example": {"TXT": [record]},
        "x.example": {"TXT": [record], "A": ["192.0.2.1"]},
    }
    found = check_host(CannedResolver(world), str(address), "contoso.example")
    assert found.verdict in ("pass", "fail", "softfail", "neutral", "permerror")
    assert found.look_ups <= spf.MOST_LOOK_UPS + 1


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_holds_what_python_says_that_it_holds(address: ipaddress.IPv4Address, length: int) -> None:
    world: Records = {"contoso.example": {"TXT": [f"v=spf1 ip4:{GATEWAY}/{length} -all"]}}
    inside = address in ipaddress.ip_network(f"{GATEWAY}/{length}", strict=False)
    found = check_host(CannedResolver(world), str(address), "contoso.example")
    assert found.verdict == ("pass" if inside else "fail")
