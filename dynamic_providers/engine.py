"""Is the engine still there? Killed, it leaves its plugins running; they would still commit (measured)."""

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 2.0
_DROP_SECONDS = 0.5
_EXIT_CODE = 75  # EX_TEMPFAIL: nothing is wrong with us, the engine went away

_on_death: list[Callable[[], None]] = []
_watching = threading.Event()


def address() -> str | None:
    """The engine's host:port, the plugin's last argument; None where no engine started this process."""
    last = sys.argv[-1] if len(sys.argv) > 1 else ""
    return last if re.fullmatch(r"(?:127\.0\.0\.1|localhost|\[::1\]):\d{1,5}", last) else None


def is_alive() -> bool:
    """Whether the engine that started this process still listens; true where none did."""
    where = address()
    if where is None:
        return True
    host, _, port = where.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except TimeoutError:
        return True  # stopped or busy, not gone: a dead process's port refuses at once
    except OSError:
        return False
    return True


def on_death(callback: Callable[[], None]) -> None:
    """Have something done when the engine is gone, before this process ends: drop a session, say."""
    _on_death.append(callback)


def require_alive() -> None:
    """Called before every commit and write: ends the process when the engine is gone."""
    if not is_alive():
        end()


def end() -> None:
    """Drop the sessions and end this process at once, whatever its threads are doing."""
    threads = [threading.Thread(target=callback, daemon=True) for callback in _on_death]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_DROP_SECONDS)  # a callback that hangs must not keep us alive
    _end_language_host()
    os._exit(_EXIT_CODE)


def _end_language_host() -> None:
    """The dead engine's language host would stay for minutes: it seldom looks for the engine (measured).

    It is known by the engine's address among its arguments; where there is no /proc it goes by itself, later.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            program, *arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if Path(program).name.startswith("pulumi-language-") and address() in arguments:
                os.kill(int(folder.name), signal.SIGTERM)
        except OSError:
            continue  # ended while we looked, or another user's


def watch() -> None:
    """Watch the engine from a thread of its own, once a process."""
    if address() is None or _watching.is_set():
        return
    _watching.set()
    threading.Thread(target=_watch, name="engine-watch", daemon=True).start()


def _watch() -> None:
    while is_alive():
        threading.Event().wait(_POLL_SECONDS)
    end()
