"""What people say on the command line beside what the letter says, before anybody is asked or looked up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.onboard.answers import Answers, Incomplete
from fleet.onboard.given import GatewayGiven, Given
from fleet.onboard.known import Known, known
from fleet.onboard.letter import Letter, parse

CLIENT = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
USUAL = Given(
    customer="Contoso AG",
    environment="prod",
    tenant="contoso.onmicrosoft.com",
    client_id=CLIENT,
    domains=("contoso.example",),
    gateways=("esa1.contoso.example=192.0.2.10,198.51.100.10",),
)
NAMELESS = parse(
    "192.0.2.10 is the IP address of the Data 1 interface for Gateway 1 and 192.0.2.11 is that of the Data 1"
    " interface for Gateway 2. The Data 2 interface of Gateway 1 is 198.51.100.10 and the Data 2 interface of"
    " Gateway 2 is 198.51.100.11."
)
BOTH = (
    GatewayGiven("esa1.contoso.example", 22, "192.0.2.10", "198.51.100.10"),
    GatewayGiven("esa2.contoso.example", 22, "192.0.2.11", "198.51.100.11"),
)


def told(given: Given, letter: Letter | None = None, client: str = "") -> Known:
    return known(given, letter or Letter(), Answers(None, print), client)


def missing(given: Given, letter: Letter | None = None) -> tuple[str, ...]:
    with pytest.raises(Incomplete) as incomplete:
        told(given, letter)
    return incomplete.value.lines


@pytest.mark.parametrize(
    ("customer", "environment", "stack"),
    [
        ("Contoso AG", "prod", "contoso-ag-prod"),
        ("Müller & Söhne", "Lab", "muller-sohne-lab"),
        ("../../etc", "x", "etc-x"),
    ],
)
def test_the_stacks_name_is_made_of_both_names(customer: str, environment: str, stack: str) -> None:
    assert told(replace(USUAL, customer=customer, environment=environment)).stack == stack


def test_a_name_in_another_script_makes_no_stacks_name() -> None:
    other = replace(USUAL, customer="株式会社")
    assert missing(other) == ("--stack: the stack's name, letters and digits such as contoso-prod",)
    assert told(replace(other, stack="kaisha-prod")).customer == "株式会社"


@pytest.mark.parametrize("stack", ["../x", "a/b", ".hidden", "x" * 101, "a b"])
def test_a_stacks_name_is_a_files_name(stack: str) -> None:
    [line] = missing(replace(USUAL, stack=stack))
    assert "is no stack's name: letters, digits, dot, _ and - only, at most 100" in line


@pytest.mark.parametrize(
    ("gateways", "letter"),
    [
        (("esa1.contoso.example", "esa2.contoso.example"), NAMELESS),
        (("esa1.contoso.example=192.0.2.10,198.51.100.10", "esa2.contoso.example"), NAMELESS),
        ((), parse("".join(f"{one.host} Data 1: {one.data1} Data 2: {one.data2}\n" for one in BOTH))),
        (("esa2.contoso.example",), None),
    ],
)
def test_the_letters_addresses_go_to_the_hosts_that_are_named(
    gateways: tuple[str, ...], letter: Letter | None
) -> None:
    if letter is None:  # only one of the letter's gateways is meant
        whole = parse("".join(f"{one.host} Data 1: {one.data1} Data 2: {one.data2}\n" for one in BOTH))
        assert told(replace(USUAL, gateways=gateways), whole).gateways == BOTH[1:]
    else:
        assert told(replace(USUAL, gateways=gateways), letter).gateways == BOTH


def test_addresses_of_as_many_gateways_as_are_not_named_are_nobodys() -> None:
    [line] = missing(replace(USUAL, gateways=("esa1.contoso.example",)), NAMELESS)
    assert line.startswith("--gateway esa1.contoso.example=DATA1,DATA2: the addresses of its interfaces")


@pytest.mark.parametrize(
    ("tenant", "given", "cloud"),
    [
        ("contoso.onmicrosoft.com", "", "worldwide"),
        ("contoso.partner.onmschina.cn", "", "china"),
        ("contoso.onmicrosoft.us", "dod", "dod"),
    ],
)
def test_the_cloud_is_seen_by_the_tenants_name_or_said(tenant: str, given: str, cloud: str) -> None:
    assert told(replace(USUAL, tenant=tenant, cloud=given)).cloud == cloud


def test_a_cloud_that_is_not_to_be_seen_is_asked_for() -> None:
    assert missing(replace(USUAL, tenant="contoso.onmicrosoft.us")) == ("--cloud: gccHigh or dod",)


def test_what_else_is_made_of_what_was_said() -> None:
    cloudy = replace(
        USUAL, gateways=("esa1.hc1234-56.c3s2.iphmx.com=192.0.2.10,198.51.100.10",), client_id=""
    )
    found = told(cloudy, Letter(jump_host="f1-ssh.iphmx.com"), CLIENT.upper())
    assert (found.gateway_name, found.cluster, found.jump_host) == ("hc1234-56", True, "f1-ssh.iphmx.com")
    assert found.client_id == CLIENT
    here = told(USUAL, Letter(jump_host="f1-ssh.iphmx.com"))
    assert (here.gateway_name, here.cluster, here.jump_host) == ("contoso", False, "")
    numbered = told(replace(USUAL, gateways=("192.0.2.20=192.0.2.10,198.51.100.10",)))
    assert numbered.gateway_name == "contoso-ag-prod"


def test_a_live_estate_needs_neither_domains_nor_a_single_gateways_addresses() -> None:
    live = replace(USUAL, from_live=True, domains=(), gateways=("esa1.contoso.example",))
    found = told(live, Letter(domains=("of-the-letter.example",)))
    assert (found.domains, found.gateways) == ((), (GatewayGiven("esa1.contoso.example"),))
    two = replace(live, gateways=("esa1.contoso.example", "esa2.contoso.example"))
    assert len(missing(two)) == 2
