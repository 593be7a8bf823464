"""MX records through the real plugin process: its state, its outputs, and no secret in any of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

from dynamic_providers.dns.mx_check import MxCheck
from dynamic_providers.dns.mx_records import MxRecords
from dynamic_providers.dns.sender_policy import SenderPolicy
from dynamic_providers.dns.snapshot import MX_RECORDS, DnsSnapshot
from tests.mini_engine import PROJECT, MiniEngine, Refused
from tests.protocol import bind_server
from tests.protocol.bind_server import MICROSOFT_MX, ZONE, BindServer

HOSTS = [{"host": f"mx1.{ZONE}", "preference": 10}]


@pytest.fixture
def bind(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[BindServer]:
    assert pytestconfig.cache is not None
    server = BindServer(bind_server.named_program(pytestconfig.cache.mkdir("bind9")), tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def environment(bind: BindServer, tmp_path: Path) -> dict[str, str]:
    here = {"host": "127.0.0.1", "port": bind.port}
    (tmp_path / "connect.json").write_text(json.dumps({"9.9.9.9:53": here, "127.0.0.1:53": here}))
    return {"M365SE_CONNECT": str(tmp_path / "connect.json"), "DNS_TSIG_SECRET": bind_server.KEY_SECRET}


class Program:
    """The MX of one domain, set by us, then looked at."""

    def __init__(self, bind: BindServer) -> None:
        self.hosts = HOSTS
        self.addresses: list[str] = []
        self._dns = {"server": "127.0.0.1", "port": bind.port, "keyName": bind_server.KEY_NAME}

    def __call__(self) -> None:
        arguments = {f"{PROJECT}:dns": json.dumps({**self._dns, "resolvers": ["9.9.9.9"]})}
        under = pulumi.ResourceOptions(provider=pulumi.ProviderResource("pulumi-python", "dns", arguments))
        before = DnsSnapshot("before", mx_records=[ZONE], opts=under)
        given = {"domain": ZONE, "hosts": self.hosts, "ttl": 60, "microsoftMx": MICROSOFT_MX, "settle": 0}
        records = MxRecords("mx", {**given, "before": before.before(MX_RECORDS)}, under)
        pulumi.export("settled", records.settledAt)
        after = pulumi.ResourceOptions.merge(under, pulumi.ResourceOptions(depends_on=[records]))
        MxCheck("world", {**given, "deadline": 5}, after)
        if self.addresses:
            policy = {"gateway": "hc1234", "domains": [ZONE], "addresses": self.addresses}
            SenderPolicy("policy", policy, under)


def test_the_life_of_a_domains_mx(bind: BindServer, environment: dict[str, str]) -> None:
    whole = bind.records()
    program = Program(bind)
    engine = MiniEngine(program, environment)
    assert engine.preview().operations() == dict.fromkeys(("before", "mx", "world"), "create")
    assert bind.records() == whole
    assert engine.up().operations() == dict.fromkeys(("before", "mx", "world"), "create")
    assert bind.mx() == [f"60 10 mx1.{ZONE}."]
    assert engine.up().operations() == {}
    assert engine.refresh().operations() == {}
    assert engine.up().operations() == {}
    state = engine.state["mx"].outputs
    assert state["changedAt"]
    assert state["settledAt"]
    assert state["revision"]
    program.hosts = [{"host": MICROSOFT_MX, "preference": 0}]
    assert engine.up().operations() == {"mx": "update", "world": "update"}
    engine.destroy()
    assert bind.records() == whole
    assert bind_server.KEY_SECRET not in json.dumps(engine.saved(), default=str)


def test_a_refusal_of_the_sender_policy_is_one_line_in_the_preview(
    bind: BindServer, environment: dict[str, str]
) -> None:
    program = Program(bind)
    program.addresses = ["198.51.100.10"]
    with pytest.raises(Refused) as caught:
        MiniEngine(program, environment).preview()
    (line,) = str(caught.value).splitlines()
    assert "unknown" in line  # Microsoft's record is in a zone that this server does not hold
    assert "spf.protection.outlook.com" in line
    assert bind.mx() == [f"300 0 {MICROSOFT_MX}."]
