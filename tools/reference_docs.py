"""The reference pages that are made from the code: `python -m tools.reference_docs`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.model_walk import key_of
from components.settings import FROM_ENVIRONMENT, STAND_INS
from components.stack_config import NAMESPACE
from dynamic_providers.model import Model
from identity.settings import NAMESPACE as IDENTITY
from identity.settings import IdentitySettings
from tools.resources_page import resources_page
from tools.settings_schema import sections

TARGET = Path("docs/reference")

_INTRODUCTION = f"""# Settings of a stack

Made by `python -m tools.reference_docs` from `components/settings.py`; change it there.

A stack file, `stacks/Pulumi.<customer>-<environment>.yaml`, holds these under `config:`, each
with `{NAMESPACE}:` before it. All mistakes are reported at once, before any connection is opened.

An editor that knows JSON Schema offers these settings, explains them and underlines mistakes, by the first
line of each stack file, `# yaml-language-server: $schema=settings.schema.json`: VS Code with its YAML
extension, JetBrains' as they come, Neovim, Emacs and others by yaml-language-server. `fleet onboard` writes
that line. The program's own checks are stricter.
"""
_OF_AN_IDENTITY = f"""# Settings of an identity

Made by `python -m tools.reference_docs` from `identity/settings.py` and `identity/federation.py`; change it
there. [identity.md](../identity.md) tells what they are for.

A stack file, `identity/stacks/Pulumi.<name>.yaml`, holds these under `config:`, each with
`{IDENTITY}:` before it. None of them is secret. All mistakes are reported at once.
"""


def settings_page() -> str:
    """docs/reference/settings.md: every setting, section by section."""
    parts = [_INTRODUCTION, _environment()]
    for place, model in sections():
        parts.append(_section(place, model))
    return "\n".join(parts)


def identity_page() -> str:
    """docs/reference/identity.md: every setting of the project that makes what we log in as."""
    pages = [_section(place, model) for place, model in sections(IdentitySettings)]
    return "\n".join([_OF_AN_IDENTITY, *pages])


def _environment() -> str:
    rows = [
        f"| `{variable}` | `{'.'.join(place)}` | {_precedence(variable)} |"
        for variable, place in {**FROM_ENVIRONMENT, **STAND_INS}.items()
    ]
    head = ["## From the environment", "", "| variable | setting | if both are there |", "|---|---|---|"]
    note = "\nThe variables of the section `credentials` are named there; they win as well.\n"
    return "\n".join([*head, *rows, note])


def _precedence(variable: str) -> str:
    return "the variable wins" if variable in FROM_ENVIRONMENT else "they have to agree"


def _section(place: str, model: type[Model]) -> str:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    own = _resolved(schema)
    said = " ".join((model.__doc__ or "").split())
    lines = [f"## `{place}`" if place else "## All sections", "", said, ""]
    lines += ["| setting | value | default | what it is |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        key = key_of(name, field)
        default = "needed" if field.is_required() else _default(own["properties"][key])
        lines.append(
            f"| `{key}` | {_value(own['properties'][key])} | {default} | {field.description} |".replace(
                "\n", " "
            )
        )
    return "\n".join([*lines, ""])


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model that refers to itself by name, or not."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    resolved: Mapping[str, Any] = schema["$defs"][name] if name else schema
    return resolved


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default is None or default in ([], {}):
        return ""
    if isinstance(default, dict):
        return "" if not any(default.values()) else "as below"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(schema: Mapping[str, Any]) -> str:
    """A setting's kind of value, in words."""
    if {"properties": {"secure": {"type": "string"}}}.items() <= schema.get("anyOf", [{}])[0].items():
        return "secret"
    if "anyOf" in schema:
        kinds = [_value(one) for one in schema["anyOf"] if one != {"type": "null"}]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
    if "$ref" in schema:
        return "section"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    return _plain_value(schema)


def _plain_value(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "integer":
        most = schema.get("maximum")
        return f"{schema['minimum']} to {most}" if most is not None else f"number from {schema['minimum']}"
    if kind == "boolean":
        return "true or false"
    if kind == "array":
        inner = _value(schema["items"])
        return "list of sections" if inner == "section" else f"list of {inner}"
    if kind == "object":
        named = schema.get("patternProperties", {"": schema.get("additionalProperties", {})})
        return f"{_value(next(iter(named.values())))} by name"
    return "day" if schema.get("format") == "date" else "text"


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "resources.md": resources_page,
    "identity.md": identity_page,
}
"""File under docs/reference → what makes it."""


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    for file, page in PAGES.items():
        (TARGET / file).write_text(page(), encoding="utf-8")
        print(f"wrote {TARGET / file}")
