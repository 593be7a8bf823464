"""Inputs of the Exchange resources: what is refused, what is brought to one form, and what is sent at all."""

from typing import Any

import dill  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError

from dynamic_providers.exchange import cmdlets
from dynamic_providers.exchange.exchange_object import ExchangeObjectProvider
from dynamic_providers.exchange.inbound_connector import InboundConnectorModel, InboundConnectorProvider
from dynamic_providers.exchange.outbound_connector import OutboundConnectorModel, OutboundConnectorProvider
from dynamic_providers.exchange.rule_parameters import RULE_PARAMETERS, TOGETHER
from dynamic_providers.exchange.snapshot import ExchangeSnapshotProvider
from dynamic_providers.exchange.transport_rule import TransportRuleModel, TransportRuleProvider
from dynamic_providers.model import Model

TENANT = {"tenant": "contoso.onmicrosoft.com"}
PROVIDERS = (TransportRuleProvider, InboundConnectorProvider, OutboundConnectorProvider)
IN = {"name": "In", "senderIpAddresses": ["192.0.2.1"]}
KINDS = (cmdlets.TRANSPORT_RULE, cmdlets.INBOUND_CONNECTOR, cmdlets.OUTBOUND_CONNECTOR)
BAD: list[tuple[type[Model], dict[str, Any]]] = [
    (InboundConnectorModel, {"name": "In", "senderIpAddresses": ["2001:db8::1"]}),
    (InboundConnectorModel, {"name": "In", "senderIpAddresses": ["192.0.2.1-192.0.2.9"]}),
    (InboundConnectorModel, {"name": "In", "senderIpAddresses": ["192.0.2.0/23"]}),
    (InboundConnectorModel, {"name": "In", "senderIpAddresses": []}),
    (InboundConnectorModel, {"name": "x" * 65, "senderIpAddresses": ["192.0.2.1"]}),
    (
        InboundConnectorModel,
        {**IN, "connectorType": "OnPremises"},
    ),
    (
        InboundConnectorModel,
        {**IN, "other": {"EFSkipLastIP": "true"}},
    ),
    (OutboundConnectorModel, {"name": "Out", "smartHosts": []}),
    (OutboundConnectorModel, {"name": "Out", "smartHosts": ["198.51.100.0/24"]}),
    (OutboundConnectorModel, {"name": "Out", "smartHosts": ["a b"]}),
    (TransportRuleModel, {"name": "R\nS"}),
    (TransportRuleModel, {"name": "R", "setScl": 10}),
    (TransportRuleModel, {"name": "R", "setHeaderValue": "with.regex+"}),
    (TransportRuleModel, {"name": "R", "fromScope": "Somewhere"}),
    (TransportRuleModel, {"name": "R", "position": "below the enabled rule «X»"}),
    (TransportRuleModel, {"name": "R", "unheardOf": True}),
]


@pytest.mark.parametrize(("model", "inputs"), BAD)
def test_refused(model: type[Model], inputs: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate({**TENANT, **inputs})
    assert "with.regex" not in str(caught.value)


def test_lists_are_brought_to_one_form() -> None:
    one = InboundConnectorModel.model_validate(
        {
            **TENANT,
            "name": "In",
            "senderIpAddresses": ["198.51.100.10/32", "192.0.2.9", "192.0.2.10", "192.0.2.9"],
        }
    )
    assert one.sender_ip_addresses == ("192.0.2.9", "192.0.2.10", "198.51.100.10")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_attribute_is_an_input_and_may_be_written(provider: type[ExchangeObjectProvider]) -> None:
    inputs = {field.alias for field in provider.model.model_fields.values()}
    assert {one.name for one in provider.attributes} <= inputs
    assert {one.parameter for one in provider.attributes} <= provider.kind.new & provider.kind.set
    assert provider.comment in provider.kind.new & provider.kind.set
    assert set(provider.defaults) <= provider.kind.set


@pytest.mark.parametrize(
    "kind", [cmdlets.TRANSPORT_RULE, cmdlets.INBOUND_CONNECTOR, cmdlets.OUTBOUND_CONNECTOR]
)
def test_what_reads_and_cannot_be_written_is_never_sent(kind: cmdlets.Kind) -> None:
    read_only = {
        "ConnectorSource",
        "UseLegacyRegex",
        "Guid",
        "IsValid",
        "WhenChanged",
        "Description",
        "State",
    }
    assert not read_only & (kind.new | kind.set)


def test_a_rule_is_switched_by_cmdlets_of_its_own() -> None:
    assert "Enabled" in cmdlets.TRANSPORT_RULE.new
    assert "Enabled" not in cmdlets.TRANSPORT_RULE.set


def test_what_is_written_together_is_known() -> None:
    assert frozenset().union(*TOGETHER) <= RULE_PARAMETERS


@pytest.mark.parametrize("provider", [*PROVIDERS, ExchangeSnapshotProvider])
def test_a_provider_is_stored_by_its_name_alone(provider: type[Any]) -> None:
    one = provider()
    assert vars(one) == {}
    assert vars(dill.loads(dill.dumps(one))) == {}  # noqa: S301 — our own bytes
    assert len(dill.dumps(one)) < 200


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_can_hold_a_secret_is_never_missing_from_an_entry(
    provider: type[ExchangeObjectProvider],
) -> None:
    one = provider()
    entry = one._entry({"Name": "X", "Priority": 0, "State": "Enabled"}, [], {})
    assert provider.secret <= set(entry)
