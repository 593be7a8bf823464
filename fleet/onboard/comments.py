"""What a new stack file tells its reader: a comment for a setting, by its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HEADING: Final = """\
# yaml-language-server: $schema=settings.schema.json
# Written by `fleet onboard`. Every setting is explained in docs/reference/settings.md; mistakes are told all
# at once, before anything is connected to. Credentials come from the environment (docs/tutorial.md).
# `encryptionsalt`, which the engine puts here, belongs into version control: it is no secret."""

ENDING: Final = """\
# What may come next, each with `pulumi preview` first (docs/how-to.md):
#   outbound mail, a few people first: outbound.state: pilot, with outbound.pilotGroup; then all
#   the mailboxes that prove the path: checks: {mailbox: …, outside: …}, and where tracking is asked:
#     gateway.tracking: {from: manager, url: "https://…"}
#   the cut-over: domains.<domain>.mx: gateway, which needs checks and inbound.mxHosts
#   the side entrance: lockdown: report, then closed
"""

OF_SETTINGS: Final[Mapping[str, str]] = {
    "customer": "Whose stack this is.",
    "tenant": "The Microsoft 365 tenant, and the app registration that we log in as.",
    "gateway": "The gateways. `name` is their identity and stays; addresses may change.",
    "gateway.jumpHost": "The host that SSH goes through; it takes public keys only (GATEWAY_KEY_FILE).",
    "gateway.members": "hostKey: compared by whoever accepted it; anything else is refused from now on.\n"
    "data1, data2: what the internet sees of its interfaces; it may deliver from either.",
    "gateway.inboundListener": "The public listener, then the private one; upper and lower case count.",
    "domains": "microsoftMx: the domain's own, as DNS or Microsoft says it; it cannot be computed.\n"
    "mx: leave: the MX record is not ours; microsoft; gateway: after mail sent straight there has arrived.",
    "inbound.mxHosts": "The gateways' inbound hosts, as MX records are to name them.",
    "inbound.throttle": "While the gateways' addresses are new to Microsoft; `none` takes the limits away.",
    "inbound.senderAddresses": "What Microsoft sees the gateways deliver from, other than data1 and data2.",
    "inbound.allowedSenders": "Who else the inbound connector lets in.",
    "outbound.state": "none: all is set up, and nobody's mail goes that way yet; pilot; all.",
    "outbound.smartHosts": "Where Microsoft 365 delivers.",
    "outbound.ciphers": "check: compared with the guide's; set: written.",
    "outbound.secret": "Of the header X-OUTBOUND-AUTH; encrypted with this stack's key.",
    "takeOver": "The guide edits the policy that is there already, so it is named here.",
    "names": "What it is called here; all else has the guide's names.",
    "leave": "What others set up, and what stays beside ours as it is.",
    "lockdown": "Whether Microsoft 365 refuses mail that comes past the gateway.",
}
