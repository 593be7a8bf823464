"""Host access and recipient access tables: which row counts."""

from __future__ import annotations

import pytest

from lab.gateway.mail.host_access import Host, admit, fits, in_range
from lab.gateway.mail.rates import Rates
from lab.gateway.mail.recipients import REJECTED, is_local, refusal
from lab.gateway.profile import load_profile
from lab.gateway.starting import starting_state
from lab.gateway.state import Configuration, Listener, Policy, Recipient, Sender, SenderGroup

MICROSOFT = Host("203.0.113.40", "mail-am6eur05on2040.outbound.protection.outlook.com")


def group(name: str, behaviour: str, *members: str, **extra: object) -> SenderGroup:
    made = SenderGroup(name, behaviour, [Sender(member) for member in members])
    for key, value in extra.items():
        setattr(made, key, value)
    return made


def listener(*groups: SenderGroup) -> Listener:
    policies = {
        "RELAYED": Policy("RELAYED", "RELAY", {"tls": "preferred"}),
        "BLOCKED": Policy("BLOCKED", "REJECT"),
    }
    rows = [*groups, group("ALL", "$BLOCKED")]
    defaults = {"tls": "off", "max_concurrency": "10"}
    return Listener("OutgoingMail", "private", "Data 2", groups=rows, policies=policies, defaults=defaults)


def test_the_first_group_that_matches_counts() -> None:
    table = listener(
        group("FIRST", "$RELAYED", ".protection.outlook.com"),
        group("SECOND", "ACCEPT", ".outlook.com", "203.0.113.40"),
    )
    admission = admit(table, MICROSOFT)
    assert (admission.group, admission.matched) == ("FIRST", ".protection.outlook.com")
    assert (admission.behaviour, admission.policy, admission.tls) == ("RELAY", "RELAYED", "preferred")
    assert admission.limit("max_concurrency") == 10
    assert admission.limit("max_rcpts_per_hour") == -1
    table.groups.reverse()
    table.groups.append(table.groups.pop(0))
    assert admit(table, MICROSOFT).group == "SECOND"


def test_everyone_else_is_in_no_group() -> None:
    admission = admit(listener(), MICROSOFT)
    assert (admission.group, admission.shown_group, admission.matched) == ("", "None", "ALL")
    assert (admission.behaviour, admission.policy, admission.tls) == ("REJECT", "BLOCKED", "off")


def test_a_direct_entry_has_no_group_name_and_its_own_parameters() -> None:
    direct = group("", "ACCEPT", "203.0.113.40", parameters={"tls": "required"})
    admission = admit(listener(direct), MICROSOFT)
    assert (admission.group, admission.behaviour, admission.tls) == ("", "ACCEPT", "required")


def test_continue_goes_on_to_the_next_group() -> None:
    table = listener(group("LOOK", "CONTINUE", "203.0.113.40"), group("NEXT", "$RELAYED", "203.0.113.40"))
    assert admit(table, MICROSOFT).group == "NEXT"


def test_a_host_without_a_good_name_is_known_by_what_is_wrong_with_it() -> None:
    table = listener(group("SUSPECT", "ACCEPT", host_dns=["nx.domain"]))
    assert admit(table, Host("203.0.113.9", "", "nx.domain")).matched == "nx.domain"
    assert admit(table, Host("203.0.113.9", "", "not.double.verified")).matched == "ALL"
    assert admit(table, MICROSOFT).matched == "ALL"


