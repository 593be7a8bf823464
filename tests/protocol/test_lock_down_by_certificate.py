"""The side entrance, shut by the gateways' certificate: only when they are seen to show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pulumi
import pytest

from dynamic_providers.exchange.inbound_connector import InboundConnector
from dynamic_providers.exchange.lock_down import LockDown
from dynamic_providers.exchange.snapshot import INBOUND_CONNECTOR, LOCK_DOWN, ExchangeSnapshot
from tests.mini_engine import Refused
from tests.protocol import tenant_estate
from tests.protocol.tenant_estate import (
    DATA1,
    DATA2,
    DOMAIN,
    GATEWAYS,
    INBOUND,
    MX_HOST,
    STRANGER,
    TENANT,
    Engine,
    Side,
)

running_side, side = tenant_estate.running_side, tenant_estate.side
CERTIFICATE = "esa.bce-demo.example"


@dataclass
class Wish:
    """A stack's settings, as far as they matter here."""

    closed: bool = False
    certificate: str | None = CERTIFICATE
    settle: int = 0

    def program(self, exchange: pulumi.ResourceOptions) -> None:
        before = ExchangeSnapshot(
            "before",
            tenant=TENANT,
            inbound_connectors=[INBOUND],
            lock_down=True,
            certificate=self.certificate,
            opts=exchange,
        )
        b = InboundConnector(
            "b",
            tenant=TENANT,
            name=INBOUND,
            before=before.before(INBOUND_CONNECTOR),
            sender_ip_addresses=None if self.certificate else GATEWAYS,
            tls_sender_certificate_name=self.certificate,
            locked_down_by_others=self.closed,
            opts=exchange,
        )
        LockDown(
            "lock-down",
            tenant=TENANT,
            connector=INBOUND,
            before=before.before(LOCK_DOWN),
            certificate=self.certificate,
            closed=self.closed,
            mx={DOMAIN: [MX_HOST]},
            gateways=GATEWAYS,
            settle=self.settle,
            opts=pulumi.ResourceOptions.merge(exchange, pulumi.ResourceOptions(depends_on=[b])),
        )


@pytest.fixture
def wish() -> Wish:
    return Wish()


@pytest.fixture
def engine(side: Side, wish: Wish) -> Engine:
    side.mx(MX_HOST)
    return side.engine(wish.program)


def switches(side: Side) -> tuple[bool, bool, bool]:
    """By certificate, by address, RejectDirectSend."""
    [row] = [row for row in side.do("Get-InboundConnector") if row["Name"] == INBOUND]
    by_certificate, by_address = (row[f"RestrictDomainsTo{one}"] for one in ("Certificate", "IPAddresses"))
    return by_certificate, by_address, side.rejects()


def seen(side: Side, *sources: str, certificate: str = CERTIFICATE) -> None:
    """Mail from there has come, and the trace shows it."""
    for source in sources:
        assert side.mail(source, certificate=certificate).delivered
    side.settled()


def refused(engine: Engine) -> str:
    with pytest.raises(Refused) as found:
        engine.preview()
    with pytest.raises(Refused):
        engine.up()
    return str(found.value)


def test_open_before_shut_after_and_opened_again(side: Side, engine: Engine, wish: Wish) -> None:
    untouched = side.estate.tenant.dump()
    engine.up()
    opened = side.estate.tenant.dump()
    assert side.mail(STRANGER).code == 250
    side.estate.tenant.mail.traces.clear()
    seen(side, DATA1, DATA2)
    wish.closed = True
    assert engine.up().operations() == {"b": "update", "lock-down": "update"}
    assert switches(side) == (True, False, True)
    assert side.mail(DATA1, certificate=CERTIFICATE).code == 250
    assert side.mail("198.51.100.7", certificate=CERTIFICATE).code == 250  # wherever it comes from
    for certificate in ("", "esa.elsewhere.example"):
        assert "5.7.51" in side.mail(DATA1, certificate=certificate).text
    assert "5.7.51" in side.mail(STRANGER).text
    mark = side.estate.journal.mark()
    assert engine.drifted() == {}
    assert engine.up().operations() == {}
    assert side.writes(mark) == []
    wish.closed = False
    engine.up()
    assert side.estate.tenant.dump() == opened
    assert side.mail(STRANGER).code == 250
    engine.destroy()
    assert side.estate.tenant.dump() == untouched


