"""`lockdown: report`: who came past the gateway, from the practice tenant's trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
import pytest

from dynamic_providers.exchange.message_trace import pages
from dynamic_providers.exchange.past_the_gateway import PastTheGateway
from tests.mini_engine import Refused
from tests.protocol import tenant_estate
from tests.protocol.tenant_estate import DOMAIN, GATEWAYS, PROBE, SCANNER, STRANGER, TENANT, Engine, Side

running_side, side = tenant_estate.running_side, tenant_estate.side


@dataclass
class Wish:
    """A stack's settings, as far as they matter here."""

    domains: list[str] = field(default_factory=lambda: [DOMAIN])
    allow: list[str] = field(default_factory=list)
    most: int = 20

    def program(self, exchange: pulumi.ResourceOptions) -> None:
        PastTheGateway(
            "past",
            tenant=TENANT,
            domains=self.domains,
            gateways=GATEWAYS,
            allow=self.allow,
            most=self.most,
            opts=exchange,
        )


@pytest.fixture
def wish() -> Wish:
    return Wish()


@pytest.fixture
def engine(side: Side, wish: Wish) -> Engine:
    return side.engine(wish.program)


def outputs(engine: Engine) -> dict[str, Any]:
    return engine.state["past"].outputs


def told(lines: list[str]) -> list[str]:
    return [line for line in lines if "past the gateway" in line]


def test_those_who_came_past_are_listed_and_told_in_one_line(side: Side, engine: Engine) -> None:
    for source in (STRANGER, STRANGER, SCANNER, GATEWAYS[0]):
        assert side.mail(source).delivered
    assert side.mail(SCANNER, sender=f"scanner@{DOMAIN}").delivered
    side.submit(PROBE, f"someone@{DOMAIN}")
    side.settled()
    [line] = told(engine.up().lines)
    found = outputs(engine)
    rows = [
        (one["address"], one["senderDomain"], one["ownDomain"], one["messages"]) for one in found["senders"]
    ]
    assert rows == [
        (STRANGER, "sender.example", False, 2),
        (SCANNER, DOMAIN, True, 1),
        (SCANNER, "sender.example", False, 1),
    ]
    assert (found["total"], found["complete"]) == (3, True)
    assert found["senders"][0]["example"].startswith("<")
    assert line.startswith(f"{TENANT}: 3 sender(s) came past the gateway since ")
    assert line.index(STRANGER) < line.index(SCANNER)
    assert "lockdown: closed would refuse their mail" in line


def test_mail_for_other_domains_of_the_tenant_counts(side: Side, engine: Engine) -> None:
    assert side.mail(STRANGER, recipient=f"probe@{TENANT}").delivered
    side.settled()
    engine.up()
    assert outputs(engine)["total"] == 1


def test_nobody_is_told_as_well_and_a_second_run_does_nothing(side: Side, engine: Engine) -> None:
    assert side.mail(GATEWAYS[0]).delivered
    side.settled()
    [line] = told(engine.up().lines)
    assert "nobody came past the gateway" in line
    assert outputs(engine)["senders"] == []
    mark = side.estate.journal.mark()
    assert engine.up().operations() == {}
    assert not side.estate.journal.events("tenant", "call", since=mark)


def test_a_refresh_looks_again_and_shows_only_other_senders(side: Side, engine: Engine) -> None:
    assert side.mail(STRANGER).delivered
    side.settled()
    engine.up()
    assert side.mail(STRANGER).delivered
    side.settled()
    assert engine.refresh().operations() == {}
    assert side.mail(SCANNER).delivered
    side.settled()
    assert engine.refresh().operations() == {"past": "changed"}
    assert outputs(engine)["total"] == 2
    assert engine.preview().operations() == {}


def test_only_so_many_are_told(side: Side, engine: Engine, wish: Wish) -> None:
    for number in range(4):
        assert side.mail(STRANGER, sender=f"x@domain{number}.example").delivered
    side.settled()
    wish.most = 3
    [line] = told(engine.up().lines)
    assert "; and 1 more" in line
    assert (outputs(engine)["total"], len(outputs(engine)["senders"])) == (4, 3)
    assert side.mail(STRANGER, sender="x@domain3.example").delivered  # who is told changes, who came does not
    side.settled()
    assert engine.refresh().operations() == {}


def test_who_is_allowed_is_not_listed(side: Side, engine: Engine, wish: Wish) -> None:
    assert side.mail(SCANNER).delivered
    side.settled()
    wish.allow = [f"{SCANNER}/32"]
    engine.up()
    assert outputs(engine)["senders"] == []
    wish.allow = []
    assert engine.up().operations() == {"past": "update"}
    assert outputs(engine)["total"] == 1


def test_wrong_inputs_are_refused(engine: Engine, wish: Wish) -> None:
    wish.domains = []
    with pytest.raises(Refused, match="domains"):
        engine.preview()


def test_the_trace_is_read_page_by_page(side: Side) -> None:
    for number in range(7):
        assert side.mail(STRANGER, sender=f"x{number}@sender.example").delivered
    side.settled()
    until = datetime.now(UTC)
    found = list(pages(side.new_process().ask, until - timedelta(days=10), until, size=3))
    assert len(found) > 2
    senders = [row["SenderAddress"] for page in found for row in page]
    assert senders == [f"x{number}@sender.example" for number in reversed(range(7))]
