"""Switches of the two connectors beyond the guide: on, drift, off, and what was there before given back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.protocol.exchange_life import (
    GOLDEN,
    HEADINGS,
    INPUTS,
    KINDS,
    CheckRefused,
    Life,
    by_hand,
    shown,
    writes,
)
from tests.protocol.exchange_practice import Practice

pytest_plugins = ["tests.protocol.exchange_fixtures"]


@dataclass(frozen=True)
class Switch:
    """One of them: inputs that turn it on, what they change in the lab's dump, and a hand that spoils it."""

    row: str
    inputs: Mapping[str, Any]
    lines: Mapping[str, str]
    by_hand: Mapping[str, Any]
    drift: Mapping[str, tuple[Any, Any]]

    def turn_on(self, one: Life) -> None:
        one.inputs = {**{k: v for k, v in one.inputs.items() if k not in self._instead}, **self.inputs}

    def turn_off(self, one: Life) -> None:
        kept = {k: v for k, v in one.inputs.items() if k not in self.inputs}
        one.inputs = {**INPUTS[self.row], **kept}

    @property
    def golden(self) -> str:
        lines = GOLDEN[self.row].splitlines()
        changed = [self.lines.get(line.strip().partition(":")[0], "") for line in lines]
        return "\n".join(
            f"{line.partition(':')[0]}: {new}" if new else line
            for line, new in zip(lines, changed, strict=True)
        )

    @property
    def _instead(self) -> set[str]:
        return {"senderIpAddresses"} if "tlsSenderCertificateName" in self.inputs else set()


SWITCHES = {
    "enhanced filtering of the last hop": Switch(
        "inbound",
        {"efSkipLastIp": True},
        {"EFSkipLastIP": "true"},
        {"EFSkipLastIP": False},
        {"efSkipLastIp": (None, True)},
    ),
    "enhanced filtering of addresses": Switch(
        "inbound",
        {"efSkipIps": ["203.0.113.8/29", "192.0.2.105/32"]},
        {"EFSkipIPs": '["192.0.2.105", "203.0.113.8/29"]'},
        {"EFSkipIPs": ["192.0.2.105"]},
        {"efSkipIps": (["192.0.2.105"], ["192.0.2.105", "203.0.113.8/29"])},
    ),
    "known by certificate": Switch(
        "inbound",
        {"tlsSenderCertificateName": "ESA.bce-demo.example"},
        {"SenderIPAddresses": "[]", "TlsSenderCertificateName": "esa.bce-demo.example"},
        {"TlsSenderCertificateName": "*.elsewhere.example", "SenderIPAddresses": ["203.0.113.1"]},
        {
            "tlsSenderCertificateName": ("*.elsewhere.example", "esa.bce-demo.example"),
            "senderIpAddresses": (["203.0.113.1"], None),
        },
    ),
    "a public certificate": Switch(
        "outbound",
        {"tlsSettings": "CertificateValidation"},
        {"TlsSettings": "CertificateValidation"},
        {"TlsSettings": "EncryptionOnly"},
        {"tlsSettings": ("EncryptionOnly", "CertificateValidation")},
    ),
    "a certificate with a name": Switch(
        "outbound",
        {"tlsSettings": "DomainValidation", "tlsDomain": "*.bce-demo.example"},
        {"TlsSettings": "DomainValidation", "TlsDomain": "*.bce-demo.example"},
        {"TlsSettings": "DomainValidation", "TlsDomain": "elsewhere.example"},
        {"tlsDomain": ("elsewhere.example", "*.bce-demo.example")},
    ),
}


@pytest.fixture(params=list(SWITCHES.values()), ids=list(SWITCHES))
def switch(request: pytest.FixtureRequest) -> Switch:
    found: Switch = request.param
    return found


