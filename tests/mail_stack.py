"""A stack whose mail really flows in the lab: gateway, tenant, DNS and checks, with times short for tests."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings
from lab.estate import Estate
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery
from tests.unit.settings_samples import sample

Values = dict[str, Any]
Changes = Mapping[tuple[str, ...], Any]
"""Settings by their places, `("outbound", "state")`; None takes one away."""

DOMAIN = "bce-demo.com"
MAILBOX = f"probe@{DOMAIN}"
OUTSIDE = "probe@probe.example"


def values(estate: Estate) -> Values:
    """The demo's stack file, cut over and checked: MX at the gateway, all outbound mail through it."""
    found: Values = copy.deepcopy(sample("bce-demo-lab"))
    found["endpoints"] = {"caBundle": str(estate.ca_file.resolve())}
    found["gateway"] |= {"tracking": {"from": "gateway", "url": "https://esa1.bce-demo.example:4431"}}
    found["dns"] = {"server": "203.0.113.53", "keyName": "m365se-lab", "ttl": 60}
    found["domains"][DOMAIN] |= {"mx": "gateway"}
    found["inbound"] |= {"mxHosts": [{"host": "mx1.bce-demo.example", "preference": 10}]}
    found["checks"] = {
        "mailbox": MAILBOX,
        "outside": OUTSIDE,
        "imap": {"host": "imap.probe.example"},
        "deadline": "30s",
    }
    found["settle"] = {"rule": "2s", "mx": "2s"}
    return found


def change(values: Values, changes: Changes) -> None:
    """Change settings in place."""
    for place, value in changes.items():
        inner = values
        for step in place[:-1]:
            inner = inner.setdefault(step, {})
        if value is None:
            inner.pop(place[-1], None)
        else:
            inner[place[-1]] = value


class MailStack(NurseryEngine):
    """A small engine over that stack, or over other `values`; `set` changes its settings between two runs.

    `environment`: the second tenant's, say, if not the estate's own.
    """

    def __init__(
        self,
        nursery: Nursery,
        estate: Estate,
        changes: Changes | None = None,
        given: Values | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.values = given or values(estate)
        change(self.values, changes or {})
        variables = environment or estate.environment
        super().__init__(nursery, self._program, variables)

    def set(self, changes: Changes, environment: Mapping[str, str] | None = None) -> None:
        """Change settings, and environment variables (secrets), as an operator does between two runs."""
        self.environment = {**self.environment, **(environment or {})}
        change(self.values, changes)

    def _program(self) -> None:
        SecureEmailIntegration("mail-flow", Settings.from_config(self.values, self.environment))
