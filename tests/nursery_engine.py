"""The small engine with plugins that a nursery forks: as fresh as others, and there at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pulumi.runtime.proto import provider_pb2

from tests.mini_engine import MiniEngine, Plugin, Props, struct, stub_at
from tests.plugin_nursery import Forked, Nursery


class ForkedPlugin(Plugin):
    """A plugin that a nursery has forked."""

    def __init__(self, process: Forked, port: int, arguments: Props) -> None:
        self.stub = stub_at(port)
        self.stub.Configure(provider_pb2.ConfigureRequest(args=struct(arguments)))
        self._forked = process

    @property
    def pid(self) -> int:
        """The number of its process, which is not our child."""
        return self._forked.pid

    def stop(self) -> None:
        self._forked.kill()


class NurseryEngine(MiniEngine):
    """An engine whose plugins are forked."""

    def __init__(self, nursery: Nursery, program: Callable[[], None], environment: Mapping[str, str]) -> None:
        super().__init__(program, environment)
        self._nursery = nursery

    def _start(self, arguments: Props) -> Plugin:
        process, port = self._nursery.fork(self._address, self.environment)
        return ForkedPlugin(process, port, arguments)
