"""Stacks of gateway resources alone, each in a plugin process of its own: several work at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pulumi.dynamic.dynamic as pulumi_dynamic
from pulumi.runtime.proto import resource_pb2

from dynamic_providers.connections import GatewayConnection
from dynamic_providers.entries import plain
from dynamic_providers.gateway.snapshot import PROVIDERS, GatewaySnapshotProvider
from lab.estate import Estate
from tests.mini_engine import PROJECT, Props
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery

TYPE = "pulumi-python:dynamic/gateway:Resource"


class Side(NurseryEngine):
    """One stack, in a process of its own; `wanted`: inputs by take-over key."""

    def __init__(
        self, nursery: Nursery, estate: Estate, there: GatewayConnection, name: str, wanted: dict[str, Props]
    ) -> None:
        super().__init__(nursery, lambda: None, estate.environment)
        self.wanted = {key: {"gateway": there.name, **props} for key, props in wanted.items()}
        self.connect(there, name)

    def connect(self, there: GatewayConnection, stack: str) -> None:
        """How its process reaches the gateways from now on."""
        self._there = there
        given = {"gateway": there.model_dump_json(by_alias=True, exclude_none=True), "stack": stack}
        self._arguments["gateway"] = {f"{PROJECT}:{key}": value for key, value in given.items()}

    def up(self) -> Any:  # a run, as of every engine
        """A snapshot, then all resources at once, as the engine does it."""
        with self._session() as run:
            self._register_all()
        return run

    def preview(self) -> Any:
        """What `up` would do; Refused where a check fails."""
        self._refused, self._preview = [], True
        try:
            with self._session() as run:
                self._register_all()
        finally:
            self._preview = False
        assert not self._refused, self._refused
        return run

    def _register_all(self) -> None:
        place = {"gateway": self._there.name}
        _, outs = self._one("snapshot", GatewaySnapshotProvider(), {**place, "keys": self._keys()})
        record = outs.get("record", {})
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda key: self._resource(key, record), self.wanted))

    def _resource(self, key: str, record: Props) -> None:
        provider, props = PROVIDERS[key](), self.wanted[key]
        take_over = ["*"] if key == "mailFlowPolicy" else []
        context = {"before": record.get(provider.kind(props), {}), "takeOver": take_over}
        self._one(key, provider, {**props, **context})

    def _one(self, name: str, provider: Any, inputs: Props) -> tuple[str, Props]:
        needs = [] if name == "snapshot" else ["::snapshot"]
        self._asked[name] = resource_pb2.RegisterResourceRequest(name=name, dependencies=needs)
        serialized = pulumi_dynamic.serialize_provider(provider)
        return self._register(name, TYPE, "gateway", {**inputs, "__provider": serialized})

    def _keys(self) -> dict[str, list[str]]:
        found = {}
        for key, props in self.wanted.items():
            provider = PROVIDERS[key]()
            inputs = provider.model.model_validate(props).model_dump(mode="json", by_alias=True)
            found[provider.kind(props)] = sorted(provider.entries(plain(inputs)))
        return found
