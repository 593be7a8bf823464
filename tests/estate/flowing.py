"""One stack over one estate whose mail never stops, Microsoft's lag, and the moments that tests begin from.

A module takes the fixtures by name: `all_ground, ground = flowing.all_ground, flowing.ground`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from lab.estate import Estate, EstateSnapshot
from lab.tenant.switches import Seconds
from tests.estate.test_the_guide import do_by_hand, hand_transcript
from tests.estate.traffic import PATIENCE, Traffic, wait_for
from tests.mail_stack import DOMAIN, Changes, MailStack
from tests.mini_engine import Refused, StateFile
from tests.plugin_nursery import Nursery

LAG, LONGEST_LAG = 1.0, 1.8
"""Seconds until Microsoft's side acts as it is told."""
SPREAD = (0.2, LAG)
"""And where each change may take another time between these, so that a later one can act before."""
SETTLE, TTL = "2s", 2
TOO_SHORT, LONG_LAG, LONG_TTL = "1s", 30.0, 30
"""A settle time that does not last as long as what it waits for."""
QUICK: Mapping[str, Any] = {
    "token_latency": (0.0, 0.0),
    "read_latency": (0.0, 0.0),
    "write_latency": (0.0, 0.0),
    "expire_seconds": PATIENCE,
    "queue_seconds": PATIENCE,
    "propagation_seconds": LAG,
}
MICROSOFT_MX, GATEWAY_MX = "0 bce-demo-com.mail.protection.outlook.com", "10 mx1.bce-demo.example"
INBOUND, OUTBOUND = "Inbound from Cisco CES", "Outbound to Cisco CES"
NEW_SECRET, OLD_SECRET = "newSecretKey9", "mysecretkey"
PILOT = f"pilot@{DOMAIN}"
NONE: Changes = {("outbound", "state"): "none"}
NO_CONNECTOR: Changes = {("outbound", "smartHosts"): None}
OUT_AT_ONCE: Changes = {
    **NONE,
    **NO_CONNECTOR,
    ("acknowledge",): [{"what": "remove outbound connector", "until": "2999-12-31"}],
}
RULES_FIRST = {"rules": 0.2, "outbound": LONGEST_LAG}
CLOSED: Changes = {("lockdown",): "closed"}
PASSERS_ARE_KNOWN: Changes = {("acknowledge",): [{"what": "lockdown", "until": "2999-12-31"}]}


@dataclass(frozen=True)
class Start:
    """A state that a test may begin from."""

    estate: EstateSnapshot
    engine: StateFile


class Ground:
    """One estate and one stack; `untouched` by us, and `carried`: all mail runs through the gateway."""

    def __init__(self, estate: Estate, nursery: Nursery) -> None:
        self.estate = estate
        self.mx(MICROSOFT_MX)
        times: Changes = {("settle", "rule"): SETTLE, ("settle", "mx"): "ttl", ("dns", "ttl"): TTL}
        self.stack = MailStack(nursery, estate, times)
        self._values, self._environment = copy.deepcopy(self.stack.values), self.stack.environment
        self.untouched = self._here()
        self.stack.up()
        settled = datetime.fromisoformat(self.stack.state[f"mx-{DOMAIN}"].outputs["settledAt"])
        wait_for(lambda: datetime.now(UTC) > settled, "the old MX has passed")
        self.carried = self._here()

    def _here(self) -> Start:
        return Start(self.estate.snapshot(), self.stack.saved())

    def begin(self, start: Start, changes: Changes | None = None) -> None:
        """Back to that state; with `changes` to the settings of it, if there are any."""
        self.estate.reset()
        self.estate.restore(start.estate)
        self.stack.load(start.engine)
        self.stack.values, self.stack.environment = copy.deepcopy(self._values), self._environment
        if changes:
            self.up(changes)

    def up(self, changes: Changes, environment: Mapping[str, str] | None = None) -> None:
        """Change settings and run it."""
        self.stack.set(changes, environment)
        self.stack.up()

    def mx(self, record: str, ttl: int = TTL) -> None:
        """Set the domain's MX by hand."""
        self.estate.internet.zones.set(DOMAIN, "MX", f"{record}.", ttl=ttl)

    def by_hand(self, rows: str) -> None:
        """The guide's steps of these rows, in this order."""
        steps = {step.title[-2]: step for step in hand_transcript()}
        for row in rows:
            do_by_hand(self.estate, steps[row])

    def tenant(self, cmdlet: str, **parameters: Any) -> None:
        """Another administrator's cmdlet."""
        self.estate.tenant.invoke_by_hand(cmdlet, **parameters)

    def lag(self, seconds: Seconds | Mapping[str, Seconds]) -> None:
        """How long Microsoft's side takes from now on, for all or by table."""
        self.estate.tenant.switches.propagation_seconds = seconds

    def traffic(self, *users: str) -> Traffic:
        return Traffic(self.estate, DOMAIN, users or ("staff",))


@pytest.fixture(scope="module")
def all_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("flowing")
    with Estate(folder / ".lab", hat_limits=False, **QUICK) as estate, Nursery() as nursery:
        yield Ground(estate, nursery)


@pytest.fixture
def ground(all_ground: Ground) -> Ground:
    return all_ground


def once_it_may(run: Callable[[], object], refusal: str) -> None:
    """Run it again and again while it is refused for that reason."""

    def may() -> bool:
        try:
            run()
        except Refused as refused:
            if refusal not in str(refused):
                raise
            return False
        return True

    wait_for(may, "it is refused no more")
