"""How other administrators change things: at the gateway's command line, through Exchange's cmdlets.

On the gateway they type in the release profile's own dialogue, whatever its questions and their order; or
they work on the lab's committed configuration itself, where no dialogue may hide what they did, or none asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.estate import Estate
from lab.gateway.profile import Profile, Step
from lab.gateway.state import Configuration

Hand = Callable[[Estate], None]


def all_of(*hands: Hand) -> Hand:
    """One after the other."""

    def hand(estate: Estate) -> None:
        for one in hands:
            one(estate)

    return hand


def call(cmdlet: str, **parameters: Any) -> Hand:
    """A cmdlet of Exchange."""

    def hand(estate: Estate) -> None:
        estate.tenant.invoke_by_hand(cmdlet, **parameters)

    return hand


def in_tables(change: Callable[[Configuration], object]) -> Hand:
    """A change of the gateway's committed configuration itself."""

    def hand(estate: Estate) -> None:
        change(estate.gateway.state.base)
        estate.gateway.state.version += 1

    return hand


def type_in(*lines: str) -> Hand:
    """Lines at the gateway's command line, or a cluster's; then one commit, which leaves nothing pending."""

    def hand(estate: Estate) -> None:
        gateway, before = estate.gateway, len(estate.gateway.commits)
        level = ["clustermode cluster"] if gateway.profile.cluster else []
        seen = gateway.type_by_hand([*level, *lines, 'commit "by hand" Y', "showchanges"])
        assert len(gateway.commits) == before + 1, seen
        assert gateway.profile.text("no_changes") in seen.rpartition('commit "by hand" Y')[2], seen

    return hand


def answer(command: str, dialogue: str, **answers: str) -> Hand:
    """A command and its dialogue, answered by question."""

    def hand(estate: Estate) -> None:
        type_in(command, *typed(estate.gateway.profile, dialogue, answers))(estate)

    return hand


def typed(profile: Profile, dialogue: str, answers: Mapping[str, str]) -> list[str]:
    """The lines to type to go through a dialogue in this release's order.

    `answers` by question: a text, `yes` or `no`, a choice by its value. All others stay as they are preset,
    which must be known here only for questions that open others.
    """
    steps = profile.dialogue(dialogue)
    asked = {step.id for step in steps}
    given: dict[str, str] = {}
    lines = []
    for step in steps:
        if not _applies(step, asked, given):
            continue
        given[step.id] = answers.get(step.id, step.default if step.kind != "yes" else "no")
        lines.append(_line(step, answers.get(step.id)))
    return lines


def _applies(step: Step, asked: set[str], given: Mapping[str, str]) -> bool:
    """Whether a question comes, after these answers: its gates say so, or are not asked at all."""
    conditions = [one.strip().partition("=") for one in step.when.split(" and ")] if step.when else []
    return all(
        gate not in asked or given.get(gate, "") in (wanted or "yes").split("|")
        for gate, _, wanted in conditions
    )


def _line(step: Step, answer: str | None) -> str:
    if answer is None:
        return ""
    if step.kind == "choice":
        return str([value for value, _ in step.choices].index(answer) + 1)
    return {"yes": "Y", "no": "N"}.get(answer, answer) if step.kind == "yes" else answer


def asks_messages(profile: Profile) -> bool:
    """Whether the release has a messages-per-connection limit."""
    return any(step.id == "messages" for step in profile.dialogue("destconfig.new"))
