"""A check in a real provider process, spoken to as the engine does, against the practice estate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import engine_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as wire

from dynamic_providers.mailflow.inbound_check import InboundCheckProvider
from tests.mini_engine import PROJECT, EngineService, Plugin, Refused, plain, struct
from tests.protocol.mailflow_estate import SETTINGS, Bed, bed


@contextmanager
def process(made: Bed, service: EngineService) -> Iterator[Plugin]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    engine_pb2_grpc.add_EngineServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    tenant = made.estate.tenant
    identity = {"id": tenant.tenant_id, "initialDomain": tenant.initial_domain, "clientId": tenant.client_id}
    arguments = {
        f"{PROJECT}:tenant": json.dumps(identity),
        f"{PROJECT}:endpoints": json.dumps({"caBundle": str(made.estate.ca_file)}),
        f"{PROJECT}:tracking": json.dumps({"from": "manager", "url": "https://sma1.bce-demo.example:4431"}),
        f"{PROJECT}:mailflow": json.dumps({**SETTINGS, "deadline": 20}),
    }
    login = {"TRACKING_USER": "admin", "TRACKING_PASSWORD": made.estate.gateway.password}
    plugin = Plugin(f"127.0.0.1:{port}", arguments, {**made.estate.environment, **login})
    try:
        yield plugin
    finally:
        plugin.stop()
        server.stop(None).wait()


def test_a_check_runs_in_the_plugin_says_what_it_found_and_fails_in_one_line(tmp_path: Path) -> None:
    service = EngineService()
    with bed(tmp_path) as made, process(made, service) as plugin:
        given = {
            "tenant": "bcedemo.onmicrosoft.com",
            "checks": ["direct"],
            "watches": ["1"],
            "__provider": serialize_provider(InboundCheckProvider()),
        }
        checked = plugin.call("Check", wire.CheckRequest(olds=struct({}), news=struct(given)))
        assert not checked.failures
        created = plugin.call("Create", wire.CreateRequest(properties=checked.inputs))
        outs = plain(created.properties)
        assert [one["verdict"] for one in outs["evidence"]] == ["ok"]
        assert any("direct bce-demo.com: ok: all 5 hops ok" in line for line in service.lines)
        same = plugin.call("Diff", wire.DiffRequest(id="x", olds=struct(outs), news=checked.inputs))
        assert same.changes == wire.DiffResponse.DIFF_NONE

        made.type("smtproutes", "edit", "bce-demo.com", "mx.probe.example", "")
        with pytest.raises(Refused, match="which is not the domain's Microsoft MX") as raised:
            plugin.call("Create", wire.CreateRequest(properties=checked.inputs))
    assert "Traceback" not in str(raised.value)
    assert made.estate.gateway.password not in str(raised.value) + "".join(service.lines)
