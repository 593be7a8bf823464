"""One stack on its way out: mail is led past the gateway, what was there before comes back, the stack goes.

Which step is due is seen from the stack's record, so what was cut may be run again. The program's own
providers wait until nobody uses the way over the gateway any more.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from dynamic_providers.errors import PROJECT, ManagedError
from fleet.children import Ended
from fleet.engine import Engine, Ran
from fleet.events import Line, changes, counted
from fleet.failures import failure
from fleet.outcome import Outcome, State
from fleet.record import Record, made_by_us
from fleet.running import Say
from fleet.stacks import StackFile
from fleet.window import shut

_Step = Callable[[str, Say], Awaitable[Ran]]

_NO_STACK = "no stack named '"
_GONE = "the backend has no such stack: it has left already, or PULUMI_BACKEND_URL is another one's"


class NotYet(ManagedError):
    """The stack cannot go: something still needs what it has made."""


class WrongSection(ManagedError):
    """A section of the stack file cannot be changed."""


@dataclass(frozen=True)
class Offboarding:
    """The work for any of the project's `stacks`.

    `leave`: only forget it, and touch neither side. `outside_window`: though its change window is shut.
    """

    stacks: Sequence[StackFile]
    leave: bool
    outside_window: bool
    engine: Engine

    async def __call__(self, stack: StackFile, say: Say) -> Outcome:
        """In its change window; forgetting it changes nothing, and has none."""
        closed = "" if self.leave else shut(stack)
        if closed and not self.outside_window:
            return Outcome(stack.name, State.REFUSED, f"{closed}. --outside-window goes on all the same")
        outcome = await self._offboarded(stack, say)
        if not closed:
            return outcome
        warning = Line("warning", f"{closed}; done all the same, by --outside-window")
        return replace(outcome, lines=(*outcome.lines, warning))

    async def _offboarded(self, stack: StackFile, say: Say) -> Outcome:
        """All steps that are due."""
        export, ended = await self.engine.export(stack.name)
        if _is_gone(ended):
            return Outcome(stack.name, State.SAME, f"{_GONE}. {_next(stack)}")
        if ended.code:
            return _failed(stack, [Ran.without_events(ended)])
        record, ran = Record.of(export), list[Ran]()
        if not self.leave:
            try:
                await self._require_unneeded(stack, record)
            except NotYet as error:
                return Outcome(stack.name, State.REFUSED, str(error))
        for told, step in self._due(stack, record):
            say(told)
            ran.append(await step(stack.name, say))
            if not ran[-1].ok:
                return _failed(stack, ran)
        return _left(stack, ran, leave=self.leave)

    def _due(self, stack: StackFile, record: Record) -> Iterator[tuple[str, _Step]]:
        if self.leave:
            yield "forgets the stack, and leaves both sides as they are", self._forget
            return
        if record.pending:
            yield f"clears what a killed run has left: {', '.join(record.pending)}", self.engine.clear_pending
        if record.leads_mail:
            yield "1 of 3: leads mail away from the gateway, and waits", self._lead_away(stack)
        if record.left:
            yield "2 of 3: puts back what was there before", self.engine.destroy
        yield "3 of 3: removes the stack", self.engine.remove

    def _lead_away(self, stack: StackFile) -> _Step:
        async def step(name: str, say: Say) -> Ran:
            with tempfile.TemporaryDirectory(prefix="fleet-offboard-") as folder:
                copy = Path(folder) / stack.path.name
                copy.write_text(led_away(stack.path.read_text(encoding="utf-8")), encoding="utf-8")
                return await self.engine.up_by(name, say, copy)

        return step

    async def _forget(self, name: str, _say: Say) -> Ran:
        return await self.engine.remove(name, _say, "--force")

    # --- what still needs it --------------------------------------------------------------------------------

    async def _require_unneeded(self, stack: StackFile, record: Record) -> None:
        if stack.kind == "gateway":
            await self._require_no_tenants(stack)
        elif record.facts:
            await self._require_led_elsewhere(stack, record.facts)

    async def _require_no_tenants(self, gateway: StackFile) -> None:
        """A file may outlive its stack, so each tenant's record is asked."""
        tenants = [
            one
            for one in self.stacks
            if one.kind == "tenant" and one.mode == "manage" and one.touches & gateway.touches
        ]
        left = [one.name for one in tenants if await self._is_there(one.name)]
        if left:
            raise NotYet(
                f"{', '.join(left)} still {'uses' if len(left) == 1 else 'use'} it, and nothing was changed",
                where=f"gateway {gateway.gateway}",
                fix=f"offboard them first, or with it: `fleet offboard {' '.join([*left, gateway.name])}`",
            )

    async def _is_there(self, name: str) -> bool:
        """Whether a stack has anything on record; where that cannot be seen, it counts."""
        export, ended = await self.engine.export(name)
        return Record.of(export).left > 0 if ended.code == 0 else not _is_gone(ended)

    async def _require_led_elsewhere(self, stack: StackFile, facts: Mapping[str, Any]) -> None:
        """An MX that is not ours (`mx: leave`) may lead to what we have made, by somebody else's hand."""
        clauses = await asyncio.to_thread(_led_here, facts, _resolvers(stack))
        if not clauses:
            return
        decrypted, ended = await self.engine.export(stack.name, "--show-secrets")
        if ended.code:
            raise NotYet(failure(stack.name, Ran.without_events(ended))[1], where=stack.name)
        ours = {name: clause for name, clause in clauses.items() if made_by_us(decrypted, name)}
        if ours:
            raise NotYet(
                f"{'; '.join(ours.values())}, and its mx is leave: without us the gateway would answer that"
                " mail with 550, so nothing was changed",
                where=stack.name,
                fix=f"lead it elsewhere: set mx of {', '.join(ours)} to microsoft and run `fleet up"
                f" {stack.name}`, which waits until nobody uses the old MX any more; then this again",
            )


