"""Which inbound connector a message is taken for, and what is refused: the whole table."""

from __future__ import annotations

from typing import Any

import pytest

from lab.tenant.inbound_connectors import DEFAULTS, LISTS
from lab.tenant.mail.attribution import DIRECT_SEND, LOCKED, NO_TLS, RELAY, Arrival, judge
from lab.tenant.mail.configuration import Configuration
from lab.tenant.store import Record

GATEWAY, STRANGER, SCANNER = "192.0.2.10", "203.0.113.90", "198.51.100.7"


def connector(name: str, **settings: Any) -> Record:
    return {
        **DEFAULTS,
        **{field: [] for field in LISTS},
        "Name": name,
        "SenderDomains": ["smtp:*;1"],
        **settings,
    }


CES = connector("ces", SenderIPAddresses=[GATEWAY], RequireTls=True)
LOCKED_CES = {**CES, "RestrictDomainsToIPAddresses": True}
PARTNER = connector(
    "partner",
    SenderDomains=["smtp:partner.example;1", "smtp:*.partner.example;1"],
    SenderIPAddresses=["198.51.100.0/29"],
    RestrictDomainsToIPAddresses=True,
)
ANY_ADDRESS = connector("any address", SenderDomains=["smtp:partner.example;1"], RequireTls=True)
BY_CERTIFICATE = connector(
    "certificate", TlsSenderCertificateName="mail.partner.example", RestrictDomainsToCertificate=True
)
ON_PREMISES = connector(
    "scanner", ConnectorType="OnPremises", SenderIPAddresses=[SCANNER], TreatMessagesAsInternal=True
)
OFF = {**LOCKED_CES, "Enabled": False}


def judged(
    connectors: list[Record],
    peer: str = STRANGER,
    sender: str = "x@world.example",
    recipient: str = "anna@ours.example",
    *,
    tls: str = "TLSv1.3",
    reject_direct_send: bool = False,
) -> tuple[str, str]:
    configuration = Configuration(
        inbound=tuple(connectors),
        domains={"ours.example": False, "deep.example": True},
        reject_direct_send=reject_direct_send,
    )
    result = judge(Arrival(peer, tls, sender, recipient), configuration)
    return result.name, result.refusal


@pytest.mark.parametrize(
    ("connectors", "peer", "sender", "verdict"),
    [
        ([], STRANGER, "x@world.example", ("", "")),
        ([CES], GATEWAY, "x@world.example", ("ces", "")),
        ([CES], STRANGER, "x@world.example", ("", "")),
        ([CES], GATEWAY, "", ("ces", "")),
        ([LOCKED_CES], GATEWAY, "x@world.example", ("ces", "")),
        ([LOCKED_CES], STRANGER, "x@world.example", ("", LOCKED)),
        ([LOCKED_CES], STRANGER, "", ("", LOCKED)),
        ([OFF], STRANGER, "x@world.example", ("", "")),
        ([PARTNER], "198.51.100.7", "x@partner.example", ("partner", "")),
        ([PARTNER], "198.51.100.8", "x@partner.example", ("", LOCKED)),
        ([PARTNER], STRANGER, "x@sub.partner.example", ("", LOCKED)),
        ([PARTNER], STRANGER, "x@notpartner.example", ("", "")),
        ([PARTNER, CES], GATEWAY, "x@partner.example", ("ces", "")),
        ([ANY_ADDRESS], STRANGER, "x@partner.example", ("any address", "")),
        ([BY_CERTIFICATE], STRANGER, "x@world.example", ("", LOCKED)),
        ([ON_PREMISES, LOCKED_CES], SCANNER, "x@world.example", ("scanner", "")),
    ],
)
def test_who_takes_it(connectors: list[Record], peer: str, sender: str, verdict: tuple[str, str]) -> None:
    assert judged(connectors, peer, sender) == verdict


def test_tls_is_asked_of_the_connectors_own_mail() -> None:
    assert judged([CES], GATEWAY, tls="") == ("ces", NO_TLS)
    assert judged([CES], STRANGER, tls="") == ("", "")
    assert judged([LOCKED_CES], STRANGER, tls="") == ("", LOCKED)


def test_direct_send_means_our_domain_and_no_connector() -> None:
    ours = "boss@ours.example"
    assert judged([], sender=ours) == ("", "")
    assert judged([], sender=ours, reject_direct_send=True) == ("", DIRECT_SEND)
    assert judged([], reject_direct_send=True) == ("", "")
    assert judged([CES], GATEWAY, ours, reject_direct_send=True) == ("ces", "")
    assert judged([LOCKED_CES], STRANGER, ours, reject_direct_send=True) == ("", LOCKED)


def test_only_our_domains_are_taken_and_relaying_needs_both() -> None:
    assert judged([CES], GATEWAY, recipient="x@world.example") == ("", RELAY)
    assert judged([], recipient="x@sub.ours.example") == ("", RELAY)
    assert judged([], recipient="x@sub.deep.example") == ("", "")
    assert judged([ON_PREMISES], SCANNER, "a@ours.example", "x@world.example") == ("scanner", "")
    assert judged([ON_PREMISES], SCANNER, "a@world.example", "x@world.example") == ("", RELAY)
    assert judged([ON_PREMISES], STRANGER, "a@ours.example", "x@world.example") == ("", RELAY)
