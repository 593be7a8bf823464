"""The practice estate set up by the guide's own steps, for checks that really send and ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dynamic_providers import connections
from dynamic_providers.mailflow.mailflow_settings import MailflowSettings
from dynamic_providers.mailflow.proof import CheckName, Proof
from dynamic_providers.mailflow.run import run_checks
from lab.estate import Estate
from tests.estate.test_the_guide import Step, do_by_hand, hand_transcript

DOMAIN, MICROSOFT_MX = "bce-demo.com", "bce-demo-com.mail.protection.outlook.com"
DATA1, DATA2, SINK = "192.0.2.105", "198.51.100.186", "203.0.113.80"
SETTINGS: dict[str, Any] = {
    "mailbox": f"probe@{DOMAIN}",
    "outside": "probe@probe.example",
    "deadline": 20,
    "members": [{"name": "esa1.bce-demo.example", "inbound": DATA1, "outbound": DATA2}],
    "domains": {DOMAIN: {"microsoftMx": MICROSOFT_MX, "mx": "gateway"}},
    "mxHosts": ["mx1.bce-demo.example"],
    "senderAddresses": [DATA1, DATA2],
    "imap": {"host": "imap.probe.example", "user": "probe@probe.example"},
}


@dataclass
class Bed:
    """An estate, its untouched and its right state, and what a check is told about it."""

    estate: Estate
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._untouched = self.estate.snapshot()
        self.play()
        self._right = self.estate.snapshot()

    def play(
        self, *, without: str = "", only: str = "", changed: Callable[[Step], None] | None = None
    ) -> None:
        """The guide's steps; `without` or `only` those of these letters of design.md's table."""
        for step in hand_transcript():
            letter = step.title[-2:-1]
            if letter in without or (only and letter not in only):
                continue
            if changed is not None:
                changed(step)
            do_by_hand(self.estate, step)

    def right(self) -> None:
        self.estate.reset()
        self.estate.restore(self._right)
        self.said.clear()

    def replay(self, *, without: str = "", changed: Callable[[Step], None] | None = None) -> None:
        self.estate.restore(self._untouched)
        self.play(without=without, changed=changed)

    def mx(self, *hosts: str) -> None:
        self.estate.internet.zones.set(DOMAIN, "MX", *(f"10 {one}." for one in hosts))

    def type(self, *lines: str) -> None:
        self.estate.gateway.type_by_hand([*lines, "commit", "by hand", "y", "exit"])

    def tenant(self, cmdlet: str, **parameters: Any) -> None:
        self.estate.tenant.invoke_by_hand(cmdlet, **parameters)

    def checks(self, *which: CheckName, **changes: Any) -> list[Proof]:
        settings = MailflowSettings.model_validate({**SETTINGS, **changes})
        return run_checks(settings, which, self.said.append)

    def one(self, check: CheckName, **changes: Any) -> Proof:
        [proof] = self.checks(check, **changes)
        return proof

    def rules(self) -> Sequence[str]:
        rows = self.estate.tenant.invoke_by_hand("Get-TransportRule")
        return [str(row["Name"]) for row in rows or []]


@contextmanager
def bed(folder: Path, **more: Any) -> Iterator[Bed]:
    """An estate that runs, in this process's arguments and environment."""
    with Estate(folder / ".lab", **more) as estate, pytest.MonkeyPatch.context() as patch:
        for name, value in estate.environment.items():
            patch.setenv(name, value)
        patch.setenv("TRACKING_USER", "admin")
        patch.setenv("TRACKING_PASSWORD", estate.gateway.password)
        patch.setattr(connections, "_arguments", {})
        connections._connect_table.cache_clear()
        tenant = estate.tenant
        identity = {
            "id": tenant.tenant_id,
            "initialDomain": tenant.initial_domain,
            "clientId": tenant.client_id,
        }
        connections.set_arguments(
            {
                "tenant": json.dumps(identity),
                "endpoints": json.dumps({"caBundle": str(estate.ca_file)}),
                "tracking": json.dumps({"from": "manager", "url": "https://sma1.bce-demo.example:4431"}),
            }
        )
        yield Bed(estate)
        connections._connect_table.cache_clear()
