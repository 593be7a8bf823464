"""What other administrators change in the gateway's tables, before us or after: every kind, every release."""

import pytest

from lab.estate import Estate
from tests.protocol import gateway_kit as kit
from tests.protocol.gateway_kit import DOMAIN, RELEASES, count, stack
from tests.protocol.gateway_life import Props, Stack, plugin, wanted

running, estate = kit.running, kit.estate


HOST = {"host": "other.example", "priority": 0, "port": 25}
CONTROL = {"connections": 10, "messagesPerConnection": 20, "tls": "Preferred", "other": {}}
GROUP = {
    "policy": "RELAYED",
    "order": 1,
    "senders": [{"host": ".protection.outlook.com"}],
    "comment": "From Microsoft 365 mail to Cisco Secure Email",
    "other": {},
}

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
