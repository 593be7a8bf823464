"""What is derived from a rule's conditions and actions: class names, and the English description."""

from __future__ import annotations

from collections.abc import Mapping

from lab.tenant.rule_properties import ACTIONS, CONDITIONS, EXCEPTIONS, Property, is_set
from lab.tenant.store import Record

SCOPES = {"InOrganization": "Inside the organization", "NotInOrganization": "Outside the organization"}


def carriers(rule: Record, table: Mapping[str, Property]) -> list[str]:
    """The classes of the conditions (or exceptions, or actions) that are set, each once."""
    return list(dict.fromkeys(known.carrier for name, known in table.items() if is_set(rule.get(name))))


def description(rule: Record, connector: str | None) -> str:
    """The text that Get-TransportRule shows; it repeats the header's value in clear, as Exchange does."""
    parts = [
        _part("If the message:", _sentences(rule, CONDITIONS, connector)),
        _part("Take the following actions:", _sentences(rule, ACTIONS, connector)),
        _part("Except if the message:", _sentences(rule, EXCEPTIONS, connector)),
    ]
    return "".join(parts)


def _part(heading: str, sentences: list[str]) -> str:
    return heading + "\r\n\t" + "\r\n\tand ".join(sentences) + "\r\n" if sentences else ""


def _sentences(rule: Record, table: Mapping[str, Property], connector: str | None) -> list[str]:
    found = [_sentence(name, rule, connector) for name in table if is_set(rule.get(name))]
    return [sentence for sentence in found if sentence]


def _sentence(name: str, rule: Record, connector: str | None) -> str:
    value = rule[name]
    plain = name.removeprefix("ExceptIf")
    if plain == "FromScope":
        return f"Is received from '{SCOPES.get(value, value)}'"
    if plain == "SentToScope":
        return f"Is sent to '{SCOPES.get(value, value)}'"
    if plain == "SenderIpRanges":
        return f"sender ip addresses belong to one of these ranges: {_quoted(value)}"
    fixed = {
        "SetHeaderName": f"Set the message header '{value}' to the value '{rule.get('SetHeaderValue')}'",
        "SetHeaderValue": "",
        "RouteMessageOutboundConnector": f"Route the message using the connector named '{connector}'.",
        "PrependSubject": f"Prepend the subject with '{value}'",
        "SetAuditSeverity": f"Set audit severity level to '{value}'",
        "SetSCL": f"Set the spam confidence level (SCL) to '{value}'",
        "StopRuleProcessing": "Stop processing more rules",
        "DeleteMessage": "Delete the message without notifying the recipient or sender",
    }
    if plain in fixed:
        return fixed[plain]
    return plain if value is True else f"{plain}: {_quoted(value)}"


def _quoted(value: object) -> str:
    items = value if isinstance(value, list) else [value]
    return " or ".join(f"'{item}'" for item in items)
