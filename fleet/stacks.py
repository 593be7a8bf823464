"""The stack files of the project, and how some of them are chosen. Nothing is decrypted, nobody is asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from dynamic_providers.errors import PROJECT, ManagedError, clean

PROJECT_FILE = "Pulumi.yaml"
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast


class NotChosen(ManagedError):
    """Nothing, or not what was meant, is chosen by what the command line says."""


@dataclass(frozen=True)
class StackFile:
    """One stack: its name, its file, and what the file says, unchecked.

    `values` are the settings without the namespace; secrets in them are encrypted. `problem`: why the file
    cannot be read; it has no values then.
    """

    name: str
    path: Path
    values: Mapping[str, object] = field(default_factory=dict)
    problem: str = ""

    @property
    def customer(self) -> str:
        """The customer's name; empty where the file does not say."""
        return _text(self.values, "customer", "name")

    @property
    def environment(self) -> str:
        """Which of the customer's environments."""
        return _text(self.values, "customer", "environment")

    @property
    def kind(self) -> str:
        """`tenant` or `gateway`."""
        return _text(self.values, "kind") or "tenant"

    @property
    def mode(self) -> str:
        """`manage` or `observe`."""
        return _text(self.values, "mode") or "manage"

    @property
    def gateway(self) -> str:
        """The name of the gateways that it works on."""
        return _text(self.values, "gateway", "name")

    @property
    def domains(self) -> tuple[str, ...]:
        """Its mail domains."""
        domains = self.values.get("domains")
        return tuple(str(name) for name in domains) if isinstance(domains, Mapping) else ()

    @property
    def labels(self) -> dict[str, str]:
        """Its own labels, and what it may be chosen by without any: environment, kind, mode, gateway."""
        own = self.values.get("labels")
        implied = {
            "environment": self.environment,
            "kind": self.kind,
            "mode": self.mode,
            "gateway": self.gateway,
        }
        labels = {str(key): str(value) for key, value in own.items()} if isinstance(own, Mapping) else {}
        return {**({} if self.problem else implied), **labels}

    @property
    def touches(self) -> frozenset[str]:
        """What no other stack may work on meanwhile: the gateways, by their name and by their hosts."""
        members = _at(self.values, "gateway", "members")
        hosts = [_text(one, "host") for one in members] if isinstance(members, list) else []
        named = {f"name {self.gateway}"} if self.gateway else set()
        return frozenset(named | {f"host {host.lower().rstrip('.')}" for host in hosts if host})


def project_folder(here: Path | None = None) -> Path:
    """The folder with Pulumi.yaml: this one, or the nearest above it."""
    start = (here or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise NotChosen(f"there is no {PROJECT_FILE} here, nor above", where=str(start), fix="go to the project")


def stacks_folder(project: Path) -> Path:
    """Where the stack files of a project are: `stackConfigDir` of its Pulumi.yaml."""
    said = yaml.load((project / PROJECT_FILE).read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    return project / (_text(said, "stackConfigDir") or ".")


def all_stacks(folder: Path) -> list[StackFile]:
    """Every stack file in a folder, by name. One that cannot be read says so, and is there all the same."""
    return [read_stack(path) for path in sorted(folder.glob("Pulumi.*.yaml"))]


def read_stack(path: Path) -> StackFile:
    """One stack file."""
    name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    try:
        # Both loaders are safe ones.
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        # Without the excerpt that the error holds: it may be a secret.
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        return _unreadable(name, path, f"is no YAML: {line}{error.problem or 'it cannot be read'}")
    except yaml.YAMLError:
        return _unreadable(name, path, "is no YAML: it holds a character that YAML does not allow")
    except UnicodeDecodeError:
        return _unreadable(name, path, "is no text in UTF-8")
    except OSError as error:
        return _unreadable(name, path, f"cannot be read: {error.strerror}")
    config = loaded.get("config") if isinstance(loaded, Mapping) else None
    if not isinstance(config, Mapping):
        return _unreadable(name, path, "holds no section `config:` with settings under it")
    ours = {str(key).partition(":")[2]: one for key, one in config.items() if _is_ours(key)}
    return StackFile(name, path, ours) if ours else _unreadable(name, path, f"holds nothing of {PROJECT}")


def chosen(
    stacks: Sequence[StackFile],
    *,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
    changed: Collection[str] | None = None,
) -> list[StackFile]:
    """Those whose name matches any of the globs, that carry the labels, and are among the changed ones.

    Labels are `key=value`, several values of one key are alternatives; `key!=value` leaves out. What is empty
    (changed: None) chooses nothing away. Raises NotChosen for a glob or labels that match no stack: that is a
    slip of the pen.
    """
    for glob in names:
        if not any(fnmatchcase(stack.name, glob) for stack in stacks):
            raise NotChosen(
                f"no stack is called «{glob}»",
                fix=f"take one of these, or a pattern in quotes: {_listed(stacks)}",
            )
    named = [one for one in stacks if not names or any(fnmatchcase(one.name, glob) for glob in names)]
    wanted = _wanted(labels)
    labelled = [one for one in named if _carries(one.labels, wanted)]
    if wanted and named and not labelled:
        raise NotChosen(
            f"none of {len(named)} stacks is labelled {' '.join(labels)}",
            fix="`fleet list` shows the labels of each; they are set in m365-secure-email:labels",
        )
    return [one for one in labelled if changed is None or one.name in changed]


def _wanted(labels: Sequence[str]) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {}
    for label in labels:
        key, equals, value = label.partition("=")
        if not (key and equals and value):
            raise NotChosen(f"«{label}» is no label", fix="write --label key=value or key!=value")
        wanted.setdefault(key, set()).add(value)
    return wanted


def _carries(labels: Mapping[str, str], wanted: Mapping[str, set[str]]) -> bool:
    """`key!=value` was split at its equals sign: the key ends with `!`."""
    return all(
        (labels.get(key.removesuffix("!")) in values) != key.endswith("!") for key, values in wanted.items()
    )


def _listed(stacks: Sequence[StackFile], most: int = 8) -> str:
    names = ", ".join(one.name for one in stacks[:most])
    return (names if len(stacks) <= most else f"{names} … ({len(stacks)} in all)") or "there is none yet"


def _unreadable(name: str, path: Path, problem: str) -> StackFile:
    return StackFile(name, path, problem=clean(f"{path.parent.name}/{path.name} {problem}"))


def _is_ours(key: object) -> bool:
    return str(key).startswith(f"{PROJECT}:")


def _at(values: object, *place: str) -> object:
    for step in place:
        values = values.get(step) if isinstance(values, Mapping) else None
    return values


def _text(values: object, *place: str) -> str:
    found = _at(values, *place)
    return found if isinstance(found, str) else ""
