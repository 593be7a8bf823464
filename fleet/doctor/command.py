"""`fleet doctor`: what would be in the way, before anything is touched."""

from __future__ import annotations

import asyncio
import json as json_text
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from dynamic_providers.errors import ManagedError
from fleet import table
from fleet.carrying_out import carry_out, choose_or_end
from fleet.children import Stopped
from fleet.doctor.finding import Finding, Level, worst
from fleet.engine import Engine
from fleet.options import (
    PARALLEL,
    AsJson,
    ChangedSince,
    Labels,
    Names,
    Parallel,
    ShardOption,
)
from fleet.outcome import Outcome, State
from fleet.running import Say
from fleet.sharing import groups
from fleet.stacks import StackFile
from fleet.words import many
from tools.engine import ROOT

_STYLES: dict[Level, str] = {"ok": "green", "warning": "yellow", "error": "bold red"}

Brief = Annotated[bool, typer.Option("--brief", help="Leave out what is ok.")]


def doctor(
    names: Names = None,
    label: Labels = None,
    changed_since: ChangedSince = None,
    shard: ShardOption = None,
    parallel: Parallel = PARALLEL,
    *,
    brief: Brief = False,
    json: AsJson = False,
) -> NoReturn:
    """What would be in the way: logins, rights, tables, names, engine. Looks only, and changes nothing."""
    choice = choose_or_end(names, label, changed_since, shard)
    work = partial(Doctors, choice.stacks)
    carry_out("doctor", choice, work, parallel, as_json=json, show=partial(_show, brief=brief))


class Doctors:
    """A child process for each group of stacks that share gateways; it begins with the first of them."""

    def __init__(self, stacks: Sequence[StackFile], engine: Engine) -> None:
        self._engine = engine
        readable = [one for one in stacks if not one.problem]
        self._group_of = {one.name: group for group in groups(readable) for one in group}
        self._answers: dict[str, asyncio.Future[Outcome]] = {}
        self._at_work: dict[str, asyncio.Task[None]] = {}

    async def __call__(self, stack: StackFile, say: Say) -> Outcome:
        """What is found about one stack."""
        say("looks at everything that it depends on")
        group = self._group_of[stack.name]
        if stack.name not in self._answers:
            loop = asyncio.get_running_loop()
            self._answers |= {one.name: loop.create_future() for one in group}
            self._at_work[group[-1].name] = asyncio.create_task(self._child([one.name for one in group]))
        answer = await self._answers[stack.name]
        if stack.name in self._at_work:  # the last one: the run, and its loop, must not end before the child
            await self._at_work[stack.name]
        return answer

    async def _child(self, names: Sequence[str]) -> None:
        engine = self._engine
        try:
            ended = await engine.children.run(
                [sys.executable, "-m", "fleet.doctor.child", *names],
                folder=engine.folder,
                environment={**engine.environments.base, "PYTHONPATH": str(ROOT)},
                on_line=self._take,
            )
            said = ended.errors[-1] if ended.errors else f"it ended with {ended.code}"
            failed: Exception = ManagedError(f"the doctor's process failed: {said}", fix="please report it")
            if engine.children.asked:
                failed = Stopped()
        except Exception as unexpected:  # noqa: BLE001 - handed to those who wait, and would wait for ever
            failed = unexpected
        for name in names:
            if not self._answers[name].done():
                self._answers[name].set_exception(failed)

    def _take(self, line: str) -> None:
        answer = json_text.loads(line)
        findings = [Finding(**one) for one in answer["findings"]]
        self._answers[answer["stack"]].set_result(_outcome(answer["stack"], findings))


def _outcome(stack: str, findings: Sequence[Finding]) -> Outcome:
    counts = {level: sum(one.level == level for one in findings) for level in _STYLES}
    told = [many(counts[level], level) for level in ("error", "warning") if counts[level]]
    state = State.ERROR if worst(findings) == "error" else State.DONE
    says = ", ".join(told) or "all is well"
    return Outcome(stack, state, says, more={"findings": [asdict(one) for one in findings]})


def _show(
    _command: str, outcomes: Sequence[Outcome], seconds: float, console: Console, *, brief: bool
) -> None:
    """A line a finding, by stacks."""
    for one in outcomes:
        console.print(Text(f"{one.stack}: {one.says}", style="bold"), soft_wrap=True)
        for found in one.more.get("findings", ()):
            if not (brief and found["level"] == "ok"):
                finding = Finding(**found)
                console.print(Text(f"  {finding}", style=_STYLES[finding.level]), soft_wrap=True)
    console.print(table.headline(outcomes, seconds), style="bold", markup=False)
