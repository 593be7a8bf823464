"""A real Chromium, driven over its own DevTools pipe: no third package, no port, no download of a browser.

https://chromedevtools.github.io/devtools-protocol/: with --remote-debugging-pipe the browser reads JSON from
its file descriptor 3 and writes to 4, each message ended by a NUL.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
INSTALL = ("apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium", "fonts-liberation")
FLAGS = (
    "--headless",
    "--no-sandbox",  # CI runs as root in a container; the only page that it opens is ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
SECONDS = 60.0
PHONE = 600  # pixels of width: below, a page is shown as a phone does

# A shell would do, but Debian's knows no descriptor of two digits.
_AS_3_AND_4 = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for at, end in enumerate(ends, 3):
    os.dup2(end, at)
os.execv(sys.argv[3], sys.argv[3:])
"""


class NoChromium(Exception):
    """There is none, and none could be installed."""


def chromium() -> str:
    """The browser's path; installed by apt-get where that may be done."""
    found = _on_path()
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
        found = _on_path()
    if not found:
        raise NoChromium("no Chromium on PATH: apt-get install chromium (Debian), then run this again")
    return found


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def _install() -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("apt-get", "update", "-q"), INSTALL):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise NoChromium(f"`{' '.join(command)}` failed; install Chromium by hand: {done.stderr[-500:]}")


class Pipe:
    """Commands to the browser, and what it tells by itself."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._rest, self._number = b"", 0
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Send a command; answers its result. Raises AssertionError with what the browser complains of."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(time.monotonic() + SECONDS, method)
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def wait_until(self, told: Callable[[], bool]) -> None:
        """Until what the browser has told is enough."""
        while not told():
            self.events.append(self._next(time.monotonic() + SECONDS, "more events"))

    def _next(self, deadline: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"Chromium did not answer within {SECONDS:.0f} s: {waiting_for}"
            read = os.read(self._from, 1 << 20)
            assert read, f"Chromium ended while it was asked for {waiting_for}"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        event: dict[str, Any] = json.loads(message)
        return event


@dataclass
class Page:
    """One open page, at one width and in one colour scheme."""

    pipe: Pipe
    session: str

    def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.pipe.ask(method, self.session, **parameters)

    def look(self, expression: str) -> Any:
        """The value of an expression in the page. It runs beside the page's policy, which bars scripts."""
        answer = self.tell("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def events(self, method: str) -> list[dict[str, Any]]:
        return [one["params"] for one in self.pipe.events if one["method"] == method]

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        answer = self.tell("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(answer["data"]))


class Browser:
    """One tab, which opens one page after the other; its profile is forgotten at the end."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        target = pipe.ask("Target.createTarget", url="about:blank")["targetId"]
        session = pipe.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._page = Page(pipe, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._page.tell(f"{domain}.enable")
        self._page.tell("Page.setLifecycleEventsEnabled", enabled=True)

    def open(self, url: str, *, width: int, scheme: str = "light", media: str = "screen") -> Page:
        """A page, loaded, every request of it noted; the one before is gone."""
        page = self._page
        page.tell("Page.navigate", url="about:blank")
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.tell("Emulation.setEmulatedMedia", media=media, features=features)
        size: Mapping[str, Any] = {"width": width, "height": 900, "deviceScaleFactor": 1}
        page.tell("Emulation.setDeviceMetricsOverride", mobile=width < PHONE, **size)
        page.tell("Log.clear")
        self.pipe.events.clear()
        loader = page.tell("Page.navigate", url=url)["loaderId"]
        loaded = {"name": "load", "loaderId": loader}
        self.pipe.wait_until(
            lambda: any(loaded.items() <= one.items() for one in page.events("Page.lifecycleEvent"))
        )
        return page


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A Chromium for the time of the block; `profile` is an empty folder that it may fill."""
    (browser_reads, we_write), (we_read, browser_writes) = os.pipe(), os.pipe()
    ends = (str(browser_reads), str(browser_writes))
    command = [sys.executable, "-c", _AS_3_AND_4, *ends, chromium(), *FLAGS]
    process = subprocess.Popen(
        [*command, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(browser_reads, browser_writes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile)},
    )
    os.close(browser_reads)
    os.close(browser_writes)
    try:
        yield Browser(Pipe(we_write, we_read))
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)
        os.close(we_write)
        os.close(we_read)
