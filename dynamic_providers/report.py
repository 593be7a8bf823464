"""Lines for the operator from inside a provider's process. The engine shows them under «Diagnostics»."""

import functools
import sys
import threading

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from dynamic_providers import engine
from dynamic_providers.errors import clean

_lock = threading.Lock()


def info(text: str) -> None:
    """Say something that the operator should know."""
    _say(engine_pb2.INFO, text)


def warning(text: str) -> None:
    """Say something that the operator should look at, though the work goes on."""
    _say(engine_pb2.WARNING, text)


def _say(severity: "engine_pb2.LogSeverity.ValueType", text: str) -> None:
    line = clean(text)
    address = engine.address()
    if address is None:
        print(line, file=sys.stderr)
        return
    with _lock:
        stub = _stub(address)
    try:
        stub.Log(engine_pb2.LogRequest(severity=severity, message=line), timeout=10)
    except grpc.RpcError:
        # The engine is going away: its watcher ends this process; the line is not lost till then.
        print(line, file=sys.stderr)


@functools.cache
def _stub(address: str) -> engine_pb2_grpc.EngineStub:
    return engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
