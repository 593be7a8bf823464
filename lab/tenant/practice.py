"""The practice tenant's constants: who it is, who may log in, which domains it accepts."""

from __future__ import annotations

from dataclasses import dataclass

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
OTHER_HOSTS = ("graph.microsoft.com",)
STRAY_HOST = "outlook.redirected.example"
"""Where the fault «redirect» sends a client; the tenant listens there too and journals who came."""

EXCHANGE_APP = "00000002-0000-0ff1-ce00-000000000000"
APP_ROLE = "Exchange.ManageAsApp"
EXCHANGE_ADMINISTRATOR = "29232cdf-9323-42fd-ade2-1d097af3e4de"
GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"


@dataclass(frozen=True)
class Organization:
    """One practice organization: its initial domain, and its accepted domains with the default one first."""

    initial_domain: str
    accepted_domains: tuple[str, ...]
    tenant_id: str = TENANT_ID
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET


BCE_DEMO = Organization(
    "bcedemo.onmicrosoft.com",
    ("bce-demo.com", "shop.bce-demo.com", "bcedemo.onmicrosoft.com"),
)
CONTOSO = Organization(
    "contoso.onmicrosoft.com",
    ("contoso.example", "shop.contoso.example", "contoso-mail.example", "contoso.onmicrosoft.com"),
)
