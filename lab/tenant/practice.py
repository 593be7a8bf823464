"""The practice tenant's constants: who it is, who may log in, which domains it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TENANT_ID = "11111111-2222-4333-8444-555555555555"
CLIENT_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
CLIENT_SECRET = "Practice~Tenant~Secret~42"
OUTBOUND_SECRET = "mysecretkey"

LOGIN_HOSTS = (
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.windows.net",
)
EXCHANGE_HOSTS = (
    "outlook.office365.com",
    "outlook.office365.us",
    "outlook-dod.office365.us",
    "partner.outlook.cn",
)
GRAPH_HOST = "graph.microsoft.com"
GRAPH_HOSTS = (
    GRAPH_HOST,
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
)
OTHER_HOSTS = GRAPH_HOSTS
STRAY_HOST = "outlook.redirected.example"
"""Where the fault «redirect» sends a client; the tenant listens there too and journals who came."""

EXCHANGE_APP = "00000002-0000-0ff1-ce00-000000000000"
APP_ROLE = "Exchange.ManageAsApp"
EXCHANGE_ADMINISTRATOR = "29232cdf-9323-42fd-ade2-1d097af3e4de"
GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"


GRAPH_APP = "00000003-0000-0000-c000-000000000000"


def graph_audiences(host: str = "") -> tuple[str, ...]:
    """Whom a token is for that Graph takes: at one of its hosts that host alone, elsewhere any of them."""
    name = host.rsplit(":", 1)[0].lower()
    hosts = (name,) if name in GRAPH_HOSTS else GRAPH_HOSTS
    return (GRAPH_APP, *(f"https://{one}" for one in hosts))


@dataclass(frozen=True)
class Organization:
    """One practice organization: its initial domain, and its accepted domains with the default one first.

    `mx`: the Microsoft mail host of each accepted domain, all of them names of the address `front_door`.
    `outbound`: the addresses that its mail leaves Microsoft from.
    """

    initial_domain: str
    accepted_domains: tuple[str, ...]
    tenant_id: str = TENANT_ID
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    mx: Mapping[str, str] = field(default_factory=dict)
    front_door: str = "203.0.113.25"
    outbound: tuple[str, ...] = ("203.0.113.40",)


BCE_DEMO = Organization(
    "bcedemo.onmicrosoft.com",
    ("bce-demo.com", "shop.bce-demo.com", "bcedemo.onmicrosoft.com"),
    mx={
        "bce-demo.com": "bce-demo-com.mail.protection.outlook.com",
        "shop.bce-demo.com": "shop-bce-demo-com.mail.protection.outlook.com",
        "bcedemo.onmicrosoft.com": "bcedemo.mail.protection.outlook.com",
    },
)
CONTOSO = Organization(
    "contoso.onmicrosoft.com",
    ("contoso.example", "shop.contoso.example", "contoso-mail.example", "contoso.onmicrosoft.com"),
    mx={
        "contoso.example": "contoso-example.mail.protection.outlook.com",
        "shop.contoso.example": "shop-contoso-example.b-v1.mx.microsoft",
        "contoso-mail.example": "contosomail-example01.mail.protection.outlook.com",
        "contoso.onmicrosoft.com": "contoso.mail.protection.outlook.com",
    },
    front_door="203.0.113.26",
    outbound=("203.0.113.41",),
)
FABRIKAM = Organization(
    "fabrikam.onmicrosoft.com",
    ("fabrikam.example", "fabrikam.onmicrosoft.com"),
    tenant_id="66666666-7777-4888-8999-000000000000",
    client_id="bbbbbbbb-cccc-4ddd-8eee-ffffffffffff",
    client_secret="Practice~Fabrikam~Secret~43",
    mx={
        "fabrikam.example": "fabrikam-example.mail.protection.outlook.com",
        "fabrikam.onmicrosoft.com": "fabrikam.mail.protection.outlook.com",
    },
    front_door="203.0.113.27",
    outbound=("203.0.113.42",),
)
"""The second tenant, behind the same gateway."""
