"""Each switch beyond the guide in a whole stack: on, nothing more to do, off, and all is as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.hands.acts import call
from tests.hands.names import BYPASS, FILTER, INBOUND, OUTBOUND
from tests.plugin_nursery import Nursery
from tests.protocol.drift_bench import Bench, DriftEngine, told
from tests.protocol.estate_kit import running

ADDRESSES = ["192.0.2.105", "198.51.100.186"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    with Nursery() as nursery, running("new") as estate:
        yield Bench(estate, nursery)


@pytest.fixture
def bench(shared: Bench) -> Iterator[Bench]:
    yield shared
    shared.reset()


@dataclass(frozen=True)
class Switch:
    """Settings that turn it on, what that does, and what is then to be seen in the lab's dump."""

    settings: Mapping[str, Mapping[str, Any]]
    operations: Mapping[str, str]
    heading: str
    lines: tuple[str, ...]
    without: str = ""  # a heading that is gone


IN, OUT = f"inbound connector {INBOUND}", f"outbound connector {OUTBOUND}"
NO_RULE = {"inbound-rule": "delete", "tenant-equivalents": "update", "guard": "update"}
SWITCHES = {
    "spamBypass: enhancedFiltering": Switch(
        {"inbound": {"spamBypass": "enhancedFiltering"}},
        {**NO_RULE, "inbound-connector": "update"},
        IN,
        ("EFSkipLastIP: true", "EFSkipIPs: []"),
        f"transport rule {BYPASS}",
    ),
    "enhancedFiltering: addresses": Switch(
        {"inbound": {"spamBypass": "enhancedFiltering", "enhancedFiltering": ["203.0.113.8/29"]}},
        {**NO_RULE, "inbound-connector": "update"},
        IN,
        ("EFSkipLastIP: false", 'EFSkipIPs: ["192.0.2.105", "198.51.100.186", "203.0.113.8/29"]'),
        f"transport rule {BYPASS}",
    ),
    "spamBypass: none": Switch(
        {"inbound": {"spamBypass": "none"}},
        NO_RULE,
        IN,
        ("EFSkipLastIP: false", "EFSkipIPs: []"),
        f"transport rule {BYPASS}",
    ),
    "identifiedBy: certificate": Switch(
        {"inbound": {"identifiedBy": {"certificate": "*.bce-demo.example"}}},
        {"inbound-connector": "update", "tenant-before": "update"},
        IN,
        ("SenderIPAddresses: []", "TlsSenderCertificateName: *.bce-demo.example", "RequireTls: true"),
    ),
    "connectionFilter: allow": Switch(
        {"inbound": {"connectionFilter": "allow"}},
        {"connection-filter": "create", "tenant-before": "update"},
        "connection filter Default",
        ('IPAllowList: ["192.0.2.105", "198.51.100.186", "203.0.113.77"]',),
    ),
    "tls: certificateValidation": Switch(
        {"outbound": {"tls": "certificateValidation"}},
        {"outbound-connector": "update", "guard": "update"},
        OUT,
        ("TlsSettings: CertificateValidation", "TlsDomain: null"),
    ),
    "tls: domainValidation": Switch(
        {"outbound": {"tls": "domainValidation", "tlsDomain": "*.bce-demo.example"}},
        {"outbound-connector": "update", "guard": "update"},
        OUT,
        ("TlsSettings: DomainValidation", "TlsDomain: *.bce-demo.example"),
    ),
    "mismatch: quarantine": Switch(
        {"outbound": {"mismatch": "quarantine"}},
        {"outbound-filter": "update"},
        "message filter",
        ('quarantine("Policy");', "skip-filters();"),
    ),
}


@pytest.mark.parametrize("switch", SWITCHES.values(), ids=SWITCHES.keys())
def test_on_and_off(bench: Bench, switch: Switch) -> None:
    engine = bench.engine_with(**{name: dict(one) for name, one in switch.settings.items()})
    with engine.session():
        assert engine.preview().operations() == switch.operations
        assert bench.estate.dump() == bench.dump
        engine.up()
        block = (
            _filter(bench)
            if switch.heading == "message filter"
            else _block(bench.estate.dump(), switch.heading)
        )
        assert [line for line in switch.lines if line not in block] == []
        assert not switch.without or not _block(bench.estate.dump(), switch.without)
        _is_quiet(engine)
    bench.engine.state = engine.state
    bench.engine.up()
    bench.is_quiet()
    assert bench.estate.dump() == bench.dump


def _filter(bench: Bench) -> str:
    """The text itself, which the dump does not show."""
    return next(one.text for one in bench.estate.gateway.state.base.filters if one.name == FILTER)


def _block(dump: str, heading: str) -> str:
    return next((part for part in dump.split("\n\n") if part.startswith(f"{heading}\n")), "")


def _is_quiet(engine: DriftEngine) -> None:
    assert told(engine.refresh()) == []
    assert engine.preview().operations() == {}
    assert engine.up().operations() == {}


def test_a_rule_of_others_that_switches_the_filter_off_is_warned_of(bench: Bench) -> None:
    """Ours is not made then; somebody else's would keep Enhanced Filtering from doing anything."""
    call("New-TransportRule", Name="Theirs", SenderIpRanges=["192.0.2.0/24"], SetSCL=-1)(bench.estate)
    engine = bench.engine_with(inbound={"spamBypass": "enhancedFiltering"})
    with engine.session():
        [line] = [one for one in told(engine.preview()) if "«Theirs»" in one]
    assert "switches the spam filter off for mail from the gateways (192.0.2.0/24), so Microsoft does" in line
    assert "not filter it, whatever inbound.spamBypass says" in line
    assert "remove it, or exempt those addresses from it" in line.lower()
