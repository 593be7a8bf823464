"""On which mail the two transport rules act: for the rules themselves, and for the guard that watches it."""

from collections.abc import Sequence
from typing import Any

from pydantic.alias_generators import to_camel

from components.settings import Settings


def inbound(settings: Settings) -> dict[str, Any]:
    """Rule a: what the gateways deliver."""
    return {"sender_ip_ranges": settings.sender_addresses}


def outbound(settings: Settings) -> dict[str, Any]:
    """Rule k: what goes outside; of a pilot group only, and not to some domains, where that is asked."""
    section = settings.outbound
    pilot = [section.pilot_group] if section.state == "pilot" and section.pilot_group else None
    excepted = section.exceptions
    return {
        "from_scope": "InOrganization",
        "sent_to_scope": "NotInOrganization",
        "from_member_of": pilot,
        "except_if_recipient_domain_is": excepted.recipient_domains if excepted else None,
    }


def as_facts(settings: Settings) -> dict[str, dict[str, list[str]]]:
    """Rule → condition → values, of the rules that are there."""
    rules = {"inboundRule": inbound(settings)} if settings.inbound.spam_bypass == "sclRule" else {}
    if settings.outbound.smart_hosts and settings.outbound.state != "none":
        rules["outboundRule"] = outbound(settings)
    return {
        rule: {to_camel(name): _listed(value) for name, value in scope.items() if value}
        for rule, scope in rules.items()
    }


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
