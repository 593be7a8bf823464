"""A stack that is up in the practice estate, to be broken by hand and checked; then set right again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.mail_checks import mailflow_settings
from components.settings import Settings
from dynamic_providers import connections
from dynamic_providers.mailflow.mailflow_settings import MailflowSettings
from dynamic_providers.mailflow.proof import CheckName, Hop, Proof
from dynamic_providers.mailflow.run import run_checks
from lab.estate import Estate
from mail_check.stack import set_process_arguments
from tests.mail_stack import MailStack, Values
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import AT_ONCE

DEADLINE = 3
"""Seconds that a check may take; what does not pass by itself is told earlier."""


@dataclass
class Bed:
    """An estate as `up` left it, and what a check is told about it."""

    estate: Estate
    settings: MailflowSettings
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._right = self.estate.snapshot()

    @property
    def domain(self) -> str:
        """The mailbox's mail domain."""
        return self.settings.domain

    def set_right(self) -> None:
        """All as `up` left it; no mail, no faults, nothing remembered of where things are."""
        self.estate.reset()
        self.estate.restore(self._right)
        connections._connect_table.cache_clear()
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
        changed = {**self.settings.model_dump(), "deadline": DEADLINE, **changes}
        return run_checks(MailflowSettings.model_validate(changed), which, self.said.append)


def wrong_hop(proof: Proof) -> Hop:
    """The hop that decided: the first that failed, else the first that is not proven."""
    return next(hop for hop in proof.hops if hop.verdict == proof.verdict)


@contextmanager
def stack_is_up(folder: Path, given: Values | None = None, **more: Any) -> Iterator[Bed]:
    """An estate with a whole stack in it, made by `up`; this process has its arguments and environment."""
    with Estate(folder / ".lab", **{**AT_ONCE, **more}) as estate, pytest.MonkeyPatch.context() as patch:
        with Nursery() as nursery:
            stack = MailStack(nursery, estate, given=given)
            stack.up()
        for name, value in estate.environment.items():
            patch.setenv(name, value)
        patch.setattr(connections, "_arguments", {})
        settings = Settings.from_config(stack.values, estate.environment)
        mailflow = mailflow_settings(settings)
        set_process_arguments(settings, mailflow, "broken")
        yield Bed(estate, mailflow)
        connections._connect_table.cache_clear()
