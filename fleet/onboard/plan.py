"""What a new stack is to be: from people's answers and what was looked up, or from what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.settings import Settings
from dynamic_providers.entries import Props
from dynamic_providers.errors import clean, register_secret
from fleet.onboard import beside, compose, from_live
from fleet.onboard.answers import Answers
from fleet.onboard.comments import OF_SETTINGS
from fleet.onboard.compose import VARIABLE
from fleet.onboard.found import Found, Looking
from fleet.onboard.given import Given
from fleet.onboard.known import Known
from fleet.stacks import StackFile
from fleet.words import many


@dataclass(frozen=True)
class Plan:
    """The settings of the stack, its secret, and what is to be told about them.

    `comments`: by the path of a setting, for the file.
    """

    stack: str
    settings: Settings
    values: Props
    secret: str
    comments: Mapping[str, str]
    lines: tuple[str, ...]


def planned(
    given: Given,
    facts: Known,
    answers: Answers,
    environment: Mapping[str, str],
    others: Sequence[StackFile],
) -> Plan:
    """The plan. `environment`: of the stack's own processes; `others`: the project's other stacks.

    Raises Incomplete with all that is missing, SettingsError, and the drivers' errors.
    """
    looking = Looking(given, facts, answers)
    found = looking.all()
    make = _from_live if given.from_live else _new
    plan = make(given, facts, found, looking, environment)
    return replace(plan, lines=(*plan.lines, *_sharing(plan, others)))


def _new(given: Given, facts: Known, found: Found, _looking: Looking, environment: Mapping[str, str]) -> Plan:
    values = compose.composed(facts, found, given.outbound)
    secret = environment.get(VARIABLE) or compose.new_secret()
    register_secret(secret)
    settings = compose.checked(values, secret, environment)
    return Plan(facts.stack, settings, values, secret, {}, found.sources)


def _from_live(
    _given: Given, facts: Known, found: Found, looking: Looking, environment: Mapping[str, str]
) -> Plan:
    live = from_live.look(facts, found)
    without = [one for one in live.domains if not live.gateway.leads_to_microsoft(one)]
    mx = looking.microsoft_mx(found.tenant, without)
    looking.require()
    facts = replace(facts, mx_hosts=looking.mx_hosts(live.found.gateway, live.domains))
    values = from_live.composed(facts, live, mx)
    settings = compose.checked(values, live.secret, environment)
    others = [one for one in beside.others(settings) if one.harmful]
    if others:
        values = {**values, "leave": list(dict.fromkeys(one.entry for one in others))}
        settings = compose.checked(values, live.secret, environment)
    left = [clean(f"the {one.kind} «{one.name}» {one.says}") for one in others]
    lines = [*live.found.sources, *live.notes, *(f"left as it is: {one}" for one in left)]
    lines += _shown(beside.first_preview(settings, facts.stack))
    if live.secret and environment.get(VARIABLE) not in (None, "", live.secret):
        lines.append(f"{VARIABLE} of the environment is another value than the live one, and wins: unset it")
    comments = {"leave": "\n".join([OF_SETTINGS["leave"], *left])}
    return Plan(facts.stack, settings, values, live.secret, comments, tuple(lines))


def _shown(shown: beside.Shown) -> Iterator[str]:
    """What no setting can express, as the first preview will show it."""
    if shown.differs:
        count = many(len(shown.differs), "thing")
        yield f"{count} cannot be expressed in settings, or is not there; the first preview will show:"
        yield from (f"  {one}" for one in shown.differs)
    yield from (f"could not be looked at: {one}" for one in shown.unseen)
    if not shown.differs and not shown.unseen:
        yield "all of it is right already: the first `up` will change nothing"


def _sharing(plan: Plan, others: Sequence[StackFile]) -> Iterator[str]:
    """Tenants on the same gateway, where they are not told to share it."""
    own = StackFile(plan.stack, Path(), plan.values)
    same = [one.name for one in others if one.touches & own.touches]
    if same and not plan.settings.gateway.shared:
        yield (
            f"on the same gateway: {', '.join(same)}. Say --set gateway.shared=true, set it there, too, and"
            " give the gateway a stack of its own (docs/shared-gateway.md)"
        )
