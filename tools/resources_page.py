"""docs/reference/resources.md: every managed resource, from its provider and model."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from components.model_walk import key_of
from dynamic_providers.dns.mx_records import MxRecordsProvider
from dynamic_providers.dns.spf_terms import SpfTermsProvider
from dynamic_providers.exchange.connection_filter import ConnectionFilterProvider
from dynamic_providers.exchange.inbound_connector import InboundConnectorProvider
from dynamic_providers.exchange.lock_down import LockDownProvider
from dynamic_providers.exchange.outbound_connector import OutboundConnectorProvider
from dynamic_providers.exchange.transport_rule import TransportRuleProvider
from dynamic_providers.gateway.snapshot import PROVIDERS as GATEWAY_TABLES
from dynamic_providers.managed_provider import ManagedProvider
from dynamic_providers.model import Model

EXCHANGE = (
    TransportRuleProvider,
    InboundConnectorProvider,
    OutboundConnectorProvider,
    LockDownProvider,
    ConnectionFilterProvider,
)
DNS = (MxRecordsProvider, SpfTermsProvider)

_INTRODUCTION = """# Resources

Made by `python -m tools.reference_docs` from `dynamic_providers/`; change it there.

The program declares these for you; you meet them in a preview. What each does to mail is told in
[objects.md](../objects.md). All of them also take `before` (what was
there before us, a secret, from the Snapshot of their side), `takeOver`, `takeOverKey` and `change`: none
of these four is ever a difference by itself. A changed *identity* replaces the resource, and deletes
first. *Secret* inputs never stand in clear; what differs inside one is named in a line of its own, such
as `ExceptIfSentTo: not ours`.

Three more, `gateway:Snapshot`, `exchange:Snapshot` and `dns:Snapshot`, are read-only and come first: they
record, per natural key, what was there before us, for the way back. Before these, `gateway:Equivalents` and
`exchange:Equivalents` look for what somebody else set up for the same purpose under another name: see
«Taking over an estate that was set up by hand» in [how-to.md](../how-to.md).
"""


def resources_page() -> str:
    """The whole page."""
    rooms: Mapping[str, Iterable[type[ManagedProvider]]] = {
        "gateway": GATEWAY_TABLES.values(),
        "exchange": EXCHANGE,
        "dns": DNS,
    }
    parts = [_INTRODUCTION]
    for room, providers in rooms.items():
        title = "DNS" if room == "dns" else room.title()
        parts += [f"## {title}\n", *(_resource(one, room) for one in providers)]
    return "\n".join(parts)


def _resource(provider: type[ManagedProvider], room: str) -> str:
    name = provider.__name__.removesuffix("Provider")
    said = inspect.getdoc(sys.modules[provider.__module__]) or ""
    lines = [
        f"### `{room}:{name}`",
        "",
        said,
        "",
        f"{inspect.getdoc(provider)} In messages: «{provider.label}».",
        "",
        "| input | value | default | |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *_rows(provider), *_nested(provider.model), ""])


def _rows(provider: type[ManagedProvider]) -> list[str]:
    rows = []
    for name, field in provider.model.model_fields.items():
        key = key_of(name, field)
        marks = ["identity"] if key in provider.identity else []
        marks += ["secret"] if key in provider.secret else []
        rows.append(f"| `{key}` | {_value(provider.model, key)} | {_default(field)} | {', '.join(marks)} |")
    return rows


def _nested(model: type[Model]) -> list[str]:
    """The models inside a model, each as a line."""
    lines = []
    for name, part in model.model_json_schema(by_alias=True).get("$defs", {}).items():
        keys = ", ".join(f"`{key}` {_of(schema)}" for key, schema in part.get("properties", {}).items())
        lines += ["", f"*{name}*: {part.get('description', '')}{f' {keys}.' if keys else ''}"]
    return lines


def _value(model: type[Model], key: str) -> str:
    return _of(model.model_json_schema(by_alias=True)["properties"][key])


def _of(schema: Mapping[str, Any]) -> str:
    """A kind of value, in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_of(one) for one in schema["anyOf"] if one != {"type": "null"}))
    if "$ref" in schema:
        return f"*{schema['$ref'].rpartition('/')[2]}*"
    if words := schema.get("enum") or [schema[key] for key in ("const",) if key in schema]:
        return ", ".join(f"`{word}`" for word in words)
    named = next(iter(schema.get("patternProperties", {}).values()), None)
    inner = schema.get("items") or schema.get("additionalProperties") or named
    if isinstance(inner, Mapping):
        return f"list of {_of(inner)}" if "items" in schema else f"{_of(inner)} by key"
    return {"integer": "number", "boolean": "true or false"}.get(str(schema.get("type")), "text")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default in (None, (), {}, "") or isinstance(default, Model):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
