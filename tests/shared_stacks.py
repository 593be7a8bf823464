"""The stacks of one gateway that two tenants share: the gateway's own, and one of each tenant."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings import SharedGatewaySettings
from components.shared_gateway import SharedGateway
from lab.estate import Estate, EstateSnapshot
from lab.tenant.practice import FABRIKAM
from tests.mail_stack import Changes, MailStack, Values, change, values
from tests.mini_engine import StateFile
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery

A_DOMAIN, B_DOMAIN = "bce-demo.com", "fabrikam.example"
A_SECRET, B_SECRET = "mysecretkey", "fabrikamKey8"
GROUP, FILTER = "RELAY_O365", "office365_outbound"
QUICK: Mapping[str, Any] = {
    "token_latency": (0.0, 0.0),
    "read_latency": (0.0, 0.0),
    "write_latency": (0.0, 0.0),
}
SHORT: Changes = {("settle", "rule"): "1s", ("settle", "mx"): "1s"}


def gateway_values(estate: Estate) -> Values:
    """The stack file of the gateway itself: which gateway it is, and nothing of a tenant."""
    named = ("customer", "change", "gateway", "takeOver")
    return {"kind": "gateway", **{name: part for name, part in values(estate).items() if name in named}}


def first_values(estate: Estate) -> Values:
    """The first tenant's stack file: it has nothing of the gateway's own to take over."""
    found = values(estate)
    del found["takeOver"]
    change(found, {("gateway", "shared"): True, **SHORT})
    return found


def second_values(estate: Estate) -> Values:
    """The second tenant's: the same gateway, everything else its own.

    Till now the gateway knew its domain as a partner's, by another way and another limit.
    """
    found = first_values(estate)
    found["customer"] = {"name": "Fabrikam", "environment": "lab"}
    found["tenant"] = {
        "id": FABRIKAM.tenant_id,
        "initialDomain": FABRIKAM.initial_domain,
        "clientId": FABRIKAM.client_id,
    }
    found["domains"] = {B_DOMAIN: {"microsoftMx": FABRIKAM.mx[B_DOMAIN], "mx": "gateway"}}
    found["checks"] |= {"mailbox": f"probe@{B_DOMAIN}"}
    found["takeOver"] = ["destinationControls", "smtpRoutes"]
    return found


class GatewayStack(NurseryEngine):
    """A small engine over the gateway's own stack; `set` changes its settings between two runs."""

    def __init__(self, nursery: Nursery, estate: Estate) -> None:
        self.values = gateway_values(estate)
        environment = {"M365SE_CONNECT": "", "GATEWAY_PASSWORD": ""}  # nothing of any tenant
        environment = {name: estate.environment[name] for name in environment}
        super().__init__(nursery, self._program, environment)

    def set(self, changes: Changes) -> None:
        """Change settings, as an operator does between two runs."""
        change(self.values, changes)

    def _program(self) -> None:
        SharedGateway("shared-gateway", SharedGatewaySettings.from_config(self.values, self.environment))


@dataclass(frozen=True)
class Point:
    """Everything at one moment: the estate, and what each stack's state file and settings say."""

    estate: EstateSnapshot
    states: tuple[StateFile, ...]
    values: tuple[Values, ...]


class SharedStacks:
    """The three stacks over one estate with two tenants."""

    def __init__(self, estate: Estate, nursery: Nursery) -> None:
        self.estate = estate
        self.gateway = GatewayStack(nursery, estate)
        self.a = MailStack(nursery, estate, given=first_values(estate))
        b_environment = {**estate.second_environment, "OUTBOUND_SECRET": B_SECRET}
        self.b = MailStack(nursery, estate, given=second_values(estate), environment=b_environment)
        self._environments = (self.a.environment, self.b.environment)

    def here(self) -> Point:
        """This moment, to go back to."""
        stacks: tuple[GatewayStack | MailStack, ...] = (self.gateway, self.a, self.b)
        return Point(
            self.estate.snapshot(),
            tuple(one.saved() for one in stacks),
            tuple(copy.deepcopy(one.values) for one in stacks),
        )

    def go_back(self, point: Point) -> None:
        """As if nothing had happened since."""
        self.estate.reset()
        self.estate.restore(point.estate)
        stacks: tuple[GatewayStack | MailStack, ...] = (self.gateway, self.a, self.b)
        for stack, state, given in zip(stacks, point.states, point.values, strict=True):
            stack.load(state)
            stack.values = copy.deepcopy(given)
        self.a.environment, self.b.environment = self._environments

    def dump(self) -> str:
        """Gateway, tenants and DNS."""
        return f"{self.estate.dump()}\n{self.estate.network.zones.dump()}"

    def alternatives(self) -> set[str]:
        """The secrets that the outbound filter lets pass; none where it is not there."""
        texts = [one.text for one in self.estate.gateway.state.base.filters if one.name == FILTER]
        return {one for text in texts for one in _PASSES.findall(text)[0].split("|")}


_PASSES = re.compile(r'"X-OUTBOUND-AUTH"\) == "\^\(?([A-Za-z0-9|]+)\)?\$"')


def objects(dump: str) -> dict[str, str]:
    """A dump by the headings of its objects."""
    found: dict[str, str] = {}
    heading = ""
    for line in dump.splitlines():
        heading = heading if line.startswith(" ") else line
        found[heading] = f"{found.get(heading, '')}{line}\n"
    return found


def changed(before: str, after: str) -> set[str]:
    """Headings of the objects in which two dumps differ."""
    then, now = objects(before), objects(after)
    return {heading for heading in {*then, *now} if then.get(heading) != now.get(heading)}
