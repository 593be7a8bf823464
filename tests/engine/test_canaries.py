"""Would a leak be found? In every form, in half, among arguments, environments and archives."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.canaries import IN_CLEAR, arguments, environments, files, leaks, traces
from tests.engine.canary_estate import OURS, WRONG


@pytest.mark.parametrize("name", OURS)
def test_a_seeded_leak_is_found_in_every_form(tmp_path: Path, name: str) -> None:
    value = OURS[name]
    for form, pieces in traces(value).items():
        for piece in pieces:
            (tmp_path / "leak").write_bytes(b"before " + piece + b" after")
            found = leaks(files(tmp_path), {name: value})
            assert len(found) == 1
            assert form in found[0] or IN_CLEAR in found[0]
    assert leaks({"clean": json.dumps(WRONG).encode()}, {name: value}) == []


@pytest.mark.parametrize("cut", [slice(0, 20), slice(5, 21), slice(-16, None)])
def test_half_of_a_secret_is_found(cut: slice) -> None:
    value = OURS["header secret"]
    assert leaks({"output": value[cut].encode()}, {"header secret": value}) == [
        "output: header secret in clear"
    ]


def test_an_argument_of_a_process_is_found() -> None:
    value = OURS["client secret"]
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", value]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = leaks({"arguments": b"\n".join(arguments())}, {"client secret": value})
        process.communicate()
    assert found == ["arguments: client secret in clear"]


def test_an_environment_of_a_process_is_found() -> None:
    value = OURS["client secret"]
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "spy"]
    environ = {**os.environ, "COPY": value}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # before its first line the kernel may not show what it was started with
        places = dict(environments(lambda _cwd, command: b"spy" not in command))
        process.communicate()
    assert [found.partition(":")[2] for found in leaks(places, {"client secret": value})] == [
        " client secret in clear"
    ]


@pytest.mark.parametrize("missing", [None, -8])
def test_a_compressed_file_is_opened(tmp_path: Path, missing: int | None) -> None:
    value = OURS["header secret"]
    packed = gzip.compress(b"before") + gzip.compress(value.encode())[:missing]
    (tmp_path / "old.gz").write_bytes(packed)
    assert leaks(files(tmp_path), {"header secret": value}) == ["old.gz unpacked: header secret in clear"]
