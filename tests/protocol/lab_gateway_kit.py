"""Fixtures for tests of the lab's gateway: one server a module, state and switches fresh for each test.

A module takes them by name, or has a `release` of its own:
`release, running_gateway, gateway = kit.release, kit.running_gateway, kit.gateway`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncssh
import pytest

from lab.gateway.profile import load_profile
from lab.gateway.server import LabGateway
from lab.journal import Journal

PROMPT = "esa1.bce-demo.example> "
Talk = Callable[[asyncssh.SSHClientProcess[str]], Awaitable[str]]


@pytest.fixture(scope="module")
def release() -> str:
    """The release profile."""
    return "new"


@pytest.fixture(scope="module")
def running_gateway(release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabGateway]:
    with LabGateway(load_profile(release), Journal(), tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_gateway: LabGateway) -> Iterator[LabGateway]:
    """The gateway with its first state, password and switches, committing at once; put back afterwards."""
    before, password = running_gateway.snapshot(), running_gateway.password
    running_gateway.commit_seconds = 0
    yield running_gateway
    running_gateway.reset()
    running_gateway.restore(before)
    running_gateway.password = password
    running_gateway.journal.forget_hooks()


# --- a terminal ---------------------------------------------------------------------------------------------


def login(gateway: LabGateway, **options: Any) -> Any:
    """An asyncssh client connection; password unless told otherwise."""
    chosen = {"password": gateway.password, "client_keys": None, "username": gateway.user, **options}
    port = gateway.members[0].local_port
    return asyncssh.connect("127.0.0.1", port, known_hosts=None, agent_path=None, config=None, **chosen)


def at_a_terminal(gateway: LabGateway, talk: Talk, size: tuple[int, int] = (80, 24), **options: Any) -> str:
    async def run() -> str:
        async with login(gateway, **options) as connection:
            process = await connection.create_process(term_type="vt100", term_size=size, encoding="utf-8")
            return await talk(process)

    return asyncio.run(asyncio.wait_for(run(), 20))


async def until(process: asyncssh.SSHClientProcess[str], ending: str, times: int = 1) -> str:
    seen = ""
    while not (seen.endswith(ending) and seen.count(ending) >= times):
        data = await process.stdout.read(4096)
        assert data, f"the session ended before {ending!r}:\n{seen}"
        seen += data
    return seen


async def rest(process: asyncssh.SSHClientProcess[str]) -> str:
    seen = ""
    while data := await process.stdout.read(4096):
        seen += data
    return seen


def typed(*lines: str, prompt: str = PROMPT) -> Talk:
    async def talk(process: asyncssh.SSHClientProcess[str]) -> str:
        seen = await until(process, prompt)
        for line in lines:
            process.stdin.write(line + "\r")
            seen += await until(process, "> ")
        return seen

    return talk


def execute(gateway: LabGateway, line: str) -> str:
    """What one line on the exec channel prints."""

    async def run() -> str:
        async with login(gateway) as connection:
            return str((await connection.run(line, stdin=asyncssh.DEVNULL)).stdout)

    return asyncio.run(asyncio.wait_for(run(), 20))
