"""The inbound connector and the side entrance as a stack of their own: without the checks before them."""

from __future__ import annotations

import json

import pulumi

from dynamic_providers.exchange.inbound_connector import InboundConnector
from dynamic_providers.exchange.lock_down import LockDown
from dynamic_providers.exchange.snapshot import (
    INBOUND_CONNECTOR,
    LOCK_DOWN,
    ExchangeSnapshot,
)
from lab.estate import Estate
from tests.hands.names import DOMAIN
from tests.mini_engine import PROJECT
from tests.protocol.tenant_estate import INBOUND, TENANT
from tests.protocol.way_back_life import Stack, Values
from tests.unit.settings_samples import sample

GATEWAYS = ["192.0.2.105", "198.51.100.186"]
GATEWAY_MX = "mx1.bce-demo.example"
SHUT: Values = {"closed": True}
OPEN: Values = {"closed": False}


def mail_comes_by_the_gateway(estate: Estate) -> None:
    """Else nobody may shut the side entrance."""
    estate.internet.zones.set(DOMAIN, "MX", f"10 {GATEWAY_MX}.", ttl=1)


class LockStack(Stack):
    """`wanted`: whether the side entrance is shut."""

    def _program(self) -> None:
        settings = sample("bce-demo-lab")
        arguments = {
            "tenant": settings["tenant"],
            "endpoints": {"caBundle": str(self.estate.ca_file)},
            "dns": {"resolvers": ["9.9.9.9"]},
        }
        named = {f"{PROJECT}:{key}": json.dumps(value) for key, value in arguments.items()}
        under = pulumi.ResourceOptions(provider=pulumi.ProviderResource("pulumi-python", "exchange", named))
        before = ExchangeSnapshot(
            "exchange-before",
            tenant=TENANT,
            inbound_connectors=[INBOUND],
            lock_down=True,
            opts=under,
        )
        connector = InboundConnector(
            "inbound-connector",
            tenant=TENANT,
            name=INBOUND,
            before=before.before(INBOUND_CONNECTOR),
            sender_ip_addresses=GATEWAYS,
            locked_down_by_others=self.wanted["closed"],
            opts=under,
        )
        LockDown(
            "lock-down",
            tenant=TENANT,
            connector=INBOUND,
            before=before.before(LOCK_DOWN),
            closed=self.wanted["closed"],
            mx={DOMAIN: [GATEWAY_MX]},
            gateways=GATEWAYS,
            acknowledged=True,
            settle=0,
            opts=pulumi.ResourceOptions.merge(under, pulumi.ResourceOptions(depends_on=[connector])),
        )
