"""A small engine: runs the real program under Pulumi's mocks and drives real plugin processes by gRPC.

The ring below the real engine: same host process, threads, pickling and error path, no command line, a tenth
of the time.
It keeps the state as the engine does: a resource is in it when its create has answered.
"""

from __future__ import annotations

import asyncio
import copy
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.output import Unknown
from pulumi.runtime import mocks, resource, rpc, settings
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, source_pb2
from pulumi.runtime.stack import run_pulumi_func

PROJECT = "m365-secure-email"
ROOT = Path(__file__).resolve().parent.parent
Props = dict[str, Any]
resource._get_stack_trace = source_pb2.StackTrace  # who declared it: a sixth of a run's time, unused here


class Refused(Exception):
    """The plugin answered with an error or with check failures: what the operator would read."""


@dataclass
class Saved:
    """One resource in the state."""

    name: str
    type: str
    provider: str
    id: str
    inputs: Props
    outputs: Props
    needs: frozenset[str] = frozenset()  # names of the resources that it depends on
    protect: bool = False  # as the last program that registered it had it


StateFile = tuple[dict[str, Saved], list[Saved], dict[str, Props], dict[str, str]]


class EngineService(engine_pb2_grpc.EngineServicer):
    """What a plugin asks of the engine: to log a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def Log(self, request: engine_pb2.LogRequest, context: object) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        self.lines.append(request.message)
        return empty_pb2.Empty()


def stub_at(port: int) -> provider_pb2_grpc.ResourceProviderStub:
    """What a plugin's methods are called by.

    With connections of its own: gRPC else shares them by address, and a new plugin that happens to get a dead
    one's port would inherit that «connection refused».
    """
    options = [("grpc.use_local_subchannel_pool", 1)]
    return provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}", options))


class Plugin:
    """One real plugin process."""

    def __init__(self, engine_address: str, arguments: Props, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.dynamic", engine_address],
            cwd=ROOT,
            env={**os.environ, "PULUMI_PROJECT": PROJECT, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        port = self.process.stdout.readline().strip()
        assert port.isdigit(), self.process.stderr.read() if self.process.stderr else "no port"
        self.stub = stub_at(int(port))
        self.stub.Configure(provider_pb2.ConfigureRequest(args=struct(arguments)))

    def call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request, timeout=300)
        except grpc.RpcError as error:
            raise Refused(str(error.details())) from None

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@dataclass
class Run:
    """What one run did: operation and name in order, and what was said."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def operations(self) -> dict[str, str]:
        return {name: operation for operation, name in self.steps if operation != "same"}


class Monitor(mocks.MockMonitor):
    """Keeps what Pulumi's mocks leave out of a registration: dependencies and aliases."""

    def __init__(self, engine: mocks.Mocks, asked: dict[str, Any]) -> None:
        super().__init__(engine)
        self._asked = asked

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        self._asked[request.name] = request
        loop = asyncio.new_event_loop()  # the mocks would make one for each thread, and never close it
        asyncio.set_event_loop(loop)
        try:
            return super().RegisterResource(request)  # type: ignore[no-untyped-call] # mocks have no types
        finally:
            asyncio.set_event_loop(None)
            loop.close()


