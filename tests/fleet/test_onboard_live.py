"""`fleet onboard --from-live`: an estate typed by hand under other names, as a stack that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.context import HEADER
from components.secure_email_integration import SecureEmailIntegration
from lab.estate import Estate
from lab.gateway.state import Destination, Recipient, Sender, SenderGroup, Target
from tests.estate.test_the_guide import do_by_hand
from tests.fleet.onboard_kit import OTHER_NAMES, Desk, desk, under_other_names
from tests.hands.acts import Hand, call, in_tables
from tests.hands.names import BYPASS, DOMAIN, FILTER, GROUP, INBOUND, OUTBOUND, SHOP
from tests.hands.tables import put_filter, put_group, put_recipient
from tests.nursery_engine import NurseryEngine
from tests.plugin_nursery import Nursery
from tests.protocol.estate_kit import put_back, running

ESA, SECRET = "esa1.bce-demo.example", "mysecretkey"
CONNECTOR, RULE, SPARING = OTHER_NAMES[INBOUND], OTHER_NAMES[OUTBOUND], OTHER_NAMES[BYPASS]
THEIR_GROUP, THEIR_FILTER = OTHER_NAMES[GROUP], OTHER_NAMES[FILTER]
WITH_ADDRESSES = f"{ESA}=192.0.2.105,198.51.100.186"
RIGHT_ALREADY = "all of it is right already: the first `up` will change nothing"


@pytest.fixture(scope="module")
def whole() -> Iterator[Estate]:
    """The guide, typed by somebody who liked other names better."""
    with running("new") as estate:
        for step in under_other_names():
            do_by_hand(estate, step)
        yield estate


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def at_desk(
    whole: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    with put_back(whole) as estate, desk(estate, tmp_path, monkeypatch, capsys, ["OUTBOUND_SECRET"]) as one:
        yield one


def from_live(at_desk: Desk, *words: str, gateway: str = ESA) -> int:
    usual = at_desk.usual(gateway=gateway, accept_host_key=at_desk.host_key)
    return at_desk.run(*usual, "--from-live", *words)


def engine(at_desk: Desk, nursery: Nursery) -> NurseryEngine:
    """The program over the file that was written."""

    def program() -> None:
        SecureEmailIntegration("mail-flow", at_desk.settings())

    return NurseryEngine(nursery, program, at_desk.estate.environment)


def test_names_addresses_limits_and_secret_are_read_and_nothing_is_touched(at_desk: Desk) -> None:
    mark, before = at_desk.estate.journal.mark(), at_desk.estate.dump()
    assert from_live(at_desk) == 0, at_desk.err
    assert RIGHT_ALREADY in at_desk.out
    values = at_desk.values
    assert values["names"] == {
        "inboundConnector": CONNECTOR,
        "outboundConnector": RULE,
        "inboundRule": SPARING,
        "outboundRule": RULE,
        "senderGroup": THEIR_GROUP,
        "filter": THEIR_FILTER,
    }
    [member] = values["gateway"]["members"]
    assert (member["data1"], member["data2"]) == ("192.0.2.105", "198.51.100.186")
    assert list(values["domains"]) == [DOMAIN]
    assert values["inbound"]["throttle"] == {"connections": 10, "messagesPerConnection": 20}
    assert (values["outbound"]["state"], values["outbound"]["smartHosts"]) == ("all", ["198.51.100.186"])
    assert values["leave"] == ["transport rule Archive copies"]
    assert "left as it is: the transport rule «Archive copies» sends mail through" in at_desk.out
    assert "takeOver" not in values
    assert at_desk.secret == SECRET
    assert SECRET not in at_desk.out + at_desk.err + at_desk.path.read_text(encoding="utf-8")
    assert at_desk.estate.dump() == before
    assert at_desk.estate.journal.count(kind="commit", since=mark) == 0
    assert at_desk.estate.journal.count(kind="effect", since=mark) == 0


def test_the_first_preview_says_right_already_up_writes_nothing_and_the_next_shows_none(
    at_desk: Desk, nursery: Nursery
) -> None:
    assert from_live(at_desk, "--set", "settle={rule: 1s, mx: 1s}") == 0, at_desk.err
    stack, before, mark = engine(at_desk, nursery), at_desk.estate.dump(), at_desk.estate.journal.mark()
    said = "\n".join(stack.preview().lines)
    for thing in (
        f"SMTP route «{DOMAIN}»",
        f"recipient access entry «{DOMAIN}»",
        f"destination control «{DOMAIN}»",
        f"sender group «{THEIR_GROUP}»",
        "mail flow policy «RELAYED»",
        f"outbound filter «{THEIR_FILTER}»",
        f"inbound connector «{CONNECTOR}»",
        f"outbound connector «{RULE}»",
        f"transport rule «{SPARING}»",
        f"transport rule «{RULE}»",
    ):
        assert f"{thing} exists and is right: will be managed" in said
    stack.up()
    assert at_desk.estate.journal.count(kind="commit", since=mark) == 0
    assert at_desk.estate.journal.count(kind="effect", since=mark) == 0
    assert stack.preview().operations() == {}
    stack.destroy(freed=True)
    assert at_desk.estate.dump() == before


# --- what else can be expressed -----------------------------------------------------------------------------

ONLY_SOME = call("Set-TransportRule", Identity=RULE, FromMemberOf=["mail-pilot@bce-demo.com"])
EXCEPT = call("Set-TransportRule", Identity=RULE, ExceptIfRecipientDomainIs=["bank.example"])
OFF = call("Disable-TransportRule", Identity=RULE)
SCANNER = call(
    "Set-InboundConnector",
    Identity=CONNECTOR,
    SenderIPAddresses=["192.0.2.105", "198.51.100.186", "203.0.113.70"],
)
NO_THROTTLE = in_tables(
    lambda tables: tables.destinations.update({DOMAIN: Destination(DOMAIN, table_tls="preferred")})
)


def _second_domain(tables: object) -> None:
    """The shop, and all its subdomains."""
    for key in (SHOP, f".{SHOP}"):
        tables.routes[key] = [Target("shop-bce-demo-com.mail.protection.outlook.com")]  # type: ignore[attr-defined]
        put_recipient(tables, Recipient(key))  # type: ignore[arg-type]
        limits = {"max_host_concurrency": 10, "max_messages_per_connection": 20, "table_tls": "preferred"}
        tables.destinations[key] = Destination(key, **limits)  # type: ignore[attr-defined, arg-type]


@pytest.mark.parametrize(
    ("hand", "place", "value"),
    [
        (ONLY_SOME, ("outbound", "pilotGroup"), "mail-pilot@bce-demo.com"),
        (EXCEPT, ("outbound", "except"), {"recipientDomains": ["bank.example"]}),
        (OFF, ("outbound", "state"), "none"),
        (SCANNER, ("inbound", "allowedSenders"), ["203.0.113.70"]),
        (NO_THROTTLE, ("inbound", "throttle"), "none"),
        (in_tables(_second_domain), ("domains", SHOP, "subdomains"), True),
    ],
)
def test_other_estates_are_read_as_they_are(
    at_desk: Desk, hand: Hand, place: tuple[str, ...], value: object
) -> None:
    hand(at_desk.estate)
    assert from_live(at_desk) == 0, at_desk.err
    assert RIGHT_ALREADY in at_desk.out, at_desk.out
    found = at_desk.values
    for step in place:
        found = found[step]
    assert found == value


def test_the_gateways_mx_hosts_are_those_that_the_world_sees(at_desk: Desk) -> None:
    at_desk.estate.internet.zones.set(DOMAIN, "MX", "10 mx1.bce-demo.example")
    for resolver in at_desk.estate.internet.resolvers.values():
        resolver.resolver.forget()
    assert from_live(at_desk) == 0, at_desk.err
    assert at_desk.values["inbound"]["mxHosts"] == [{"host": "mx1.bce-demo.example", "preference": 10}]


# --- what cannot be expressed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hand", "told"),
    [
        (
            in_tables(
                lambda tables: put_group(
                    tables, SenderGroup(THEIR_GROUP, "$RELAYED", [Sender(".protection.outlook.com")]), 0
                )
            ),
            f"sender group «{THEIR_GROUP}»: comment: theirs nothing, ours",
        ),
        (
            call("Set-TransportRule", Identity=RULE, SentToScope=None),
            f"transport rule «{RULE}»: sentToScope: theirs nothing, ours «NotInOrganization»",
        ),
        (
            call("Set-InboundConnector", Identity=CONNECTOR, RequireTls=False),
            f"inbound connector «{CONNECTOR}»: requireTls: theirs false, ours true",
        ),
        (
            in_tables(lambda tables: tables.destinations.pop(DOMAIN)),
            f"destination control «{DOMAIN}»",
        ),
        (
            call("Set-TransportRule", Identity=RULE, SetHeaderName="X-Theirs", SetHeaderValue=SECRET),
            f"transport rule «{RULE}»: setHeaderName: theirs «X-Theirs», ours «X-OUTBOUND-AUTH»",
        ),
    ],
)
def test_what_no_setting_can_express_is_listed_and_never_taken_over(
    at_desk: Desk, hand: Hand, told: str
) -> None:
    hand(at_desk.estate)
    assert from_live(at_desk, gateway=WITH_ADDRESSES) == 0, at_desk.err
    assert RIGHT_ALREADY not in at_desk.out
    assert "cannot be expressed in settings, or is not there; the first preview will show:" in at_desk.out
    assert told in at_desk.out
    assert "takeOver" not in at_desk.values


def test_a_header_value_that_no_stack_can_hold_leaves_outbound_mail_out(at_desk: Desk) -> None:
    call("Set-TransportRule", Identity=RULE, SetHeaderName=HEADER, SetHeaderValue="my-secret!")(
        at_desk.estate
    )
    assert from_live(at_desk, gateway=WITH_ADDRESSES) == 0, at_desk.err
    assert "the header's value is none that a stack can hold (8 to 128 letters and digits)" in at_desk.out
    assert at_desk.values["outbound"] == {"state": "none", "ciphers": "check"}
    assert "my-secret!" not in at_desk.out + at_desk.err


def test_other_values_in_the_filter_and_another_secret_in_the_environment_are_told(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        f'{THEIR_FILTER}: if (sendergroup == "^{THEIR_GROUP}$") {{ if (header("X-OUTBOUND-AUTH") =='
        f' "^({SECRET}|othertenants1)$") {{ strip-header("X-OUTBOUND-AUTH"); }} else {{ drop(); }} }}'
    )
    in_tables(lambda tables: put_filter(tables, text, 0))(at_desk.estate)
    monkeypatch.setenv("OUTBOUND_SECRET", "left0over0from0elsewhere")
    assert from_live(at_desk) == 0, at_desk.err
    assert f"the filter «{THEIR_FILTER}» takes 1 other header value, which will stay" in at_desk.out
    assert "OUTBOUND_SECRET of the environment is another value than the live one" in at_desk.out
    assert at_desk.secret == SECRET
    assert "othertenants1" not in at_desk.out + at_desk.err


def test_an_estate_with_nothing_in_it_says_so(at_desk: Desk) -> None:
    in_tables(lambda tables: tables.routes.pop(DOMAIN))(at_desk.estate)
    assert from_live(at_desk) == 1
    assert "no domain of the tenant is in the gateway's recipient access table and has a route" in at_desk.err
    assert "Name the domains with --domain" in at_desk.err


def test_a_domain_that_is_half_there_is_read_where_it_is_named(at_desk: Desk) -> None:
    in_tables(lambda tables: put_recipient(tables, Recipient(SHOP)))(at_desk.estate)
    assert from_live(at_desk) == 0, at_desk.err
    assert f"to have it in the stack, add --domain {SHOP}" in at_desk.out
    assert list(at_desk.values["domains"]) == [DOMAIN]
    named = ("--domain", DOMAIN, "--domain", SHOP, "--force")
    assert from_live(at_desk, *named) == 0, at_desk.err
    assert at_desk.values["domains"][SHOP]["microsoftMx"] == "shop-bce-demo-com.mail.protection.outlook.com"
    assert f"SMTP route «{SHOP}»" in at_desk.out


def test_addresses_that_nobody_can_tell_are_asked_for(at_desk: Desk) -> None:
    more = ["198.51.100.186", "198.51.100.187"]
    call("Set-OutboundConnector", Identity=RULE, UseMXRecord=False, SmartHosts=more)(at_desk.estate)
    assert from_live(at_desk) == 1
    assert f"Give them: --gateway {ESA}=DATA1,DATA2" in at_desk.err
