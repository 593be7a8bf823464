"""Others' sender groups, filters and interfaces beside ours: what is found, and when it is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dynamic_providers import connections
from dynamic_providers.address_spans import outside, overlapping, span
from dynamic_providers.entries import Props
from dynamic_providers.equivalents import Finding
from dynamic_providers.errors import redact
from dynamic_providers.gateway import bounce_verification, delivery_config, transaction
from dynamic_providers.gateway.equivalents import (
    GatewayEquivalentsProvider,
    joined,
    message_filters,
    sender_groups,
    takes_microsoft,
)
from dynamic_providers.gateway.filter_text import render
from dynamic_providers.gateway.hat import Group, Hat
from dynamic_providers.gateway.outbound_filter import Filter
from dynamic_providers.gateway.script import Script
from dynamic_providers.gateway.sending_interfaces import unknown_to_microsoft, uses
from dynamic_providers.gateway.session import Session
from dynamic_providers.gateway.tables import UnreadableError

GROUP, FILTER, HEADER, SECRET = "RELAY_O365", "office365_outbound", "X-OUTBOUND-AUTH", "theirsecretkey"
LISTENER = "OutgoingMail"
PART = {"name": FILTER, "group": GROUP, "header": HEADER}
DELIVERY = {
    "interfaces": {"data 1": ["192.0.2.10", "192.0.2.11"], "data 2": ["198.51.100.10"]},
    "addresses": ["192.0.2.0/24", "198.51.100.10"],
}
PROVIDER = GatewayEquivalentsProvider()


@pytest.mark.parametrize(
    "entry",
    [
        ".protection.outlook.com",
        ".Protection.Outlook.com",
        ".outlook.com",  # wider
        ".com",
        ".prod.protection.outlook.com",  # narrower
        "mail-am6eur05on2040.outbound.protection.outlook.com",
        "40.107.22.0/24",
        "40.0.0.0/8",
        "104.47.0.1-104.47.0.9",
        "104.47.12.1-20",
        "40.92.",
    ],
)
def test_an_entry_that_takes_microsofts_connections(entry: str) -> None:
    assert takes_microsoft(entry)


@pytest.mark.parametrize(
    "entry",
    [
        "protection.outlook.com",  # without the dot it is one host, which sends nothing
        ".notprotection.outlook.com.example",
        ".relay.contoso.example",
        ".ook.com",
        "10.0.0.0/8",
        "40.108.0.0/16",
        "2001:db8::/32",
        "sbrs[-10.0:-3.0]",
        "40.107.22.999",
    ],
)
def test_an_entry_for_somebody_else(entry: str) -> None:
    assert not takes_microsoft(entry)


def table(*rows: tuple[str, str, str]) -> Hat:
    """Name, member, behaviour; a direct entry has no member of its own."""
    groups = {
        name: Group([(member, "theirs")] if member else [], behaviour, direct=not member)
        for name, member, behaviour in rows
    }
    return Hat({}, {**groups, "ALL": Group(behaviour="$BLOCKED")})


@pytest.mark.parametrize("above", [True, False])
def test_a_group_beside_ours_that_is_there(above: bool) -> None:  # noqa: FBT001 - a case
    theirs, ours = ("FROM_O365", ".outlook.com", "$RELAYED"), (GROUP, ".protection.outlook.com", "$RELAYED")
    [found] = sender_groups(table(*((theirs, ours) if above else (ours, theirs))), LISTENER, {GROUP})
    assert (found.name, found.take_over, found.harmful) == ("FROM_O365", "senderGroup", above)
    assert f"stands {'above' if above else 'below'} «{GROUP}»" in found.says


def test_groups_where_ours_is_not_there_yet() -> None:
    rows = (
        ("RELAYLIST", "10.1.2.3", "$RELAYED"),
        ("COUNTED", ".outlook.com", "CONTINUE"),  # what comes after it is looked at, too
        ("FROM_O365", ".protection.outlook.com", "$RELAYED"),
        (".mail.protection.outlook.com", "", "REJECT"),
    )
    group, direct = sender_groups(table(*rows), LISTENER, {GROUP})
    assert "which drops what lacks our secret" in group.says
    assert str(group) == (
        f"the sender group «FROM_O365» {group.says}. To manage it from here, set names.senderGroup to its "
        "name and add senderGroup to takeOver; to leave it as it is, add «sender group FROM_O365» to leave"
    )
    assert (direct.name, direct.take_over, direct.harmful) == (".mail.protection.outlook.com", "", True)


def a_filter(name: str, text: str, *, active: bool = True, valid: bool = True) -> Filter:
    return Filter(1, active, valid, name, f"{name}: {text}")


def ours_for(group: str, name: str = "old_gate") -> Filter:
    return Filter(
        1, active=True, valid=True, name=name, text="\n".join(render(name, group, HEADER, (SECRET,)))
    )


UNANCHORED = f"""if (sendergroup == "RELAY") {{
  if (header("{HEADER}") == "^{SECRET}$") {{ strip-header("{HEADER}"); }} else {{ drop(); }}
}}"""
STRIPS = f"if (true) {{ strip-header('{HEADER.lower()}'); }}"
ENDS = 'if (mail-from == "@news.example$") { skip-filters(); }'


@pytest.mark.parametrize(
    ("theirs", "harmful", "says"),
    [
        (ours_for(GROUP), True, "drops what lacks its secret"),
        (a_filter("old_gate", UNANCHORED), True, "drops what lacks its secret"),
        (
            ours_for("RELAYLIST"),
            False,
            f"«RELAYLIST»; ours that of «{GROUP}»",
        ),  # the guide's, copied literally
        (ours_for("RELAY"), False, f"«RELAY»; ours that of «{GROUP}»"),
        (a_filter("old_gate", STRIPS), True, "one may undo the other"),
        (a_filter("old_gate", ENDS), False, f"so «{FILTER}» is put above it"),
    ],
)
def test_a_filter_beside_ours(theirs: Filter, harmful: bool, says: str) -> None:  # noqa: FBT001 - a case
    harmless = a_filter("tail", 'if (rcpt-count > 100) { log-entry("many"); }')
    [found] = message_filters([harmless, theirs], PART, {FILTER})
    assert (found.name, found.harmful) == ("old_gate", harmful)
    assert says in found.says
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    "listed",
    [
        [ours_for(GROUP, FILTER.upper())],
        [a_filter("old_gate", STRIPS, active=False)],
        [a_filter("old_gate", STRIPS, valid=False)],
        [a_filter(FILTER, ENDS), a_filter("old_gate", ENDS)],  # below ours, or a difference of ours
    ],
)
def test_filters_that_are_ours_or_do_nothing(listed: list[Filter]) -> None:
    assert list(message_filters(listed, PART, {FILTER})) == []


def test_only_the_first_filter_that_ends_processing_is_told() -> None:
    [found] = message_filters([a_filter("one", ENDS), a_filter("two", ENDS)], PART, {FILTER})
    assert found.name == "one"


@pytest.mark.parametrize(
    ("default", "sources", "filters", "wanted"),
    [
        ("Auto", {}, [], {}),
        ("Data 1", {"@news.example": "data2"}, [], {}),
        ("Data 2 (198.51.100.10/24: esa1.example)", {}, [], {}),
        ("Management", {}, [], {"Management": "`deliveryconfig`"}),
        (
            "Auto",
            {"@a.example": "Bulk", "10.1.2.3": "Bulk"},
            [],
            {"Bulk": "`altsrchost` @a.example, `altsrchost` 10.1.2.3"},
        ),
        (
            "Auto",
            {},
            [a_filter("news", "if (true) { alt-src-host('Bulk 2'); }")],
            {"Bulk 2": "message filter «news»"},
        ),
        ("Auto", {}, [a_filter("news", "if (true) { alt-src-host('Bulk'); }", active=False)], {}),
    ],
)
def test_interfaces_whose_address_nobody_knows(
    default: str, sources: Mapping[str, str], filters: Sequence[Filter], wanted: Mapping[str, str]
) -> None:
    found = list(unknown_to_microsoft(uses(default, sources, filters), DELIVERY))
    assert {one.name for one in found} == set(wanted)
    for one in found:
        assert f"({wanted[one.name]})" in one.says
        assert one.harmful


@pytest.mark.parametrize(("default", "harmful"), [("Auto", False), ("Data 1", True)])
def test_an_interface_whose_address_is_not_in_the_connector(
    default: str,
    harmful: bool,  # noqa: FBT001 - a case
) -> None:
    part = {**DELIVERY, "addresses": ["192.0.2.10", "198.51.100.0/24"]}
    [found] = unknown_to_microsoft(uses(default, {}, []), part)
    assert (found.name, found.harmful) == ("Data 1", harmful)
    assert "192.0.2.11 is not in inbound.senderAddresses" in found.says


def test_spans() -> None:
    assert span("104.47.12.250-9") is None
    assert overlapping(["104.47.12.30"], ["104.47.12.1-29", "104.47.12.31-13.1"]) == []
    assert overlapping(["104.47.12.40"], ["104.47.12.31-13.1"]) == ["104.47.12.40"]
    assert overlapping(["192.0.2.7", "192.0.2.0/28", "a.example"], ["192.0.2.9-12"]) == ["192.0.2.0/28"]
    assert outside(["192.0.2.7", "192.0.2.0/28", "10.9.8.7"], ["192.0.2.0-192.0.2.255"]) == ["10.9.8.7"]
    assert outside(["192.0.2.7", "a.example"], []) == ["192.0.2.7", "a.example"]


def test_altsrchost_as_printed() -> None:
    rows = [
        "There are currently 3 sources configured.",
        "",
        "@news.example -> Bulk mail",
        "2. 10.1.2.3 Data 2",
    ]
    sources = {"@news.example": "Bulk mail", "10.1.2.3": "Data 2", "a@b.example": "X"}
    assert delivery_config.parse_sources("\n".join([*rows, "a@b.example->X"]), "esa1") == sources
    with pytest.raises(UnreadableError, match="alone"):
        delivery_config.parse_sources("\n".join([*rows, "alone"]), "esa1")


# --- when it is looked for ----------------------------------------------------------------------------------


class CannedGateway(transaction.Gateway):
    """Tables by their command; `reads` is which were asked for."""

    def __init__(self) -> None:
        self.name = "hc1234"
        self.reads: list[str] = []
        self.tables: dict[str, Any] = {
            "listenerconfig": table(("FROM_O365", ".outlook.com", "$RELAYED")),
            "filters": [ours_for(GROUP), a_filter("news", ENDS)],
            "deliveryconfig": {delivery_config.DEFAULT: "Auto"},
            "altsrchost": {"@news.example": "Bulk"},
            "bvconfig": False,
        }

    def read(self, table: str, reader: Callable[[Session], Any]) -> Any:
        self.reads.append(table.partition(":")[0])
        return self.tables[self.reads[-1]]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> CannedGateway:
    canned = CannedGateway()
    monkeypatch.setattr(connections, "_live", {"gateway": canned})
    return canned


def inputs(*leave: str, **changed: Any) -> Props:
    parts = {"senderGroup": {"listener": LISTENER, "name": GROUP}, "filter": PART, "delivery": DELIVERY}
    return {"gateway": "hc1234", **parts, "leave": list(leave), **changed}


def refused(news: Props, olds: Props | None = None) -> list[str]:
    """Names of what is refused; a message that does not say where would not match."""
    reasons = [failure.reason for failure in PROVIDER.check(olds or {}, news).failures]
    assert all(reason.startswith("hc1234: the ") for reason in reasons)
    return [reason.split("»")[0].partition("«")[2] for reason in reasons]


def test_everything_is_listed_at_once(gateway: CannedGateway, said: list[str]) -> None:
    assert refused(inputs()) == ["FROM_O365", "old_gate", "Bulk"]
    assert ["«news» ends the processing" in line for line in said] == [True]


def test_what_is_left_is_quiet_and_what_is_not_there_is_noted(
    gateway: CannedGateway, said: list[str]
) -> None:
    left = ("sender group from_o365", "message filter old_gate", "message filter news", "interface Bulk")
    assert refused(inputs(*left, "sender group GONE", "transport rule Any")) == []
    [line] = said
    assert "nothing in the way that is called «sender group GONE»" in line


def test_nothing_is_read_again_afterwards(gateway: CannedGateway, said: list[str]) -> None:
    known = PROVIDER.check({}, inputs()).inputs
    gateway.reads.clear()
    assert refused(inputs("interface Bulk"), known) == []
    assert (gateway.reads, said[1:]) == ([], [])


def test_a_part_that_is_new_is_looked_at_alone(gateway: CannedGateway, said: list[str]) -> None:
    known = PROVIDER.check({}, inputs(senderGroup=None, filter=None)).inputs
    gateway.reads.clear()
    assert refused(inputs(), known) == ["FROM_O365", "old_gate"]
    assert gateway.reads == ["listenerconfig", "filters", "bvconfig"]


def test_what_was_ours_till_now_is_no_rival(gateway: CannedGateway, said: list[str]) -> None:
    theirs = {"senderGroup": {"listener": LISTENER, "name": "FROM_O365"}}
    known = PROVIDER.check({}, inputs(**theirs)).inputs
    assert refused(inputs(), known) == []
    assert refused(inputs(**theirs)) == ["old_gate", "Bulk"]


def test_where_mail_leaves_from_may_be_unreadable(
    gateway: CannedGateway, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role that may not look; nothing of ours is built on it."""
    read = gateway.read

    def forbidden(table: str, reader: Callable[[Session], Any]) -> Any:
        if table == "altsrchost":
            raise UnreadableError("no such command", where="esa1", fix="")
        return read(table, reader)

    monkeypatch.setattr(gateway, "read", forbidden)
    assert refused(inputs()) == ["FROM_O365", "old_gate"]
    assert "no such command. Compare `altsrchost` with inbound.senderAddresses by hand" in said[0]


