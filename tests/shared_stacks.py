"""The stacks of one gateway that two tenants share: the gateway's own, and one of each tenant."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from components.settings import SharedGatewaySettings
from components.shared_gateway import SharedGateway
from lab.estate import Estate
from lab.tenant.practice import FABRIKAM
from tests.mail_stack import Changes, MailStack, Values, change, values
from tests.plugin_nursery import Nursery
from tests.protocol.drift_bench import DriftEngine

A_DOMAIN, B_DOMAIN = "bce-demo.com", "fabrikam.example"
A_SECRET, B_SECRET = "mysecretkey", "fabrikamKey8"
GATEWAY_SECTIONS = ("customer", "change", "gateway", "takeOver")


def gateway_values(estate: Estate) -> Values:
    """The stack file of the gateway itself: which gateway it is, and nothing of a tenant."""
    found = {name: part for name, part in values(estate).items() if name in GATEWAY_SECTIONS}
    return {**copy.deepcopy(found), "kind": "gateway", "outbound": {"ciphers": "check"}}


def first_values(estate: Estate) -> Values:
    """The first tenant's stack file, for a shared gateway: it takes over nothing there."""
    found = {name: part for name, part in values(estate).items() if name != "takeOver"}
    change(found, {("gateway", "shared"): True})
    return found


def second_values(estate: Estate) -> Values:
    """The second tenant's: the same gateway, everything else its own."""
    found = first_values(estate)
    found["customer"] = {"name": "Fabrikam", "environment": "lab"}
    found["tenant"] = {
        "id": FABRIKAM.tenant_id,
        "initialDomain": FABRIKAM.initial_domain,
        "clientId": FABRIKAM.client_id,
    }
    found["domains"] = {B_DOMAIN: {"microsoftMx": FABRIKAM.mx[B_DOMAIN], "mx": "gateway"}}
    found["checks"] |= {"mailbox": f"probe@{B_DOMAIN}"}
    return found


class GatewayStack(DriftEngine):
    """A small engine over the gateway's own stack."""

    def __init__(self, nursery: Nursery, estate: Estate, changes: Changes | None = None) -> None:
        self.values = gateway_values(estate)
        change(self.values, changes or {})
        environment = {**estate.environment, "OUTBOUND_SECRET": ""}  # it has no secret, and needs none
        settings = SharedGatewaySettings.from_config(self.values, environment)
        super().__init__(nursery, settings, environment)
        self.program = self._program

    def _program(self) -> None:
        SharedGateway("shared-gateway", SharedGatewaySettings.from_config(self.values, self.environment))
