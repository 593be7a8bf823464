"""All four objects of the tenant in a real provider process, as the engine drives it: calls counted, order kept."""

import json
import os

import pulumi
import pytest

from dynamic_providers.exchange import snapshot
from dynamic_providers.exchange.inbound_connector import InboundConnector
from dynamic_providers.exchange.outbound_connector import OutboundConnector
from dynamic_providers.exchange.transport_rule import TransportRule
from tests.mini_engine import PROJECT, MiniEngine, Refused
from tests.protocol.exchange_life import BYPASS, INBOUND, OUTBOUND, TENANT
from tests.protocol.exchange_practice import AZURE, Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]

SECRET = "mysecretkey"


def program(practice: Practice, *, take_over: bool = False) -> None:
    """The tenant's side of the component."""
    lab = practice.lab
    tenant = {"id": lab.tenant_id, "initialDomain": lab.initial_domain, "clientId": lab.client_id}
    arguments = {
        f"{PROJECT}:tenant": json.dumps(tenant),
        f"{PROJECT}:endpoints": json.dumps({"caBundle": str(lab.ca_file)}),
        f"{PROJECT}:azureClientSecret": lab.client_secret,
    }
    provider = pulumi.ProviderResource("pulumi-python", "exchange", arguments)
    first = snapshot.ExchangeSnapshot(
        "before",
        tenant=TENANT,
        inbound_connectors=[INBOUND],
        outbound_connectors=[OUTBOUND],
        transport_rules=[BYPASS, OUTBOUND],
        domains=["bce-demo.com", "elsewhere.example"],
        opts=pulumi.ResourceOptions(provider=provider),
    )
    allowed = [BYPASS, INBOUND, OUTBOUND] if take_over else []
    addresses = ["192.0.2.105", "198.51.100.186"]
    InboundConnector(
        "inbound",
        tenant=TENANT,
        name=INBOUND,
        before=first.before(snapshot.INBOUND_CONNECTOR),
        sender_ip_addresses=addresses,
        take_over=allowed,
        opts=pulumi.ResourceOptions(provider=provider),
    )
    TransportRule(
        "bypass",
        tenant=TENANT,
        name=BYPASS,
        before=first.before(snapshot.TRANSPORT_RULE),
        placement={"below": OUTBOUND},
        sender_ip_ranges=addresses,
        set_scl=-1,
        take_over=allowed,
        opts=pulumi.ResourceOptions(provider=provider),
    )
    connector = OutboundConnector(
        "outbound",
        tenant=TENANT,
        name=OUTBOUND,
        before=first.before(snapshot.OUTBOUND_CONNECTOR),
        smart_hosts=["198.51.100.186"],
        take_over=allowed,
        opts=pulumi.ResourceOptions(provider=provider),
    )
    TransportRule(
        "rule",
        tenant=TENANT,
        name=OUTBOUND,
        before=first.before(snapshot.TRANSPORT_RULE),
        placement={"top": True, "besides": [BYPASS]},
        from_scope="InOrganization",
        sent_to_scope="NotInOrganization",
        route_message_outbound_connector=OUTBOUND,
        set_header_name="X-OUTBOUND-AUTH",
        set_header_value=pulumi.Output.secret(SECRET),
        take_over=allowed,
        opts=pulumi.ResourceOptions(provider=provider, depends_on=[connector]),
    )


def engine(practice: Practice, *, take_over: bool = False) -> MiniEngine:
    environment = {**dict.fromkeys(AZURE, ""), "M365SE_CONNECT": os.environ["M365SE_CONNECT"]}
    return MiniEngine(lambda: program(practice, take_over=take_over), environment)


def counted(practice: Practice) -> dict[str, int]:
    calls = practice.calls()
    return {cmdlet: calls.count(cmdlet) for cmdlet in sorted(set(calls))}


def test_a_whole_life(practice: Practice) -> None:
    before = practice.lab.dump()
    one = engine(practice)
    assert set(one.preview().operations().values()) == {"create"}
    assert practice.lab.dump() == before

    practice.since = practice.lab.journal.mark()
    said = one.up().lines
    assert [line for line in said if "elsewhere.example is no accepted domain" in line]
    made = practice.lab.dump()
    assert counted(practice) == {
        "Get-AcceptedDomain": 1,
        "Get-InboundConnector": 2,
        "Get-OutboundConnector": 2,
        "Get-TransportRule": 3,
        "New-InboundConnector": 1,
        "New-OutboundConnector": 1,
        "New-TransportRule": 2,
    }
    assert practice.tokens() == 1

    practice.since = practice.lab.journal.mark()
    assert one.up().operations() == {}
    assert not any(not cmdlet.startswith("Get-") for cmdlet in practice.calls())

    practice.lab.invoke_by_hand("Set-InboundConnector", Identity=INBOUND, RequireTls=False)
    practice.lab.invoke_by_hand(
        "Set-TransportRule", Identity=OUTBOUND, SetHeaderName="X-OUTBOUND-AUTH", SetHeaderValue="b" * 9
    )
    practice.lab.invoke_by_hand("Set-TransportRule", Identity="No executables", Priority=0)
    shown = one.refresh()
    assert {name for step, name in shown.steps if step == "changed"} == {"inbound", "rule"}
    repaired = one.up()
    assert repaired.operations() == {"inbound": "update", "rule": "update"}
    assert practice.lab.dump() == made

    one.destroy()
    assert practice.lab.dump() == before


def test_the_connector_comes_before_the_rule_and_goes_after_it(practice: Practice) -> None:
    practice.lab.switches.lag_reads = 2
    one = engine(practice)
    one.up()
    one.destroy()
    writes = [cmdlet for cmdlet in practice.calls() if cmdlet.startswith(("New-", "Remove-"))]
    assert writes.index("New-OutboundConnector") < len(writes) - 1 - writes[::-1].index("New-TransportRule")
    assert writes.index("Remove-TransportRule") < writes.index("Remove-OutboundConnector")


def test_everything_there_and_different_is_refused_taken_over_and_put_back(practice: Practice) -> None:
    hand = practice.lab.invoke_by_hand
    hand("New-OutboundConnector", Name=OUTBOUND, RecipientDomains=["x.example"], UseMXRecord=True)
    hand("New-InboundConnector", Name=INBOUND, SenderDomains=["x.example"], SenderIPAddresses=["203.0.113.1"])
    hand("New-TransportRule", Name=BYPASS, FromMemberOf=["all@bce-demo.com"], SetSCL=6, Priority=0)
    hand(
        "New-TransportRule",
        Name=OUTBOUND,
        SetHeaderName="X-Theirs",
        SetHeaderValue="theirsecretkey",
        Priority=3,
    )
    before = practice.lab.dump()
    with pytest.raises(Refused, match="exists and differs") as caught:
        engine(practice).up()
    assert "theirsecretkey" not in str(caught.value)
    assert practice.lab.dump() == before
    one = engine(practice, take_over=True)
    one.up()
    assert one.up().operations() == {}
    one.destroy()
    assert practice.lab.dump() == before


@pytest.mark.parametrize("fault", ["forbidden", "bad-value", "truncated"])
def test_a_failure_is_one_clean_line(practice: Practice, fault: str) -> None:
    practice.lab.faults.add("Get-InboundConnector", fault)
    with pytest.raises(Refused) as caught:
        engine(practice).up()
    said = str(caught.value)
    assert "bcedemo.onmicrosoft.com, Get-InboundConnector: " in said
    assert "Traceback" not in said
    assert SECRET not in said
    assert practice.lab.client_secret not in said
