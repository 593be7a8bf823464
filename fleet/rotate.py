"""`fleet rotate`: another outbound secret for a stack, in two changes of its file. Touches neither side."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dynamic_providers.errors import ManagedError
from fleet.environment import ONE_STACKS_OWN, Environments, prefix
from fleet.options import Ended, on_stderr
from fleet.outcome import NOTHING, WRONG
from fleet.secret_text import OUTBOUND, SecretText
from fleet.stacks import NotChosen, StackFile, all_stacks, project_folder, stacks_folder
from tools.engine import engine_environment


class Part(StrEnum):
    """Which half of it."""

    BEGIN = "begin"
    FINISH = "finish"


class NotNow(ManagedError):
    """That half cannot be done to this stack."""


def rotate(
    part: Annotated[
        Part, typer.Argument(help="begin: a new secret beside the old one; finish: the old goes.")
    ],
    stack: Annotated[str, typer.Argument(help="The stack's name.")],
) -> NoReturn:
    """Change a stack's outbound secret: begin, `up`, an hour, finish, `up`. Writes its file only."""
    try:
        for line in Rotation.of(stack).lines(part):
            print(line)
    except ManagedError as error:
        on_stderr().print(f"error: {error}", markup=False)
        raise Ended(WRONG) from None
    raise Ended(NOTHING)


@dataclass(frozen=True)
class Rotation:
    """Of one stack. `environment`: what its processes find; `base`: what this one does."""

    stack: StackFile
    project: Path
    base: Mapping[str, str]
    environment: Mapping[str, str]

    @classmethod
    def of(cls, name: str) -> Rotation:
        """Of a stack of the project in this folder. Raises NotChosen."""
        project = project_folder()
        there = all_stacks(stacks_folder(project))
        stack = next((one for one in there if one.name == name), None)
        if stack is None or stack.problem:
            what = stack.problem if stack else f"no stack is called «{name}»"
            raise NotChosen(what, fix="put it right" if stack else "`fleet list` shows them")
        environments = Environments(engine_environment(), tuple(one.name for one in there))
        environments.register_secrets()
        return cls(stack, project, environments.base, environments.of(name))

    def lines(self, part: Part) -> Iterator[str]:
        """Do one half, and say what was done and what comes next."""
        raw = self.stack.path.read_bytes()
        text = SecretText(raw.decode(), self._where)
        name = self.stack.name
        if part is Part.BEGIN:
            self._require_begin(text)
            self._write(raw, text.with_secret(self._encrypted(raw)))
            yield f"{self._where}: a new outbound secret, encrypted; the one before is still accepted"
            yield (
                f"next: `fleet up {name}`; when settle.rule (an hour, if the file does not say otherwise) has"
                f" passed since, `fleet rotate finish {name}`"
            )
            return
        if not text.is_begun:
            raise NotNow(
                "there is no secret from before to be taken away",
                where=self._where,
                fix=f"`fleet rotate begin {name}` makes a new one",
            )
        self._write(raw, text.without_previous())
        yield f"{self._where}: no secret from before any more"
        yield f"next: `fleet up {name}`, which says when it would be too early"

    @property
    def _where(self) -> str:
        return self.stack.path.relative_to(self.project).as_posix()

    def _require_begin(self, text: SecretText) -> None:
        name, own = self.stack.name, prefix(self.stack.name) + ONE_STACKS_OWN
        if self.stack.kind == "gateway":
            raise NotNow("a gateway's stack has no secret", where=name, fix="name its tenants' stacks")
        if text.is_begun:
            raise NotNow(
                "a change of the secret is begun already: outbound.previousSecrets holds one from before",
                where=self._where,
                fix=f"`fleet up {name}`, wait for settle.rule, `fleet rotate finish {name}`, and up again",
            )
        if self.environment.get(ONE_STACKS_OWN):
            variable = own if self.base.get(own) else ONE_STACKS_OWN
            raise NotNow(
                f"the secret comes from {variable} of the environment, which wins over the file",
                where=name,
                fix="put the old value into outbound.previousSecrets (`pulumi config set --secret --path"
                f" '{OUTBOUND}.previousSecrets[0]' --stack {name}` asks for it), the new one, letters and"
                f" digits, into the variable, and run `fleet up {name}`. Then `fleet rotate finish {name}`",
            )

    def _encrypted(self, raw: bytes) -> str:
        """A new secret as the engine encrypts it for this stack: in a copy of its file, which goes again."""
        from fleet.onboard.compose import new_secret  # they load the drivers
        from fleet.onboard.new_stack import NewStack

        with tempfile.TemporaryDirectory(prefix="fleet-rotate-") as folder:
            copy = Path(folder) / self.stack.path.name
            copy.write_bytes(raw)
            engine = NewStack(self.stack.name, self.project, self.environment)
            engine.keep_secret(new_secret(), copy)
            return SecretText(copy.read_bytes().decode(), self._where).encrypted

    def _write(self, before: bytes, text: str) -> None:
        """The whole file or nothing of it, and not over what somebody wrote meanwhile."""
        fresh = self.stack.path.with_name(f".{self.stack.path.name}.new")
        fresh.write_bytes(text.encode())
        if self.stack.path.read_bytes() != before:
            fresh.unlink()
            raise NotNow("somebody wrote the file meanwhile", where=self._where, fix="run this again")
        fresh.replace(self.stack.path)
