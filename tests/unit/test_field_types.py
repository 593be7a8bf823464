"""What a field type accepts cannot be misread by a gateway's question, a filter or Exchange."""

import ipaddress
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dynamic_providers import field_types as types

TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="aA1._- :/@;\"'\\^$*|?#\n\r\x00\x1b\u200b\u2028é", max_size=40),
    st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True),
)
TYPABLE: tuple[Any, ...] = (
    types.Listener,
    types.GroupName,
    types.PolicyName,
    types.FilterName,
    types.GatewayText,
    types.Label,
    types.UserName,
    types.HostName,
    types.Host,
    types.Domain,
    types.HeaderValue,
)


def _accepted(type_: Any, text: object) -> str | None:
    try:
        value: str = TypeAdapter(type_).validate_python(text)
    except ValidationError:
        return None
    return value


@pytest.mark.parametrize("index", range(len(TYPABLE)))
@given(text=TEXTS)
def test_what_may_be_typed_at_a_gateway_is_one_plain_line(index: int, text: str) -> None:
    value = _accepted(TYPABLE[index], text)

    assert value is None or re.fullmatch(r"[ -~]+", value)
    assert value is None or not set(value) & set("\"';\\?$`")
    assert value is None or value == value.strip()


@given(text=TEXTS)
def test_what_a_filter_matches_is_no_regular_expression(text: str) -> None:
    for type_ in (types.GroupName, types.HeaderValue):
        value = _accepted(type_, text)
        assert value is None or re.findall(value, f" {value} ") == [value]


@given(text=TEXTS)
def test_one_form_is_reached_at_once(text: str) -> None:
    for type_ in (types.Domain, types.Host, types.SenderAddress, types.MailAddress, types.Guid):
        value = _accepted(type_, text)
        assert value is None or _accepted(type_, value) == value


@given(network=st.ip_addresses(v=4), length=st.integers(0, 32))
def test_a_sender_address_is_never_wider_than_24_bits(network: ipaddress.IPv4Address, length: int) -> None:
    value = _accepted(types.SenderAddress, f"{network}/{length}")

    assert value is None or ipaddress.IPv4Network(value).num_addresses <= 256


@given(address=st.ip_addresses(v=6))
def test_no_address_is_ipv6(address: ipaddress.IPv6Address) -> None:
    for type_ in (types.SenderAddress, types.SmartHost, types.IPv4, types.Host, types.Domain):
        assert _accepted(type_, str(address)) is None


@given(text=st.text(alphabet="abcXYZ019!'|", min_size=30, max_size=40))
def test_a_refusal_never_repeats_the_value(text: str) -> None:
    for type_ in (types.HeaderValue, types.HostKey, types.Guid, types.HttpsUrl, types.FilterName):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(type_).validate_python(f"{text}'")
        assert text not in "".join(one["msg"] for one in caught.value.errors())


@pytest.mark.parametrize(
    ("type_", "right"),
    [
        (types.Listener, "Incoming Mail 2"),
        (types.FilterName, "office365_outbound"),
        (types.ExchangeName, "Bypass spam filtering - inbound email from Cisco CES"),
        (types.GatewayText, "Sat 20:00-24:00 Europe/Zurich"),
        (types.PlainText, "Müller & Söhne «GmbH»"),
        (types.Host, "esa1"),
        (types.Host, "192.0.2.1"),
        (types.SmartHost, "ob1.hc1234-56.iphmx.com"),
        (types.SenderAddress, "192.0.2.0/24"),
        (types.HostKey, "SHA256:YAoJ+cPNgsQbXRw7VS3MtNMzEB/aRCVVlAwo1gNhk08"),
        (types.HttpsUrl, "https://sma1.contoso.example:4431"),
        (types.MicrosoftMx, "shop-contoso-example.b-v1.mx.microsoft"),
        (types.MicrosoftMx, "contoso-us.mail.protection.office365.us"),
        (types.MicrosoftMx, "contoso-cn.mail.protection.partner.outlook.cn"),
        (types.CipherString, "HIGH:MEDIUM:@STRENGTH:!aNULL:!eNULL:!LOW:!DES:!SSLv2:!SSLv3"),
        (types.HeaderName, "X-OUTBOUND-AUTH"),
    ],
)
def test_what_is_right_stays_as_it_is(type_: Any, right: str) -> None:
    assert _accepted(type_, right) == right


@pytest.mark.parametrize("wrong", [True, 22.0, "22", 0, 65536, None])
def test_a_port_is_a_number(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(types.Port).validate_python(wrong)
