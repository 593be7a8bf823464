"""The tenant's state as stable text: no GUIDs, no times, no derived text, secrets as hashes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lab.tenant.inbound_connectors import READ_ORDER as INBOUND_ORDER
from lab.tenant.outbound_connectors import READ_ORDER as OUTBOUND_ORDER
from lab.tenant.rule_properties import PROPERTIES, SETTINGS, is_set
from lab.tenant.store import (
    CONNECTION_FILTER,
    DKIM,
    DOMAINS,
    INBOUND,
    ORGANIZATION,
    OUTBOUND,
    RULES,
    Record,
    Tables,
    find,
)

SECRETS = ("SetHeaderValue",)


def dump(tables: Tables) -> str:
    """Domains and connectors by name, rules in order of priority; a heading, then `key: value` lines."""
    (organization,) = tables[ORGANIZATION]
    parts = [_block("organization", {"RejectDirectSend": organization["RejectDirectSend"]})]
    for row in _by_name(tables[DOMAINS]):
        shown = {name: row[name] for name in ("DomainType", "Default", "InitialDomain")}
        parts.append(_block(f"accepted domain {row['Name']}", shown))
    for row in _by_name(tables[CONNECTION_FILTER]):
        shown = {name: row[name] for name in ("IPAllowList", "IPBlockList", "EnableSafeList")}
        parts.append(_block(f"connection filter {row['Name']}", shown))
    signing = _by_name(tables[DKIM])
    parts += [_block(f"DKIM signing {row['Name']}", {"Enabled": row["Enabled"]}) for row in signing]
    for row in _by_name(tables[INBOUND]):
        shown = {name: row[name] for name in INBOUND_ORDER}
        parts.append(_block(f"inbound connector {row['Name']}", shown))
    for row in _by_name(tables[OUTBOUND]):
        shown = {name: row[name] for name in OUTBOUND_ORDER if name != "LastValidationTimestamp"}
        parts.append(_block(f"outbound connector {row['Name']}", shown))
    for priority, row in enumerate(tables[RULES]):
        parts.append(_block(f"transport rule {row['Name']}", _rule(row, priority, tables)))
    return "\n".join(parts)


def _by_name(rows: list[Record]) -> list[Record]:
    return sorted(rows, key=lambda row: str(row["Name"]).lower())


def _rule(rule: Record, priority: int, tables: Tables) -> Record:
    shown: Record = {"Priority": priority, "State": "Enabled" if rule["Enabled"] else "Disabled"}
    shown.update({name: rule[name] for name in SETTINGS if rule[name] is not None})
    shown.update({name: rule[name] for name in PROPERTIES if is_set(rule.get(name))})
    guid = shown.get("RouteMessageOutboundConnector")
    if guid is not None:
        connector = find(tables[OUTBOUND], str(guid))
        shown["RouteMessageOutboundConnector"] = (
            "(removed connector)" if connector is None else connector["Name"]
        )
    return shown


def _block(heading: str, values: Record) -> str:
    lines = [f"  {name}: {_text(name, value)}" for name, value in values.items()]
    return "\n".join([heading, *lines, ""])


def _text(name: str, value: Any) -> str:
    if name in SECRETS and value:
        return "sha256:" + hashlib.sha256(str(value).encode()).hexdigest()[:12]
    if isinstance(value, list):
        return json.dumps(sorted(value, key=str), ensure_ascii=False)
    plain = isinstance(value, str) and value and value == " ".join(value.splitlines()).strip()
    return value if plain else json.dumps(value, ensure_ascii=False)
