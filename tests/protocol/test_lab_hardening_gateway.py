"""The gateway beyond the guide: certificate, quarantines, bounce verification; and both sides together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.estate import Estate
from lab.gateway.commands.smtproutes import parse_targets
from lab.gateway.mail.service import GatewayMail
from lab.gateway.state import Recipient
from lab.mail.client import SmtpClient
from lab.mail.envelope import compose
from lab.tenant.mail.attribution import LOCKED
from tests.protocol.gateway_mail_kit import add_filter

GATEWAY, DATA1, DATA2 = "esa1.bce-demo.example", "192.0.2.105", "198.51.100.186"
MICROSOFT_MX = "bce-demo-com.mail.protection.outlook.com"
PROBE, STRANGER = "probe@bce-demo.com", "203.0.113.90"
KEY = "tagging-key-17"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with Estate(tmp_path_factory.mktemp("estate"), retry_seconds=0.02) as estate:
        tables = estate.gateway.state.base
        tables.listener("IncomingMail").defaults["tls"] = "preferred"
        recipients = tables.listener("IncomingMail").recipients
        recipients.insert(len(recipients) - 1, Recipient("bce-demo.com"))
        tables.routes["bce-demo.com"] = parse_targets(MICROSOFT_MX)
        tables.destinations["DEFAULT"].table_tls = "preferred"
        yield estate


@pytest.fixture
def estate(running: Estate) -> Iterator[Estate]:
    before = running.snapshot()
    yield running
    running.reset()
    running.restore(before)


def mail_of(estate: Estate) -> GatewayMail:
    assert estate.gateway.mail is not None
    return estate.gateway.mail


def through_gateway(estate: Estate, sender: str = "anna@sender.example") -> str:
    """The last lines of what tracking says of a message from outside."""
    with SmtpClient(estate.network, STRANGER, DATA1, helo="mail.sender.example") as client:
        assert client.send(compose(sender, PROBE, "INBOUND EMAIL TEST")).delivered
    assert mail_of(estate).wait_until_empty(10)
    return "\n".join(line.text for line in mail_of(estate).tracking().messages[-1].lines)


def connector(estate: Estate, **settings: object) -> None:
    estate.tenant.invoke_by_hand(
        "New-InboundConnector",
        Name="Inbound from Cisco CES",
        ConnectorType="Partner",
        SenderDomains=["*"],
        RequireTls=True,
        **settings,
    )


# --- the certificate ----------------------------------------------------------------------------------------


def test_the_side_entrance_is_shut_by_certificate_and_the_gateway_goes_on(estate: Estate) -> None:
    connector(estate, TlsSenderCertificateName=GATEWAY, RestrictDomainsToCertificate=True)
    assert "received remote SMTP response" in through_gateway(estate)
    (item,) = estate.tenant.mail.mailboxes.items(PROBE)
    assert (item.connector, item.peer) == ("Inbound from Cisco CES", DATA1)
    with SmtpClient(estate.network, DATA1, estate.tenant.organization.front_door) as client:
        refused = client.send(compose("anna@sender.example", PROBE, "x"))
    assert f"{refused.code} {refused.text}".startswith(LOCKED), "the address alone is nothing"


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("certificate", "none"),
        ("certificate", "demonstration"),
        ("certificate_names", ("esa2.bce-demo.example",)),
    ],
)
def test_a_gateway_without_the_certificate_is_refused(estate: Estate, switch: str, value: object) -> None:
    connector(estate, TlsSenderCertificateName=GATEWAY, RestrictDomainsToCertificate=True)
    setattr(estate.gateway, switch, value)
    assert "bounced" in through_gateway(estate)
    estate.gateway.reset()
    assert "received remote SMTP response" in through_gateway(estate)


def test_its_listeners_show_the_certificate_of_now(estate: Estate) -> None:
    def names() -> tuple[str, ...]:
        with SmtpClient(estate.network, STRANGER, DATA1) as client:
            assert client.connect() is None
            assert client.certificate is not None
            return client.certificate.names

    assert names() == (GATEWAY,)
    estate.gateway.certificate_names = ("mail.bce-demo.example", "*.bce-demo.example")
    mail_of(estate).sync()
    assert names() == ("mail.bce-demo.example", "*.bce-demo.example")
    estate.gateway.reset()
    assert names() == (GATEWAY,)


def test_enhanced_filtering_sees_past_the_real_gateway(estate: Estate) -> None:
    connector(estate, SenderIPAddresses=[DATA1, DATA2], EFSkipLastIP=True)
    through_gateway(estate, "boss@fabrikam.example")
    through_gateway(estate)
    found = {item.envelope.sender: item for item in estate.tenant.mail.mailboxes.items(PROBE)}
    folders = {sender: item.folder for sender, item in found.items()}
    assert folders == {"boss@fabrikam.example": "junkemail", "anna@sender.example": "inbox"}
    report = str(found["anna@sender.example"].envelope.header("X-Forefront-Antispam-Report"))
    assert report.startswith(f"CIP:{STRANGER};")


# --- quarantines --------------------------------------------------------------------------------------------


def stopped(estate: Estate, action: str) -> str:
    """What becomes of a message that a filter takes hold of, in tracking's words."""
    add_filter(estate.gateway.state.base, f"probe: if mail-from == 'anna' {{ {action}; }}", first=True)
    return through_gateway(estate)


