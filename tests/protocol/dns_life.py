"""A provider's calls in the engine's order, on state that is kept as the engine keeps it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic import CheckResult, ResourceProvider

from dynamic_providers import connections, managed_provider, report
from tests.protocol import bind_server
from tests.protocol.bind_server import BindServer

Props = dict[str, Any]


class Life:
    """One resource: `up`, `refresh`, `destroy`; what was said is in `said`."""

    def __init__(self, provider: ResourceProvider, said: list[str]) -> None:
        self.provider, self.said = provider, said
        self.id, self.inputs, self.outs = "", Props(), Props()

    def check(self, news: Props) -> CheckResult:
        return self.provider.check(copy.deepcopy(self.inputs), copy.deepcopy(news))

    def refusals(self, news: Props) -> list[str]:
        return [failure.reason for failure in self.check(news).failures]

    def up(self, news: Props) -> str:
        """What was done: create, update or nothing."""
        managed_provider._kept.clear()  # each run is a process of its own
        checked = self.check(news)
        assert not checked.failures, [failure.reason for failure in checked.failures]
        inputs = checked.inputs
        if not self.id:
            made = self.provider.create(copy.deepcopy(inputs))
            self.id, self.inputs, self.outs = made.id, inputs, made.outs or {}
            return "create"
        found = self.provider.diff(self.id, copy.deepcopy(self.outs), copy.deepcopy(inputs))
        assert not found.replaces
        self.inputs = inputs
        if not found.changes:
            return "same"
        self.outs = self.provider.update(self.id, copy.deepcopy(self.outs), copy.deepcopy(inputs)).outs or {}
        return "update"

    def refresh(self) -> None:
        managed_provider._kept.clear()
        found = self.provider.read(self.id, copy.deepcopy(self.outs))
        assert found.id == self.id
        self.outs, self.inputs = found.outs or {}, found.inputs or {}

    def destroy(self) -> None:
        managed_provider._kept.clear()
        self.provider.delete(self.id, copy.deepcopy(self.outs))
        self.id, self.inputs, self.outs = "", {}, {}


def configure(
    monkeypatch: pytest.MonkeyPatch, folder: Path, server: BindServer, said: list[str], **settings: Any
) -> None:
    """This process as the engine would set it up: server, key, and where the resolvers really are."""
    given = {
        "server": "127.0.0.1",
        "port": server.port,
        "keyName": bind_server.KEY_NAME,
        "resolvers": ["9.9.9.9"],
        **settings,
    }
    monkeypatch.setitem(connections._arguments, "dns", json.dumps(given))
    monkeypatch.setenv("DNS_TSIG_SECRET", bind_server.KEY_SECRET)
    lead(monkeypatch, folder / "connect.json", dict.fromkeys(("9.9.9.9", "127.0.0.1"), server.port))
    monkeypatch.setattr(report, "info", said.append)
    monkeypatch.setattr(report, "warning", said.append)


def lead(monkeypatch: pytest.MonkeyPatch, table: Path, ports: dict[str, int]) -> None:
    """Lead questions to addresses to ports of this machine, as the lab does."""
    table.write_text(
        json.dumps({f"{address}:53": {"host": "127.0.0.1", "port": port} for address, port in ports.items()})
    )
    monkeypatch.setenv("M365SE_CONNECT", str(table))
