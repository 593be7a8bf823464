"""One change in each thing that a stack manages, as an operator's next preview has to show it."""

from __future__ import annotations

from collections.abc import Mapping

from lab.estate import Estate
from lab.gateway.profile import Profile
from tests.hands.acts import all_of, asks_messages, call, type_in, typed
from tests.hands.names import BYPASS, FILTER, INBOUND, OUTBOUND

EVERYTHING: Mapping[str, frozenset[str]] = {
    "smtp-routes": frozenset({"routes.{domain}.hosts"}),
    "destination-controls": frozenset({"controls.{domain}.messagesPerConnection"}),
    "recipient-access": frozenset({"recipients.{domain}.action"}),
    "sender-group": frozenset({"senders"}),
    "mail-flow-policy": frozenset({"tls"}),
    "outbound-filter": frozenset({"alternatives.mysecretkey.other.active"}),
    "outbound-tls": frozenset({"ciphers"}),
    "inbound-connector": frozenset({"requireTls"}),
    "outbound-connector": frozenset({"smartHosts"}),
    "inbound-rule": frozenset({"setScl"}),
    "outbound-rule": frozenset({"senderAddressLocation"}),
}
"""What `change_everything` changes: the resource → the paths in its inputs."""


def change_everything(estate: Estate, domain: str) -> None:
    """One change a resource, as in EVERYTHING; the gateway's in one session and one commit."""
    profile = estate.gateway.profile
    dialogues = [
        [command, *typed(profile, name, answers)] for command, name, answers in _changes(profile, domain)
    ]
    all_of(
        type_in(*(line for dialogue in dialogues for line in dialogue)),
        call("Set-InboundConnector", Identity=INBOUND, RequireTls=False),
        call("Set-OutboundConnector", Identity=OUTBOUND, SmartHosts=["203.0.113.9"]),
        call("Set-TransportRule", Identity=BYPASS, SetSCL=5),
        call("Set-TransportRule", Identity=OUTBOUND, SenderAddressLocation="Envelope"),
    )(estate)


def _changes(profile: Profile, domain: str) -> list[tuple[str, str, dict[str, str]]]:
    """Command, then the dialogue that it opens and what is answered there, all else as it is preset."""
    outbound = "listenerconfig edit OutgoingMail hostaccess edit"
    recipient = f"listenerconfig edit IncomingMail rcptaccess edit {domain}"
    messages = {"messages": "33"} if asks_messages(profile) else {"concurrency": "33"}
    limits = {"limit_messages": "yes", "limit_concurrency": "yes", "specific_tls": "yes", **messages}
    calm = dict.fromkeys(("override_banner", "custom_accept", "rate_limiting", "dhap"), "no")
    weaker_ciphers = {"change_method": "no", "cipher": "HIGH:MEDIUM:LOW"}
    return [
        ("smtproutes edit", "smtproutes.edit", {"domain": domain, "hosts": "mx.elsewhere.example/pri=5"}),
        (f"destconfig edit {domain}", "destconfig.edit", limits),
        (recipient, "rcptaccess.edit", {"action": "REJECT"}),
        (f"{outbound} sendergroup RELAY_O365 new", "group.add", {"hosts": ".theirs.example"}),
        (f"{outbound} policy RELAYED", "policy.edit", {"tls": "required", "smtp_auth": "off", **calm}),
        ("sslconfig outbound", "sslconfig.outbound", weaker_ciphers),
        ("filters set", "filters.set", {"what": FILTER, "attribute": "inactive"}),
    ]
