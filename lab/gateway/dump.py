"""The committed configuration as stable text: sorted where order means nothing, secrets as hashes."""

from __future__ import annotations

import hashlib
from dataclasses import fields

from lab.gateway.commands.filters import is_valid
from lab.gateway.commands.smtproutes import render_targets
from lab.gateway.filter_check import parse
from lab.gateway.filter_language import Comparison, Value
from lab.gateway.filter_text import Layout, render
from lab.gateway.state import ATTRIBUTES, Configuration, Delivery, Destination, Listener, SenderGroup, State


def dump_state(state: State, cluster: str = "") -> str:
    """All levels: the base first, then what groups and machines have of their own."""
    lines = [f"# gateway {'cluster ' + cluster if cluster else 'standalone'}"]
    lines += _tables(state.base, set(ATTRIBUTES))
    for level in sorted(state.overrides):
        own = state.overrides[level]
        lines += ["", f"# override {level[0]} {level[1]}", *_tables(own.configuration, own.commands)]
    return "\n".join(lines) + "\n"


def _tables(tables: Configuration, commands: set[str]) -> list[str]:
    writers = {
        "smtproutes": _routes,
        "destconfig": _destinations,
        "listenerconfig": _listeners,
        "filters": _filters,
        "sslconfig": _ssl,
        "deliveryconfig": _delivery,
        "altsrchost": _sources,
        "bvconfig": _bounce_verification,
    }
    return [line for command, writer in writers.items() if command in commands for line in writer(tables)]


def _routes(tables: Configuration) -> list[str]:
    lines = []
    for domain in sorted(tables.routes):
        lines += [f"route {domain}", f"  hosts: {render_targets(tables.routes[domain])}"]
    return lines


def _destinations(tables: Configuration) -> list[str]:
    alert = "yes" if tables.tls_alert else "no"
    lines = ["destination setup", f"  certificate: {tables.tls_certificate}", f"  TLS alert: {alert}"]
    for domain in sorted(tables.destinations):
        entry = tables.destinations[domain]
        lines.append(f"destination {domain}")
        lines += [
            f"  {item.name}: {'default' if value is None else value}"
            for item in fields(Destination)
            if item.name != "domain"
            for value in [getattr(entry, item.name)]
        ]
    return lines


def _listeners(tables: Configuration) -> list[str]:
    lines: list[str] = []
    for listener in sorted(tables.listeners, key=lambda one: one.name):
        lines += [
            f"listener {listener.name}",
            f"  kind: {listener.kind}",
            f"  interface: {listener.interface}",
            f"  port: {listener.port}",
            *_policies(listener),
            *(
                line
                for number, group in enumerate(listener.groups, 1)
                for line in _group(listener, number, group)
            ),
            *_recipients(listener),
        ]
    return lines


def _policies(listener: Listener) -> list[str]:
    lines = [f"policy defaults ({listener.name})"]
    lines += [f"  {key}: {listener.defaults[key]}" for key in sorted(listener.defaults)]
    for name in sorted(listener.policies):
        policy = listener.policies[name]
        lines += [f"policy {name} ({listener.name})", f"  behaviour: {policy.behaviour}"]
        keys = sorted({*listener.defaults, *policy.parameters})
        lines += [f"  {key}: {policy.parameters.get(key, 'default')}" for key in keys]
    return lines


def _group(listener: Listener, number: int, group: SenderGroup) -> list[str]:
    lines = [
        f"sender group {group.label} ({listener.name})",
        f"  order: {number}",
        f"  named: {'yes' if group.name else 'no'}",
        f"  behaviour: {group.behaviour}",
        f"  comment: {group.comment}",
        f"  sbrs: {group.sbrs}",
        f"  dnslists: {', '.join(sorted(group.dnslists))}",
        f"  external threat feeds: {', '.join(sorted(group.threat_feeds))}",
        f"  host DNS verification: {', '.join(sorted(group.host_dns))}",
    ]
    lines += [f"  {key}: {group.parameters[key]}" for key in sorted(group.parameters)]
    members = sorted(group.members, key=lambda member: member.address)
    return lines + [f"  sender {member.address}: {member.comment}" for member in members]


def _recipients(listener: Listener) -> list[str]:
    lines: list[str] = []
    # The table is matched by specificity, not by order; only ALL's place means something, and it is last.
    for entry in sorted(listener.recipients, key=lambda row: row.address.lower()):
        lines += [
            f"recipient {entry.address} ({listener.name})",
            f"  action: {entry.action}",
            f"  response: {entry.response}",
            f"  bypass receiving control: {'yes' if entry.bypass_receiving else 'no'}",
            f"  bypass LDAP accept: {'yes' if entry.bypass_ldap else 'no'}",
            *(["  bypass call-ahead: yes"] if entry.bypass_call_ahead else []),
        ]
    return lines


def _filters(tables: Configuration) -> list[str]:
    lines: list[str] = []
    for number, entry in enumerate(tables.filters, 1):
        text = render(parse(entry.text)[0], Layout(), _hashed)
        lines += [
            f"filter {entry.name}",
            f"  order: {number}",
            f"  active: {'yes' if entry.active else 'no'}",
            f"  valid: {'yes' if is_valid(entry, tables) else 'no'}",
            *(f"  | {line}" for line in text),
        ]
    return lines


def hashed(secret: str) -> str:
    """A secret as the dump shows it."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()[:12]


def _hashed(test: Comparison, value: Value) -> str:
    secret = test.rule.name == "header" and test.rule.arguments[0].text.lower().startswith("x-")
    text = hashed(value.text) if secret else value.text
    return f'"{text}"' if value.quoted else text


def _ssl(tables: Configuration) -> list[str]:
    lines: list[str] = []
    for service in sorted(tables.ssl):
        tls = tables.ssl[service]
        lines += [f"tls {service}", f"  method: {tls.method}", f"  ciphers: {tls.cipher}"]
    return lines


def _delivery(tables: Configuration) -> list[str]:
    delivery, usual = tables.delivery, Delivery()
    limits = (delivery.concurrency, delivery.tls_concurrency)
    changed = limits != (usual.concurrency, usual.tls_concurrency)
    return [
        "delivery",
        f"  interface: {delivery.interface}",
        f"  possible delivery: {'yes' if delivery.possible_delivery else 'no'}",
        *([f"  concurrency: {limits[0]}, with TLS {limits[1]}"] if changed else []),
    ]


def _sources(tables: Configuration) -> list[str]:
    return [f"source {source}: {tables.alt_sources[source]}" for source in sorted(tables.alt_sources)]


def _bounce_verification(tables: Configuration) -> list[str]:
    found = tables.bounce_verification
    keys = [hashed(key) for key in (found.key, *found.previous) if key]
    return ["bounce verification", f"  action: {found.action}", f"  keys: {', '.join(keys) or 'none'}"]
