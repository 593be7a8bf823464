"""Resources of the gateway brought to life in this process: what the engine would do, call by call."""

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from dynamic_providers import connections, managed_provider
from dynamic_providers.connections import GatewayConnection, JumpHost, Member
from dynamic_providers.entries import plain
from dynamic_providers.gateway import transaction
from dynamic_providers.gateway.outbound_filter import OutboundFilterProvider
from dynamic_providers.gateway.snapshot import PROVIDERS, GatewaySnapshotProvider
from dynamic_providers.gateway.tables import GatewayProvider
from dynamic_providers.gateway.transaction import Gateway
from lab.estate import Estate

Props = dict[str, Any]
REAL_QUIET = transaction.QUIET_SECONDS
NAME = "practice"
SECRET = "mysecretkey"


def wanted(
    inbound: str = "IncomingMail", outbound: str = "OutgoingMail", domain: str = "contoso.example"
) -> dict[str, Props]:
    """The guide's values, by take-over key."""
    mx = domain.replace(".", "-") + ".mail.protection.outlook.com"
    comment = "From Microsoft 365 mail to Cisco Secure Email"
    return {
        "smtpRoutes": {"routes": {domain: {"hosts": [{"host": mx, "priority": 0, "port": 25}]}}},
        "destinationControls": {
            "controls": {domain: {"connections": 10, "messagesPerConnection": 20, "tls": "Preferred"}}
        },
        "recipientAccess": {"listener": inbound, "recipients": {domain: {"action": "Accept"}}},
        "senderGroup": {
            "listener": outbound,
            "name": "RELAY_O365",
            "policy": "RELAYED",
            "comment": comment,
            "senders": [{"host": ".protection.outlook.com", "comment": comment}],
        },
        "mailFlowPolicy": {"listener": outbound, "name": "RELAYED", "tls": "Preferred"},
        "filter": {
            "name": "office365_outbound",
            "group": "RELAY_O365",
            "header": "X-OUTBOUND-AUTH",
            "alternatives": {SECRET: {}},
        },
    }


def connection(estate: Estate) -> GatewayConnection:
    """How to reach the lab's gateways, their real keys pinned."""
    pins = {}
    for line in estate.known_hosts.read_text().splitlines():
        host, _, key = line.split()
        pins[host] = "SHA256:" + base64.b64encode(
            hashlib.sha256(base64.b64decode(key)).digest()
        ).decode().rstrip("=")
    jump = estate.gateway.jump
    return GatewayConnection(
        name=NAME,
        members=tuple(
            Member(host=one.host, host_key=pins[one.host], data1=one.data1, data2=one.data2)
            for gateway in estate.gateways
            for one in gateway.members
        ),
        jump_host=JumpHost(host=jump.host, host_key=pins[jump.host]) if jump else None,
        cluster=len(estate.gateway.members) > 1,
    )


@contextmanager
def plugin(
    estate: Estate,
    monkeypatch: pytest.MonkeyPatch,
    gateway: GatewayConnection | None = None,
    *,
    quiet: float = 0.05,
) -> Iterator[Gateway]:
    """A fresh provider process, as far as this process can be one.

    `quiet`: how long it waits for more changes.
    """
    monkeypatch.setattr(transaction, "QUIET_SECONDS", quiet)
    for name, value in estate.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connections, "_arguments", {"stack": "bce-demo-lab"})
    monkeypatch.setattr(managed_provider, "_kept", set())
    connections._connect_table.cache_clear()
    live = Gateway(gateway or connection(estate))
    monkeypatch.setattr(connections, "_live", {"gateway": live})
    try:
        yield live
    finally:
        live.close()


class Stack:
    """Some resources of one stack, with their state."""

    def __init__(self, resources: dict[str, Props], take_over: tuple[str, ...] = ()) -> None:
        self.inputs = {key: {"gateway": NAME, **props} for key, props in resources.items()}
        self.take_over = take_over
        self.state: dict[str, Props] = {}
        self.record: Props = {}

    @staticmethod
    def provider(key: str) -> GatewayProvider:
        return PROVIDERS[key]()

    def keys(self) -> dict[str, list[str]]:
        found = {}
        for key, props in self.inputs.items():
            provider = self.provider(key)
            inputs = provider.model.model_validate(props).model_dump(mode="json", by_alias=True)
            found[provider.kind(props)] = sorted(provider.entries(plain(inputs)))
        return found

    def news(self, key: str) -> Props:
        props = dict(self.inputs[key])
        record = self.record.get("record", {}).get(self.provider(key).kind(props), {})
        return {
            **props,
            "before": record,
            "takeOver": ["*"] if key in self.take_over else [],
            "change": {"ticket": "CHG0041872"},
        }

    def check(self, key: str) -> Props:
        result = self.provider(key).check(self.state.get(key, {}), self.news(key))
        if result.failures:
            raise AssertionError("; ".join(one.reason for one in result.failures))
        return result.inputs

    def up(self) -> list[str]:
        """Snapshot, then all resources at once, as the engine does it; what was created or updated."""
        snapshot = GatewaySnapshotProvider()
        props = {"gateway": NAME, "keys": self.keys()}
        if self.record:
            self.record = snapshot.update("", self.record, props).outs or {}
        else:
            self.record = snapshot.create(props).outs or {}
        with ThreadPoolExecutor(max_workers=4) as threads:
            return [done for done in threads.map(self._up, self.inputs) if done]

    def _up(self, key: str) -> str:
        provider = self.provider(key)
        inputs = self.check(key)
        old = self.state.get(key)
        if old is None:
            self.state[key] = provider.create(inputs).outs or {}
            return f"create {key}"
        if not provider.diff("id", old, inputs).changes:
            return ""
        self.state[key] = provider.update("id", old, inputs).outs or {}
        return f"update {key}"

    def refresh(self) -> None:
        for key, old in self.state.items():
            self.state[key] = self.provider(key).read("id", old).outs or {}

    def drift(self) -> dict[str, str]:
        """What a preview after a refresh shows: by resource, its differences as text."""
        found = {}
        for key, old in self.state.items():
            provider = self.provider(key)
            differences = provider._differences(provider.entries(old), provider.entries(self.check(key)))
            if differences:
                found[key] = "; ".join(f"{one.key} {one}" for one in differences)
        return found

    def destroy(self) -> None:
        managed_provider._kept.clear()  # as in a process of its own
        with ThreadPoolExecutor(max_workers=4) as threads:
            list(threads.map(lambda key: self.provider(key).delete("id", self.state[key]), list(self.state)))
        self.state.clear()


__all__ = [
    "NAME",
    "REAL_QUIET",
    "SECRET",
    "OutboundFilterProvider",
    "Stack",
    "connection",
    "plugin",
    "wanted",
]
