"""A stack that is up in the practice estate, to be broken by hand and checked; then set right again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.mail_checks import mailflow_settings
from components.settings import Settings
from dynamic_providers import connections
from dynamic_providers.mailflow.mailflow_settings import MailflowSettings
from dynamic_providers.mailflow.proof import CheckName, Hop, Proof, Verdict
from dynamic_providers.mailflow.run import run_checks
from lab.estate import Estate
from mail_check.stack import set_process_arguments
from tests.mail_stack import MailStack, Values, values
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import AT_ONCE

SECRETS = (
    "mysecretkey",
    "anotherkey9",
    "Practice-Gateway-7!",
    "Practice~Tenant~Secret~42",
    "Practice-Mailbox-5!",
)

DEADLINE = 4
"""Seconds that a check may take which ends by itself, since what it finds does not pass."""

SHORT = 2
"""Seconds for one that waits until its deadline, since Microsoft's side might only be late."""

PLENTY = 30
"""Seconds for a check that finds all well, and then ends."""

Hand = Callable[["Bed"], None]


@dataclass(frozen=True)
class Broken:
    """One way to break an estate, and what a check has to make of it.

    `says`, `cause`, `advice`: parts of what it tells, `evidence` of what it shows. `fine`: checks that this
    does not touch. `changes`: settings of the checks that differ from the stack's. `waits`: it may pass.
    """

    by_hand: Hand
    check: CheckName
    hop: str
    says: tuple[str, ...]
    cause: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict = "failed"
    fine: tuple[CheckName, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False


@dataclass
class Bed:
    """An estate as `up` left it, and what a check is told about it."""

    estate: Estate
    settings: MailflowSettings
    said: list[str] = field(default_factory=list)
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)

    def __post_init__(self) -> None:
        self._right = self.estate.snapshot()

    @property
    def domain(self) -> str:
        """The mailbox's mail domain."""
        return self.settings.domain

    def set_right(self) -> None:
        """All as `up` left it; no mail, no faults, nothing remembered of where things are."""
        self.patch.undo()
        self.estate.reset()
        self.estate.restore(self._right)
        self.said.clear()

    def type(self, *lines: str, member: int = 0) -> None:
        """What an administrator types at the gateway, committed."""
        before = len(self.estate.gateway.commits)
        self.type_uncommitted(*lines, 'commit "by hand" y', member=member)
        assert len(self.estate.gateway.commits) > before, f"nothing came of {lines}"

    def type_uncommitted(self, *lines: str, member: int = 0) -> None:
        """Likewise, and the session ends without a commit."""
        top = ["clustermode cluster"] if self.estate.gateway.profile.cluster else []
        self.estate.gateway.type_by_hand([*top, *lines], member=member)

    def tenant(self, cmdlet: str, identity: str = "", **parameters: Any) -> None:
        """What an administrator does in Exchange Online."""
        named = {"Identity": identity} if identity else {}
        self.estate.tenant.invoke_by_hand(cmdlet, **named, **parameters)

    def mx(self, *hosts: str) -> None:
        """The MX set of the domain, by hand in its zone."""
        self.estate.internet.zones.set(self.domain, "MX", *(f"10 {one}." for one in hosts))

    def checks(self, *which: CheckName, **changes: Any) -> list[Proof]:
        """Run checks in this process, as `python -m mail_check` does; `changes` of their settings."""
        connections._connect_table.cache_clear()
        changed = {**self.settings.model_dump(), "deadline": DEADLINE, **changes}
        return run_checks(MailflowSettings.model_validate(changed), which, self.said.append)

    def prove(self, case: Broken) -> None:
        """Break it, and see that the check says what is wrong, and that no other check does."""
        case.by_hand(self)
        seconds = SHORT if case.waits else DEADLINE
        with ThreadPoolExecutor(max_workers=2) as both:
            checked = both.submit(self.checks, case.check, **{"deadline": seconds, **case.changes})
            fine = both.submit(self.checks, *case.fine, **{**case.changes, "deadline": PLENTY})
            proofs, others = checked.result(), fine.result()
        about = [one for one in proofs if one.verdict != "ok"]
        told = [(one.verdict, one.summary) for one in proofs]
        assert {one.verdict for one in about} == {case.verdict}, told
        hop = wrong_hop(about[0])
        assert hop.name == case.hop, about[0]
        wanted = {hop.says: case.says, hop.cause: case.cause, hop.advice: case.advice}
        missing = {text: word for text, words in wanted.items() for word in words if word not in text}
        assert not missing, hop
        assert {label: hop.evidence.get(label) for label in case.evidence} == case.evidence
        assert all(bool(one.cause and one.advice) for one in about[0].hops if one.verdict == "failed")
        assert {one.check: one.summary for one in others if one.verdict != "ok"} == {}
        self._tells_no_secret([*proofs, *others])

    def _tells_no_secret(self, proofs: list[Proof]) -> None:
        told = "".join(one.model_dump_json() for one in proofs) + "".join(self.said)
        assert not [one for one in SECRETS if one in told], "a secret was told"


def wrong_hop(proof: Proof) -> Hop:
    """The hop that decided, which the summary tells."""
    return next(hop for hop in proof.hops if proof.summary == f"{hop.name}: {hop.says}")


@contextmanager
def stack_is_up(
    folder: Path, profile: str = "new", given: Callable[[Estate], Values] = values, **more: Any
) -> Iterator[Bed]:
    """An estate with a whole stack in it, made by `up`; this process has its arguments and environment."""
    with (
        Estate(folder / ".lab", profile, **{**AT_ONCE, **more}) as estate,
        pytest.MonkeyPatch.context() as patch,
    ):
        with Nursery() as nursery:
            stack = MailStack(nursery, estate, given=given(estate))
            stack.up()
        for name, value in estate.environment.items():
            patch.setenv(name, value)
        patch.setattr(connections, "_arguments", {})
        settings = Settings.from_config(stack.values, estate.environment)
        mailflow = mailflow_settings(settings)
        set_process_arguments(settings, mailflow, "broken")
        made = Bed(estate, mailflow)
        yield made
        made.patch.undo()
        connections._connect_table.cache_clear()
