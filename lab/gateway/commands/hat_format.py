"""How a host access table is printed and exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.gateway.state import Listener, SenderGroup

Form = Mapping[str, Any]


def render_hat(listener: Listener, form: Form) -> list[str]:
    """The whole table: policies first, then groups from the top, then the listener's defaults."""
    lines: list[str] = []
    for policy in listener.policies.values():
        lines.append(f"${policy.name}")
        lines += _behaviour(policy.behaviour, policy.parameters, "", "    ", form)
    if form["blank_between"]:
        lines.append("")
    for group in listener.groups:
        lines += render_group(group, form)
    if form["defaults"]:
        lines += ["", *form["defaults"], *_parameters(listener.defaults, "", form)]
    return lines


def render_group(group: SenderGroup, form: Form) -> list[str]:
    """One group: its name, its senders, and what happens to them."""
    comment = f" ({group.comment})" if group.comment else ""
    indent = " " * int(form["indent"])
    behaviour = _behaviour(group.behaviour, group.parameters, comment, indent, form)
    if not group.name:
        return [group.label, *behaviour]
    if form["behaviour_on_name_line"]:
        first = f"{group.name}:".ljust(16) + behaviour[0].strip() + " "
        return [first, *behaviour[1:], *_members(group, indent)]
    return [f"{group.name}:", *_members(group, indent), *behaviour]


def _members(group: SenderGroup, indent: str) -> list[str]:
    lines = [
        f"{indent}{member.address}" + (f" ({member.comment})" if member.comment else "")
        for member in group.members
    ]
    if group.sbrs:
        lines.append(f"{indent}sbrs[{group.sbrs}]")
    lines += [f"{indent}dnslist[{name}]" for name in group.dnslists]
    lines += [f"{indent}etf[{name}]" for name in group.threat_feeds]
    return lines + [f"{indent}{name}" for name in group.host_dns]


def _behaviour(
    behaviour: str, parameters: dict[str, str], comment: str, indent: str, form: Form
) -> list[str]:
    if behaviour.startswith("$"):
        return [f"{indent}{behaviour}{comment}"]
    if not parameters:
        empty = " {}" if form["empty_braces"] and behaviour in {"ACCEPT", "RELAY"} else ""
        return [f"{indent}{behaviour}{empty}{comment}"]
    inner = _parameters(parameters, indent + "    ", form)
    return [f"{indent}{behaviour} {{", *inner, f"{indent}}}{comment}"]


def _parameters(parameters: dict[str, str], indent: str, form: Form) -> list[str]:
    keys = sorted(parameters) if form["sorted_parameters"] else list(parameters)
    return [f"{indent}{key} = {_value(parameters[key])}" for key in keys]


def _value(value: str) -> str:
    return value if value.lstrip("-").isdecimal() else f'"{value}"'