class MiniEngine(mocks.Mocks):
    """State, and the four verbs of an engine over a program."""

    threads: int | None = None  # how many registrations run at once; None: asyncio's own number

    def __init__(self, program: Callable[[], None], environment: Mapping[str, str]) -> None:
        self.program, self.environment = program, environment
        self.state: dict[str, Saved] = {}
        self._plugins: dict[str, Plugin] = {}
        self._starting: dict[str, threading.Lock] = {}
        self._arguments: dict[str, Props] = {}
        self._preview = self._killed = False
        self._seen: list[str] = []
        self._run = Run()
        self._refused: list[str] = []
        self.condemned: list[Saved] = []  # replaced by a new one, and still to be deleted; part of the state
        self.pending: dict[str, str] = {}  # operations that were begun and never ended; part of the state
        self._asked: dict[str, Any] = {}  # registrations as the program sends them, by name

    # --- verbs ----------------------------------------------------------------------------------------------

    def preview(self) -> Run:
        """What an `up` would do, without doing it. Refused says all that is refused, not only the first."""
        self._refused = []
        with self._session() as run:
            self._preview = True
            try:
                self._run_program()
                if not self._refused:  # else the engine never comes to what is to go
                    for name in self._orphans():
                        _require_free(self.state[name])
                run.steps += [("delete", name) for name in self._orphans()]
            finally:
                self._preview = False
        if self._refused:
            raise Refused("\n".join(sorted(self._refused)))
        return run

    def up(self) -> Run:
        with self._session() as run:
            self._run_program()
            self._delete_all(self._orphans())  # they may still need what was replaced
            self._delete_condemned()
        return run

    def refresh(self) -> Run:
        """As `pulumi refresh --clear-pending-creates`: what is still to be deleted is read as well."""
        self.pending.clear()
        with self._session() as run, futures.ThreadPoolExecutor(4) as threads:
            list(threads.map(self._read, [*self.state.values(), *self.condemned]))
        return run

    def destroy(self, *, freed: bool = False) -> Run:
        """As `pulumi destroy`, which ends at what is protected.

        `freed`: after `pulumi state unprotect --all`, for tests that are not about what holds it.
        """
        with self._session() as run:
            for saved in self.state.values():
                saved.protect &= not freed
            self._delete_all(reversed(list(self.state)))
            self._delete_condemned()
        return run

    def saved(self) -> StateFile:
        """The state, and what the providers are given: as a file would keep it."""
        return copy.deepcopy((self.state, self.condemned, self._arguments, self.pending))

    def load(self, saved: StateFile) -> None:
        """Go on from a state that was saved."""
        self.state, self.condemned, self._arguments, self.pending = copy.deepcopy(saved)

    def kill(self) -> None:
        """End all plugins at once, as with the machine: what waits for an answer gets none."""
        self._killed = True
        for provider in list(self._plugins):
            self._plugins.pop(provider).stop()

    # --- what the program registers -------------------------------------------------------------------------

    def call(self, args: mocks.MockCallArgs) -> NoReturn:
        raise Refused(f"the program called {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, Props]:
        inputs = json_ready(args.inputs)
        if args.typ.startswith("pulumi:providers:"):
            self._arguments[args.name] = inputs
            return f"{args.name}_id", inputs
        if not args.typ.startswith("pulumi-python:"):
            return None, inputs  # a component
        self._seen.append(args.name)
        provider = str(args.provider).rsplit("::", 2)[-2]
        return self._register(args.name, args.typ, provider, inputs)

    def _register(self, name: str, typ: str, provider: str, news: Props) -> tuple[str, Props]:
        plugin, old = self._plugin(provider), self._known(name, typ)
        asked = self._asked[name]
        needs = frozenset(_name_of(urn) for urn in asked.dependencies)
        checked = plugin.call(
            "Check", provider_pb2.CheckRequest(olds=struct(old.inputs if old else {}), news=struct(news))
        )
        inputs = plain(checked.inputs)
        failures = [f"{name}: {failure.reason}" for failure in checked.failures]
        if failures and not self._preview:
            raise Refused("; ".join(failures))
        self._refused += failures
        if old is None:
            return self._create(Saved(name, typ, provider, "", inputs, {}, needs, asked.protect))
        old.needs = needs
        old.protect = old.protect if self._preview else asked.protect
        diff = plugin.call(
            "Diff", provider_pb2.DiffRequest(id=old.id, olds=struct(old.outputs), news=struct(inputs))
        )
        if diff.changes != provider_pb2.DiffResponse.DIFF_SOME:
            self._run.steps.append(("same", name))
            old.inputs = old.inputs if self._preview else inputs
            return old.id, old.outputs
        if diff.replaces:
            self._run.steps.append(("replace", name))
            if not self._preview and diff.deleteBeforeReplace:
                self._delete(old)
            made = self._create(Saved(name, typ, provider, "", inputs, {}, needs, asked.protect))
            if not self._preview and not diff.deleteBeforeReplace:
                self.condemned.append(old)
            return made
        self._run.steps.append(("update", name))
        if self._preview:
            return old.id, inputs  # an output that is no input is not known before
        request = provider_pb2.UpdateRequest(id=old.id, olds=struct(old.outputs), news=struct(inputs))
        old.outputs, old.inputs = plain(self._change("Update", old, request).properties), inputs
        return old.id, old.outputs

    def _known(self, name: str, typ: str) -> Saved | None:
        """The resource in the state, by its name or by one that it had before."""
        earlier = [alias.spec.name for alias in self._asked[name].aliases]
        old = next((self.state[one] for one in (name, *earlier) if one in self.state), None)
        if old is None or old.type != typ:
            return None
        self._seen.append(old.name)
        if old.name != name and not self._preview:
            del self.state[old.name]
            old.name, self.state[name] = name, old
        return old

    def _create(self, new: Saved) -> tuple[str, Props]:
        self._run.steps.append(("create", new.name))
        if self._preview:
            return "", new.inputs
        answer = self._change("Create", new, provider_pb2.CreateRequest(properties=struct(new.inputs)))
        new.id, new.outputs = answer.id, plain(answer.properties)
        self.state[new.name] = new
        return new.id, new.outputs

    def _read(self, saved: Saved) -> None:
        request = provider_pb2.ReadRequest(
            id=saved.id, properties=struct(saved.outputs), inputs=struct(saved.inputs)
        )
        answer = self._plugin(saved.provider).call("Read", request)
        if not answer.id:
            self._run.steps.append(("gone", saved.name))
            if self.state.get(saved.name) is saved:
                del self.state[saved.name]
            else:
                self.condemned.remove(saved)
            return
        inputs, outputs = plain(answer.inputs), plain(answer.properties)
        self._run.steps.append(("same" if outputs == saved.outputs else "changed", saved.name))
        saved.inputs, saved.outputs = inputs, outputs

    def _delete(self, old: Saved) -> None:
        _require_free(old)
        self._call_delete(old)
        self.state.pop(old.name, None)

    def _delete_condemned(self) -> None:
        while self.condemned:
            self._call_delete(self.condemned[-1])
            self.condemned.pop()

    def _call_delete(self, old: Saved) -> None:
        self._run.steps.append(("delete", old.name))
        self._change("Delete", old, provider_pb2.DeleteRequest(id=old.id, properties=struct(old.outputs)))

    def _change(self, method: str, what: Saved, request: Any) -> Any:
        """Create, Update or Delete: noted before it is asked for, and until it is answered."""
        plugin = self._plugin(what.provider)
        self.pending[what.name] = method
        try:
            return plugin.call(method, request)
        finally:
            self.pending.pop(what.name, None)

    def _delete_all(self, names: Iterable[str]) -> None:
        """What nothing else needs goes first, at once, as with the engine; the first failure ends it."""
        left = list(names)
        while left:
            needed = frozenset[str]().union(*(self.state[name].needs for name in left))
            free = [name for name in left if name not in needed]
            with futures.ThreadPoolExecutor(len(free)) as threads:
                list(threads.map(self._delete, [self.state[name] for name in free]))
            left = [name for name in left if name in needed]

    def _orphans(self) -> list[str]:
        return [name for name in reversed(list(self.state)) if name not in self._seen]

    # --- one run --------------------------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[Run]:
        """Plugins and an engine for them, for as long as one verb takes, as the real engine does it."""
        service = EngineService()
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        engine_pb2_grpc.add_EngineServicer_to_server(service, server)
        self._address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        self._run, self._seen, self._killed, self._server = Run(lines=service.lines), [], False, server
        try:
            yield self._run
        finally:
            self._end_plugins()
            server.stop(None).wait()

    def _end_plugins(self) -> None:
        for plugin in self._plugins.values():
            plugin.stop()
        self._plugins.clear()

    def _plugin(self, provider: str) -> Plugin:
        with self._starting.setdefault(provider, threading.Lock()):
            if self._killed:
                raise Refused("the plugins were killed")
            if provider not in self._plugins:
                self._plugins[provider] = self._start(self._arguments[provider])
            return self._plugins[provider]

    def _start(self, arguments: Props) -> Plugin:
        return Plugin(self._address, arguments, self.environment)

    def _run_program(self) -> None:
        async def program() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(_only_what_is_not_raised)
            if self.threads:
                loop.set_default_executor(futures.ThreadPoolExecutor(self.threads))
            mocks.set_mocks(
                self, project=PROJECT, stack="test", preview=self._preview, monitor=Monitor(self, self._asked)
            )
            await run_pulumi_func(self.program)

        try:
            # In a thread of its own: Pulumi walks the whole stack for each resource, and pytest's is deep.
            with futures.ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, program()).result()
        finally:  # what a refused run left waiting would be waited for by the next one
            settings.SETTINGS.rpc_manager.clear()
            settings.SETTINGS.outputs.clear()


def _only_what_is_not_raised(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The run raises a refusal itself; Pulumi leaves it in other futures, too, which nobody asks."""
    if not isinstance(context.get("exception"), Refused):
        loop.default_exception_handler(context)


def _require_free(saved: Saved) -> None:
    """The engine looks at it only when its turn comes: what it does not depend on may be gone by then."""
    if saved.protect:
        raise Refused(f"{saved.name} cannot be deleted because it is protected")


def _name_of(urn: str) -> str:
    return urn.rpartition("::")[2]


def struct(props: Mapping[str, Any]) -> struct_pb2.Struct:
    """Properties as the wire has them."""
    message = struct_pb2.Struct()
    json_format.ParseDict(dict(props), message)
    return message


def plain(message: struct_pb2.Struct) -> Props:
    """Properties from the wire."""
    found: Props = json_format.MessageToDict(message)
    return found


def json_ready(value: Any) -> Any:
    """What a mock is given, as plain data: secrets unwrapped, unknowns as the wire has them, None gone."""
    if isinstance(value, Mapping):
        if rpc._special_sig_key in value:
            return json_ready(value["value"])
        return {str(k): json_ready(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [json_ready(v) for v in value]
    return rpc.UNKNOWN if isinstance(value, Unknown) else value
