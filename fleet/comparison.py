"""`python -m fleet.comparison NAME`: one stack, desired against live, a line of JSON for each thing seen.

It runs the stack's own program with `mode: observe`, without an engine, and so without a state: each resource
that the program asks for is looked at instead of registered. A process of its own, since the drivers keep one
connection a process, and log in with what is in its environment.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pickle
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.stack import run_pulumi_func

from components.secure_email_integration import SecureEmailIntegration
from components.settings import Settings, SettingsError, SharedGatewaySettings
from components.shared_gateway import SharedGateway
from components.stack_config import NAMESPACE
from dynamic_providers import connections
from dynamic_providers.errors import ManagedError, clean_errors
from dynamic_providers.observation import Observation
from dynamic_providers.observing import TYPE, ObservingProvider
from fleet.doctor.pulumi import Pulumi
from fleet.doctor.right_sections import encrypted_keys
from fleet.stacks import StackFile, project_folder, read_stack, stacks_folder

Tell = Callable[[Mapping[str, str]], None]


class _Looker(Mocks):
    """In the engine's place. What cannot be read is told, and the rest is read all the same."""

    def __init__(self, tell: Tell) -> None:
        self._telling, self._tell = threading.Lock(), tell
        self.failed = False

    def call(self, args: MockCallArgs) -> NoReturn:
        """No function is known here, and the program asks for none."""
        raise NotImplementedError(args.token)

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """A provider's process is this one; what is observed is looked at; the rest needs only a name."""
        inputs = {key: rpc.unwrap_rpc_secret(value) for key, value in args.inputs.items()}
        if args.typ.startswith("pulumi:providers:"):
            connections.set_arguments({key.removeprefix(f"{NAMESPACE}:"): one for key, one in inputs.items()})
        elif args.typ.startswith(TYPE):
            self._look(inputs)
        return f"{args.name}_id", {"record": {}, **args.inputs}  # a Snapshot's: nothing was ours before

    def _look(self, inputs: dict[str, Any]) -> None:
        observer: ObservingProvider = pickle.loads(base64.b64decode(inputs["__provider"]))  # noqa: S301 - made by this process
        try:
            found = _looked(observer, inputs)
        except ManagedError as error:
            self.failed = True
            self._tell_all([{"error": str(error)}])
            return
        self._tell_all([asdict(one) for one in found])

    def _tell_all(self, rows: list[dict[str, str]]) -> None:
        with self._telling:
            for row in rows:
                self._tell(row)


class _Monitor(MockMonitor):
    """Pulumi's own makes an event loop in each of its threads, and never closes one."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return super().RegisterResource(request)  # type: ignore[no-untyped-call] # mocks have no types
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _printed(row: Mapping[str, str]) -> None:
    print(json.dumps(row, ensure_ascii=False), flush=True)


@clean_errors
def _looked(observer: ObservingProvider, inputs: dict[str, Any]) -> list[Observation]:
    return observer.look(inputs)


def compare(settings: Settings | SharedGatewaySettings, stack: str, tell: Tell = _printed) -> bool:
    """Look at all that these settings want, and tell it. Whether all of it could be looked at."""
    looker = _Looker(tell)

    def program() -> None:
        if isinstance(settings, SharedGatewaySettings):
            SharedGateway("shared-gateway", settings)
        else:
            SecureEmailIntegration("mail-flow", settings)

    async def run() -> None:
        monitor = _Monitor(looker)
        set_mocks(looker, project=NAMESPACE, stack=stack, preview=False, monitor=monitor)
        await run_pulumi_func(program)

    asyncio.run(run())
    return not looker.failed


def settings_of(
    stack: StackFile, project: Path, environment: Mapping[str, str]
) -> Settings | SharedGatewaySettings:
    """The stack's settings with `mode: observe`, whatever they say. The engine is asked to decrypt."""
    if stack.problem:
        raise ManagedError(stack.problem, fix="put the file right")
    encrypted = encrypted_keys(stack.values)
    given = Pulumi(stack.name, project, environment).settings() if encrypted else stack.values
    kind = SharedGatewaySettings if stack.kind == "gateway" else Settings
    return kind.from_config({**given, "mode": "observe"}, environment, encrypted)


def main(name: str) -> int:
    """Exit codes: 0 all was looked at; 1 something could not be."""
    project = project_folder()
    try:
        settings = settings_of(
            read_stack(stacks_folder(project) / f"Pulumi.{name}.yaml"), project, os.environ
        )
    except ManagedError as error:
        for line in error.lines if isinstance(error, SettingsError) else (str(error),):
            print(json.dumps({"error": line}, ensure_ascii=False))
        return 1
    return 0 if compare(settings, name) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
