"""The two kinds of stack file of a shared gateway: what is refused in the one because it is the other's."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import Settings, SettingsError, SharedGatewaySettings
from tests.unit.settings_samples import ENVIRONMENT, sample, spoiled

ELSEWHERE = "while gateway.shared is true: say it in the gateway's own stack, of kind gateway"
OF_ALL_TENANTS = (
    ", which all tenants of a shared gateway would get, since the filter is theirs as well: leave it out"
    " while gateway.shared is true"
)


HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "shared-gateway.md"


def test_the_stack_files_of_the_how_to_are_right() -> None:
    blocks = [part.partition("```")[0] for part in HOW_TO.read_text(encoding="utf-8").split("```yaml")[1:]]
    files = [yaml.safe_load(block)["config"] for block in blocks]
    gateway, tenant = ({key.partition(":")[2]: value for key, value in file.items()} for file in files)
    made = SharedGatewaySettings.from_config(gateway, {"GATEWAY_PASSWORD": ENVIRONMENT["GATEWAY_PASSWORD"]})
    of_tenant = Settings.from_config(tenant, ENVIRONMENT)
    assert of_tenant.gateway.shared
    assert made.gateway == of_tenant.gateway.model_copy(update={"shared": False})


def shared(**changed: Any) -> dict[str, Any]:
    """A gateway's own stack file."""
    own = {key: sample()[key] for key in ("customer", "gateway")}
    return {**own, "kind": "gateway", **changed}


def refused(values: dict[str, Any]) -> list[str]:
    kind = SharedGatewaySettings if values.get("kind") == "gateway" else Settings
    with pytest.raises(SettingsError) as caught:
        kind.from_config(values, ENVIRONMENT)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_a_tenants_stack_leaves_the_gateways_part_alone() -> None:
    values = spoiled(
        {
            ("gateway", "shared"): True,
            ("outbound", "ciphers"): "set",
            ("outbound", "mismatch"): "quarantine",
            ("takeOver",): ["inboundConnector", "senderGroup", "mailFlowPolicy"],
        }
    )
    assert refused(values) == [
        f"outbound.ciphers is set, which is not this stack's to do {ELSEWHERE}",
        f"outbound.mismatch is quarantine{OF_ALL_TENANTS}",
        f"takeOver[1] is not this stack's to take over {ELSEWHERE}",
        f"takeOver[2] is not this stack's to take over {ELSEWHERE}",
    ]
    values["gateway"]["shared"] = False
    Settings.from_config(values, ENVIRONMENT)


def test_a_gateways_own_stack_knows_no_object_of_a_tenant() -> None:
    good = shared(names={"senderGroup": "RELAY_M365", "filter": "m365"}, takeOver=["senderGroup"])
    assert SharedGatewaySettings.from_config(good, ENVIRONMENT).names.sender_group == "RELAY_M365"
    assert refused(
        shared(names={"inboundRule": "x"}, takeOver=["mailFlowPolicy", "smtpRoutes.contoso.example"])
    ) == [
        "takeOver[1] is nothing that can be taken over: known are senderGroup, mailFlowPolicy",
        "names.inboundRule is a tenant's: the gateway's own stack knows senderGroup, mailFlowPolicy, filter",
    ]


def test_it_may_say_that_its_gateway_is_shared() -> None:
    """So that the section can be the same in all stacks of the gateway."""
    given = shared()
    given["gateway"] |= {"shared": True}
    assert SharedGatewaySettings.from_config(given, ENVIRONMENT).gateway.shared