# --- the settings of a stack that leaves --------------------------------------------------------------------


def led_away(text: str) -> str:
    """A stack file's text, with no mail over the gateway, and nothing checked. Raises WrongSection.

    JSON, which is YAML that every reader reads alike.
    """
    whole = yaml.safe_load(text)
    config = whole["config"]
    outbound = _section(config, "outbound")
    outbound.pop("validationRecipient", None)  # a validation that fails must not be in the way
    config[f"{PROJECT}:outbound"] = {**outbound, "state": "none"}
    for domain in _section(config, "domains").values():
        if isinstance(domain, dict) and domain.get("mx") == "gateway":
            domain["mx"] = "microsoft"
    config[f"{PROJECT}:lockdown"] = "open"
    config.pop(f"{PROJECT}:checks", None)
    return json.dumps(whole, ensure_ascii=False, default=str)


def _section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = config.get(f"{PROJECT}:{name}", {})
    if not isinstance(found, dict) or set(found) == {"secure"}:
        raise WrongSection(
            "the section is one text, or encrypted as a whole", where=name, fix="write it as YAML of its own"
        )
    return found


def _resolvers(stack: StackFile) -> tuple[str, ...]:
    dns = stack.values.get("dns")
    given = dns.get("resolvers") if isinstance(dns, Mapping) else None
    return tuple(map(str, given)) if isinstance(given, list) else ()


def _led_here(facts: Mapping[str, Any], resolvers: tuple[str, ...]) -> dict[str, str]:
    """Domains whose MX we leave alone, and that lead to the gateway; a clause each."""
    from dynamic_providers.dns.resolver import DEFAULT_SERVERS, Resolver  # they load the drivers
    from dynamic_providers.safety.flowing import leads_here

    ask = Resolver(resolvers or DEFAULT_SERVERS)
    left = [name for name, fact in facts["domains"].items() if fact["mx"] == "leave"]
    found = {name: leads_here(name, dict(facts), ask) for name in sorted(left)}
    return {name: clause for name, clause in found.items() if clause}


# --- how it went --------------------------------------------------------------------------------------------


def _is_gone(ended: Ended) -> bool:
    return ended.code != 0 and any(_NO_STACK in line for line in ended.errors)


def _failed(stack: StackFile, ran: Sequence[Ran]) -> Outcome:
    state, says = failure(stack.name, ran[-1])
    if len(ran) > 1 and state is State.REFUSED:
        state = State.ERROR  # something was done before
    return _outcome(stack, state, f"{says}. Then run this again: it goes on from there", ran)


def _left(stack: StackFile, ran: Sequence[Ran], *, leave: bool) -> Outcome:
    says = (
        "the stack is forgotten, and all is as it was on both sides"
        if leave
        else "mail goes past the gateway, what was there before is back on both sides, and the stack is gone"
    )
    return _outcome(stack, State.DONE, f"{says}. {_next(stack)}", ran)


def _outcome(stack: StackFile, state: State, says: str, ran: Sequence[Ran]) -> Outcome:
    steps = tuple(step for one in ran for step in changes(one.report.done))
    back = [step.name for step in steps if step.op == "delete" and "before" in step.old]
    lines = [line for one in ran for line in one.report.lines]
    if back:
        lines.append(Line("info", f"as before: {', '.join(back)}"))
    return Outcome(stack.name, state, says, steps, tuple(lines), counted(steps))


def _next(stack: StackFile) -> str:
    return f"Remove {stack.path.parent.name}/{stack.path.name} by a request"
