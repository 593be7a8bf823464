"""The rights that an identity can be given, by Microsoft's ids. docs/identity.md says what each is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["write", "read"]
Cloud = Literal["worldwide", "gccHigh", "dod", "china"]


@dataclass(frozen=True)
class AppRole:
    """An application permission: whose it is (the resource's application), its id and name there."""

    resource: str
    id: str
    name: str


EXCHANGE: Final = "00000002-0000-0ff1-ce00-000000000000"  # Office 365 Exchange Online
GRAPH: Final = "00000003-0000-0000-c000-000000000000"  # Microsoft Graph
MANAGE_EXCHANGE: Final = AppRole(EXCHANGE, "dc50a0fb-09a3-484d-be87-e023b12c6440", "Exchange.ManageAsApp")
READ_DOMAINS: Final = AppRole(GRAPH, "dbb9058a-0e50-45d7-ae91-66909b5d4664", "Domain.Read.All")
"""Source: Microsoft Learn, «App-only authentication … in Exchange Online PowerShell», step 2; «Microsoft
Graph permissions reference»."""

DIRECTORY_ROLES: Final[Mapping[Role, tuple[str, str]]] = {
    "write": ("29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator"),
    "read": ("f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader"),
}
"""Template id and name. Source: Microsoft Learn, «Microsoft Entra built-in roles»."""

ENTRA_CLOUDS: Final[Mapping[Cloud, str]] = {
    "worldwide": "public",
    "gccHigh": "usgovernmentl4",
    "dod": "usgovernmentl5",
    "china": "china",
}
"""What the provider azuread calls a cloud."""
