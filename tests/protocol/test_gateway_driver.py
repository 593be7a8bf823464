"""The gateway driver against the lab: a whole life of every table, on every release that we know."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab.estate import Estate
from tests.protocol import estate_kit
from tests.protocol.gateway_life import NAME, REAL_QUIET, Props, Stack, plugin, wanted

RELEASES = ("new", "old", "cluster")


@pytest.fixture(scope="module", params=RELEASES)
def running(request: pytest.FixtureRequest) -> Iterator[Estate]:
    with estate_kit.running(request.param) as estate:
        yield estate


@pytest.fixture
def estate(running: Estate) -> Iterator[Estate]:
    """As it was at the start, before each test."""
    with estate_kit.put_back(running) as estate:
        yield estate


def stack(*keys: str, **changes: Any) -> Stack:
    """A stack with some resources, or all of them.

    On old releases the policy RELAYED says TLS off by itself.
    """
    resources = {key: props for key, props in wanted().items() if not keys or key in keys}
    return Stack({**resources, **changes}, take_over=("mailFlowPolicy",))


def repeated_reads(estate: Estate, since: int) -> list[str]:
    """Tables that were read twice without a write in between."""
    seen: set[str] = set()
    again = []
    for event in estate.journal.events("gateway", since=since):
        table = str(event.detail.get("table"))
        if event.kind == "write":
            seen.discard(table)
        elif event.kind == "read":
            again += [table] if table in seen else []
            seen.add(table)
    return again


def count(estate: Estate, kind: str, since: int = 0) -> int:
    return estate.journal.count("gateway", kind, since=since)


def test_a_whole_life(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before, ours, start = estate.gateway.dump(), stack(), estate.journal.mark()
    with plugin(estate, monkeypatch, quiet=REAL_QUIET):
        assert sorted(ours.up()) == sorted(f"create {key}" for key in ours.inputs)
    assert count(estate, "connect", start) == 1
    assert count(estate, "commit", start) <= 2
    assert count(estate, "commit-started", start) == count(estate, "commit", start)
    assert repeated_reads(estate, start) == []
    after = estate.gateway.dump()

    start = estate.journal.mark()
    with plugin(estate, monkeypatch):
        assert ours.up() == []
    with plugin(estate, monkeypatch):
        ours.refresh()
        assert ours.drift() == {}
    assert count(estate, "write", start) == count(estate, "commit", start) == 0
    assert estate.gateway.dump() == after

    with plugin(estate, monkeypatch):
        ours.destroy()
    assert estate.gateway.dump() == before


def test_what_the_guide_wants_is_there(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with plugin(estate, monkeypatch):
        stack().up()
    dump = estate.gateway.dump()
    route = "route contoso.example\n  hosts: contoso-example.mail.protection.outlook.com\n"
    assert route in dump
    control = dump[dump.index("destination contoso.example") :].split("\ndestination")[0]
    for line in (
        "max_host_concurrency: 10",
        "max_messages_per_connection: 20",
        "table_tls: preferred",
        "dane: default",
    ):
        assert f"  {line}\n" in control
    group = dump[dump.index("sender group RELAY_O365") :].split("\nsender group")[0]
    for line in ("order: 1", "behaviour: $RELAYED", "comment: From Microsoft 365 mail to Cisco Secure Email"):
        assert f"  {line}\n" in group
    assert "  sender .protection.outlook.com" in group
    assert '| office365_outbound: if (sendergroup == "^RELAY_O365$") {' in dump


def test_group_policy_and_filter_take_one_commit(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    start = estate.journal.mark()
    with plugin(estate, monkeypatch, quiet=REAL_QUIET):
        stack("senderGroup", "mailFlowPolicy", "filter").up()
    assert count(estate, "commit", start) == 1
    (commit,) = estate.journal.events("gateway", "commit", since=start)
    for word in ("bce-demo-lab", "CHG0041872", "RELAY_O365", "RELAYED", "office365_outbound"):
        assert word in commit.detail["comment"]
    assert "mysecretkey" not in commit.detail["comment"]


def test_a_hundred_domains_take_one_commit(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    host = {"host": "mx.contoso.example", "priority": 0, "port": 25}
    routes = {f"d{n}.contoso.example": {"hosts": [host]} for n in range(100)}
    before, start, ours = (
        estate.gateway.dump(),
        estate.journal.mark(),
        Stack({"smtpRoutes": {"routes": routes}}),
    )
    with plugin(estate, monkeypatch):
        ours.up()
    assert count(estate, "commit", start) == 1
    assert estate.gateway.dump().count("hosts: mx.contoso.example") == 100
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert count(estate, "commit", start) == 2
    assert estate.gateway.dump() == before


HOST = {"host": "other.example", "priority": 0, "port": 25}
CONTROL = {"connections": 10, "messagesPerConnection": 20, "tls": "Preferred", "other": {}}
GROUP = {
    "policy": "RELAYED",
    "order": 1,
    "senders": [{"host": ".protection.outlook.com"}],
    "comment": "From Microsoft 365 mail to Cisco Secure Email",
    "other": {},
}
DOMAIN = "contoso.example"

BY_HAND: dict[str, tuple[str, dict[str, Props | None], str]] = {
    "route gone": ("smtpRoutes", {DOMAIN: None}, "missing"),
    "route elsewhere": ("smtpRoutes", {DOMAIN: {"hosts": [HOST]}}, "other.example"),
    "route with priority": ("smtpRoutes", {DOMAIN: {"hosts": [{**HOST, "priority": 5}]}}, "priority: 5"),
    "route with port": ("smtpRoutes", {DOMAIN: {"hosts": [{**HOST, "port": 2525}]}}, "port: 2525"),
    "route with two hosts": (
        "smtpRoutes",
        {DOMAIN: {"hosts": [HOST, {**HOST, "host": "203.0.113.9"}]}},
        "203.0.113.9",
    ),
    "route to nowhere": ("smtpRoutes", {DOMAIN: {"hosts": [{**HOST, "host": "/dev/null"}]}}, "/dev/null"),
    "control gone": ("destinationControls", {DOMAIN: None}, "missing"),
    "control connections": (
        "destinationControls",
        {DOMAIN: {**CONTROL, "connections": 11}},
        "connections: theirs 11, ours 10",
    ),
    "control messages": (
        "destinationControls",
        {DOMAIN: {**CONTROL, "messagesPerConnection": 21}},
        "messagesPerConnection: theirs 21, ours 20",
    ),
    "control TLS": (
        "destinationControls",
        {DOMAIN: {**CONTROL, "tls": "Required"}},
        "tls: theirs «Required», ours «Preferred»",
    ),
    "control TLS default": (
        "destinationControls",
        {DOMAIN: {"connections": 10, "messagesPerConnection": 20, "other": {}}},
        "tls: theirs nothing, ours «Preferred»",
    ),
    "control recipients": (
        "destinationControls",
        {DOMAIN: {**CONTROL, "other": {"recipientLimit": "300 recipients per 30 minutes"}}},
        "recipientLimit",
    ),
    "control each exchanger": (
        "destinationControls",
        {DOMAIN: {**CONTROL, "other": {"limitType": "MX"}}},
        "limitType",
    ),
    "control virtual gateway": (
        "destinationControls",
        {DOMAIN: {**CONTROL, "other": {"limitApply": "VG"}}},
        "limitApply",
    ),
    "control bounce verification": (
        "destinationControls",
        {DOMAIN: {**CONTROL, "other": {"bounceVerification": "Yes"}}},
        "bounceVerification",
    ),
    "recipient gone": ("recipientAccess", {DOMAIN: None}, "missing"),
    "recipient rejected": (
        "recipientAccess",
        {DOMAIN: {"action": "Reject", "other": {}}},
        "action: theirs «Reject», ours «Accept»",
    ),
    "recipient bypasses": (
        "recipientAccess",
        {DOMAIN: {"action": "Accept", "other": {"bypass": "bypass receiving"}}},
        "bypass",
    ),
    "recipient with response": (
        "recipientAccess",
        {DOMAIN: {"action": "Accept", "other": {"response": "250 come in"}}},
        "response",
    ),
    "group gone": ("senderGroup", {"RELAY_O365": None}, "missing"),
    "group with other policy": (
        "senderGroup",
        {"RELAY_O365": {**GROUP, "policy": "BLOCKED"}},
        "policy: theirs «BLOCKED»",
    ),
    "group with other sender": (
        "senderGroup",
        {"RELAY_O365": {**GROUP, "senders": [{"host": ".protection.outlook.com"}, {"host": "192.0.2.1"}]}},
        "192.0.2.1",
    ),
    "group without the dot": (
        "senderGroup",
        {"RELAY_O365": {**GROUP, "senders": [{"host": "protection.outlook.com"}]}},
        "senders: theirs",
    ),
    "group with other comment": (
        "senderGroup",
        {"RELAY_O365": {**GROUP, "comment": "mine"}},
        "comment: theirs «mine»",
    ),
    "group moved": ("senderGroup", {"RELAY_O365": {**GROUP, "order": 2}}, "order: theirs 2, ours 1"),
    "policy TLS": (
        "mailFlowPolicy",
        {"RELAYED": {"tls": "Required"}},
        "tls: theirs «Required», ours «Preferred»",
    ),
    "policy TLS off": ("mailFlowPolicy", {"RELAYED": {"tls": "Off"}}, "tls: theirs «Off», ours «Preferred»"),
    "filter gone": ("filter", {"mysecretkey": None}, "missing"),
    "filter with another secret": (
        "filter",
        {"mysecretkey": None, "strangersvalue": {"other": {}}},
        "missing",
    ),
}


def someone_else(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, ours: Stack, key: str, changes: dict[str, Props | None]
) -> None:
    """Another administrator changes something."""
    provider = ours.provider(key)
    place = {name: ours.inputs[key][name] for name in provider.place_fields()}
    with plugin(estate, monkeypatch):
        provider.apply(place, changes, provider.live(place, list(changes)), {})


ELSEWHERE = (
    "route with priority",
    "control each exchanger",
    "recipient with response",
    "group moved",
    "policy TLS",
    "filter gone",
)


@pytest.mark.parametrize(
    ("running", "case"),
    [(release, case) for release in RELEASES for case in BY_HAND if release == "new" or case in ELSEWHERE],
    indirect=["running"],
)
def test_drift_is_shown_as_exactly_that_and_repaired(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    key, changes, shown = BY_HAND[case]
    ours = stack(key)
    with plugin(estate, monkeypatch):
        ours.up()
    right = estate.gateway.dump()
    someone_else(estate, monkeypatch, ours, key, changes)
    assert estate.gateway.dump() != right
    with plugin(estate, monkeypatch):
        ours.refresh()
        drift = ours.drift()
        assert list(drift) == [key]
        assert shown in drift[key]
    with plugin(estate, monkeypatch):
        assert ours.up() == [f"update {key}"]
    if case != "filter with another secret":
        assert estate.gateway.dump() == right
    with plugin(estate, monkeypatch):
        ours.refresh()
        assert ours.drift() == {}


@pytest.mark.parametrize(
    ("running", "case"),
    [
        (release, case)
        for release in RELEASES
        for case, (_, changes, _) in BY_HAND.items()
        if all(changes.values()) and not case.startswith("filter") and (release == "new" or case in ELSEWHERE)
    ],
    indirect=["running"],
)
def test_what_was_there_and_differs_is_refused_then_taken_over_then_put_back(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    key, changes, shown = BY_HAND[case]
    someone_else(estate, monkeypatch, stack(key), key, changes)
    before = estate.gateway.dump()
    with plugin(estate, monkeypatch), pytest.raises(AssertionError, match="exists and differs") as refused:
        Stack({key: wanted()[key]}).up()
    assert shown in str(refused.value)
    assert "takeOver" in str(refused.value)
    assert estate.gateway.dump() == before
    ours = Stack({key: wanted()[key]}, take_over=(key,))
    with plugin(estate, monkeypatch):
        assert ours.up() == [f"create {key}"]
    assert estate.gateway.dump() != before
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert estate.gateway.dump() == before


def test_what_was_there_and_is_right_is_adopted_and_stays(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plugin(estate, monkeypatch):
        stack().up()
    before, start = estate.gateway.dump(), estate.journal.mark()
    ours = stack()
    with plugin(estate, monkeypatch):
        ours.up()
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert count(estate, "commit", start) == 0
    assert estate.gateway.dump() == before


def test_an_entry_that_someone_deleted_does_not_stop_destroy(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, ours = estate.gateway.dump(), stack("smtpRoutes", "filter")
    with plugin(estate, monkeypatch):
        ours.up()
    someone_else(estate, monkeypatch, ours, "smtpRoutes", {DOMAIN: None})
    someone_else(estate, monkeypatch, ours, "filter", {"mysecretkey": None})
    with plugin(estate, monkeypatch):
        ours.refresh()
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert estate.gateway.dump() == before


def test_a_domain_added_later_and_removed(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = stack("smtpRoutes", "destinationControls", "recipientAccess")
    with plugin(estate, monkeypatch):
        ours.up()
    first = estate.gateway.dump()
    more = wanted(domain="shop.contoso.example")
    fields = {"smtpRoutes": "routes", "destinationControls": "controls", "recipientAccess": "recipients"}
    for key, field in fields.items():
        ours.inputs[key] = {**ours.inputs[key], field: {**ours.inputs[key][field], **more[key][field]}}
    start = estate.journal.mark()
    with plugin(estate, monkeypatch, quiet=REAL_QUIET):
        assert len(ours.up()) == 3
    assert count(estate, "commit", start) == 1
    assert "route shop.contoso.example" in estate.gateway.dump()
    for key, field in fields.items():
        ours.inputs[key] = {**ours.inputs[key], field: {DOMAIN: ours.inputs[key][field][DOMAIN]}}
    with plugin(estate, monkeypatch):
        assert len(ours.up()) == 3
    assert estate.gateway.dump() == first


def test_secrets_are_alternatives_of_which_each_stack_owns_its_own(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = estate.gateway.dump()
    ours, theirs = stack("filter"), stack("filter")
    theirs.inputs["filter"] = {**theirs.inputs["filter"], "alternatives": {"secondtenant": {}}}
    with plugin(estate, monkeypatch):
        ours.up()
    alone = estate.gateway.dump()
    with plugin(estate, monkeypatch):
        theirs.up()
    with plugin(estate, monkeypatch):
        ours.refresh()
        assert ours.drift() == {}  # another stack's alternative is none of our business
    ours.inputs["filter"] = {**ours.inputs["filter"], "alternatives": {"mysecretkey": {}, "newsecretkey": {}}}
    with plugin(estate, monkeypatch):
        assert ours.up() == ["update filter"]
        text = "\n".join(filter_lines(estate))
        assert "^(mysecretkey|secondtenant|newsecretkey)$" in text
    with plugin(estate, monkeypatch):
        theirs.destroy()
    ours.inputs["filter"] = {**ours.inputs["filter"], "alternatives": {"mysecretkey": {}}}
    with plugin(estate, monkeypatch):
        ours.up()
    assert estate.gateway.dump() == alone
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert estate.gateway.dump() == before


def filter_lines(estate: Estate) -> list[str]:
    cluster = ["clustermode cluster"] if len(estate.gateway.members) > 1 else []
    lines = [*cluster, "filters", "detail", "office365_outbound", "", "exit"]
    return (
        estate.gateway.type_by_hand(lines).replace("'", '"').splitlines()
    )  # old releases print single quotes


COPIED = [
    'office365_outbound: if sendergroup == "RELAYLIST" {',
    'if header("X-OUTBOUND-AUTH") == "^mysecretkey$" {',
    'strip-header("X-OUTBOUND-AUTH");',
    "} else {",
    "drop();",
    "}",
    "}",
]


def type_filter(estate: Estate, lines: list[str]) -> None:
    cluster = ["clustermode cluster"] if len(estate.gateway.members) > 1 else []
    estate.gateway.type_by_hand([*cluster, "filters", "new", *lines, ".", "", 'commit "by hand" Y', "exit"])
    assert "filter office365_outbound" in estate.gateway.dump()


def test_the_filter_copied_from_the_guide_is_refused_taken_over_and_put_back(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_filter(estate, COPIED)
    before = estate.gateway.dump()
    with plugin(estate, monkeypatch), pytest.raises(AssertionError, match="group test: not ours") as refused:
        Stack({"filter": wanted()["filter"]}).up()
    assert "mysecretkey" not in str(refused.value)
    ours = Stack({"filter": wanted()["filter"]}, take_over=("filter",))
    with plugin(estate, monkeypatch):
        ours.up()
    assert '"^RELAY_O365$"' in "\n".join(filter_lines(estate))
    with plugin(estate, monkeypatch):
        ours.destroy()
    assert estate.gateway.dump() == before


def test_a_filter_without_anchors_round_the_group_counts_as_right_with_a_warning(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with plugin(estate, monkeypatch):
        stack("senderGroup").up()
    type_filter(estate, [line.replace("RELAYLIST", "RELAY_O365") for line in COPIED])
    start, ours = estate.journal.mark(), Stack({"filter": wanted()["filter"]})
    with plugin(estate, monkeypatch):
        ours.up()
    assert count(estate, "write", start) == 0
    assert "matches the group without ^ and $" in capsys.readouterr().err


def test_ciphers_are_compared_or_set(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, start = estate.gateway.dump(), estate.journal.mark()
    compared = Stack({"ciphers": {"mode": "check"}})
    with plugin(estate, monkeypatch):
        compared.up()
        compared.refresh()
        assert compared.drift() == {}
    assert "outbound SMTP ciphers are «" in capsys.readouterr().err
    with plugin(estate, monkeypatch):
        compared.destroy()
    assert count(estate, "commit", start) == 0
    written = Stack({"ciphers": {"mode": "set"}})
    with plugin(estate, monkeypatch):
        written.up()
    changed = [line for line in estate.gateway.dump().splitlines() if line not in before.splitlines()]
    assert any("!SSLv3" in line for line in changed)
    with plugin(estate, monkeypatch):
        assert written.up() == []
        written.destroy()
    assert estate.gateway.dump() == before


def test_delivery_settings_can_be_read(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    from dynamic_providers.gateway import delivery_config

    with plugin(estate, monkeypatch) as gateway:
        assert (
            gateway.read(delivery_config.TABLE, delivery_config.read)["default interface to deliver mail"]
            == "Auto"
        )
    assert gateway.name == NAME


RENDERINGS: list[tuple[str, dict[str, Any]]] = [
    ("new", {"asks_again": False}),
    ("new", {"echo": False}),
    ("new", {"newline": "\r\r\n"}),
    ("new", {"columns": 80, "wrap": "hard"}),
    ("new", {"columns": 80, "wrap": "word"}),
    ("new", {"pager_lines": 1}),
    ("new", {"print_priority_zero": True}),
    ("new", {"new_group_lands": "first"}),
    ("new", {"rollback_question": False}),
    ("new", {"latency": {"*": 0.01}}),
    ("old", {"columns": 80, "wrap": "hard", "pager_lines": 7}),
    ("cluster", {"notice": "command"}),
    ("cluster", {"notice": "verb"}),
    ("cluster", {"notice_switch_lasts": False}),
]


@pytest.mark.parametrize(("running", "switches"), RENDERINGS, indirect=["running"], ids=str)
def test_whatever_the_rendering(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, switches: dict[str, Any]
) -> None:
    for name, value in switches.items():
        assert hasattr(estate.gateway, name)
        setattr(estate.gateway, name, value)
    before, ours = estate.gateway.dump(), stack()
    with plugin(estate, monkeypatch):
        ours.up()
    with plugin(estate, monkeypatch):
        assert ours.up() == []
        ours.refresh()
        assert ours.drift() == {}
        ours.destroy()
    assert estate.gateway.dump() == before


def test_many_threads_share_commits(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve changes of one table at once: all of them are there, in far fewer commits."""
    provider, start = Stack.provider("smtpRoutes"), estate.journal.mark()

    def add(number: int) -> None:
        entry = {"hosts": [{"host": f"mx{number}.example", "priority": 0, "port": 25}]}
        provider.live({"gateway": NAME}, ["contoso.example"])
        provider.apply({"gateway": NAME}, {f"d{number}.example": entry}, {}, {})

    with plugin(estate, monkeypatch, quiet=REAL_QUIET), ThreadPoolExecutor(max_workers=12) as threads:
        list(threads.map(add, range(12)))
    assert all(f"route d{number}.example" in estate.gateway.dump() for number in range(12))
    assert count(estate, "commit", start) <= 4
    assert count(estate, "connect", start) == 1
