"""What is made for mail to the internet, rows h to l and n of the guide's steps, and the lock-down."""

from __future__ import annotations

from collections.abc import Iterator

from components.context import HEADER
from components.relay import COMMENT
from components.settings import Settings
from dynamic_providers.exchange.inbound_connector import TO_ADDRESSES, TO_CERTIFICATE, restriction
from mail_check.wanted import BY_SHARED_GATEWAY, CONNECTORS, RULES, WantedObject

_TLS = {
    "encryptionOnly": "Always use TLS, any digital certificate",
    "certificateValidation": "Always use TLS, issued by a trusted certificate authority (CA)",
    "domainValidation": "Always use TLS, issued by a trusted certificate authority (CA), for the name",
}
_REJECTS = {
    TO_ADDRESSES: "Reject messages if they aren't sent from within this IP address range",
    TO_CERTIFICATE: "Reject messages if the subject name of the certificate doesn't match this domain name",
}
_SWITCH = {True: "On", False: "Off"}


def relay(settings: Settings) -> Iterator[WantedObject]:
    """Rows h and i."""
    names, listener = settings.names, settings.gateway.outbound_listener
    elsewhere = BY_SHARED_GATEWAY if settings.gateway.shared else ""
    yield WantedObject(
        row="h",
        side="gateway",
        place=f"Mail Policies > HAT Overview, {listener}",
        kind="Sender Group",
        name=names.sender_group,
        attributes={
            "Order": "1",
            "Policy": names.mail_flow_policy,
            "Sender": settings.microsoft_senders,
            "Comment": COMMENT,
        },
        kind_on_record=("gateway:SenderGroup",),
        key=("name", names.sender_group),
        wanted={"order": 1, "policy": names.mail_flow_policy},
        elsewhere=elsewhere,
    )
    yield WantedObject(
        row="i",
        side="gateway",
        place=f"Mail Policies > Mail Flow Policies, {listener}",
        kind="Mail Flow Policy",
        name=names.mail_flow_policy,
        attributes={"Encryption and Authentication": "TLS: Preferred"},
        kind_on_record=("gateway:MailFlowPolicy",),
        key=("name", names.mail_flow_policy),
        wanted={"tls": "Preferred"},
        elsewhere=elsewhere,
    )


def tenant(settings: Settings, smart_hosts: tuple[str, ...]) -> Iterator[WantedObject]:
    """Rows j and k."""
    names, outbound = settings.names, settings.outbound
    yield WantedObject(
        row="j",
        side="tenant",
        place=CONNECTORS,
        kind="Outbound connector",
        name=names.outbound_connector,
        attributes={
            "Mail flow scenario": "From: Office 365, to: Partner organization",
            "Use of connector": "Only when I have a transport rule set up that redirects messages to it",
            "Routing": f"Route email messages through these smart hosts: {', '.join(smart_hosts)}",
            "Security restrictions": _TLS[outbound.tls]
            + (f" {outbound.tls_domain}" if outbound.tls_domain else ""),
            "Status": "On",
        },
        kind_on_record=("exchange:OutboundConnector",),
        key=("name", names.outbound_connector),
        wanted={
            "smartHosts": smart_hosts,
            "isTransportRuleScoped": True,
            "tlsSettings": outbound.tls_settings or "EncryptionOnly",
            **({"tlsDomain": outbound.tls_domain} if outbound.tls_domain else {}),
            "enabled": True,
        },
    )
    if outbound.state == "none":
        return
    group = f", is a member of {outbound.pilot_group}" if outbound.state == "pilot" else ""
    without = outbound.exceptions.recipient_domains if outbound.exceptions else ()
    yield WantedObject(
        row="k",
        side="tenant",
        place=RULES,
        kind="Rule",
        name=names.outbound_rule,
        attributes={
            "Apply this rule if": f"The sender is located inside the organization{group}; the recipient is"
            " located outside the organization",
            **({"Except if": f"The recipient's domain is {', '.join(without)}"} if without else {}),
            "Do the following": f"Set the message header {HEADER} to a value that is secret;"
            f" use the connector «{names.outbound_connector}»",
            "Choose a mode for this rule": "Enforce",
            "Match sender address in message": "Header",
            "Priority": "0 when made; no foreign rule that is enabled above it",
        },
        kind_on_record=("exchange:TransportRule",),
        key=("name", names.outbound_rule),
        wanted={
            "fromScope": "InOrganization",
            "sentToScope": "NotInOrganization",
            "routeMessageOutboundConnector": names.outbound_connector,
            "setHeaderName": HEADER,
            "state": "Enabled",
            "mode": "Enforce",
        },
    )


def message_filter(settings: Settings) -> WantedObject:
    """Row l."""
    names, count = settings.names, len(settings.outbound.accepted_secrets())
    mismatch = settings.outbound.mismatch
    return WantedObject(
        row="l",
        side="gateway",
        place="Command line > filters",
        kind="Message filter",
        name=names.filter,
        attributes={
            "If": f'sendergroup == "^{names.sender_group}$"',
            f"If {HEADER} is right": f'strip-header("{HEADER}")',
            "Else": "drop()" if mismatch == "drop" else 'quarantine("Policy")',
            "Values that are right": f"{count}, secret",
        },
        kind_on_record=("gateway:OutboundFilter",),
        key=("name", names.filter),
        wanted={"group": names.sender_group, "header": HEADER},
    )


def ciphers(settings: Settings) -> WantedObject:
    """Row n."""
    mode = settings.outbound.ciphers
    does = "set to the guide's" if mode == "set" else "compared with the guide's, not written"
    return WantedObject(
        row="n",
        side="gateway",
        place="System Administration > SSL Configuration",
        kind="Outbound SMTP",
        name="Ciphers",
        attributes={"SSL Cipher(s) to use": does},
        kind_on_record=("gateway:OutboundTls",),
        wanted={"mode": mode},
        elsewhere=BY_SHARED_GATEWAY if settings.gateway.shared else "",
    )


def lock_down(settings: Settings) -> WantedObject:
    """The side entrance; no row of the guide's."""
    closed, by = settings.lockdown == "closed", restriction(settings.certificate)
    return WantedObject(
        row="-",
        side="tenant",
        place=f"{CONNECTORS}; Exchange Online PowerShell > Set-OrganizationConfig",
        kind="Lock-down",
        name=settings.names.inbound_connector,
        attributes={
            _REJECTS[by]: _SWITCH[closed],
            "RejectDirectSend": _SWITCH[closed],
        },
        kind_on_record=("exchange:LockDown",),
        wanted={by: closed, "rejectDirectSend": closed},
    )
