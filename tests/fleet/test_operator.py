"""The operator's manifests, held against its own resource definitions."""

from __future__ import annotations

import gzip
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from fleet.command import main
from fleet.operator import NotForKubernetes, Order, manifests, write
from fleet.stacks import all_stacks
from tests.fleet.fleet_kit import gateway, project
from tests.fleet.fleet_kit import write as write_stack

CRDS = Path(__file__).parent / "operator_crds"
ORDER = Order(
    repository="https://git.provider.example/mail.git",
    branch="main",
    image="registry.provider.example/fleet:1",
    secret="fleet",
    key_secret="gateway-key",
    git_secret="git",
    service_account="pulumi",
    every=300,
)


@cache
def definition(kind: str) -> jsonschema.Draft202012Validator:
    """The schema of our manifests' version, closed: a cluster drops fields that it does not know."""
    [file] = CRDS.glob(f"*_{kind.lower()}s.yaml.gz")
    content = gzip.decompress(file.read_bytes())
    found = yaml.load(content, Loader=yaml.CSafeLoader)
    version = {"Stack": "v1", "Workspace": "v1alpha1"}[kind]
    [schema] = [one["schema"] for one in found["spec"]["versions"] if one["name"] == version]
    closed: dict[str, Any] = close(schema["openAPIV3Schema"])
    for name in ("apiVersion", "kind", "metadata"):
        closed["properties"].setdefault(name, {})
    return jsonschema.Draft202012Validator(closed)


def close(schema: Any) -> Any:
    if isinstance(schema, list):
        return [close(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: close(value) for key, value in schema.items()}
    is_free = made.get("x-kubernetes-preserve-unknown-fields") or made.get("x-kubernetes-int-or-string")
    if made.get("type") == "object" and isinstance(made.get("properties"), dict) and not is_free:
        made.setdefault("additionalProperties", False)
    return made


def fleet(folder: Path) -> Path:
    project(folder)
    write_stack(folder, "contoso-prod", gateway={**gateway("hub"), "shared": True})
    write_stack(folder, "fabrikam_prod", mode="observe")
    write_stack(folder, "hub", kind="gateway", gateway=gateway("hub"))
    return folder


def made(folder: Path, order: Order = ORDER) -> dict[str, Any]:
    texts = manifests(all_stacks(fleet(folder) / "stacks"), order)
    return {name: yaml.safe_load(text) for name, text in texts.items() if name.endswith(".yaml")}


def test_every_manifest_is_what_the_operator_takes(tmp_path: Path) -> None:
    for order in (ORDER, Order("https://x.example/a.git", "main", "i:1", "fleet", "", "", "pulumi", 60)):
        for manifest in made(tmp_path, order).values():
            definition(manifest["kind"]).validate(manifest)


def test_the_definitions_find_a_slip_of_the_pen(tmp_path: Path) -> None:
    stack = made(tmp_path)["stack-contoso-prod.yaml"]
    for place in (
        ("spec",),
        ("spec", "workspaceTemplate", "spec"),
        ("spec", "workspaceTemplate", "spec", "podTemplate", "spec"),
    ):
        changed = yaml.safe_load(yaml.safe_dump(stack))
        target = changed
        for step in place:
            target = target[step]
        target["imagee"] = "x"
        with pytest.raises(jsonschema.ValidationError, match="imagee"):
            definition("Stack").validate(changed)


def test_a_stack_is_itself_and_never_more_dangerous_than_it_looks(tmp_path: Path) -> None:
    all_made = made(tmp_path)
    contoso, fabrikam = (
        all_made["stack-contoso-prod.yaml"]["spec"],
        all_made["stack-fabrikam-prod.yaml"]["spec"],
    )
    assert (contoso["stack"], fabrikam["stack"]) == ("contoso-prod", "fabrikam_prod")
    assert contoso["destroyOnFinalize"] is False
    assert contoso["useLocalStackOnly"] is True
    assert (contoso.get("preview"), fabrikam["preview"]) == (None, True)
    assert contoso["prerequisites"] == [{"name": "hub"}]
    assert "prerequisites" not in fabrikam


def test_secrets_are_references_only(tmp_path: Path) -> None:
    spec = made(tmp_path)["stack-contoso-prod.yaml"]["spec"]["workspaceTemplate"]["spec"]
    references = [one["secretRef"] for one in spec["envFrom"]]
    assert references == [{"name": "fleet"}, {"name": "contoso-prod", "optional": True}]
    assert spec["env"] == [{"name": "GATEWAY_KEY_FILE", "value": "/etc/fleet/gateway-key"}]
    [volume] = spec["podTemplate"]["spec"]["volumes"]
    assert volume["secret"] == {"secretName": "gateway-key", "defaultMode": 0o440}


def test_a_password_in_the_repositorys_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(NotForKubernetes, match="--git-secret") as caught:
        Order("https://fleet:hunter2secret@git.example/x", "main", "i", "fleet", "", "", "pulumi", 60)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("names", [("contoso.prod", "contoso_prod"), ("x" * 60,), ("-a",)])
def test_names_that_kubernetes_does_not_take(tmp_path: Path, names: tuple[str, ...]) -> None:
    project(tmp_path)
    for name in names:
        write_stack(tmp_path, name)
    with pytest.raises(NotForKubernetes, match=r"Kubernetes.*ename"):
        manifests(all_stacks(tmp_path / "stacks"), ORDER)


def test_what_is_gone_goes_and_a_file_that_is_no_yaml_stops_all(tmp_path: Path) -> None:
    folder, out = fleet(tmp_path), tmp_path / "out"
    assert write(out, all_stacks(folder / "stacks"), ORDER) == 3
    (folder / "stacks" / "Pulumi.hub.yaml").unlink()
    write(out, all_stacks(folder / "stacks"), ORDER)
    assert sorted(one.name for one in out.glob("stack-*")) == [
        "stack-contoso-prod.yaml",
        "stack-fabrikam-prod.yaml",
    ]
    (folder / "stacks" / "Pulumi.broken.yaml").write_text("config: {")
    with pytest.raises(NotForKubernetes, match=r"Pulumi\.broken\.yaml is no YAML"):
        write(out, all_stacks(folder / "stacks"), ORDER)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fleet(tmp_path))
    words = ["operator", "out", "contoso-*", "--image", "i:1", "--repository", "https://git.example/x"]
    monkeypatch.setattr(sys, "argv", ["fleet", *words])
    assert main() == 0
    assert capsys.readouterr().out.startswith("1 stack in out")
    recipe = (tmp_path / "out" / "Dockerfile").read_text(encoding="utf-8")
    assert "docker build -f out/Dockerfile -t i:1 ." in recipe
    assert "USER 1000:1000" in recipe
