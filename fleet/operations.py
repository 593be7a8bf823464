"""What the engine does for one stack: preview, up, drift."""

from __future__ import annotations

from fleet.engine import Engine, Ran
from fleet.events import Step, changes, counted
from fleet.failures import failure
from fleet.outcome import Outcome, State
from fleet.running import Say, Work
from fleet.stacks import StackFile
from fleet.words import operations


def preview(engine: Engine, *, refresh: bool = False) -> Work:
    """What `up` would do."""

    async def work(stack: StackFile, say: Say) -> Outcome:
        ran = await engine.preview(stack.name, say, refresh=refresh)
        return _outcome(stack, ran, changes(ran.report.planned), State.CHANGES)

    return work


def up(engine: Engine, *, refresh: bool = False) -> Work:
    """Make it so, after a look at what a killed run has left."""

    async def work(stack: StackFile, say: Say) -> Outcome:
        pending, ended = await engine.pending(stack.name)
        if ended.code:
            return _outcome(stack, Ran.without_events(ended), (), State.DONE)
        if pending:
            say(f"clears what a killed run has left: {', '.join(pending)}")
            cleared = await engine.clear_pending(stack.name, say)
            if not cleared.ok:
                return _outcome(stack, cleared, (), State.DONE)
        ran = await engine.up(stack.name, say, refresh=refresh)
        if pending:
            ran.report.say("info", f"cleared what a killed run had left: {', '.join(pending)}")
        return _outcome(stack, ran, changes(ran.report.done), State.DONE)

    return work


def drift(engine: Engine) -> Work:
    """What somebody else has changed since the last `up`."""

    async def work(stack: StackFile, say: Say) -> Outcome:
        ran = await engine.drift(stack.name, say)
        return _outcome(stack, ran, changes(ran.report.found), State.DRIFT)

    return work


def _outcome(stack: StackFile, ran: Ran, steps: tuple[Step, ...], if_any: State) -> Outcome:
    counts = counted(steps)
    state, says = State.SAME, "nothing to do"
    if not ran.ok:
        state, says = failure(stack.name, ran)
    elif steps:
        state, says = if_any, operations(counts, done=if_any is State.DONE)
    return Outcome(stack.name, state, says, steps, tuple(ran.report.lines), counts)
