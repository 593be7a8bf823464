"""A listening socket on this machine whose SSH options are chosen anew for each connection."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import asyncssh

Result = TypeVar("Result")
Options = dict[str, Any]


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, Result], timeout: float = 30.0) -> Result:
        """Run something in the loop and wait for it, in seconds."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def call(self, act: Callable[[], object]) -> None:
        """Do something in the loop: at once when called from there, else as soon as it can."""
        if threading.current_thread() is self.thread:
            act()
        else:
            self.loop.call_soon_threadsafe(act)

    def close(self) -> None:
        """Stop the loop and its thread."""
        self.run(_finish_tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


async def _finish_tasks() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


class Door:
    """Accepts connections on 127.0.0.1 and runs an SSH server on each.

    `options` gives None to hang up; `failed` gets what is no client's doing: a defect of the lab.
    """

    def __init__(
        self,
        loop: Loop,
        port: int,
        options: Callable[[], Options | None],
        failed: Callable[[Exception], object],
    ) -> None:
        self._loop = loop
        self._options = options
        self._failed = failed
        self._socket = socket.create_server(("127.0.0.1", port))
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self.port: int = self._socket.getsockname()[1]
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to accept."""
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.loop.sock_accept(self._socket)
            task = asyncio.create_task(self._serve(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket) -> None:
        connection = await self._connected(client)
        if connection is None:
            client.close()
            return
        self.connections.add(connection)
        try:
            await connection.wait_closed()
        finally:
            self.connections.discard(connection)

    async def _connected(self, client: socket.socket) -> asyncssh.SSHServerConnection | None:
        """A client that has logged in; None where it has not."""
        try:
            options = self._options()
            return await asyncssh.run_server(client, **options) if options is not None else None
        except (asyncssh.Error, OSError):
            return None
        except Exception as broken:  # noqa: BLE001 - whatever it is, the test that met it must fail
            self._failed(broken)
            return None

    def drop(self) -> None:
        """Cut all connections, without a word."""
        for connection in list(self.connections):
            connection.abort()

    async def close(self) -> None:
        """Stop accepting, cut what is open."""
        if self._accepting is not None:
            self._accepting.cancel()
        self._socket.close()
        self.drop()
        for connection in list(self.connections):
            await connection.wait_closed()


def drop_all(doors: Sequence[Door]) -> None:
    """Cut the connections of several doors."""
    for door in doors:
        door.drop()
