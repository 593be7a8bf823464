"""What the engine does for one stack: preview, up, drift."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace

from dynamic_providers.errors import clean
from fleet import window
from fleet.approval import Approval, made_from
from fleet.engine import Engine, Ran
from fleet.events import Line, Step, changes, counted
from fleet.failures import failure
from fleet.outcome import Outcome, State
from fleet.plan import Plan
from fleet.running import Say, Work
from fleet.seals import lacks_key, seals
from fleet.stacks import StackFile
from fleet.words import operations


def preview(
    engine: Engine, *, refresh: bool = False, saved: MutableMapping[str, Approval] | None = None
) -> Work:
    """What `up` would do. `saved`: where to put the plans, to be approved."""

    async def work(stack: StackFile, say: Say) -> Outcome:
        if saved is not None and (lacking := lacks_key(stack)):
            return Outcome(stack.name, State.REFUSED, lacking)
        ran = await engine.preview(stack.name, say, refresh=refresh)
        if saved is not None and ran.ok:
            saved[stack.name] = await _approval(engine, stack, ran, refresh=refresh)
        return _outcome(stack, ran, changes(ran.report.planned), State.CHANGES)

    return work


def up(
    engine: Engine,
    *,
    refresh: bool = False,
    approved: Mapping[str, Approval] | None = None,
    outside_window: bool = False,
) -> Work:
    """Make it so, in its change window, after a look at what a killed run has left; if given, as approved."""

    async def work(stack: StackFile, say: Say) -> Outcome:
        if approved is not None and stack.name not in approved:
            return Outcome(
                stack.name, State.REFUSED, f"{stack.name} is not among what was approved. {_AGAIN}"
            )
        shut = window.shut(stack)
        if shut and not outside_window:
            return Outcome(stack.name, State.REFUSED, f"{shut}. --outside-window goes on all the same")
        pending, left = await _cleared(engine, stack, say)
        if left is not None:
            return left
        if approved is not None:
            outcome = await _as_approved(engine, stack, say, approved[stack.name], refresh=refresh)
        else:
            ran = await engine.up(stack.name, say, refresh=refresh)
            outcome = _outcome(stack, ran, changes(ran.report.done), State.DONE)
        notes = [Line("info", f"cleared what a killed run had left: {', '.join(pending)}")] if pending else []
        if shut:
            notes.append(Line("warning", f"{shut}; done all the same, by --outside-window"))
        return replace(outcome, lines=(*outcome.lines, *notes))

    return work


def drift(engine: Engine) -> Work:
    """What somebody else has changed since the last `up`."""
    from fleet.effects.drift import judged  # loads the drivers

    async def work(stack: StackFile, say: Say) -> Outcome:
        ran = await engine.drift(stack.name, say)
        return judged(_outcome(stack, ran, changes(ran.report.found), State.DRIFT))

    return work


def _outcome(stack: StackFile, ran: Ran, steps: tuple[Step, ...], if_any: State) -> Outcome:
    counts = counted(steps)
    state, says = State.SAME, "nothing to do"
    if not ran.ok:
        state, says = failure(stack.name, ran)
    elif steps:
        state, says = if_any, operations(counts, done=if_any is State.DONE)
    return Outcome(stack.name, state, says, steps, tuple(ran.report.lines), counts)


async def _cleared(engine: Engine, stack: StackFile, say: Say) -> tuple[list[str], Outcome | None]:
    """What a killed run has left, which is cleared; and an outcome where that does not go."""
    pending, ended = await engine.pending(stack.name)
    if ended.code:
        return [], _outcome(stack, Ran.without_events(ended), (), State.DONE)
    if pending:
        say(f"clears what a killed run has left: {', '.join(pending)}")
        cleared = await engine.clear_pending(stack.name, say)
        if not cleared.ok:
            return [], _outcome(stack, cleared, (), State.DONE)
    return pending, None


# --- what was approved --------------------------------------------------------------------------------------

_AGAIN = "Save its plan (`fleet preview --save`), and have that approved"
_IN_ONE_LINE = 3


async def _approval(engine: Engine, stack: StackFile, ran: Ran, *, refresh: bool) -> Approval:
    """What this preview would be approved as."""
    sealed = await seals(engine, stack)
    return Approval(Plan.of(ran.report), sealed, refresh, made_from(engine.folder, stack))


async def _as_approved(
    engine: Engine, stack: StackFile, say: Say, approved: Approval, *, refresh: bool
) -> Outcome:
    """Preview, compare, make it so, and look whether that was done, and nothing else."""
    refresh = refresh or approved.refresh
    seen = await engine.preview(stack.name, say, refresh=refresh)
    if not seen.ok or not changes(seen.report.planned):
        return _outcome(stack, seen, (), State.DONE)
    now = await _approval(engine, stack, seen, refresh=refresh)
    if differing := approved.differences(now):
        return _refused(stack, differing, approved.made_otherwise(now))
    ran = await engine.up(stack.name, say, refresh=refresh, previewed=True)
    deviations = now.plan.deviations(ran.report.done) if ran.ok else []
    for line in deviations:
        ran.report.say("error", f"not as approved: {line}")
    outcome = _outcome(stack, ran, changes(ran.report.done), State.DONE)
    if not deviations:
        return outcome
    says = f"done, but not as it was approved: {_in_one_line([clean(one) for one in deviations])}"
    return replace(outcome, state=State.ERROR, says=says)


def _refused(stack: StackFile, differing: Sequence[str], reasons: Sequence[str]) -> Outcome:
    told = [clean(one) for one in differing]
    says = f"not what was approved, so nothing was changed: {_in_one_line(told)}. {_AGAIN}"
    lines = (*(Line("refused", one) for one in told), *(Line("info", one) for one in reasons))
    return Outcome(stack.name, State.REFUSED, says, lines=lines)


def _in_one_line(told: Sequence[str]) -> str:
    more = f"; and {len(told) - _IN_ONE_LINE} more" if len(told) > _IN_ONE_LINE else ""
    return f"{'; '.join(told[:_IN_ONE_LINE])}{more}"
