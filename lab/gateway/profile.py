"""Release profiles: the words, questions, orders and formats of a release, as data in `lab/profiles/`."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent.parent / "profiles"
Data = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One question of a dialogue. `when` names a yes/no question, or `question=answer`, or a fact."""

    id: str
    text: str
    kind: str = "text"
    default: str = ""
    choices: list[list[str]] = field(default_factory=list)
    when: str = ""
    minimum: int = 0
    maximum: int = 1_000_000_000
    error: str = ""
    bare: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Verb:
    """A line of a menu; `filled` verbs appear only where the table has entries."""

    name: str
    text: str
    filled: bool = False


class Profile:
    """One release, read from YAML; `extends` takes another as its ground, lists are replaced whole."""

    def __init__(self, name: str, data: Data) -> None:
        self.name = name
        self.data = data

    def text(self, key: str, **values: object) -> str:
        """A text of the release with its places filled in."""
        words: str = self.data["texts"][key]
        return words.format(**values)

    def setting(self, path: str) -> Any:
        """A value by its dotted path; KeyError where the profile does not say."""
        value: Any = self.data
        for part in path.split("."):
            value = value[part]
        return value

    def menu(self, name: str) -> list[Verb]:
        """The verbs of a menu in this release's order."""
        return [
            Verb(str(line[0]), str(line[1]), len(line) > 2 and line[2] == "filled")
            for line in self.data["menus"][name]
        ]

    def dialogues(self) -> list[str]:
        """The names of all dialogues."""
        return sorted(self.data["dialogues"])

    def dialogue(self, name: str) -> list[Step]:
        """The questions of a dialogue in this release's order."""
        family = name.split(".", maxsplit=1)[0]
        steps: Data = {**self.data["steps"][family], **self.data["steps"].get(name, {})}
        return [Step(id=key, **steps[key]) for key in self.data["dialogues"][name]]

    @property
    def refused(self) -> str:
        """Why no stack can be set up there; nothing where one can."""
        return str(self.data.get("refused", ""))

    @property
    def hosts(self) -> list[str]:
        """The host names of the members."""
        return [str(member["host"]) for member in self.data["estate"]["members"]]

    @property
    def cluster(self) -> str:
        """The cluster's name, or nothing for a standalone gateway."""
        return str(self.data["estate"].get("cluster", ""))


def _merged(ground: Data, change: Data) -> Data:
    result = copy.deepcopy(ground)
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


@lru_cache
def _read(name: str) -> Data:
    data: Data = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    ground = data.pop("extends", "")
    return _merged(_read(ground), data) if ground else data


def load_profile(name: str) -> Profile:
    """The profile of that name; the error lists those that exist."""
    if name not in profile_names():
        raise LookupError(f"no release profile «{name}»; there are {', '.join(profile_names())}")
    return Profile(name, copy.deepcopy(_read(name)))


def another_gateway(profile: Profile, number: int) -> Profile:
    """The same release on a further machine that is in no cluster with the first: `esa2…` for number 1."""
    data = copy.deepcopy(profile.data)
    [first, *_] = data["estate"]["members"]
    name, _, domain = first["host"].partition(".")
    addresses = {key: str(ip_address(first[key]) + number) for key in ("data1", "data2")}
    host = f"{name.rstrip('1')}{number + 1}.{domain}"
    data["estate"] |= {
        "members": [{**first, **addresses, "host": host, "serial": f"{first['serial']}{number}"}]
    }
    return Profile(profile.name, data)


def profile_names() -> list[str]:
    """All profiles that `lab/profiles/` holds, grounds that begin with `_` left out."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.startswith("_"))
