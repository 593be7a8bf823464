"""Whether a stack's mail flows: `python -m mail_check` in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.engine import Engine
from fleet.outcome import Outcome, State
from fleet.running import Say
from fleet.stacks import StackFile
from tools.engine import ROOT

_VERDICTS = {0: State.DONE, 2: State.ERROR, 3: State.UNPROVEN}
"""Exit codes of mail_check; any other one: the checks could not be run."""


@dataclass(frozen=True)
class MailCheck:
    """The checks, for any stack of a project."""

    engine: Engine
    command: tuple[str | Path, ...] = (sys.executable, "-m", "mail_check")

    async def __call__(self, stack: StackFile, say: Say) -> Outcome:
        """Send mail on purpose, and say what became of it."""
        if stack.kind == "gateway":
            says = "a shared gateway has no mail of its own: its tenants' stacks are checked"
            return Outcome(stack.name, State.SAME, says)
        with tempfile.TemporaryDirectory(prefix="fleet-check-") as folder:
            file = Path(folder) / "report.json"
            ended = await self.engine.children.run(
                [*self.command, stack.name, "--json", file],
                folder=self.engine.folder,
                environment={**self.engine.environments.of(stack.name), "PYTHONPATH": str(ROOT)},
                on_line=say,
                on_error=say,
            )
            report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if ended.code not in _VERDICTS or not report:
            said = [line.removeprefix("error: ") for line in ended.errors if line.strip()]
            return Outcome(stack.name, State.ERROR, said[-1] if said else "the checks ended without a word")
        says = " ".join([report["headline"], *_first_trouble(report)])
        return Outcome(stack.name, _VERDICTS[ended.code], says, more={"report": report})


def _first_trouble(report: Mapping[str, Any]) -> list[str]:
    """The first hop that is not ok, what may be its cause, and what to do."""
    for proof in report["proofs"]:
        for hop in proof["hops"]:
            if hop["verdict"] != "ok":
                told = [f"{proof['domain']}: {hop['name']}: {hop['says']}", hop["cause"], hop["advice"]]
                return [f"{text.rstrip('.')}." for text in told if text]
    return []