def test_quarantined_mail_is_held_and_dropped_mail_is_gone(estate: Estate) -> None:
    assert 'quarantined to "Policy"' in stopped(estate, 'quarantine("Policy")')
    (held,) = mail_of(estate).quarantined()
    assert held.subject == "INBOUND EMAIL TEST"
    assert mail_of(estate).quarantined("Virus") == []
    (event,) = estate.journal.events(kind="quarantined")
    assert event.detail["quarantine"] == "Policy"
    assert estate.tenant.mail.mailboxes.items() == []
    mail_of(estate).clear()
    assert mail_of(estate).quarantined() == []
    estate.gateway.state.base.filters.pop(0)
    assert "Dropped by filter 'probe'" in stopped(estate, "drop()")
    assert mail_of(estate).quarantined() == []


def test_a_filter_that_names_a_quarantine_that_is_gone_does_nothing(estate: Estate) -> None:
    estate.gateway.state.base.quarantines.remove("Policy")
    assert "received remote SMTP response" in stopped(estate, 'quarantine("Policy")')
    listed = estate.gateway.type_by_hand(["filters", "list", ""])
    assert [line.split() for line in listed.splitlines() if line.endswith("probe")] == [
        ["1", "Y", "N", "probe"]
    ]


@pytest.mark.parametrize(("switch", "said"), [("refused", "0 filters added"), ("invalid", "1 filters added")])
def test_whether_an_unknown_quarantine_is_refused_is_a_switch(estate: Estate, switch: str, said: str) -> None:
    estate.gateway.unknown_quarantine = switch
    seen = estate.gateway.type_by_hand(
        ["filters", "new", "a: if true {", '  quarantine("Nowhere");', "}", ".", ""]
    )
    assert said in seen
    assert ("no quarantine named 'Nowhere'" in seen) == (switch == "refused")
    assert "1 filters added" in estate.gateway.type_by_hand(
        ["filters", "new", 'b: if true { quarantine("Virus"); }', ".", ""]
    )


# --- bounce verification ------------------------------------------------------------------------------------


def commit(estate: Estate, *lines: str) -> str:
    return estate.gateway.type_by_hand([*lines, 'commit "a test" Y'])


def test_bounce_verification_is_shown_and_changed(estate: Estate) -> None:
    before = estate.gateway.dump()
    seen = estate.gateway.type_by_hand(["bvconfig", ""])
    assert "Behavior on invalid bounces: reject" in seen
    assert "There is no outgoing key." in seen
    commit(estate, "bvconfig", "key", KEY, "setup", "2", "")
    seen = commit(estate, "bvconfig", "key", "the-next-one", "")
    assert f"Current outgoing key: {KEY}" in seen
    found = estate.gateway.state.base.bounce_verification
    assert (found.key, found.previous, found.action) == ("the-next-one", [KEY], "deliver")
    assert "action: deliver" in estate.gateway.dump()
    assert KEY not in estate.gateway.dump()
    commit(estate, "bvconfig", "purge", "setup", "1", "")
    assert estate.gateway.state.base.bounce_verification.previous == []
    commit(estate, "bvconfig", "clear", "y", "")
    assert estate.gateway.dump() == before


def test_to_look_at_it_is_a_read(estate: Estate) -> None:
    mark = estate.journal.mark()
    estate.gateway.type_by_hand(["bvconfig", ""])
    tables = [event.detail["table"] for event in estate.journal.events(kind="read", since=mark)]
    assert tables == ["bvconfig"]
