"""Which domains Microsoft 365 signs mail of (DKIM). Read only: keys and switch are the administrator's.

Mail through the gateway comes from the gateway's address: without a signature of the domain's own, DMARC
hangs on SPF alone. And a signature breaks where the gateway changes what is signed. Source: Microsoft Learn,
Get-DkimSigningConfig, and «Set up DKIM to sign mail from your cloud domain».
"""

from collections.abc import Collection

from dynamic_providers.exchange.client import Rows

UNSIGNED = (
    "is not signed by Microsoft 365 (DKIM): mail through the gateway then passes DMARC by SPF alone, and not "
    "where it is forwarded"
)
SWITCH_ON = "switch DKIM on for it in the Microsoft Defender portal, before outbound mail takes the gateway"
KEEP_BODIES = "Microsoft 365 signs it (DKIM): the gateway must not change what it sends out, by footers, say"


def unsigned(rows: Rows, domains: Collection[str]) -> list[str]:
    """Those of the domains that are not signed for, by the list of all configurations."""
    signed = {str(row.get("Domain") or row["Name"]).casefold() for row in rows if row.get("Enabled") is True}
    return sorted(one for one in domains if one.casefold() not in signed)
