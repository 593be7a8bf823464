"""Microsoft's clouds: where each keeps Exchange, its login and Graph, and the names that its mail goes by.

GCC is part of the worldwide cloud. Source: Microsoft, «Connect-ExchangeOnline», parameter
ExchangeEnvironmentName; «National clouds»; «Microsoft Graph national cloud deployments»; «DNS records for
Office 365 GCC High», DoD, and operated by 21Vianet. Hosts that send mail: seen in received mail.
"""

from dataclasses import dataclass
from typing import Literal

Name = Literal["worldwide", "gccHigh", "dod", "china"]


@dataclass(frozen=True)
class Cloud:
    """One cloud: hosts of Exchange, of the login and of Graph; how the names of its mail hosts end.

    `senders`: of the hosts that mail leaves from. `mx`: of domains' own MX. `initial_domain`: of a tenant's
    first domain. `spf`: what domains' SPF records include.
    """

    exchange: str
    login: str
    graph: str
    senders: str
    mx: tuple[str, ...]
    initial_domain: str
    spf: str

    @property
    def scope(self) -> str:
        """What a token for this cloud's Exchange is asked for."""
        return f"https://{self.exchange}/.default"


_WORLDWIDE = Cloud(
    exchange="outlook.office365.com",
    login="login.microsoftonline.com",
    graph="graph.microsoft.com",
    senders=".protection.outlook.com",
    mx=(".mail.protection.outlook.com", ".mx.microsoft"),
    initial_domain=".onmicrosoft.com",
    spf="spf.protection.outlook.com",
)
_GCC_HIGH = Cloud(
    exchange="outlook.office365.us",
    login="login.microsoftonline.us",
    graph="graph.microsoft.us",
    senders=".protection.office365.us",
    mx=(".mail.protection.office365.us",),
    initial_domain=".onmicrosoft.us",
    spf="spf.protection.office365.us",
)
_DOD = Cloud(
    exchange="outlook-dod.office365.us",
    login="login.microsoftonline.us",
    graph="dod-graph.microsoft.us",
    senders=".protection.office365.us",
    mx=(".mail.protection.office365.us",),
    initial_domain=".onmicrosoft.us",
    spf="spf.protection.office365.us",
)
_CHINA = Cloud(
    exchange="partner.outlook.cn",
    login="login.partner.microsoftonline.cn",
    graph="microsoftgraph.chinacloudapi.cn",
    senders=".protection.partner.outlook.cn",
    mx=(".mail.protection.partner.outlook.cn",),
    initial_domain=".partner.onmschina.cn",
    spf="spf.protection.partner.outlook.cn",
)

CLOUDS: dict[str, Cloud] = {"worldwide": _WORLDWIDE, "gccHigh": _GCC_HIGH, "dod": _DOD, "china": _CHINA}
SENDERS = tuple(dict.fromkeys(one.senders for one in CLOUDS.values()))
"""How the names of the hosts end that mail of any cloud leaves from."""
