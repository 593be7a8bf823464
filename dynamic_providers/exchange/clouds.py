"""Microsoft's clouds: where each keeps Exchange and its login. GCC is part of the worldwide cloud.

Source: Microsoft, «Connect-ExchangeOnline», parameter ExchangeEnvironmentName, and «National clouds».
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cloud:
    """One cloud: host of Exchange, host of the login."""

    exchange: str
    login: str

    @property
    def scope(self) -> str:
        """What a token for this cloud's Exchange is asked for."""
        return f"https://{self.exchange}/.default"


CLOUDS = {
    "worldwide": Cloud("outlook.office365.com", "login.microsoftonline.com"),
    "gccHigh": Cloud("outlook.office365.us", "login.microsoftonline.us"),
    "dod": Cloud("outlook-dod.office365.us", "login.microsoftonline.us"),
    "china": Cloud("partner.outlook.cn", "login.partner.microsoftonline.cn"),
}