def test_on_drift_off_and_gone_again(practice: Practice, switch: Switch) -> None:
    before = practice.lab.dump()
    one = Life(practice, switch.row)
    one.up()
    guides = shown(practice, switch.row)
    assert guides == GOLDEN[switch.row]
    switch.turn_on(one)
    practice.since = practice.lab.journal.mark()
    assert one.up()
    assert writes(practice) == [KINDS[switch.row].cmdlet("Set")]
    assert shown(practice, switch.row) == switch.golden
    assert not one.up()
    by_hand(practice, switch.row, **switch.by_hand)
    assert one.drift() == switch.drift
    assert one.up()
    assert shown(practice, switch.row) == switch.golden
    switch.turn_off(one)
    assert one.up()
    assert shown(practice, switch.row) == guides
    switch.turn_on(one)
    one.up()
    one.destroy()
    assert practice.lab.dump() == before


def test_made_so_from_the_start(practice: Practice, switch: Switch) -> None:
    before = practice.lab.dump()
    one = Life(practice, switch.row)
    switch.turn_on(one)
    practice.since = practice.lab.journal.mark()
    assert one.up()
    assert writes(practice) == [KINDS[switch.row].cmdlet("New")]
    assert shown(practice, switch.row) == switch.golden
    assert one.drift() == {}
    one.destroy()
    assert practice.lab.dump() == before


THEIRS: dict[str, dict[str, Any]] = {
    "inbound": {
        "ConnectorType": "Partner",
        "SenderDomains": ["*"],
        "TlsSenderCertificateName": "*.Partner.example",
        "RestrictDomainsToCertificate": True,
        "RequireTls": True,
        "EFSkipIPs": ["203.0.113.9", "203.0.113.0-203.0.113.4"],
        "EFUsers": ["probe@bce-demo.com"],
    },
    "outbound": {
        "ConnectorType": "Partner",
        "RecipientDomains": ["partner.example"],
        "UseMXRecord": True,
        "TlsSettings": "DomainValidation",
        "TlsDomain": "*.Partner.example",
    },
}


@pytest.mark.parametrize("old", [False, True], ids=["record of now", "record from before"])
def test_theirs_is_taken_over_and_given_back(practice: Practice, switch: Switch, *, old: bool) -> None:
    """`old`: their record was made when these parameters were none of our attributes yet."""
    name = HEADINGS[switch.row].split(" ", 2)[2]
    practice.lab.invoke_by_hand(KINDS[switch.row].cmdlet("New"), Name=name, **THEIRS[switch.row])
    before = practice.lab.dump()
    one = Life(practice, switch.row)
    switch.turn_on(one)
    with pytest.raises(CheckRefused, match="exists and differs"):
        one.preview()
    one.inputs["takeOver"] = ["*"]
    if old:
        one.inputs["before"] = {name: _as_it_was_recorded(one.inputs["before"][name])}
    one.up()
    assert shown(practice, switch.row) == switch.golden
    one.destroy()
    assert practice.lab.dump() == before


def _as_it_was_recorded(record: dict[str, Any]) -> dict[str, Any]:
    parameters = {
        "tlsSenderCertificateName": "TlsSenderCertificateName",
        "restrictDomainsToCertificate": "RestrictDomainsToCertificate",
        "efSkipIps": "EFSkipIPs",
        "tlsDomain": "TlsDomain",
    }
    other = {parameters[k]: json.dumps(v) for k, v in record.items() if k in parameters}
    kept = {k: v for k, v in record.items() if k not in parameters}
    return {**kept, "other": {**record["other"], **other}}


@pytest.mark.parametrize(
    ("row", "inputs", "says"),
    [
        ("inbound", {"tlsSenderCertificateName": "esa.bce-demo.example"}, "by addresses or by a certificate"),
        ("inbound", {"senderIpAddresses": None}, "by addresses or by a certificate"),
        ("outbound", {"tlsSettings": "DomainValidation"}, "has a tlsDomain with DomainValidation"),
        ("outbound", {"tlsDomain": "esa.bce-demo.example"}, "has a tlsDomain with DomainValidation"),
    ],
)
def test_what_does_not_go_together(practice: Practice, row: str, inputs: dict[str, Any], says: str) -> None:
    with pytest.raises(CheckRefused, match=says):
        Life(practice, row, **inputs).preview()
