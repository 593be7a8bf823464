"""All four objects of the tenant in real provider processes, spoken to as the engine does: calls counted."""

import json
import os
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import engine_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as wire

from dynamic_providers.exchange.snapshot import ExchangeSnapshotProvider
from tests.mini_engine import PROJECT, EngineService, Plugin, Props, Refused, plain, struct
from tests.protocol.exchange_life import BYPASS, INBOUND, INPUTS, OUTBOUND, PROVIDERS, TENANT
from tests.protocol.exchange_practice import AZURE, Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]

ORDER = ("inbound", "bypass", "outbound", "rule")
KEYS = {"inboundConnector": [INBOUND], "outboundConnector": [OUTBOUND], "transportRule": [BYPASS, OUTBOUND]}
SECRET = str(INPUTS["rule"]["setHeaderValue"])


class Tenant:
    """The state of a stack that has the four objects and the snapshot before them; one process a run."""

    def __init__(self, practice: Practice, **inputs: Any) -> None:
        self.practice, self.inputs = practice, inputs
        self.state: dict[str, tuple[str, Props, Props]] = {}  # id, inputs, outputs
        self.said: list[str] = []

    def up(self) -> list[str]:
        """What was created or updated."""
        done = []
        with self._process() as plugin:
            snapshot = {"tenant": TENANT, "keys": KEYS, "domains": ["bce-demo.com", "elsewhere.example"]}
            done += self._one(plugin, "before", ExchangeSnapshotProvider(), snapshot)
            record = self.state["before"][2]["record"]
            for row in ORDER:
                before = record[PROVIDERS[row].take_over_key]
                done += self._one(
                    plugin, row, PROVIDERS[row], {**INPUTS[row], "before": before, **self.inputs}
                )
        return done

    def refresh(self) -> list[str]:
        """What is not as the state has it."""
        changed = []
        with self._process() as plugin:
            for name, (id_, inputs, outputs) in list(self.state.items()):
                found = plugin.call(
                    "Read", wire.ReadRequest(id=id_, properties=struct(outputs), inputs=struct(inputs))
                )
                self.state[name] = (found.id, plain(found.inputs), plain(found.properties))
                changed += [name] if self.state[name][2] != outputs else []
        return changed

    def destroy(self) -> None:
        with self._process() as plugin:
            for name in reversed(list(self.state)):
                id_, _, outputs = self.state.pop(name)
                plugin.call("Delete", wire.DeleteRequest(id=id_, properties=struct(outputs)))

    def _one(self, plugin: Plugin, name: str, provider: ResourceProvider, news: Props) -> list[str]:
        id_, olds, outs = self.state.get(name, ("", {}, {}))
        given = {**news, "__provider": serialize_provider(provider)}
        checked = plugin.call("Check", wire.CheckRequest(olds=struct(olds), news=struct(given)))
        if checked.failures:
            raise Refused("; ".join(failure.reason for failure in checked.failures))
        if not id_:
            made = plugin.call("Create", wire.CreateRequest(properties=checked.inputs))
            self.state[name] = (made.id, plain(checked.inputs), plain(made.properties))
            return [name]
        difference = plugin.call("Diff", wire.DiffRequest(id=id_, olds=struct(outs), news=checked.inputs))
        if difference.changes == wire.DiffResponse.DIFF_SOME:
            assert not difference.replaces
            request = wire.UpdateRequest(id=id_, olds=struct(outs), news=checked.inputs)
            outs = plain(plugin.call("Update", request).properties)
        self.state[name] = (id_, plain(checked.inputs), outs)
        return [name] if difference.changes == wire.DiffResponse.DIFF_SOME else []

    @contextmanager
    def _process(self) -> Iterator[Plugin]:
        service, lab = EngineService(), self.practice.lab
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
        engine_pb2_grpc.add_EngineServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        tenant = {"id": lab.tenant_id, "initialDomain": lab.initial_domain, "clientId": lab.client_id}
        arguments = {
            f"{PROJECT}:tenant": json.dumps(tenant),
            f"{PROJECT}:endpoints": json.dumps({"caBundle": str(lab.ca_file)}),
            f"{PROJECT}:azureClientSecret": lab.client_secret,
        }
        environment = {**dict.fromkeys(AZURE, ""), "M365SE_CONNECT": os.environ["M365SE_CONNECT"]}
        plugin = Plugin(f"127.0.0.1:{port}", arguments, environment)
        try:
            yield plugin
        finally:
            plugin.stop()
            server.stop(None).wait()
            self.said = service.lines


