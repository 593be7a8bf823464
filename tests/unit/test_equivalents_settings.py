"""The setting `leave`: which shapes it takes, and in whose stack file an entry belongs."""

from __future__ import annotations

import pytest

from components import equivalents
from components.settings import Settings, SettingsError, SharedGatewaySettings
from tests.unit.settings_samples import ENVIRONMENT, Values, refusal, sample, spoiled

LEFT = ["sender group FROM_O365", "transport rule Archive copies", "interface Data 3"]


def settings(values: Values) -> Settings:
    return Settings.from_config(values, ENVIRONMENT)


def test_what_is_left_on_purpose() -> None:
    assert settings(spoiled({("leave",): LEFT})).leave == tuple(LEFT)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            "FROM_O365",
            "leave[0] does not say what is left: write its kind and its name",
        ),
        ("sender group", "leave[0] does not say what is left"),
        ("sender group ", "leave[0] starts or ends with a blank"),
        ("Sender Group FROM_O365", "leave[0] does not say what is left"),
        ("mailbox anna", "leave[0] does not say what is left"),
        ("sender group A\nB", "leave[0] holds a line break"),
        ({"senderGroup": "FROM_O365"}, "leave[0] is no text"),
        ("", "leave[0] is empty"),
    ],
)
def test_an_entry_that_names_nothing(entry: object, says: str) -> None:
    [line] = refusal(spoiled({("leave",): [entry]}))
    assert line.startswith(says)


def test_the_same_one_twice() -> None:
    [line] = refusal(spoiled({("leave",): ["interface Data 3", "interface data 3"]}))
    assert line.startswith("leave[1] is the same object as leave[0]")


def test_a_tenants_stack_on_a_shared_gateway_leaves_no_sender_group() -> None:
    values = spoiled({("leave",): LEFT, ("gateway", "shared"): True, ("takeOver",): []})
    [line] = refusal(values)
    assert line.startswith("leave[0] is not this stack's to leave while gateway.shared is true")


def test_a_shared_gateways_own_stack_leaves_nothing_of_a_tenant() -> None:
    values = {name: part for name, part in sample().items() if name in ("customer", "gateway")}
    own = {**values, "kind": "gateway", "leave": LEFT}
    with pytest.raises(SettingsError) as caught:
        SharedGatewaySettings.from_config(own, ENVIRONMENT)
    assert [line.partition(":")[0] for line in caught.value.lines] == [
        "leave[1] is a tenant's",
        "leave[2] is a tenant's",
    ]


def test_what_is_looked_for_beside() -> None:
    """Only what the stack sets up; outbound mail's rule also while it is off, since it is to come."""
    whole = settings(spoiled({("outbound", "state"): "none"}))
    assert set(equivalents.of_gateway(whole)) == {"delivery", "filter", "senderGroup"}
    assert {"inbound", "outbound", "domains"} <= set(equivalents.of_tenant(whole))
    shared = settings(spoiled({("gateway", "shared"): True, ("takeOver",): []}))
    assert set(equivalents.of_gateway(shared)) == {"delivery", "filter"}
    values = {**sample(), "outbound": {"state": "none"}}
    alone = Settings.from_config(values, {k: v for k, v in ENVIRONMENT.items() if k != "OUTBOUND_SECRET"})
    assert set(equivalents.of_gateway(alone)) == {"delivery"}
    assert "outbound" not in equivalents.of_tenant(alone)
