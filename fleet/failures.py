"""What an operator is told where the engine failed: its own errors in one line each, with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.engine import Ran
from fleet.environment import prefix
from fleet.outcome import State


@dataclass(frozen=True)
class Known:
    """An error of the engine's own: how it is known, and what to say in its place."""

    match: re.Pattern[str]
    says: str


KNOWN = (
    Known(
        re.compile(r"no stack named '"),
        "the backend has no such stack. Is PULUMI_BACKEND_URL the right one? If the stack is new:"
        " `pulumi stack init {stack}`",
    ),
    Known(
        re.compile(r"currently locked by .*?(?:created by (?P<who>.+))?$", re.DOTALL),
        "another run holds the stack{who}. Wait for it; if it is dead: `pulumi cancel --yes --stack {stack}`",
    ),
    Known(
        re.compile(r"passphrase must be set"),
        "the stack's secrets cannot be read. Set PULUMI_CONFIG_PASSPHRASE, or for this stack alone"
        " {prefix}PULUMI_CONFIG_PASSPHRASE",
    ),
    Known(
        re.compile(r"incorrect passphrase"),
        "the passphrase is not the one of this stack. Set {prefix}PULUMI_CONFIG_PASSPHRASE to it",
    ),
)


def failure(stack: str, ran: Ran) -> tuple[State, str]:
    """What became of it, and the line for the operator: what happened, and what to do."""
    report = ran.report
    if ran.stopped:
        done = "What was done is on record: run it again" if report.began else "Nothing was changed"
        return State.ERROR, f"interrupted. {done}"
    for line in _errors(ran.ended.errors):
        report.say("error", line)
    told = "\n".join(dict.fromkeys(line.text for line in report.errors))  # several resources, one commit
    for one in KNOWN:
        if found := one.match.search(told):
            who = found.groupdict().get("who")
            says = one.says.format(stack=stack, prefix=prefix(stack), who=f" ({who})" if who else "")
            return State.ERROR, says
    if not told:
        told = " ".join([f"`pulumi` ended with {ran.ended.code}, and did not say why", *report.unread[-1:]])
    refused = any(line.severity == "refused" for line in report.errors) and not report.began
    return State.REFUSED if refused else State.ERROR, told.replace("\n", "; ")


def _errors(lines: tuple[str, ...]) -> Iterator[str]:
    """The errors on stderr, each with the lines that belong to it."""
    speaking = False
    for line in lines:
        speaking = line.startswith("error: ") or (speaking and line.startswith(" "))
        if speaking:
            yield line
