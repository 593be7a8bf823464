"""Fixtures of the Exchange tests: one practice tenant a module, a fresh state and environment a test."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamic_providers import connections, errors
from lab.journal import Journal
from lab.tenant.server import LabTenant
from tests.protocol.exchange_life import Life
from tests.protocol.exchange_practice import AZURE, Practice


@pytest.fixture(scope="module")
def practice_tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabTenant]:
    with LabTenant(Journal(), tmp_path_factory.mktemp("tenant")) as tenant:
        yield tenant


@pytest.fixture
def practice(
    practice_tenant: LabTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Practice]:
    lab = practice_tenant
    file = tmp_path / "connect.json"
    file.write_text(
        json.dumps({f"{host}:443": {"host": "127.0.0.1", "port": lab.port} for host in lab.hosts})
    )
    monkeypatch.setenv("M365SE_CONNECT", str(file))
    for name in AZURE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", lab.client_secret)
    monkeypatch.setattr(errors, "_secrets", set())
    monkeypatch.setattr(connections, "_live", {})
    lab.switches.token_latency = lab.switches.read_latency = lab.switches.write_latency = (0.0, 0.0)
    before = lab.snapshot()
    one = Practice(lab)
    yield one
    one.close()
    lab.reset()
    lab.restore(before)


@pytest.fixture
def connector(practice: Practice) -> Practice:
    """A tenant that has the outbound connector, which rule k names."""
    Life(practice, "outbound").up()
    practice.since = practice.lab.journal.mark()
    return practice
