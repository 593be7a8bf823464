"""Why something is changed, as it goes into the gateway's commit comments and into comments of rules."""

from collections.abc import Mapping


def note(change: Mapping[str, str] | None) -> str:
    """`CHG0041872, approved by messaging-leads, Sat 20:00-24:00 Europe/Zurich`: what of it there is."""
    said = change or {}
    approver = f"approved by {said['approvedBy']}" if said.get("approvedBy") else ""
    parts = (said.get("ticket"), approver, said.get("window"))
    return ", ".join(part for part in parts if part)
