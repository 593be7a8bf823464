"""One Exchange resource's life in this process: the engine's calls in order, each run with a new client."""

from typing import Any

from dynamic_providers import connections, managed_resource
from dynamic_providers.entries import Props
from dynamic_providers.exchange.exchange_object import ExchangeObjectProvider
from dynamic_providers.exchange.inbound_connector import InboundConnectorProvider
from dynamic_providers.exchange.outbound_connector import OutboundConnectorProvider
from dynamic_providers.exchange.snapshot import ExchangeSnapshotProvider
from dynamic_providers.exchange.transport_rule import TransportRuleProvider
from tests.protocol.exchange_practice import Practice

TENANT = "bcedemo.onmicrosoft.com"
BYPASS = "Bypass spam filtering - inbound email from Cisco CES"
INBOUND = "Inbound from Cisco CES"
OUTBOUND = "Outbound to Cisco CES"

PROVIDERS: dict[str, ExchangeObjectProvider] = {
    "bypass": TransportRuleProvider(),
    "inbound": InboundConnectorProvider(),
    "outbound": OutboundConnectorProvider(),
    "rule": TransportRuleProvider(),
}
# What the component will give for the guide's rows a, b, j and k.
INPUTS: dict[str, Props] = {
    "bypass": {
        "tenant": TENANT,
        "name": BYPASS,
        "senderIpRanges": ["198.51.100.186", "192.0.2.105"],
        "setScl": -1,
        "placement": {"below": OUTBOUND},
        "setHeaderValue": "",
        "other": {},
    },
    "inbound": {
        "tenant": TENANT,
        "name": INBOUND,
        "senderIpAddresses": ["198.51.100.186", "192.0.2.105"],
        "other": {},
    },
    "outbound": {"tenant": TENANT, "name": OUTBOUND, "smartHosts": ["198.51.100.186"], "other": {}},
    "rule": {
        "tenant": TENANT,
        "name": OUTBOUND,
        "fromScope": "InOrganization",
        "sentToScope": "NotInOrganization",
        "routeMessageOutboundConnector": OUTBOUND,
        "setHeaderName": "X-OUTBOUND-AUTH",
        "setHeaderValue": "mysecretkey",
        "placement": {"top": True, "besides": [BYPASS]},
        "other": {},
    },
}


class CheckRefused(Exception):
    """`check` found failures: their lines."""


class Life:
    """The state of one resource."""

    def __init__(self, practice: Practice, row: str, **inputs: Any) -> None:
        self.practice, self.provider = practice, PROVIDERS[row]
        self.inputs: Props = {**INPUTS[row], **inputs}
        self.outs: Props = {}
        self.checked: Props = {}
        self.new_process()
        kind = self.provider.take_over_key
        name = self.inputs["name"]
        record = ExchangeSnapshotProvider().record({"tenant": TENANT}, {kind: [name]})
        self.inputs["before"] = record[kind]

    def new_process(self) -> None:
        """Forget what a process keeps."""
        connections._live["exchange"] = self.practice.client()
        managed_resource._made.clear()

    def preview(self) -> bool:
        """Whether there is something to do; CheckRefused if `check` says no."""
        checked = self.provider.check(self.checked, dict(self.inputs))
        if checked.failures:
            raise CheckRefused("; ".join(failure.reason for failure in checked.failures))
        return not self.outs or bool(self.provider.diff(self._id, self.outs, checked.inputs).changes)

    def up(self) -> bool:
        """Whether something was done."""
        self.new_process()
        todo = self.preview()
        checked = self.provider.check(self.checked, dict(self.inputs)).inputs
        if todo and not self.outs:
            created = self.provider.create(checked)
            self._id, self.outs = created.id, created.outs or {}
        elif todo:
            self.outs = self.provider.update(self._id, self.outs, checked).outs or {}
        self.checked = checked
        return todo

    def refresh(self) -> None:
        self.new_process()
        found = self.provider.read(self._id, self.outs)
        self.outs, self.checked = dict(found.outs or {}), dict(found.inputs or {})

    def drift(self) -> dict[str, tuple[Any, Any]]:
        """After a refresh: the attributes that `diff` finds, theirs and ours."""
        self.refresh()
        checked = self.provider.check(self.checked, dict(self.inputs)).inputs
        found = self.provider._differences(self.provider.entries(self.outs), self.provider.entries(checked))
        assert bool(found) == bool(self.provider.diff(self._id, self.outs, checked).changes)
        return {one.attribute: (one.theirs, one.ours) for one in found}

    def destroy(self) -> None:
        self.new_process()
        self.provider.delete(self._id, self.outs)
        self.outs, self.checked = {}, {}


def block(dump: str, heading: str) -> str:
    """One object's lines in a dump."""
    found = [part for part in dump.split("\n\n") if part.startswith(f"{heading}\n")]
    assert len(found) <= 1
    return found[0] if found else ""
