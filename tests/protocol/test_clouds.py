"""Each of Microsoft's clouds: one setting, and every host, audience and mail name is that cloud's.

At the wire: only that cloud's own hosts can be reached, so a request to any other fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.settings import Settings, SharedGatewaySettings
from dynamic_providers import connections
from dynamic_providers.connections import Endpoints, TenantConnection
from dynamic_providers.dns.sender_policy import microsoft_include
from dynamic_providers.exchange.authority import Authority
from dynamic_providers.exchange.cmdlets import ACCEPTED_DOMAIN
from dynamic_providers.exchange.transport import Https
from dynamic_providers.mailflow.errors import CannotLook
from dynamic_providers.mailflow.graph import Graph
from tests.protocol.exchange_practice import Practice
from tests.unit.settings_samples import ENVIRONMENT, refusal, sample, spoiled

pytest_plugins = ["tests.protocol.exchange_fixtures"]


@dataclass(frozen=True)
class Expected:
    exchange: str
    login: str
    graph: str
    initial: str
    mx: str
    senders: str
    spf: str


CLOUDS = {
    "worldwide": Expected(
        "outlook.office365.com",
        "login.microsoftonline.com",
        "graph.microsoft.com",
        "contoso.onmicrosoft.com",
        "contoso-example.mail.protection.outlook.com",
        ".protection.outlook.com",
        "spf.protection.outlook.com",
    ),
    "gccHigh": Expected(
        "outlook.office365.us",
        "login.microsoftonline.us",
        "graph.microsoft.us",
        "contoso.onmicrosoft.us",
        "contoso-example.mail.protection.office365.us",
        ".protection.office365.us",
        "spf.protection.office365.us",
    ),
    "dod": Expected(
        "outlook-dod.office365.us",
        "login.microsoftonline.us",
        "dod-graph.microsoft.us",
        "contoso.onmicrosoft.us",
        "contoso-example.mail.protection.office365.us",
        ".protection.office365.us",
        "spf.protection.office365.us",
    ),
    "china": Expected(
        "partner.outlook.cn",
        "login.partner.microsoftonline.cn",
        "microsoftgraph.chinacloudapi.cn",
        "contoso.partner.onmschina.cn",
        "contoso-example.mail.protection.partner.outlook.cn",
        ".protection.partner.outlook.cn",
        "spf.protection.partner.outlook.cn",
    ),
}
EVERY = pytest.mark.parametrize(("cloud", "expected"), CLOUDS.items(), ids=CLOUDS)


def reachable(practice: Practice, table: Path, monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """These hosts lead to the lab, and no other leads anywhere."""
    there = {"host": "127.0.0.1", "port": practice.lab.port}
    nowhere = {"host": "127.0.0.1", "port": 9}
    others = dict.fromkeys((f"{host}:443" for host in practice.lab.hosts), nowhere)
    table.write_text(json.dumps({**others, **{f"{host}:443": there for host in hosts}}))
    monkeypatch.setenv("M365SE_CONNECT", str(table))


def tenant(practice: Practice, cloud: str) -> TenantConnection:
    lab = practice.lab
    given = {"id": lab.tenant_id, "initialDomain": lab.initial_domain, "clientId": lab.client_id}
    return TenantConnection.model_validate({**given, "cloud": cloud})


@EVERY
def test_each_hosts_and_audience_at_the_wire(
    practice: Practice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: str, expected: Expected
) -> None:
    where, ours = Endpoints(ca_bundle=str(practice.lab.ca_file)), tenant(practice, cloud)
    reachable(practice, tmp_path / "exchange.json", monkeypatch, expected.login, expected.exchange)
    assert practice.client(cloud=cloud).rows(ACCEPTED_DOMAIN)
    claims = Authority(ours, where, Https(where.ca_bundle)).token().claims or {}
    assert claims["aud"] == f"https://{expected.exchange}"
    with pytest.raises(CannotLook, match="connection refused"):
        Graph(ours, where).microsoft_mx("bce-demo.com")
    practice.lab.switches.graph_roles = ("Domain.Read.All",)
    reachable(practice, tmp_path / "graph.json", monkeypatch, expected.login, expected.graph)
    graph = Graph(ours, where)
    assert graph.microsoft_mx("bce-demo.com") == ("bce-demo-com.mail.protection.outlook.com",)
    assert (graph._authority.token().claims or {})["aud"] == f"https://{expected.graph}"
    graph.close()


@EVERY
def test_each_names_of_mail_hosts(cloud: str, expected: Expected, monkeypatch: pytest.MonkeyPatch) -> None:
    values = spoiled(
        {
            ("tenant", "cloud"): cloud,
            ("tenant", "initialDomain"): expected.initial,
            ("domains",): {"contoso.example": {"microsoftMx": expected.mx}},
        }
    )
    settings = Settings.from_config(values, ENVIRONMENT)
    assert settings.microsoft_senders == expected.senders
    monkeypatch.setitem(connections._arguments, "tenant", settings.tenant.model_dump_json(by_alias=True))
    assert microsoft_include() == expected.spf
    for other in (one for one in CLOUDS.values() if one.initial != expected.initial):
        values["tenant"]["initialDomain"] = other.initial
        values["domains"]["contoso.example"]["microsoftMx"] = other.mx
        first, second = refusal(values)
        assert first.startswith(f"tenant.initialDomain is of another cloud than tenant.cloud ({cloud})")
        assert second.startswith("domains.contoso.example.microsoftMx is of another cloud than tenant.cloud")


@EVERY
def test_each_in_a_shared_gateways_own_stack(cloud: str, expected: Expected) -> None:
    own = {key: sample()[key] for key in ("customer", "gateway")}
    values = {**own, "kind": "gateway", "outbound": {"cloud": cloud}}
    assert SharedGatewaySettings.from_config(values, ENVIRONMENT).microsoft_senders == expected.senders