@pytest.mark.parametrize(
    ("printed", "tags"),
    [
        ("Key for tagging outgoing mail: s3cr3tkey\n", True),
        ("Behavior on invalid bounces: reject\n\nCurrent outgoing key: s3cr3tkey", True),
        ("Key for tagging outgoing mail: None\n", False),
        ("There is no outgoing key.\n", False),
        ("Previous outgoing keys:\n1. old (last in use Wed)", False),
        ("", False),
    ],
)
def test_a_key_is_what_tags_senders(printed: str, tags: bool) -> None:  # noqa: FBT001
    assert bounce_verification.has_key(printed) is tags
    assert "s3cr3tkey" not in redact("s3cr3tkey is the key") or not tags


@pytest.mark.parametrize(
    ("default", "own", "lines"),
    [
        ("None", "Default", 0),
        ("Off", "No", 0),
        ("Yes", "Default", 2),
        ("On", "Off", 1),
        ("None", "Yes", 2),
    ],
)
def test_bounce_verification_is_warned_of_where_it_tags(
    gateway: CannedGateway, default: str, own: str, lines: int
) -> None:
    gateway.tables["destconfig"] = {
        "default": [f"  Bounce verification: {default}"],
        "contoso.example": ["  TLS: Preferred", f"  Bounce Verification: {own}"],
        "b.example": ["  TLS: Preferred"],
    }
    assert list(bounce_verification.warnings(gateway, ["contoso.example"])) == []
    gateway.tables["bvconfig"] = True
    assert len(list(bounce_verification.warnings(gateway, ["contoso.example"]))) == lines


def test_bounce_verification_is_told_with_the_filter(gateway: CannedGateway, said: list[str]) -> None:
    gateway.tables |= {"bvconfig": True, "destconfig": {"default": ["Bounce verification: Yes"]}}
    refused(inputs())
    [line] = [one for one in said if "bounce verification is in use" in one]
    assert "auto-forwards and journals, is not tagged" in line


def test_of_several_gateways_each_is_named_that_has_it() -> None:
    both, one = Finding("interface", "Bulk", "is there"), Finding("interface", "News", "is there")
    assert [str(found).partition(".")[0] for found in joined({"esa1": [both], "esa2": [both, one]})] == [
        "the interface «Bulk» is there",
        "the interface «News» (on esa2) is there",
    ]


def test_reading_is_a_script_that_changes_nothing() -> None:
    scripts: tuple[Script, ...] = (delivery_config.READ, delivery_config.READ_SOURCES)
    assert {step.verb for script in scripts for step in script.steps} == {"PRINT"}


def test_a_finding_without_another_way() -> None:
    found = Finding("interface", "Bulk", "is there", fix="give its address")
    assert str(found) == (
        "the interface «Bulk» is there. Give its address; to leave it as it is, add «interface Bulk» to leave"
    )
