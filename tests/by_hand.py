"""What another administrator does behind our back: one change in each thing that a stack manages.

On the gateway it is typed in the release profile's own dialogue, whatever its questions and their order.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.estate import Estate
from lab.gateway.profile import Profile, Step

FILTER = "office365_outbound"
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

TAKE_OVER = (
    "smtpRoutes",
    "destinationControls",
    "recipientAccess",
    "senderGroup",
    "mailFlowPolicy",
    "filter",
    "inboundConnector",
    "outboundConnector",
    "inboundRule",
    "outboundRule",
)
"""The keys by which a stack may take over what `change_everything` leaves (ciphers need none)."""


def change_everything(estate: Estate, domain: str) -> None:
    """One change a resource, as in EVERYTHING, committed."""
    change_gateway(estate, domain)
    tenant = estate.tenant
    tenant.invoke_by_hand("Set-InboundConnector", Identity="Inbound from Cisco CES", RequireTls=False)
    tenant.invoke_by_hand(
        "Set-OutboundConnector", Identity="Outbound to Cisco CES", SmartHosts=["203.0.113.9"]
    )
    tenant.invoke_by_hand(
        "Set-TransportRule", Identity="Bypass spam filtering - inbound email from Cisco CES", SetSCL=5
    )
    tenant.invoke_by_hand(
        "Set-TransportRule", Identity="Outbound to Cisco CES", SenderAddressLocation="Envelope"
    )


def change_gateway(estate: Estate, domain: str) -> None:
    """The gateway's part, in one session and one commit."""
    profile = estate.gateway.profile
    lines = ["clustermode cluster"] if profile.cluster else []
    for command, dialogue, answers in _changes(profile, domain):
        lines += [command, *typed(profile, dialogue, answers)]
    seen = estate.gateway.type_by_hand([*lines, "showchanges", 'commit "quick fix" Y', "showchanges"])
    assert profile.text("no_changes") in seen.rpartition("quick fix")[2], seen


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


def typed(profile: Profile, dialogue: str, answers: Mapping[str, str]) -> list[str]:
    """The lines to type to go through a dialogue in this release's order.

    `answers` by question: a text, `yes` or `no`, a choice by its value. All others stay as they are preset,
    which must be known here only for questions that open others.
    """
    steps = profile.dialogue(dialogue)
    asked = {step.id for step in steps}
    given: dict[str, str] = {}
    lines = []
    for step in steps:
        if not _applies(step, asked, given):
            continue
        given[step.id] = answers.get(step.id, step.default if step.kind != "yes" else "no")
        lines.append(_line(step, answers.get(step.id)))
    return lines


def _applies(step: Step, asked: set[str], given: Mapping[str, str]) -> bool:
    """Whether a question comes, after these answers: its gates say so, or are not asked at all."""
    conditions = [one.strip().partition("=") for one in step.when.split(" and ")] if step.when else []
    return all(
        gate not in asked or given.get(gate, "") in (wanted or "yes").split("|")
        for gate, _, wanted in conditions
    )


def _line(step: Step, answer: str | None) -> str:
    if answer is None:
        return ""
    if step.kind == "choice":
        return str([value for value, _ in step.choices].index(answer) + 1)
    return {"yes": "Y", "no": "N"}.get(answer, answer) if step.kind == "yes" else answer


def asks_messages(profile: Profile) -> bool:
    """Whether the release has a messages-per-connection limit."""
    return any(step.id == "messages" for step in profile.dialogue("destconfig.new"))
