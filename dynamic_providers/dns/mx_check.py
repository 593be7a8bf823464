"""The MX of a domain whose zone is kept in a portal: what to set there, and what the world says. Row f.

Nothing is written: a person, or another Pulumi resource, sets the records (docs/dns.md).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import pulumi
from pydantic import Field

from dynamic_providers import report
from dynamic_providers.comparing import REVISION
from dynamic_providers.dns import mx_set, settling
from dynamic_providers.dns.connection import DEFAULT_TTL, Ttl, dns_connection, resolver
from dynamic_providers.dns.mail_hosts import without_address
from dynamic_providers.dns.mx_set import MxHosts
from dynamic_providers.dns.settling import Change, Settle
from dynamic_providers.dns.voices import Voice, listen
from dynamic_providers.entries import ABSENT, Props, has_unknown, plain
from dynamic_providers.errors import ManagedError, clean_errors
from dynamic_providers.field_types import Domain, MicrosoftMx
from dynamic_providers.looking import LookingProvider
from dynamic_providers.model import Model
from dynamic_providers.observation import Observation, State
from dynamic_providers.observing import Observable
from dynamic_providers.settling import pause

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between two looks
_PROGRESS_SECONDS = 60.0


class NotAgreed(ManagedError):
    """The deadline passed, and not everybody says the MX that is wanted."""


class StillPointsHere(ManagedError):
    """A domain's MX still leads to the gateway, which is about to stop taking its mail."""


# --- model --------------------------------------------------------------------------------------------------


class MxCheckInputs(Model):
    """What MX the world should say for a domain, and for how long (seconds) that is waited for.

    `ttl` is only advice for the portal. `settle`, `microsoftMx`: as for MxRecords.
    """

    domain: Domain
    hosts: MxHosts
    ttl: Ttl = DEFAULT_TTL
    microsoft_mx: MicrosoftMx | None = None
    settle: Settle = "ttl"
    deadline: Annotated[int, Field(strict=True, ge=1, le=172_800)] = 4500


# --- provider -----------------------------------------------------------------------------------------------


class MxCheckProvider(LookingProvider):
    """Waits until the zone's own servers and the resolvers all say these hosts."""

    model = MxCheckInputs
    identity = ("domain",)
    outputs = ("answers", "changedAt", "settledAt", REVISION)
    free = frozenset({"ttl", "deadline", "settle", "microsoftMx"})

    def refusals(self, inputs: Props, olds: Props) -> list[str]:
        if mx_set.same_hosts(inputs, olds):
            return []
        back = mx_set.only_microsoft(inputs, inputs.get("microsoftMx"))
        found = [] if back else without_address(resolver(), inputs["hosts"])
        if not found:
            _say_what_to_set(inputs, listen(inputs["domain"], dns_connection().resolvers))
            if not back:
                report.warning(f"{inputs['domain']}: {mx_set.CHECK_HEALTH}")
        return found

    def look(self, inputs: Props, olds: Props) -> Props:
        return self._agreed(inputs, olds or _before(inputs))

    def seen(self, inputs: Props) -> Iterable[Observation]:
        ours = mx_set.shown(inputs)
        for one in _heard(inputs["domain"]):
            who = f"as {one.who} says"
            state: State = "right" if one.says(inputs) else "differs" if one.found else "absent"
            yield Observation("DNS", f"MX of {inputs['domain']}", who, state, mx_set.shown(one.found), ours)

    def again(self, state: Props) -> Props:
        """What the world says now: where one says something else than was agreed, that is shown."""
        heard = _heard(state["domain"])
        other = next((one for one in heard if not one.says(state)), None)
        hosts = state.get("hosts") if other is None else (other.found or {}).get("hosts", [])
        return {**state, "hosts": hosts, "answers": {**state.get("answers", {}), **_answers(heard)}}

    @clean_errors
    def delete(self, _id: str, _props: Props) -> None:
        """Go only when mail no longer comes this way: what goes next is what takes it."""
        props = plain(_props)
        led_away = mx_set.only_microsoft(props, props.get("microsoftMx"))
        if not led_away and not mx_set.same_hosts(_before(props), props):
            _wait_gone(props)

    # --- waiting --------------------------------------------------------------------------------------------

    def _agreed(self, props: Props, known: Props | None) -> Props:
        """Ask until all say the same, then, after a move back, until nobody can use the way before."""
        voices, changed = _wait(props)
        agreed = settling.stamp(settling.now())
        outs = {"answers": _answers(voices), REVISION: agreed}
        if known is not None and mx_set.same_hosts(known, props):
            return {**outs, **{name: known.get(name, agreed) for name in ("changedAt", "settledAt")}}
        change = Change(changed, int((known or {}).get("ttl", 0)))
        until = change.settled(props["settle"])
        if mx_set.only_microsoft(props, props.get("microsoftMx")):
            settling.wait_until(until, f"{props['domain']}: its MX is {mx_set.shown(props)} again")
        return {**outs, "changedAt": settling.stamp(change.at), "settledAt": settling.stamp(until)}


