"""Others' connectors, rules and domains in the tenant beside ours: rows as Exchange gives them, findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dynamic_providers import connections
from dynamic_providers.entries import Props
from dynamic_providers.exchange import foreign_connectors, foreign_rules
from dynamic_providers.exchange.admin_api import Row
from dynamic_providers.exchange.client import ExchangeClient
from dynamic_providers.exchange.cmdlets import Kind
from dynamic_providers.exchange.equivalents import ExchangeEquivalentsProvider
from dynamic_providers.exchange.errors import ExchangeError

J, K, PROBE, HEADER = (
    "Outbound to Cisco CES",
    "Outbound to Cisco CES",
    "m365-secure-email probe",
    "X-OUTBOUND-AUTH",
)
B, A = "Inbound from Cisco CES", "Bypass"
INBOUND = {"addresses": ["192.0.2.10", "198.51.100.0/28"]}
OUTBOUND = {
    "connector": J,
    "rule": K,
    "header": HEADER,
    "smartHosts": ["198.51.100.10", "relay.contoso.example"],
}
KEPT = ["contoso.example", "contoso.onmicrosoft.com", "bank.example"]
SECRET = "theirsecretkey"


def told(findings: Sequence[Any]) -> list[tuple[bool, str, str]]:
    """Whether each is refused, its key in `names`, and its line."""
    return [(one.harmful, one.take_over, str(one)) for one in findings]


# --- inbound connectors -------------------------------------------------------------------------------------


def inbound(**row: Any) -> list[tuple[bool, str, str]]:
    whole = {"Name": "Old", "Enabled": True, "ConnectorType": "Partner", "SenderDomains": ["smtp:*;1"], **row}
    return told(list(foreign_connectors.inbound([whole], INBOUND, {B})))


@pytest.mark.parametrize(
    ("row", "harmful", "says"),
    [
        ({"SenderIPAddresses": ["198.51.100.8/29"], "RequireTls": True}, False, "demands TLS, like ours"),
        ({"SenderIPAddresses": ["192.0.2.10"]}, False, "takes mail without TLS, too"),
        ({"SenderIPAddresses": ["192.0.2.0/24"], "ConnectorType": "OnPremises"}, True, "servers of your own"),
        (
            {
                "SenderIPAddresses": ["192.0.2.10"],
                "RestrictDomainsToCertificate": True,
                "TlsSenderCertificateName": "*.filter.example",
            },
            True,
            "only with the certificate *.filter.example",
        ),
        (
            {"SenderIPAddresses": ["203.0.113.1"], "RestrictDomainsToIPAddresses": True},
            True,
            "what the gateways deliver is refused (550 5.7.51)",
        ),
        (
            {"RestrictDomainsToCertificate": True, "TlsSenderCertificateName": "*.filter.example"},
            True,
            "mail of all senders with the certificate *.filter.example only",
        ),
        (
            {"SenderDomains": ["smtp:payroll.example;1"], "RestrictDomainsToIPAddresses": True},
            False,
            "takes mail of payroll.example with its own addresses only",
        ),
    ],
)
def test_an_inbound_connector_beside_ours(row: Row, harmful: bool, says: str) -> None:  # noqa: FBT001
    [(refused, _, line)] = inbound(**row)
    assert refused == harmful
    assert line.startswith("the inbound connector «Old» ")
    assert says in line


@pytest.mark.parametrize(
    "row",
    [
        {"SenderIPAddresses": ["203.0.113.1"]},
        {"SenderIPAddresses": None, "SenderDomains": ["smtp:partner.example;1"], "RequireTls": True},
        {"SenderIPAddresses": ["192.0.2.10"], "Enabled": False},
        {"SenderIPAddresses": ["192.0.2.10"], "Name": B.upper()},
    ],
)
def test_an_inbound_connector_that_is_nothing_to_us(row: Row) -> None:
    assert inbound(**row) == []


# --- outbound connectors ------------------------------------------------------------------------------------


def outbound(**row: Any) -> list[tuple[bool, str, str]]:
    whole = {"Name": "Old", "Enabled": True, "ConnectorType": "Partner", "SmartHosts": ["a.example"], **row}
    return told(list(foreign_connectors.outbound([whole], OUTBOUND, {J}, KEPT)))


@pytest.mark.parametrize(
    ("row", "harmful", "key", "says"),
    [
        (
            {"SmartHosts": ["Relay.contoso.example."], "IsTransportRuleScoped": True},
            False,
            "outboundConnector",
            "leads to the gateways, too (relay.contoso.example)",
        ),
        (
            {"SmartHosts": ["[198.51.100.10]"], "RecipientDomains": ["*"]},
            True,
            "outboundConnector",
            "mail for * to the gateways (198.51.100.10) without our header",
        ),
        (
            {"RouteAllMessagesViaOnPremises": True, "RecipientDomains": ["*"]},
            True,
            "",
            "(centralised transport)",
        ),
        (
            {"RecipientDomains": ["bank.example", "insurance.example", "*.law.example"]},
            True,
            "",
            "mail for *.law.example, insurance.example its own way",
        ),
        ({"RecipientDomains": ["*"], "UseMXRecord": True}, True, "", "mail for * its own way"),
    ],
)
def test_an_outbound_connector_beside_ours(row: Row, harmful: bool, key: str, says: str) -> None:  # noqa: FBT001
    [(refused, taken, line)] = outbound(**row)
    assert (refused, taken) == (harmful, key)
    assert says in line


def test_recipient_domains_can_be_left_out_by_a_setting() -> None:
    [(_, _, line)] = outbound(RecipientDomains=["insurance.example", "*.law.example"])
    assert "To keep that way, add insurance.example to outbound.except.recipientDomains; to leave it" in line


@pytest.mark.parametrize(
    "row",
    [
        {"RecipientDomains": ["bank.example"]},  # excepted
        {
            "RecipientDomains": ["contoso.example", "*.contoso.example"],
            "ConnectorType": "OnPremises",
        },  # inside
        {"IsTransportRuleScoped": True},
        {"SmartHosts": ["198.51.100.10"], "RecipientDomains": ["*"], "TestMode": True},
        {"SmartHosts": ["198.51.100.10"], "RecipientDomains": ["*"], "Enabled": False},
        {"SmartHosts": ["198.51.100.10"], "IsTransportRuleScoped": True, "Name": J},
    ],
)
def test_an_outbound_connector_that_is_nothing_to_us(row: Row) -> None:
    assert outbound(**row) == []


# --- rules --------------------------------------------------------------------------------------------------

CONNECTORS = [
    {"Name": "Old", "Enabled": True, "SmartHosts": ["198.51.100.10"], "IsTransportRuleScoped": True},
    {"Name": "To archive", "Enabled": True, "SmartHosts": ["archive.example"], "IsTransportRuleScoped": True},
    {"Name": "Off", "Enabled": False, "SmartHosts": ["198.51.100.10"], "IsTransportRuleScoped": True},
]


def rule(**row: Any) -> Row:
    return {"Name": "Theirs", "Priority": 0, "State": "Enabled", "Mode": "Enforce", **row}


def ruled(**row: Any) -> list[tuple[bool, str, str]]:
    found = foreign_rules.outbound([rule(**row)], OUTBOUND, {K, A, PROBE}, CONNECTORS)
    return told(list(found))


@pytest.mark.parametrize(
    ("row", "key", "says"),
    [
        (
            {
                "SetHeaderName": HEADER.lower(),
                "SetHeaderValue": SECRET,
                "RouteMessageOutboundConnector": "Old",
            },
            "outboundRule",
            f"sets the header {HEADER}, too, and sends mail through the connector «Old»: where",
        ),
        ({"SetHeaderName": HEADER, "SetHeaderValue": SECRET}, "outboundRule", "and drops the mail"),
        ({"RemoveHeader": HEADER}, "", f"takes the header {HEADER} off"),
        (
            {"RouteMessageOutboundConnector": "old"},
            "outboundRule",
            "to the gateway through the connector «old» without our header",
        ),
        ({"RouteMessageOutboundConnector": J}, "outboundRule", f"our filter drops what the rule «{K}»"),
        (
            {"RouteMessageOutboundConnector": "To archive", "SentToScope": "NotInOrganization"},
            "",
            f"past the gateway: what the rule «{K}» has stamped leaves with our secret in it",
        ),
    ],
)
def test_a_rule_beside_ours_is_refused(row: Row, key: str, says: str) -> None:
    [(refused, taken, line)] = ruled(**row)
    assert (refused, taken) == (True, key)
    assert says in line
    assert SECRET not in line


@pytest.mark.parametrize(
    "row",
    [
        {"State": "Disabled"},
        {"Mode": "AuditAndNotify"},
        {"SentToScope": "InOrganization"},
        {"FromScope": "NotInOrganization"},
        {"Name": K},
        {"Name": PROBE},
    ],
)
def test_a_rule_that_is_ours_or_does_nothing_to_outbound_mail(row: Row) -> None:
    acts = {"SetHeaderName": HEADER, "SetHeaderValue": SECRET, "RouteMessageOutboundConnector": "Old"}
    assert len(ruled(**acts)) == 1
    assert ruled(**acts, **row) == []


@pytest.mark.parametrize("name", ["Off", "Gone", ""])
def test_a_rule_whose_connector_takes_nothing(name: str) -> None:
    assert ruled(RouteMessageOutboundConnector=name, SetHeaderName="X-Other", SetHeaderValue=SECRET) == []


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"SenderIpRanges": ["192.0.2.1-192.0.2.20"], "SetSCL": -1}, True),
        ({"SenderIpRanges": ["192.0.2.10"], "SetSCL": "-1"}, True),
        ({"SenderIpRanges": ["192.0.2.10"], "SetSCL": 6}, False),
        ({"SenderIpRanges": ["203.0.113.1"], "SetSCL": -1}, False),
        ({"SetSCL": -1}, False),
        ({"SenderIpRanges": ["192.0.2.10"], "SetSCL": -1, "Name": A}, False),
    ],
)
def test_a_rule_that_spares_the_gateways_the_spam_filter(row: Row, found: bool) -> None:  # noqa: FBT001
    lines = told(list(foreign_rules.inbound([rule(**row)], INBOUND, {A})))
    assert [(harmful, key) for harmful, key, _ in lines] == ([(False, "inboundRule")] if found else [])


# --- domains ------------------------------------------------------------------------------------------------


def test_internal_relay_domains_of_ours() -> None:
    rows = [
        {"DomainName": "Contoso.example", "DomainType": "InternalRelay"},
        {"DomainName": "shop.contoso.example", "DomainType": "Authoritative"},
        {"DomainName": "other.example", "DomainType": "InternalRelay"},
    ]
    assert foreign_connectors.internal_relays(rows, ["contoso.example", "shop.contoso.example"]) == [
        "contoso.example"
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"RecipientDomains": ["contoso.example"]}, "through the connector «To premises», past the gateway"),
        ({"AllAcceptedDomains": True}, "through the connector «To premises»"),
        ({"RecipientDomains": ["*.example"]}, "through the connector «To premises»"),
        ({"RecipientDomains": ["*.contoso.example"]}, "it runs in a loop. If all its mailboxes are in"),
        ({"RecipientDomains": ["contoso.example"], "Enabled": False}, "it runs in a loop"),
    ],
)
def test_where_an_internal_relay_domain_hands_mail_on(row: Row, says: str) -> None:
    found = foreign_connectors.relayed("contoso.example", [{"Name": "To premises", "Enabled": True, **row}])
    assert not found.harmful
    assert says in str(found)


# --- when it is looked for ----------------------------------------------------------------------------------


class CannedExchange(ExchangeClient):
    """Lists by their noun; `asked` is which were read."""

    def __init__(self) -> None:
        self.name = "contoso.onmicrosoft.com"
        self.asked: set[str] = set()
        self.lists: dict[str, list[Row]] = {
            "InboundConnector": [{"Name": "Old in", "Enabled": True, "ConnectorType": "OnPremises"}],
            "OutboundConnector": [*CONNECTORS, {"Name": "To bank", "Enabled": True}],
            "TransportRule": [rule(SetHeaderName=HEADER), rule(Name=PROBE, SetHeaderName=HEADER)],
            "AcceptedDomain": [
                {"DomainName": name, "DomainType": "InternalRelay"}
                for name in ("contoso.example", "b.example")
            ],
        }
        self.lists["DkimSigningConfig"] = [
            {"Name": name, "Domain": name, "Enabled": True} for name in ("contoso.example", "b.example")
        ]
        self.lists["InboundConnector"][0]["SenderIPAddresses"] = ["192.0.2.10"]
        self.lists["OutboundConnector"][-1]["RecipientDomains"] = ["bank.example"]

    def rows(self, kind: Kind) -> list[Row]:
        self.asked.add(kind.noun)
        return self.lists[kind.noun]


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> CannedExchange:
    canned = CannedExchange()
    monkeypatch.setattr(connections, "_live", {"exchange": canned})
    return canned


def inputs(**changed: Any) -> Props:
    parts = {"inbound": {**INBOUND, "connector": B, "rule": A}, "outbound": OUTBOUND}
    lists = {"domains": ["contoso.example"], "rules": [A, K, PROBE], "exceptDomains": [], "leave": []}
    return {"tenant": "contoso.onmicrosoft.com", **parts, **lists, **changed}


def refused(news: Props, olds: Props | None = None) -> list[str]:
    """Names of what is refused."""
    failures = ExchangeEquivalentsProvider().check(olds or {}, news).failures
    assert all(one.reason.startswith("contoso.onmicrosoft.com: the ") for one in failures)
    return [one.reason.split("»")[0].partition("«")[2] for one in failures]


def known(**changed: Any) -> Props:
    """The inputs of the last run, as the engine keeps them."""
    return dict(ExchangeEquivalentsProvider().check({}, inputs(**changed)).inputs)


def test_all_of_a_tenant_is_listed_at_once(tenant: CannedExchange, said: list[str]) -> None:
    assert refused(inputs()) == ["Old in", "To bank", "Theirs"]
    assert [line.partition("«")[2].partition("»")[0] for line in said] == ["Old", "contoso.example"]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"leave": ["transport rule Theirs"]},
        {"exceptDomains": ["bank.example"]},
        {"outbound": None},
        {"domains": []},
    ],
)
def test_a_later_run_does_not_look(tenant: CannedExchange, said: list[str], changed: Props) -> None:
    """Nor does one on the way back, or one that takes less."""
    before = known()
    tenant.asked.clear()
    said.clear()
    assert refused(inputs(**changed), before) == []
    assert (tenant.asked, said) == (set(), [])


def test_a_domain_that_is_added_is_looked_at_alone(tenant: CannedExchange, said: list[str]) -> None:
    before = known()
    said.clear()
    assert refused(inputs(domains=["contoso.example", "b.example"]), before) == []
    [line] = said
    assert "«b.example»" in line


def test_outbound_mail_that_is_added_is_looked_at(tenant: CannedExchange, said: list[str]) -> None:
    before = known(outbound=None)
    assert refused(inputs(), before) == ["To bank", "Theirs"]
    assert refused(inputs(exceptDomains=["bank.example"]), before) == ["Theirs"]


def test_names_that_were_ours_till_now_are_no_rivals(tenant: CannedExchange, said: list[str]) -> None:
    then = {"outbound": {**OUTBOUND, "connector": "To bank", "rule": "Theirs"}, "rules": [A, "Theirs", PROBE]}
    assert refused(inputs(), known(**then)) == []


def test_another_tenant_is_a_first_contact(tenant: CannedExchange, said: list[str]) -> None:
    before = {**known(), "tenant": "fabrikam.onmicrosoft.com"}
    assert refused(inputs(), before) == ["Old in", "To bank", "Theirs"]


def test_a_domain_that_nobody_signs_for_is_told_with_outbound_mail(
    tenant: CannedExchange, said: list[str]
) -> None:
    tenant.lists["DkimSigningConfig"] = [{"Name": "Contoso.example", "Domain": "", "Enabled": False}]
    refused(inputs(outbound=None))
    assert not any("DKIM" in line for line in said)
    before = known(outbound=None)
    said.clear()
    refused(inputs(), before)
    [line] = [one for one in said if "DKIM" in one]
    assert "«contoso.example» is not signed by Microsoft 365 (DKIM)" in line
    assert "add «accepted domain contoso.example» to leave" in line
    said.clear()
    refused(inputs(leave=["accepted domain contoso.example"]), before)
    assert not any("DKIM" in line for line in said)


def test_a_role_that_may_not_look_at_dkim_hinders_nothing(
    tenant: CannedExchange, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(kind: Kind) -> list[Row]:
        if kind.noun == "DkimSigningConfig":
            raise ExchangeError("403", where="contoso")
        return tenant.lists[kind.noun]

    monkeypatch.setattr(tenant, "rows", forbidden)
    assert refused(inputs()) == ["Old in", "To bank", "Theirs"]
    assert any(
        "whether Microsoft 365 signs mail (DKIM) could not be read: contoso: 403" in one for one in said
    )


def test_a_rule_that_spares_the_filter_is_told_otherwise_where_microsoft_is_to_filter() -> None:
    sparing = [rule(Name="Old", SetSCL="-1", SenderIpRanges=["192.0.2.0/24"])]
    [ours] = foreign_rules.inbound(sparing, INBOUND, {A})
    assert ours.take_over == "inboundRule"
    [theirs] = foreign_rules.inbound(sparing, {**INBOUND, "filtered": True}, {A})
    assert "so Microsoft does not filter it, whatever inbound.spamBypass says" in str(theirs)
    assert theirs.take_over == ""
    assert not theirs.harmful