def counted(practice: Practice) -> dict[str, int]:
    calls = practice.calls()
    return {cmdlet: calls.count(cmdlet) for cmdlet in sorted(set(calls))}


def test_a_whole_life(practice: Practice) -> None:
    before = practice.lab.dump()
    one = Tenant(practice)
    assert one.up() == ["before", *ORDER]
    assert [line for line in one.said if "elsewhere.example is no accepted domain" in line]
    made = practice.lab.dump()
    assert counted(practice) == {  # each list once, and once more after each write
        "Get-AcceptedDomain": 1,
        "Get-InboundConnector": 2,
        "Get-OutboundConnector": 2,
        "Get-TransportRule": 3,
        "New-InboundConnector": 1,
        "New-OutboundConnector": 1,
        "New-TransportRule": 2,
    }
    assert practice.tokens() == 1

    practice.since = practice.lab.journal.mark()
    assert one.up() == []
    assert counted(practice) == {}

    header = {"SetHeaderName": "X-OUTBOUND-AUTH", "SetHeaderValue": "nomoresecret"}
    practice.lab.invoke_by_hand("Set-InboundConnector", Identity=INBOUND, RequireTls=False)
    practice.lab.invoke_by_hand("Set-TransportRule", Identity=OUTBOUND, **header)
    assert one.refresh() == ["inbound", "rule"]
    assert one.up() == ["inbound", "rule"]
    assert [line for line in one.said if "setHeaderValue: differs" in line]
    assert not [line for line in one.said if SECRET in line or "nomoresecret" in line]
    assert practice.lab.dump() == made
    assert one.refresh() == []

    one.destroy()
    assert practice.lab.dump() == before


def test_everything_there_and_different_is_refused_taken_over_and_put_back(practice: Practice) -> None:
    hand = practice.lab.invoke_by_hand
    hand("New-OutboundConnector", Name=OUTBOUND, RecipientDomains=["x.example"], UseMXRecord=True)
    hand("New-InboundConnector", Name=INBOUND, SenderDomains=["x.example"], SenderIPAddresses=["203.0.113.1"])
    hand("New-TransportRule", Name=BYPASS, FromMemberOf=["all@bce-demo.com"], SetSCL=6, Priority=0)
    header = {"SetHeaderName": "X-Theirs", "SetHeaderValue": "theirsecretkey"}
    hand("New-TransportRule", Name=OUTBOUND, Priority=3, **header)
    before = practice.lab.dump()
    with pytest.raises(Refused, match="exists and differs") as caught:
        Tenant(practice).up()
    assert "theirsecretkey" not in str(caught.value)
    assert practice.lab.dump() == before
    one = Tenant(practice, takeOver=["*"])
    assert one.up() == ["before", *ORDER]
    assert one.up() == []
    one.destroy()
    assert practice.lab.dump() == before


@pytest.mark.parametrize("fault", ["forbidden", "bad-value", "truncated", "exists"])
def test_a_failure_is_one_clean_line(practice: Practice, fault: str) -> None:
    cmdlet = "New-TransportRule" if fault == "exists" else "Get-InboundConnector"
    practice.lab.faults.add(cmdlet, fault)
    with pytest.raises(Refused) as caught:
        Tenant(practice).up()
    said = str(caught.value)
    assert f"bcedemo.onmicrosoft.com, {cmdlet}: " in said
    assert "\n" not in said.strip()
    assert "Traceback" not in said
    assert SECRET not in said
    assert practice.lab.client_secret not in said
