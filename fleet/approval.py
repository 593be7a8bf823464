"""What was approved: the plans of stacks in a file, and whether one is still the same.

No secret is in it, and nobody else may read it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dynamic_providers.errors import ManagedError
from fleet.options import Choice, on_stderr
from fleet.plan import Plan
from fleet.seals import KEY
from fleet.stacks import StackFile

FORMAT = "m365-secure-email approval 1"
PROGRAM = ("Pulumi.yaml", "__main__.py", "components", "dynamic_providers")


class WrongApproval(ManagedError):
    """A file holds no approval, or not what was written into it."""


@dataclass(frozen=True)
class Approval:
    """One stack's. `seals`: of its secrets; `refresh`: whether both sides were read before.

    `made_from`: hashes of the program and of the stack file, for the reader alone.
    """

    plan: Plan
    seals: Mapping[str, str]
    refresh: bool
    made_from: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Approval:
        """As `as_json` wrote it."""
        return cls(Plan.from_json(said["plan"]), said["seals"], said["refresh"], said["madeFrom"])

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        approved = {"plan": self.plan.as_json(), "seals": dict(self.seals), "refresh": self.refresh}
        return {**approved, "madeFrom": dict(self.made_from), "checksum": self.checksum}

    @property
    def checksum(self) -> str:
        """Of all that was approved."""
        approved = {"plan": self.plan.as_json(), "seals": dict(self.seals), "refresh": self.refresh}
        return _hash(json.dumps(approved, sort_keys=True, separators=(",", ":")).encode())

    def differences(self, now: Approval) -> list[str]:
        """How what would be done now is something else, a line each; none where it is what was approved."""
        return [*self.plan.differences(now.plan), *self._secrets_differ(now.seals)]

    def made_otherwise(self, now: Approval) -> list[str]:
        """What the difference may come from."""
        return [
            f"the {what} is another one" for what, one in self.made_from.items() if now.made_from[what] != one
        ]

    def _secrets_differ(self, now: Mapping[str, str]) -> Iterator[str]:
        if self.seals[KEY] != now[KEY]:
            yield f"{KEY} is another one, so nobody can tell whether the secrets are the same"
            return
        for place in sorted({*self.seals, *now}):
            one, other = self.seals.get(place), now.get(place)
            if one != other:
                what = "new" if one is None else "gone" if other is None else "another"
                yield f"the secret {place} is {what}"


def made_from(project: Path, stack: StackFile) -> dict[str, str]:
    """The program and the stack file, by their content."""
    files = (file for name in PROGRAM for file in _files(project / name))
    program = _hash(*(file.read_bytes() for file in files))
    return {"program": program, "stack file": _hash(stack.path.read_bytes())}


def write(path: Path, approvals: Mapping[str, Approval]) -> None:
    """The whole file or nothing of it."""
    stacks = {name: one.as_json() for name, one in sorted(approvals.items())}
    text = json.dumps({"format": FORMAT, "stacks": stacks}, indent=1, ensure_ascii=False)
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text + "\n")
        fresh.replace(path)
    except OSError as error:
        raise WrongApproval(f"it cannot be written: {error.strerror}", where=str(path)) from None


def read(paths: Iterable[Path]) -> dict[str, Approval]:
    """What several files approve, together. Raises WrongApproval."""
    found: dict[str, Approval] = {}
    for path in paths:
        for name, one in _read(path).items():
            if found.setdefault(name, one).checksum != one.checksum:
                raise WrongApproval(
                    f"another plan of {name} is approved than in the file before", where=str(path)
                )
    return found


def among_approved(choice: Choice, approvals: Mapping[str, Approval], names: Sequence[str] | None) -> Choice:
    """The stacks that were approved. One that is named, be it by a pattern, stays, and is refused."""
    for name in sorted(approvals.keys() - set(choice.all_names)):
        on_stderr().print(f"note: {name} was approved, and has no stack file here", markup=False)
    return replace(choice, stacks=[one for one in choice.stacks if names or one.name in approvals])


def _read(path: Path) -> dict[str, Approval]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise WrongApproval("another version of fleet wrote it", where=str(path), fix=_AGAIN)
        found = {name: Approval.from_json(one) for name, one in said["stacks"].items()}
        changed = [name for name, one in found.items() if one.checksum != said["stacks"][name]["checksum"]]
    except OSError as error:
        raise WrongApproval(f"it cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WrongApproval("it is no approval", where=str(path), fix=_AGAIN) from None
    if changed:
        raise WrongApproval(f"the plan of {changed[0]} was changed by hand", where=str(path), fix=_AGAIN)
    return found


_AGAIN = "`fleet preview --save FILE` writes one"


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.is_file() else []


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
