"""The MX records of one domain as a stack of their own: without the checks that have to come before them."""

from __future__ import annotations

import json

import pulumi

from dynamic_providers.dns.mx_records import MxRecords
from dynamic_providers.dns.snapshot import MX_RECORDS, DnsSnapshot
from lab.estate import Estate
from tests.hands.names import DOMAIN
from tests.mini_engine import PROJECT
from tests.protocol.way_back_life import Stack, Values
from tests.unit.settings_samples import sample

MICROSOFT = f"{DOMAIN.replace('.', '-')}.mail.protection.outlook.com"
MX_HERE: Values = {"hosts": [{"host": "mx1.bce-demo.example", "preference": 10}]}
MX_BACK: Values = {"hosts": [{"host": MICROSOFT, "preference": 0}]}


class MxStack(Stack):
    """`wanted`: the hosts."""

    def _program(self) -> None:
        settings = json.dumps({"resolvers": ["9.9.9.9"], **sample("bce-demo-lab")["dns"]})
        process = pulumi.ProviderResource("pulumi-python", "dns", {f"{PROJECT}:dns": settings})
        under = pulumi.ResourceOptions(provider=process)
        before = DnsSnapshot("dns-before", mx_records=[DOMAIN], opts=under).before(MX_RECORDS)
        given = {"domain": DOMAIN, "ttl": 60, "microsoftMx": MICROSOFT, "settle": 0, "takeOver": ["*"]}
        MxRecords("mx", {**given, **self.wanted, "before": before}, under)

    @staticmethod
    def dump(estate: Estate) -> str:
        return f"{estate.dump()}\n\n{estate.internet.zones.dump()}"