def test_a_table_without_all_is_an_error() -> None:
    table = listener()
    table.groups.clear()
    with pytest.raises(LookupError, match=r"OutgoingMail has no row for 203\.0\.113\.40"):
        admit(table, MICROSOFT)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (".protection.outlook.com", True),
        (".PROTECTION.outlook.com", True),
        ("protection.outlook.com", False),
        ("mail-am6eur05on2040.outbound.protection.outlook.com", True),
        (".xprotection.outlook.com", False),
        ("203.0.113.40", True),
        ("203.0.113.4", False),
        ("203.0.113.", True),
        ("203.0.113", True),
        ("203.0.11", False),
        ("203.0.113.0/24", True),
        ("203.0.113.40/32", True),
        ("203.0.114.0/24", False),
        ("203.0.113.1-203.0.113.40", True),
        ("203.0.113.1-40", True),
        ("203.0.113.41-50", False),
        ("203.0.112-113", True),
        ("2001:db8::1", False),
    ],
)
def test_entries_mean_addresses_ranges_and_names(entry: str, *, expected: bool) -> None:
    assert fits(entry, MICROSOFT) is expected


def test_a_suffix_needs_a_verified_name_and_its_dot() -> None:
    assert not fits(".protection.outlook.com", Host("203.0.113.40"))
    assert not fits(".protection.outlook.com", Host("203.0.113.40", "protection.outlook.com"))
    assert not fits(".protection.outlook.com", Host("203.0.113.40", "evilprotection.outlook.com"))
    assert in_range("2001:db8::/32", "2001:db8::1")


def rat(*rows: Recipient) -> Listener:
    return Listener("IncomingMail", "public", "Data 1", recipients=[*rows, Recipient("ALL", "REJECT")])


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("a@bce-demo.com", None),
        ("A@BCE-DEMO.COM", None),
        ("a@sub.bce-demo.com", REJECTED),
        ("a@x.tailspin.example", None),
        ("a@y.x.tailspin.example", None),
        ("a@tailspin.example", REJECTED),
        ("a@bad.tailspin.example", REJECTED),
        ("old@bce-demo.com", "550 this mailbox has moved"),
        ("postmaster@anywhere.example", None),
        ("a@anywhere.example", REJECTED),
        ("a@later.example", "451 come again"),
        ("a@[192.0.2.1]", None),
    ],
)
def test_the_most_specific_recipient_row_counts(recipient: str, reply: str | None) -> None:
    table = rat(
        Recipient(".tailspin.example"),
        Recipient("bad.tailspin.example", "REJECT"),
        Recipient("BCE-demo.com"),
        Recipient("old@bce-demo.com", "REJECT", "550 this mailbox has moved"),
        Recipient("postmaster@"),
        Recipient("later.example", "ACCEPT", "451 come again"),
        Recipient("[192.0.2.1]"),
    )
    assert refusal(table, recipient) == reply


def test_local_is_what_any_public_listener_takes() -> None:
    tables = Configuration(listeners=[rat(Recipient("bce-demo.com")), listener()])
    assert is_local(tables, "a@bce-demo.com")
    assert not is_local(tables, "a@probe.example")


def test_the_shipped_tables_know_what_to_do_with_anybody() -> None:
    tables = starting_state(load_profile("new")).base
    incoming, outgoing = tables.listener("IncomingMail"), tables.listener("OutgoingMail")
    assert admit(incoming, MICROSOFT).behaviour == "ACCEPT"
    assert admit(outgoing, MICROSOFT).behaviour == "REJECT"
    assert admit(incoming, Host("192.0.2.200")).group == "ALLOWED_LIST"
    assert admit(incoming, Host("203.0.113.9", "spamdomain.example")).behaviour == "REJECT"
    assert admit(incoming, Host("203.0.113.9", "", "nx.domain")).policy == "THROTTLED"


def test_connections_and_recipients_of_a_host_are_counted() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    assert [rates.enter("in", "a", 2) for _ in range(3)] == [True, True, False]
    assert rates.enter("in", "b", 2)
    rates.leave("in", "a")
    assert rates.enter("in", "a", 2)
    assert rates.enter("in", "a", -1)
    assert [rates.count("in", "a", 2) for _ in range(3)] == [True, True, False]
    now[0] = 3600.0
    assert rates.count("in", "a", 2)
