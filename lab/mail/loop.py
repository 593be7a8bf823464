"""The one event loop of a process that all of the lab's mail and DNS servers run in, and its workers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

WORKERS = 128
"""Threads for the owners' code: each connection whose owner waits holds one."""


class MailLoop:
    """An event loop in the thread «lab-mail», and a pool of threads."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.pool = ThreadPoolExecutor(WORKERS, "lab-mail-work")
        self._thread = threading.Thread(target=self.loop.run_forever, name="lab-mail", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result], timeout: float = 30.0) -> Result:
        """Run something in the loop, from another thread, and wait for it, in seconds."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def close(self) -> None:
        """Let the workers finish, cancel what is left, end the thread."""
        self.pool.shutdown()
        self.run(_finish_tasks())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


async def _finish_tasks() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def close_server(server: asyncio.Server) -> None:
    """Stop listening, in the loop, and lose nobody who was accepted a moment before.

    asyncio's own `close` leaks the socket of such a connection: so first no more are accepted, and those that
    were get their protocol, within two turns of the loop.
    """
    for listening in server.sockets:
        server.get_loop().remove_reader(listening.fileno())
    for _ in range(2):
        await asyncio.sleep(0)
    server.close()


_lock = threading.Lock()
_shared: MailLoop | None = None
_users = 0


def borrow() -> MailLoop:
    """The process's loop, made for the first who asks; each `borrow` wants one `give_back`."""
    global _shared, _users  # noqa: PLW0603 - one loop a process is the point
    with _lock:
        if _shared is None:
            _shared = MailLoop()
        _users += 1
        return _shared


def give_back() -> None:
    """One user less; the last one ends the loop."""
    global _shared, _users  # noqa: PLW0603 - as above
    with _lock:
        _users -= 1
        if _users == 0 and _shared is not None:
            last, _shared = _shared, None
            last.close()
