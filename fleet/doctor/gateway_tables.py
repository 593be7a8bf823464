"""Listeners, the mail flow policy and recipient validation, as the gateways' command line shows them."""

from __future__ import annotations

from collections.abc import Iterator

from dynamic_providers.gateway import bounce_verification, listeners, mail_flow_policy
from dynamic_providers.gateway.dialogue import DialogueError
from dynamic_providers.gateway.sender_group import read_hat, refuse_missing_policy
from dynamic_providers.gateway.transaction import Gateway
from fleet.doctor.finding import Finding, NotLookedAt, error, not_looked_at, ok, warning
from fleet.doctor.subject import Subject

WANTED_TLS = "Preferred"  # guide: «Ativar TLS»
_OFF = ("off", "none", "no", "disabled")


def listeners_there(subject: Subject) -> Iterator[Finding]:
    """Both listeners are there, the inbound one public."""
    settings = subject.settings.gateway

    def look(gateway: Gateway) -> Iterator[Finding]:
        found = gateway.read(listeners.COMMAND, listeners.read)
        for setting, name in (
            ("inboundListener", settings.inbound_listener),
            ("outboundListener", settings.outbound_listener),
        ):
            yield _listener(found, setting, name)

    return subject.gateways.each(look)


def _listener(found: dict[str, str], setting: str, name: str) -> Finding:
    if name not in found:
        there = ", ".join(found) or "none"
        return error(
            f"there is no listener «{name}» (upper and lower case count); there are: {there}",
            f"correct gateway.{setting}",
        )
    kind = found[name]
    if setting == "inboundListener" and kind == "private":
        return error(
            f"«{name}» is private: it has no recipient access table",
            f"name a public one in gateway.{setting}",
        )
    if setting == "outboundListener" and kind == "public":
        return warning(
            f"«{name}» is public: mail that other Microsoft tenants send in through it would meet our sender "
            "group, and the filter would drop it",
            f"name in gateway.{setting} a listener that only Microsoft 365 is led to",
        )
    return ok(f"«{name}» is there, {kind or 'its type is not shown'} ({setting})")


def _require(gateway: Gateway, listener: str) -> None:
    if listener not in gateway.read(listeners.COMMAND, listeners.read):
        raise NotLookedAt(f"there is no listener «{listener}» (see listeners)")


def policy(subject: Subject) -> Iterator[Finding]:
    """The mail flow policy that Microsoft's mail gets: there, and its TLS."""
    gateway_settings, name = subject.settings.gateway, subject.settings.names.mail_flow_policy
    listener = gateway_settings.outbound_listener

    def look(gateway: Gateway) -> Iterator[Finding]:
        _require(gateway, listener)
        table = read_hat(gateway, listener)
        refuse_missing_policy(table, name, listener, gateway.name)
        behaviour = table.policies[name].behaviour
        if behaviour != "RELAY":
            yield warning(
                f"«{name}» says {behaviour or 'nothing'}, not RELAY: mail from Microsoft 365 to the internet "
                "may be refused",
                "set it on the page Mail Policies > Mail Flow Policies",
            )
        own = mail_flow_policy.entry_of(table, name, gateway.name)
        yield _tls(subject, name, str(own["tls"]) if own else None)

    return subject.gateways.each(look)


def _tls(subject: Subject, name: str, tls: str | None) -> Finding:
    if tls == WANTED_TLS:
        return ok(f"«{name}» is there, TLS {tls}")
    has = f"has TLS {tls}" if tls else "has no TLS of its own"
    if subject.settings.gateway.shared:
        return error(
            f"«{name}» {has}, and belongs to the gateway's own stack",
            "run `pulumi up` in the gateway's own stack (kind: gateway) first",
        )
    if tls is None or subject.settings.may_take_over("mailFlowPolicy"):
        return ok(f"«{name}» is there and {has}: `up` sets TLS {WANTED_TLS}")
    return warning(
        f"«{name}» {has}, and was set up by somebody else: the preview refuses to set TLS {WANTED_TLS}",
        "add mailFlowPolicy to takeOver",
    )


def bounces(subject: Subject) -> Iterator[Finding]:
    """Are the senders of outgoing mail tagged, of which Microsoft 365's side knows nothing?"""
    domains = subject.tenant_settings.table_entries

    def look(gateway: Gateway) -> Iterator[Finding]:
        try:
            lines = list(bounce_verification.warnings(gateway, domains))
        except DialogueError:
            page = "look at the page Mail Policies > Bounce Verification"
            yield not_looked_at("the command line of this release, or this role, does not show it", page)
            return
        for line in lines:
            yield warning(line, "look at the page Mail Policies > Bounce Verification")
        if not lines:
            yield ok("not in use")

    return subject.gateways.each(look)


def recipient_validation(subject: Subject) -> Iterator[Finding]:
    """Does the inbound listener know which addresses exist?

    What is accepted for an unknown user comes back as a bounce, to a sender who may be forged. A release
    whose listener's menu says nothing of it leaves it open.
    """
    listener = subject.settings.gateway.inbound_listener
    page = (
        f"look at the page Network > Listeners, «{listener}»: LDAP Queries (Accept), SMTP Call-Ahead Profile"
    )

    def look(gateway: Gateway) -> Iterator[Finding]:
        _require(gateway, listener)
        details = gateway.read(
            f"{listeners.COMMAND}:{listener}", lambda session: listeners.read_details(session, listener)
        )
        shown = {label: text for label, text in details.items() if "ldap" in label or "ahead" in label}
        on = [f"{label} {text}" for label, text in shown.items() if text and text.lower() not in _OFF]
        if on:
            yield ok(f"«{listener}» has: {', '.join(on)}")
        elif shown:
            off = " and ".join(shown)
            yield warning(
                f"«{listener}» has {off} off: it takes mail for any address of the domains, and what "
                "Microsoft 365 then refuses goes back to senders who may be forged",
                f"set up LDAP accept or SMTP Call-Ahead there; {page}",
            )
        else:
            yield not_looked_at("the command line of this release does not show it", page)

    return subject.gateways.each(look)
