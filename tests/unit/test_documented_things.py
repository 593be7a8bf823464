"""Settings that the documents name are there; every object that we make and every right has its line."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi.dynamic
import pulumi_azuread
import pulumi_tls
import pytest
import yaml

import dynamic_providers
from components.model_walk import key_of, part_of
from components.settings import Settings, SharedGatewaySettings
from components.stack_config import NAMESPACE
from dynamic_providers.model import Model
from identity.afterwards import limit_to_mailbox
from identity.rights import DIRECTORY_ROLES, MANAGE_EXCHANGE, READ_DOMAINS
from identity.settings import NAMESPACE as IDENTITY
from identity.settings import IdentitySettings
from tests.identity.entra import example
from tests.unit.document_pages import FENCE, PAGES, ROOT, SPAN, text_of
from tools import settings_schema

OBJECTS = ROOT / "docs" / "objects.md"

# --- settings -----------------------------------------------------------------------------------------------

ROOTS = (Settings, SharedGatewaySettings, IdentitySettings)
SECTIONS = {key_of(name, field) for model in ROOTS for name, field in model.model_fields.items()}


def exists(path: list[str], model: type[Model]) -> bool:
    """Whether a setting is there; names in a map may have dots."""
    if not path:
        return True
    fields = {key_of(name, field): field for name, field in model.model_fields.items()}
    if path[0] not in fields:
        return False
    part, rest = part_of(fields[path[0]].annotation), path[1:]
    if part is None:
        return (
            not rest
            or "Mapping" in str(fields[path[0]].annotation)
            or "dict" in str(fields[path[0]].annotation)
        )
    if part.shape == "map":
        return not rest or any(exists(rest[at:], part.model) for at in range(1, len(rest) + 1))
    return exists(rest, part.model)


def is_setting(dotted: str) -> bool:
    path = re.sub(r"\[\"?|\"?\]", ".", dotted).replace("..", ".").strip(".").split(".")
    path = [one for one in path if not one.isdigit()]
    return any(exists(path, model) for model in ROOTS)


def keys_in(value: object, path: str = "") -> Iterator[str]:
    """The paths of all that a section says."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}"
            yield from keys_in(inner, f"{path}.{key}")
    if isinstance(value, list):
        for inner in value:
            yield from keys_in(inner, path)


def settings_in_examples(page: str) -> Iterator[str]:
    """Those of YAML examples."""
    for language, block in FENCE.findall(text_of(page)):
        if language == "yaml":
            loaded: dict[str, Any] = yaml.safe_load(block.replace("…", "x"))
            for key, value in loaded.get("config", loaded).items():
                space, _, section = key.partition(":")
                assert space in (NAMESPACE, IDENTITY), f"{page}: {key}"
                yield section
                if section != "takeOver":
                    yield from keys_in(value, section)


def settings_in_sentences(page: str) -> Iterator[str]:
    """`outbound.state: all`, `dns.server`; what is written to `--set` and `config set`."""
    text = text_of(page)
    for span in SPAN.findall(FENCE.sub("", text)):
        found = re.match(r"([a-z][A-Za-z]*)((?:\.[a-z][A-Za-z-]*)+)(?::|$)", span)
        if found and found[1] in SECTIONS:
            yield found[1] + found[2]
    yield from re.findall(rf"{NAMESPACE}:([\w.]+(?:\[[^\]]+\][\w.]*)*)", text)
    yield from (one.strip("'") for one in re.findall(r"--set ('?[\w.]+(?:\[[^\]]+\][\w.]*)?)=", text))


@pytest.mark.parametrize("page", [one for one in PAGES if "reference" not in one and one != "CHANGELOG.md"])
def test_every_setting_that_is_named_is_one(page: str) -> None:
    named = [*settings_in_examples(page), *settings_in_sentences(page)]
    assert [one for one in named if not is_setting(one)] == []


def test_a_setting_that_is_none_is_seen() -> None:
    assert is_setting('domains["contoso.example"].mx')
    assert is_setting("domains.contoso.example.mx")
    assert not is_setting("outbound.stat")
    assert not is_setting("gateway.tracking.link")


def test_no_setting_is_without_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make docs` fails, and writes nothing."""

    class Bare(Model):
        """A section."""

        said: str = ""

    class Whole(Model):
        """All."""

        part: Bare

    monkeypatch.setattr(settings_schema, "TARGET", tmp_path / "schema.json")
    with pytest.raises(SystemExit, match=r"not documented: part, part\.said\."):
        settings_schema.main(Whole)
    assert not (tmp_path / "schema.json").exists()
    assert settings_schema.undocumented(*ROOTS) == []


# --- objects and rights -------------------------------------------------------------------------------------


def resource_types() -> set[str]:
    """All that a stack can hold, as previews name them."""
    for one in pkgutil.walk_packages(dynamic_providers.__path__, "dynamic_providers."):
        importlib.import_module(one.name)

    def below(kind: type) -> Iterator[type]:
        kinds: list[type] = kind.__subclasses__()
        for one in kinds:
            if one.__module__.startswith("dynamic_providers."):
                yield one
                yield from below(one)

    named = {str(vars(one).get("_resource_type_name", "")) for one in below(pulumi.dynamic.Resource)}
    return {one.removeprefix("dynamic/") for one in named if one.startswith("dynamic/")}


def test_every_object_has_its_line() -> None:
    told = set(re.findall(r"`([a-z]+:[A-Z][A-Za-z]+)`", OBJECTS.read_text(encoding="utf-8")))
    assert len(told) > 20
    assert told == resource_types()


def test_all_that_the_identity_makes_is_named() -> None:
    made = set()
    for module in (ROOT / "identity").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                library = {"azuread": pulumi_azuread, "tls": pulumi_tls}.get(node.value.id)
                kind = getattr(library, node.attr, None)
                if isinstance(kind, type) and issubclass(kind, pulumi.CustomResource):
                    made.add(node.attr)
    made.remove("Provider")  # who makes them
    assert "Application" in made
    text = OBJECTS.read_text(encoding="utf-8")
    assert [one for one in made if f"`{one}`" not in text] == []


def test_every_right_has_its_line() -> None:
    values = example("contoso")
    values["graph"]["lookInto"] = True
    typed = limit_to_mailbox(IdentitySettings.from_config(values), "client", "object")
    mail = re.findall(r"-Role '([^']+)'", typed)
    roles = [name for _, name in DIRECTORY_ROLES.values()]
    rights = [MANAGE_EXCHANGE.name, READ_DOMAINS.name, *roles, *mail]
    assert len(rights) == 6
    for page in (OBJECTS, ROOT / "docs" / "identity.md"):
        lines = [one for one in page.read_text(encoding="utf-8").splitlines() if one.startswith("|")]
        assert [one for one in rights if not any(one in line for line in lines)] == []