def test_opened_by_hand_is_shown_and_shut_again(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    seen(side, DATA1)
    wish.closed = True
    engine.up()
    side.do("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToCertificate=False)
    assert engine.refresh().operations() == {"lock-down": "changed"}
    assert engine.preview().operations() == {"lock-down": "update"}  # without asking for mail again
    engine.up()
    assert switches(side) == (True, False, True)


def test_shut_by_hand_while_it_is_to_be_open_is_the_connectors_drift(side: Side, engine: Engine) -> None:
    engine.up()
    side.do("Set-InboundConnector", Identity=INBOUND, RestrictDomainsToCertificate=True)
    assert engine.drifted() == {"b": "update"}
    engine.up()
    assert switches(side) == (False, False, False)


def test_opened_and_shut_again_asks_for_new_proof(side: Side, engine: Engine, wish: Wish) -> None:
    engine.up()
    seen(side, DATA1)
    wish.closed = True
    engine.up()
    wish.closed = False
    engine.up()
    side.estate.tenant.mail.traces.clear()
    wish.closed = True
    assert "no mail has come from the gateways since " in refused(engine)


def test_destroyed_while_it_is_shut(side: Side, engine: Engine, wish: Wish) -> None:
    before = side.estate.tenant.dump()
    engine.up()
    seen(side, DATA1)
    wish.closed = True
    engine.up()
    engine.destroy()
    assert side.estate.tenant.dump() == before


# --- when it may not be shut --------------------------------------------------------------------------------


def test_not_before_the_connector_goes_by_the_certificate(side: Side, engine: Engine, wish: Wish) -> None:
    wish.closed = True
    said = f"does not know the gateways by the certificate {CERTIFICATE} yet: run it with lockdown: open"
    assert said in refused(engine)
    wish.closed, wish.certificate = False, None
    engine.up()
    wish.closed = True
    engine.up()
    wish.certificate = CERTIFICATE
    with pytest.raises(Refused, match="does not know the gateways by the certificate"):
        engine.preview()
    assert side.mail(DATA1).code == 250


def test_not_before_mail_has_come(side: Side, engine: Engine, wish: Wish) -> None:
    seen(side, DATA1)
    for entry in side.estate.tenant.mail.traces.entries():
        entry.received -= timedelta(minutes=1)  # before the connector was as it is
    engine.up()
    wish.closed = True
    assert "no mail has come from the gateways since " in refused(engine)
    assert switches(side) == (False, False, False)


def test_not_before_the_change_of_the_connector_counts_everywhere(
    side: Side, engine: Engine, wish: Wish
) -> None:
    engine.up()
    seen(side, DATA1)
    wish.closed, wish.settle = True, 3600
    assert "no mail has come from the gateways since " in refused(engine)


@pytest.mark.parametrize("shown", ["", "esa.elsewhere.example"], ids=["no certificate", "another one"])
def test_not_while_a_gateway_shows_another_certificate(
    side: Side, engine: Engine, wish: Wish, shown: str
) -> None:
    engine.up()
    seen(side, DATA1)
    seen(side, DATA2, certificate=shown)
    wish.closed = True
    said = refused(engine)
    assert f"mail from the gateway {DATA2} is not known by its certificate, and would be refused" in said
    assert f"mail from the gateway {DATA1} " not in said
    assert f"Give the gateway a certificate with the name {CERTIFICATE}" in said
    assert side.mail(DATA2, certificate=shown).code == 250


def test_another_certificate_is_not_asked_for_while_it_is_shut(
    side: Side, engine: Engine, wish: Wish
) -> None:
    engine.up()
    seen(side, DATA1)
    wish.closed = True
    engine.up()
    wish.certificate = "*.elsewhere.example"
    assert "changes from esa.bce-demo.example to *.elsewhere.example while lockdown is closed" in refused(
        engine
    )
    assert side.mail(DATA1, certificate=CERTIFICATE).code == 250