def _heard(domain: str) -> list[Voice]:
    """Everybody who answers. Who does not, is told of; raises where nobody does."""
    voices = listen(domain, dns_connection().resolvers)
    heard = [one for one in voices if not one.failed]
    if not heard:
        raise NotAgreed("nobody answers: " + "; ".join(one.line() for one in voices), where=domain)
    for one in voices:
        if one.failed:
            report.warning(f"{domain}: MX not looked up: {one.line()}")
    return heard


def _rounds(
    props: Props, against: Callable[[Voice], bool], what: str
) -> Iterator[tuple[list[Voice], list[Voice], float]]:
    """Ask everybody until nobody is `against`: all voices, those against, and the seconds that are left.

    Whoever goes through them ends it at the deadline. Told when the picture changes, and once a minute.
    """
    domain, start, seconds = props["domain"], time.monotonic(), _FIRST_PAUSE
    said_at, last = start, ""
    while True:
        voices = listen(domain, dns_connection().resolvers)
        others = [one for one in voices if against(one)]
        left = props["deadline"] - (time.monotonic() - start)
        yield voices, others, left
        if not others:
            return
        picture = "; ".join(f"{one.who}: {one.failed or mx_set.shown(one.found)}" for one in others)
        if picture != last or time.monotonic() - said_at > _PROGRESS_SECONDS:
            lines = "; ".join(one.line() for one in others)
            heard = f"{len(voices) - len(others)} of {len(voices)}"
            report.info(f"{domain}: waiting {what} ({heard}): {lines}")
            said_at, last = time.monotonic(), picture
        pause(min(seconds, left), domain)
        seconds = min(seconds * 2, _LONGEST_PAUSE)


def _wait(props: Props) -> tuple[list[Voice], datetime]:
    """Everybody's word once they agree, and when the zone's own servers were first seen to."""
    changed: datetime | None = None
    heard: list[Voice] = []
    for voices, others, left in _rounds(props, lambda one: not one.says(props), "for its MX"):
        if not any(one.own for one in others):
            changed = changed or settling.now()
        if others and left <= 0:
            raise _not_agreed(props, others)
        heard = voices
    return heard, changed or settling.now()


def _wait_gone(props: Props) -> None:
    """Until nobody says these hosts any more; the zone is changed by somebody else, and before."""
    still_here = _rounds(
        props, lambda one: bool(one.failed) or one.says(props), "until its old MX is forgotten"
    )
    for _, still, left in still_here:
        if any(one.own for one in still) or (still and left <= 0):
            lines = "; ".join(one.line() for one in still)
            raise StillPointsHere(
                f"its MX has to lead elsewhere before what takes its mail here can go: {lines}",
                where=props["domain"],
                fix=f"set these records where its zone is kept, then run it again: {_way_back(props)}",
            )


def _way_back(props: Props) -> str:
    back = _before(props)
    if back is None and props.get("microsoftMx"):
        back = {"hosts": [{"host": props["microsoftMx"], "preference": 0}], "ttl": props["ttl"]}
    return "; ".join(mx_set.lines(props["domain"], back)) if back else "no MX at all"


def _not_agreed(props: Props, others: list[Voice]) -> NotAgreed:
    zone = any(one.own for one in others)
    fix = (
        "set the records where the zone is kept: " + "; ".join(mx_set.lines(props["domain"], props))
        if zone
        else "the zone is right: run it again when they have forgotten the old records"
    )
    return NotAgreed(
        f"not everybody says the MX {mx_set.shown(props)} after {props['deadline']} s: "
        + "; ".join(one.line() for one in others),
        where=props["domain"],
        fix=fix,
    )


def _say_what_to_set(inputs: Props, voices: list[Voice]) -> None:
    domain = inputs["domain"]
    others = [one for one in voices if not one.says(inputs)]
    if not others:
        report.info(f"{domain}: everybody says the MX {mx_set.shown(inputs)} already")
        return
    report.info(f"{domain}: set these records where its zone is kept, and remove every other MX of it:")
    for line in mx_set.lines(domain, inputs):
        report.info(f"    {line}")
    for one in others:
        report.info(f"{domain}: now {one.line()}")


def _answers(voices: list[Voice]) -> dict[str, str]:
    return {one.who: mx_set.shown(one.found) for one in voices}


def _before(props: Props) -> Props | None:
    record = props.get("before", {})
    known = ABSENT if has_unknown(record) else record.get(props["domain"], ABSENT)
    return None if known == ABSENT else known


# --- resource -----------------------------------------------------------------------------------------------


class MxCheck(Observable, module="dns", name="MxCheck"):
    """The MX that the world says.

    Outputs: `answers` (server → what it says); UTC: `revision`, when all were last waited for and agreed;
    `changedAt`, when the zone's own servers were first seen to; `settledAt`, when the set before is
    forgotten.
    """

    answers: pulumi.Output[dict[str, str]]
    revision: pulumi.Output[str]
    changedAt: pulumi.Output[str]  # noqa: N815 - the engine's keys are in camelCase
    settledAt: pulumi.Output[str]  # noqa: N815

    def __init__(
        self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        given = {key: value for key, value in props.items() if value is not None}
        super().__init__(MxCheckProvider(), name, {**given, **dict.fromkeys(MxCheckProvider.outputs)}, opts)
