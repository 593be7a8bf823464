"""The JSON Schema of a stack file, for editors: `python -m tools.settings_schema`.

It is made from the settings' models, and written to stacks/settings.schema.json. An editor underlines at once
what the program would refuse later; the program's own checks are stricter.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from components.model_walk import key_of, part_of
from components.settings import FROM_ENVIRONMENT, STAND_INS, Settings, SharedGatewaySettings
from components.stack_config import NAMESPACE
from dynamic_providers.model import Model
from identity.settings import IdentitySettings

TARGET = Path("stacks/settings.schema.json")

Schema = dict[str, Any]


def sections(model: type[Model] = Settings, place: str = "") -> Iterator[tuple[str, type[Model]]]:
    """Every section's model by its place, `gateway.members[]`, each before those in it."""
    yield place, model
    for name, field in model.model_fields.items():
        part = part_of(field.annotation)
        if part is not None:
            here = f"{place}.{key_of(name, field)}".lstrip(".")
            yield from sections(part.model, here + {"one": "", "list": "[]", "map": ".<name>"}[part.shape])


def undocumented(*models: type[Model]) -> list[str]:
    """Settings that say nothing of themselves, and sections without a word, by their places."""
    bare = []
    for place, model in (one for root in models for one in sections(root)):
        bare += [] if model.__doc__ else [place or model.__name__]
        bare += [
            f"{place}.{key_of(name, field)}".lstrip(".")
            for name, field in model.model_fields.items()
            if not (field.description or "").endswith((".", "}"))
        ]
    return bare


def stack_schema() -> Schema:
    """The schema of a whole stack file."""
    settings = Settings.model_json_schema(by_alias=True, mode="validation")
    definitions: Schema = settings.pop("$defs")
    for place, model in sections():
        schema = definitions[model.__name__] if place else settings
        from_environment = {
            key for where, key in (*FROM_ENVIRONMENT.values(), *STAND_INS.values()) if where == place
        }
        schema["required"] = sorted(set(schema.get("required", [])) - from_environment)
        for name, field in model.model_fields.items():
            schema["properties"][key_of(name, field)]["description"] = field.description or ""
    config = {
        "type": "object",
        "properties": {f"{NAMESPACE}:{key}": one for key, one in settings["properties"].items()},
        "required": _named(key for key in _needed(SharedGatewaySettings) if key in settings["required"]),
        "if": {
            "not": {"properties": {f"{NAMESPACE}:kind": {"const": "gateway"}}, "required": _named(["kind"])}
        },
        "then": {"required": _named(settings["required"])},
        "patternProperties": {f"^(?!{NAMESPACE}:)": True},
        "additionalProperties": False,
    }
    engines_own = ("encryptionsalt", "encryptedkey", "secretsprovider")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Stack file of {NAMESPACE}",
        "description": "Made by `python -m tools.settings_schema` from components/settings.py.",
        "type": "object",
        "properties": {
            "config": _untitled(config),
            **{key: {"type": "string"} for key in engines_own},
            "environment": True,
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": _untitled(definitions),
    }


def _needed(model: type[Model]) -> list[str]:
    fields = {key_of(name, field): field for name, field in model.model_fields.items()}
    return sorted(key for key, field in fields.items() if field.is_required())


def _named(keys: Iterable[str]) -> list[str]:
    return [f"{NAMESPACE}:{key}" for key in keys]


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes out of names."""
    if isinstance(schema, dict):
        return {k: _untitled(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    return [_untitled(one) for one in schema] if isinstance(schema, list) else schema


def text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"


def main(*models: type[Model]) -> None:
    """Write the schema; first of all, no setting may be without its sentence."""
    if bare := undocumented(*models):
        raise SystemExit(
            f"not documented: {', '.join(bare)}. Give each a description in its Field, a sentence with a full"
            " stop; a section its docstring"
        )
    TARGET.write_text(text(), encoding="utf-8")
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main(Settings, SharedGatewaySettings, IdentitySettings)
