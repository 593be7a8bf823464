"""Pulumi's official release: fetch the pinned version from Pulumi's public site, check it, unpack it.

This is what Pulumi's install script does for one version, without the script: nothing outside the
project's own folder is written, no shell profile is edited, and no unpinned code runs.

Known: the archive's name and place (the install script's), and the name and form of the checksums file
that Pulumi's release workflow publishes beside it on GitHub (`sha256sum` output). Not known here: the
SHA-256 itself, since this was written where neither host can be reached. So the archive comes from one
host over TLS and must match the checksum that another host serves over TLS; a checksum committed here
would be stronger. Without a matching checksum nothing is installed.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import re
import sys
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tools.setup.console import SetupError, heartbeat, say

MIRROR = "M365SE_INSTALLER_URL"
"""Variable that names another place for both files: a company's mirror, or a stand-in in tests."""

ARCHIVES = "https://get.pulumi.com/releases/sdk"
CHECKSUMS = "https://github.com/pulumi/pulumi/releases/download/v{version}"

CONNECT_SECONDS = 5.0
"""For connecting, and for any silence afterwards."""

ANSWER_SECONDS = 8.0
"""For the small checksums file, all in all: a name server that never answers is not covered by a socket's
time-out."""

_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_BLOCK = 1 << 18
_Answer = TypeVar("_Answer")


def archive_name(version: str) -> str:
    """The archive for this machine, e.g. `pulumi-v3.250.0-linux-x64.tar.gz`."""
    machine = _MACHINES.get(platform.machine().lower())
    if machine is None or sys.platform not in {"linux", "darwin"}:
        raise SetupError(f"Pulumi publishes no release for {sys.platform} on {platform.machine()}")
    return f"pulumi-v{version}-{sys.platform}-{machine}.tar.gz"


def install_release(version: str, into: Path) -> None:
    """Download, check and unpack the engine and its Python language host into the empty folder `into`.

    SetupError: no such platform, not reachable, or not what Pulumi published.
    """
    name = archive_name(version)
    mirror = os.environ.get(MIRROR, "").rstrip("/")
    archives, checksums = mirror or ARCHIVES, mirror or CHECKSUMS.format(version=version)
    say(f"fetching Pulumi's official release {name} from {archives} into this project's own folder")
    listing = within(ANSWER_SECONDS, lambda: _fetch_text(f"{checksums}/pulumi-{version}-checksums.txt"))
    expected = published_checksum(listing, name)
    archive = into / name
    _download(f"{archives}/{name}", archive)
    _verify(archive, expected)
    _unpack(archive, into)
    archive.unlink()


def published_checksum(listing: str, name: str) -> str:
    """The SHA-256 of `name` in `sha256sum`'s output."""
    for line in listing.splitlines():
        found = re.fullmatch(r"([0-9a-fA-F]{64})\s+\*?(?:\./)?(\S+)\s*", line)
        if found and found.group(2) == name:
            return found.group(1).lower()
    raise SetupError(f"Pulumi's checksums file does not list {name}")


def within(seconds: float, ask: Callable[[], _Answer]) -> _Answer:
    """`ask`'s answer, or SetupError after `seconds`, whatever it is that does not answer."""
    answers: list[_Answer] = []
    failures: list[SetupError] = []

    def work() -> None:
        try:
            answers.append(ask())
        except SetupError as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if answers:
        return answers[0]
    raise failures[0] if failures else SetupError(f"no answer within {seconds:g} s")


def _open(url: str) -> http.client.HTTPResponse:
    if not url.startswith(("https://", "http://")):
        raise SetupError(f"{MIRROR}: {url} is neither https:// nor http://")
    try:
        response = urllib.request.urlopen(url, timeout=CONNECT_SECONDS)  # noqa: S310 - the scheme is checked
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise SetupError(f"{url}: {reason}") from None
    assert isinstance(response, http.client.HTTPResponse)
    return response


def _fetch_text(url: str) -> str:
    with _open(url) as response:
        try:
            return response.read(1 << 20).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise SetupError(f"{url}: {error}") from None


def _download(url: str, to: Path) -> None:
    done = 0
    with (
        _open(url) as response,
        to.open("wb") as target,
        heartbeat("download", lambda: f"{done / 1e6:.0f} of {_length(response)} MB"),
    ):
        try:
            while block := response.read(_BLOCK):
                target.write(block)
                done += len(block)
        except (OSError, http.client.HTTPException) as error:
            raise SetupError(f"{url}: after {done} bytes: {error}") from None


def _length(response: http.client.HTTPResponse) -> str:
    length = response.headers.get("Content-Length", "")
    return f"{int(length) / 1e6:.0f}" if length.isdecimal() else "?"


def _verify(archive: Path, expected: str) -> None:
    with archive.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != expected:
        raise SetupError(
            f"{archive.name}: SHA-256 is {actual}, Pulumi's checksums file says {expected}; it is not used"
        )


def _unpack(archive: Path, into: Path) -> None:
    """Only regular files called `pulumi` or `…python…`, by their last name: nothing can land elsewhere."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                source = tar.extractfile(member) if name == "pulumi" or "python" in name else None
                if source is None or not member.isreg():
                    continue
                with source, (into / name).open("wb") as target:
                    while block := source.read(_BLOCK):
                        target.write(block)
                (into / name).chmod(0o755)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SetupError(f"{archive.name} cannot be unpacked: {error}") from None
