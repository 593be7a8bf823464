"""`python3 -m tools.setup`: virtual environment, then engine; does nothing when both are right."""

from __future__ import annotations

import fcntl
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.engine import ROOT, engine_folder
from tools.setup.console import SetupError, say
from tools.setup.engine import set_up_engine
from tools.setup.venv import set_up_command, set_up_venv


def main() -> int:
    """Set everything up; 0 when it is."""
    # So that what runs below us is ended, not left behind, when someone ends us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with one_at_a_time(ROOT):
            set_up_venv(ROOT)
            set_up_command(ROOT)
            set_up_engine(ROOT)
    except SetupError as error:
        say(f"stopped. {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; nothing half-done is kept: run the same command again")
        return 130
    return 0


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Two `make`s in one folder: the second waits. The system frees the lock of a process that died."""
    engine_folder(root).mkdir(exist_ok=True)
    with (engine_folder(root) / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work in this folder: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
