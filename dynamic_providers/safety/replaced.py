"""Settings whose change takes the old thing away before the new one is made: what mail meets in between."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Replaced:
    """Which mail needs the thing, and what becomes of that mail while it is not there."""

    harm: str
    inbound: bool = False
    outbound: bool = False


_TAKES_NOBODY = "the gateway answers mail for the domains with 550, and senders get it back"
_RELAYS_NOBODY = "the gateway refuses what Microsoft 365 sends, and the senders get it back"

REPLACED: Mapping[str, Replaced] = {
    "tenant.initialDomain": Replaced(
        "the old tenant has neither connectors nor rules", inbound=True, outbound=True
    ),
    "gateway.name": Replaced(f"{_TAKES_NOBODY}; {_RELAYS_NOBODY}", inbound=True, outbound=True),
    "gateway.inboundListener": Replaced(_TAKES_NOBODY, inbound=True),
    "gateway.outboundListener": Replaced(_RELAYS_NOBODY, outbound=True),
    "names.inboundConnector": Replaced(
        "Microsoft 365 takes the gateway for a stranger, and throttles or refuses what it delivers",
        inbound=True,
    ),
    "names.senderGroup": Replaced(_RELAYS_NOBODY, outbound=True),
    "names.mailFlowPolicy": Replaced(_RELAYS_NOBODY, outbound=True),
    "names.filter": Replaced(
        "mail leaves with the secret in its header, or another tenant's filter drops it", outbound=True
    ),
    "names.outboundRule": Replaced(
        "mail leaves Microsoft 365 past the gateway, for as long as settle.rule says", outbound=True
    ),
}
