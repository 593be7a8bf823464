"""`fleet operator`: manifests for Pulumi's Kubernetes Operator v2 and an image recipe, from the stack files.

The operator is then the engine: a pod a stack, from the branch that was merged. No secret is in any of this:
pods read theirs from Kubernetes Secrets by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dynamic_providers.errors import ManagedError
from fleet.options import Ended, Labels, Names, choose, on_stderr
from fleet.outcome import NOTHING, WRONG
from fleet.stacks import StackFile
from fleet.words import many

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST = 52
"""Characters of a name: the pod's is ten longer, and a label takes 63."""

WORKSPACE = "fleet-by-hand"
_COMMON = "fleet"


class NotForKubernetes(ManagedError):
    """A stack or an option cannot be written as a manifest."""


@dataclass(frozen=True)
class Order:
    """What is asked for. Secrets are names of Kubernetes Secrets; `every`: seconds between two looks."""

    repository: str
    branch: str
    image: str
    secret: str
    key_secret: str
    git_secret: str
    service_account: str
    every: int

    def __post_init__(self) -> None:
        if urlsplit(self.repository).password:
            raise NotForKubernetes(
                "--repository holds a password, which would stand in every manifest",
                fix="take it out, put it into a Secret (key accessToken), and name that with --git-secret",
            )
        for option in ("secret", "key_secret", "git_secret", "service_account"):
            value = getattr(self, option)
            if value and not _NAME.fullmatch(value):
                raise NotForKubernetes(
                    f"«{value}» is no name in Kubernetes", where=f"--{option.replace('_', '-')}"
                )


def command(
    out: Annotated[
        Path, typer.Argument(help="Folder for the files; those of stacks that are gone are removed.")
    ],
    names: Names = None,
    label: Labels = None,
    *,
    repository: Annotated[str, typer.Option(help="Where the operator clones this project from: https://…")],
    image: Annotated[str, typer.Option(help="The image that the recipe builds, with its registry and tag.")],
    branch: Annotated[str, typer.Option(help="What is merged there is applied.")] = "main",
    secret: Annotated[str, typer.Option(help="Secret with the variables that all stacks share.")] = _COMMON,
    key_secret: Annotated[
        str, typer.Option(help="Secret with the SSH key for Cisco's jump hosts, under gateway-key.")
    ] = "",
    git_secret: Annotated[
        str, typer.Option(help="Secret with the token to clone with, under accessToken.")
    ] = "",
    service_account: Annotated[str, typer.Option(help="Service account of the pods.")] = "pulumi",
    every: Annotated[int, typer.Option(min=60, help="Seconds between two looks at the branch.")] = 300,
) -> NoReturn:
    """Write manifests for Pulumi's Kubernetes Operator, and an image recipe. Reads stack files only."""
    try:
        order = Order(repository, branch, image, secret, key_secret, git_secret, service_account, every)
        written = write(out, choose(names, label, None, None).stacks, order)
    except ManagedError as error:
        on_stderr().print(f"error: {error}", markup=False)
        raise Ended(WRONG) from None
    print(f"{many(written, 'stack')} in {out}; next: docker build, then kubectl apply -f {out}")
    raise Ended(NOTHING)


def write(out: Path, stacks: Sequence[StackFile], order: Order) -> int:
    """Write all files anew; how many stacks. Raises NotForKubernetes before anything is written."""
    files = manifests(stacks, order, folder=str(out))
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("stack-*.yaml"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    return len(stacks)


def manifests(stacks: Sequence[StackFile], order: Order, folder: str = "kubernetes") -> dict[str, str]:
    """File name → text. A stack that cannot be read, or whose name Kubernetes does not take, is refused."""
    problems = [stack.problem for stack in stacks if stack.problem]
    if problems:
        raise NotForKubernetes("; ".join(problems), fix="put the files right")
    names = _kubernetes_names(stacks)
    gateways = {stack.gateway: names[stack.name] for stack in stacks if stack.kind == "gateway"}
    files = {}
    for stack in stacks:
        shared = gateways.get(stack.gateway) if stack.kind == "tenant" else None
        name = names[stack.name]
        files[f"stack-{name}.yaml"] = _rendered(
            "stack.yaml.j2",
            stack=stack,
            order=order,
            name=name,
            own_secret=name,
            prerequisites=[shared] if shared else [],
        )
    files["workspace.yaml"] = _rendered("workspace.yaml.j2", name=WORKSPACE, own_secret="", order=order)
    for name in ("Dockerfile", "Dockerfile.dockerignore"):
        files[name] = _rendered(f"{name}.j2", order=order, folder=folder)
    return files


def _kubernetes_names(stacks: Sequence[StackFile]) -> Mapping[str, str]:
    """Stack → its object's name: in small letters, `-` for what Kubernetes does not take."""
    names = {stack.name: re.sub(r"[._]", "-", stack.name.lower()) for stack in stacks}
    for stack, name in names.items():
        if not _NAME.fullmatch(name) or len(name) > _LONGEST:
            raise NotForKubernetes(
                f"its name cannot be one in Kubernetes (letters, digits and -, at most {_LONGEST})",
                where=f"stack {stack}",
                fix="rename the stack",
            )
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        both = " and ".join(stack for stack, name in names.items() if name == twice[0])
        raise NotForKubernetes(f"{both} would both be called {twice[0]} in Kubernetes", fix="rename one")
    return names


def _rendered(template: str, **values: object) -> str:
    """Values of others go in as JSON, which is YAML: nothing in them is markup."""
    return _ENVIRONMENT.get_template(template).render(values)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=False,  # noqa: S701 - YAML and a Dockerfile, not HTML; values go through `tojson`
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
