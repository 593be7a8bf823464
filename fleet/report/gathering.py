"""What is asked for one stack: its record, its last runs, and how both sides are now. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dynamic_providers.errors import ManagedError, redact
from fleet import operations
from fleet.comment import Result
from fleet.engine import Engine, Ran
from fleet.failures import failure
from fleet.outcome import Outcome
from fleet.report.facts import Asked, Facts, MailSeen, facts, section, utc_now
from fleet.running import Say
from fleet.stacks import StackFile

FACTS = "facts"
_RUNS = 10  # so far back an `up` is looked for, among refreshes


class NoCheckResult(ManagedError):
    """A file of results is of another command."""


@dataclass(frozen=True)
class Gathering:
    """The work for any stack. `checked`: what results of `fleet check` say, by stack."""

    engine: Engine
    checked: Mapping[str, MailSeen] = field(default_factory=dict)

    async def __call__(self, stack: StackFile, say: Say) -> Outcome:
        """The record first: what cannot be exported needs no look at both sides."""
        say("reads its record")
        export, ended = await self.engine.export(stack.name)
        asked = Asked(export, checked=self.checked.get(stack.name))
        if ended.code:
            state, says = failure(stack.name, Ran.without_events(ended))
            return _with(Outcome(stack.name, state, says), facts(stack, asked, utc_now()))
        asked = replace(asked, history=await self.engine.history(stack.name, _RUNS))
        outcome = await operations.drift(self.engine)(stack, say)
        return _with(outcome, facts(stack, asked, utc_now()))


def _with(outcome: Outcome, found: Facts) -> Outcome:
    return replace(outcome, more=redacted({**outcome.more, FACTS: found.as_json()}))


def redacted(value: Any) -> Any:
    """The same without a credential that this process knows: what others wrote may hold one."""
    if isinstance(value, Mapping):
        return {key: redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    return redact(value) if type(value) is str else value


def checks_in(files: Iterable[Path]) -> dict[str, MailSeen]:
    """The mail checks in what `fleet check --json` printed; of several of a stack the last."""
    found: dict[str, MailSeen] = {}
    for file in files:
        if not file.is_file():
            raise NoCheckResult("there is no such file", where=str(file))
        result = Result.read(file)
        if result.stacks and result.command != "check":
            raise NoCheckResult(
                f"holds results of `fleet {result.command}`",
                where=str(file),
                fix="give what `fleet check --json` printed",
            )
        for one in result.stacks:
            seen, name = _seen(one, file), str(one["stack"])
            if seen and (name not in found or found[name].when <= seen.when):
                found[name] = seen
    return found


def _seen(one: Mapping[str, Any], file: Path) -> MailSeen | None:
    """A stack's part. One without a report could not be checked, or has no mail of its own."""
    report = section(one.get("report"))
    where = f"of fleet check, {file.name}"
    if report:
        return MailSeen(
            verdict=report["verdict"], says=str(one["says"]), when=str(report["when"]), where=where
        )
    if one["state"] == "same":
        return None
    return MailSeen(verdict="notProven", says=str(one["says"]), when="", where=where)


def facts_of(outcome: Outcome) -> Facts:
    """As the outcome keeps them; none where the work did not come so far."""
    return Facts.model_validate(outcome.more.get(FACTS, {}))
