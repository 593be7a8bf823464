"""The steps of `fleet onboard`: each is done only where it is not done yet, so that it may be run again."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dynamic_providers.connections import CREDENTIALS
from fleet.environment import Environments
from fleet.onboard import compose, letter, stack_file
from fleet.onboard.answers import Answers, Tell
from fleet.onboard.given import Given
from fleet.onboard.known import known
from fleet.onboard.letter import Letter
from fleet.onboard.new_stack import NewStack
from fleet.onboard.plan import Plan, planned
from fleet.onboard.stack_file import There
from fleet.seals import KEY
from fleet.stacks import all_stacks, stacks_folder
from tools.engine import engine_environment


@dataclass(frozen=True)
class Onboarding:
    """One run of the command, in a project. `say`: tells what was found and done, as it comes."""

    given: Given
    answers: Answers
    project: Path
    say: Tell

    def run(self) -> bool:
        """All of it. Whether a file is there that differs, and stays.

        Raises ManagedError: what was done till then stays, and the next run goes on from there.
        """
        said = self._letter()
        facts = known(self.given, said, self.answers, os.environ.get("AZURE_CLIENT_ID", ""))
        path = stacks_folder(self.project) / f"Pulumi.{facts.stack}.yaml"
        there = There.read(path)
        environment = self._environment(facts.stack)
        others = [one for one in all_stacks(path.parent) if one.name != facts.stack]
        plan = planned(self.given, facts, self.answers, environment, others)
        for line in plan.lines:
            self.say(line)
        differs = there.differences(plan.values) if there else []
        if differs and not self.given.force:
            self.say(f"{path.name} is there and differs; it stays as it is (--force writes over it):")
            for line in differs:
                self.say(f"  {line}")
            return True
        self._write(path, plan, there, needed=bool(differs) or there is None)
        self._keep(path, plan, NewStack(plan.stack, self.project, environment))
        self._tell_next(plan, environment)
        return False

    def _letter(self) -> Letter:
        file = self.given.letter
        if file is None:
            return Letter()
        from_stdin = str(file) == "-"
        raw = sys.stdin.buffer.read(letter.LONGEST * 4) if from_stdin else b""
        said = letter.decoded(raw, "stdin") if from_stdin else letter.read(file)
        for note in said.notes:
            self.answers.tell(f"the letter: {note}")
        if said.manager:
            self.answers.tell(
                f"the letter: {said.manager} is where message tracking may be asked: gateway.tracking"
            )
        return said

    def _environment(self, stack: str) -> Mapping[str, str]:
        """The stack's own; the drivers, which run in this process, log in with it."""
        names = {one.name for one in all_stacks(stacks_folder(self.project))} | {stack}
        environments = Environments(engine_environment(), tuple(sorted(names)))
        environments.register_secrets()
        environment = environments.of(stack)
        os.environ.update({name: environment[name] for name in CREDENTIALS if environment.get(name)})
        return environment

    def _write(self, path: Path, plan: Plan, there: There | None, *, needed: bool) -> None:
        """The file, where it is not there, or may be written over."""
        if needed:
            stack_file.write(path, stack_file.render(plan.values, there, plan.comments))
        self.say(f"{path.name} is {'written' if needed else 'there, and is right'}")

    def _keep(self, path: Path, plan: Plan, stack: NewStack) -> None:
        """The stack at the engine, and its secrets in the file; one that was read live replaces another."""
        new = stack.initialise(self.given.secrets_provider)
        self.say(f"stack {stack.name}: {'initialised' if new else 'was initialised already'}")
        there = There.read(path)
        has_one = there is not None and there.has_secret and not (self.given.from_live and self.given.force)
        if plan.settings.outbound.smart_hosts and not has_one:
            stack.keep_secret(plan.secret)
            self.say("the header's secret is kept in it, encrypted")
        if there is None or KEY not in there.values:
            stack.keep_secret(secrets.token_hex(32), place=KEY)
            self.say("a key for approvals is kept in it, encrypted")

    def _tell_next(self, plan: Plan, environment: Mapping[str, str]) -> None:
        lacking = compose.missing_credentials(plan.settings, environment)
        if lacking:
            self.say(f"before the first preview, set in the environment: {', '.join(lacking)}")
        name = plan.stack
        self.say(f"next: fleet doctor {name}, then fleet compare {name}, then fleet preview {name}")
